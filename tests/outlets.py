"""Runs of the program whose standard streams cannot be written or read as usual; itself run as a script.

Starting Python takes longer than most commands, so one process that has loaded everything forks for each of them.
"""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple


class Said(NamedTuple):
    """What a run came to; what was lost is not in it."""

    code: int
    out: str
    err: str


def runs(commands: Sequence[Sequence[str]], kinds: Sequence[str], env: Mapping[str, str], home: Path) -> list[Said]:
    """Run each command; a stream is ``open``, ``full``, ``closed`` or ``left``: a pipe whose reader has gone."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.outlets", *kinds],
        input=json.dumps(commands).encode(),
        env=env,
        cwd=home,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Said(code, out, err) for code, out, err in json.loads(done.stdout)]


def _main(kinds: Sequence[str]) -> None:
    import mailmove
    from mailmove.streams import settle

    settle()  # as each run would begin
    for module in pkgutil.walk_packages(mailmove.__path__, "mailmove."):
        if not module.name.startswith(("mailmove.demo", "mailmove.accounts.oauth.", "mailmove.__")):
            import_module(module.name)
    said = [_one(command, kinds) for command in json.loads(sys.stdin.buffer.read())]
    sys.stdout.buffer.write(json.dumps(said).encode())


def _one(command: Sequence[str], kinds: Sequence[str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            _as_told(kinds, (os.open(os.devnull, os.O_RDONLY), out.fileno(), err.fileno()))
            from mailmove.cli import run_program

            sys.argv[1:] = command
            try:
                run_program()
            except SystemExit as ended:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(int(ended.code or 0))
            finally:
                os._exit(99)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0), err.seek(0)
        return code, out.read().decode("utf-8", "backslashreplace"), err.read().decode("utf-8", "backslashreplace")


def _as_told(kinds: Sequence[str], opened: Sequence[int]) -> None:
    for fd, (kind, usual) in enumerate(zip(kinds, opened, strict=True)):
        if kind == "open":
            os.dup2(usual, fd)
        elif kind == "full":
            os.dup2(os.open("/dev/full", os.O_RDWR), fd)
        elif kind == "left":
            reading, writing = os.pipe()
            os.close(reading)
            os.dup2(writing, fd)
    for fd, kind in enumerate(kinds):
        if kind == "closed":
            os.close(fd)
    sys.stdin, sys.stdout, sys.stderr = (
        None if kind == "closed" else stream
        for kind, stream in zip(kinds, (sys.stdin, sys.stdout, sys.stderr), strict=True)
    )


if __name__ == "__main__":
    _main(sys.argv[1:])
