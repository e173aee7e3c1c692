"""Disks and machines that a test does not have: the program believes what it is told of them."""

from __future__ import annotations

from pathlib import Path

from tests.kit import Program


def as_machine(program: Program, name: str, *told: str) -> Program:
    """The same program and home on another machine; ``told`` are statements that change what it finds there."""
    other = Program(program.home)
    there = program.home / f"machine-{name}"
    there.mkdir(exist_ok=True)
    lines = (
        "import os, platform",
        "from mailmove.archive import disk, lock",
        f"platform.node = lambda: {name!r}",
        f"lock._machine = lambda: {name!r}",
        *told,
    )
    Path(there, "sitecustomize.py").write_text("\n".join(lines))
    other.env = {**program.env, "PYTHONPATH": f"{there}:{program.env['PYTHONPATH']}"}
    return other


SHARED = "disk.is_shared = lambda fd: True"
"""A network disk."""
