"""The program under strace: every step that reaches the disk, found by tracing, then made to kill it or to fail.

A step is the N-th call of one system call in a thread. The steps are not a list kept by hand: a first run is traced,
and what it did is what is broken, one after the other. strace sees into SQLite, which no Python shim could.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest

from tests.kit import Done, Program
from tests.servers.proxy import sample

CALLS = """write pwrite64 ftruncate fsync fdatasync syncfs mkdir mkdirat rename renameat renameat2 link linkat unlink
    unlinkat fchmod""".split()  # fmt: skip  # noqa: SIM905
"""What changes a disk or makes it durable. Creating a file is not among them: what follows it is."""

LONG = bool(os.environ.get("MAILMOVE_LONG_TESTS"))
"""Whether every step is wanted, however long it takes."""

MOST = 0.8
"""So many of the steps of one run are at least steps of the next: a slow disk makes for fewer, larger commits."""


@dataclass(frozen=True)
class Step:
    """The ``nth`` time, from 1, that a thread makes this call."""

    call: str
    nth: int

    def __str__(self) -> str:
        return f"{self.call} {self.nth}"


def strace() -> str:
    """The path of strace; without it the test is skipped, or fails in CI."""
    found = shutil.which("strace")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs strace")
        pytest.skip("no strace")
    return found


def steps(program: Program, *arguments: object, calls: Iterable[str] = CALLS, code: int = 0) -> list[Step]:
    """Run it to its end, with this exit code, and list every step it made."""
    log = program.home / "steps.strace"
    done = traced(program, ["-o", str(log), "-e", f"trace={_set(calls)}"], *arguments)
    assert done.code == code, done.err
    counts: dict[str, Counter[str]] = {}
    for thread, call in re.findall(r"(?m)^(\d+) +(\w+)\(", log.read_text()):
        counts.setdefault(call, Counter())[thread] += 1
    return [Step(call, nth) for call, by in counts.items() for nth in range(1, max(by.values()) + 1)]


def some(found: Sequence[Step], most: int) -> list[Step]:
    """A fair sample: all steps of a call that is rare, evenly spread ones of a call that is frequent."""
    if LONG:
        return list(found)
    kept: list[Step] = []
    calls = dict.fromkeys(step.call for step in found)
    for call in calls:
        mine = [step for step in found if step.call == call]
        kept += [mine[number - 1] for number in sample(len(mine), max(2, most // len(calls)))]
    return kept


def killed_at(program: Program, step: Step, *arguments: object) -> bool:
    """Run it and kill it there; returns whether it came so far."""
    done = traced(program, [*_on(step.call), "-e", f"inject={step.call}:signal=SIGKILL:when={step.nth}"], *arguments)
    return done.code in (-9, 137)


def failing_at(program: Program, step: Step, error: str, *arguments: object, lasting: bool = False) -> Done:
    """Run it and let that call fail; with ``lasting`` every one from then on."""
    when = f"{step.nth}{'+' if lasting else ''}"
    return traced(program, [*_on(step.call), "-e", f"inject={step.call}:error={error}:when={when}"], *arguments)


def traced(program: Program, options: Iterable[str], *arguments: object) -> Done:
    """Run it under strace; it leaves no compiled modules, whose writing would be steps of the first run only."""
    done = subprocess.run(
        [strace(), "-f", "-qq", *options, *program.command(*arguments)],
        env={**program.env, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=program.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _on(call: str) -> list[str]:
    return ["-o", os.devnull, "-e", f"trace={call}"]


def _set(calls: Iterable[str]) -> str:
    return ",".join(f"?{call}" for call in calls)  # not every architecture has all
