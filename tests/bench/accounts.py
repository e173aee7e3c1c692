"""How fast many accounts and slow servers are, beside another version of mailmove. Run by hand; not part of the tests:

    git worktree add ../before COMMIT
    python -m tests.bench.accounts --against ../before [--rounds 3]

Three runs, each as a process of its own: nothing new in 200 accounts over TLS (a private Dovecot, ``--jobs 8``); 20
accounts whose passwords a command tells after 0.3 s; a restore of 250 messages to a server that has no LITERAL+ and
collects small packets (RFC 896), as Courier does. Shown are medians, in seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.kit import Program, message
from tests.servers.dovecot import Dovecot
from tests.servers.personalities import Courier
from tests.servers.scripted import Conversation, Scripted

Times = tuple[float, float]
"""Wall and CPU."""


def timed(program: Program, *arguments: object) -> Times:
    """Run it to its end.

    :raises subprocess.CalledProcessError: when it fails.
    """
    before, began = os.times(), time.monotonic()
    subprocess.run(program.command(*arguments), env=program.env, cwd=program.home, check=True, stdout=subprocess.PIPE)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, cpu


def idle(server: Dovecot, program: Program, accounts: int = 200) -> Callable[[], Times]:
    """Nothing new in many accounts."""
    (program.home / "password").write_text("pw\n")
    (program.home / "password").chmod(0o600)
    _configured(server, program, accounts, f'secret_file = "{program.home}/password"')
    timed(program, "export", "-q", "--jobs", 8)
    return lambda: timed(program, "export", "-q", "--jobs", 8)


def slow_passwords(server: Dovecot, program: Program) -> Callable[[], Times]:
    """Passwords that take their time."""
    _configured(server, program, 20, 'password_command = ["sh", "-c", "sleep 0.3; echo pw"]')
    return lambda: timed(program, "account", "test", "--jobs", 8)


def courier(_server: Dovecot, program: Program, messages: int = 250) -> Callable[[], Times]:
    """A restore of many messages, each time into an empty mailbox."""
    source = Scripted()
    source.store.add("INBOX", *map(message, range(messages)))
    archive = program.home / "archive"
    timed(program, "export", "-q", source.url, "--tls", "none", "--archive", archive)
    source.stop()

    def restored() -> Times:
        target = Scripted(store=Courier())
        target.store.add("INBOX")
        target.on("LOGIN", _with_nagle)
        shutil.rmtree(program.home / "state", ignore_errors=True)
        try:
            words = ("restore", "--all", "-a", archive, "--to", target.url, "--tls", "none", "-q", "--yes")
            took = timed(program, *words)
            assert len(target.store.folders[b"INBOX"].mails) == messages
        finally:
            target.stop()
        return took

    return restored


def _with_nagle(talk: Conversation, command: object) -> None:
    talk._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    talk.answer(command)  # type: ignore[arg-type]


def _configured(server: Dovecot, program: Program, accounts: int, password: str) -> None:
    """Configure so many accounts; ``password`` is the line that says where theirs is."""
    del program.env["MAILMOVE_PASSWORD"]
    tables = []
    for number in range(accounts):
        archive = program.home / f"bench{number}"
        lines = f'host = "localhost"\nport = {server.imaps}\nuser = "bench{number}"\nca_file = "{server.ca}"\n'
        tables.append(f'[account.bench{number}]\narchive = "{archive}"\n{lines}{password}\n')
    program.configure("\n".join(tables))


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--against", type=Path, required=True, help="a checkout of another version")
    options.add_argument("--rounds", type=int, default=3)
    wanted = options.parse_args()
    server = Dovecot()
    try:
        for bench in (idle, slow_passwords, courier):
            with tempfile.TemporaryDirectory(prefix="mailmove-bench-") as directory:
                compare(bench, server, Path(directory), wanted.against.resolve(), wanted.rounds)
    finally:
        server.stop()


def compare(
    bench: Callable[[Dovecot, Program], Callable[[], Times]], server: Dovecot, place: Path, against: Path, rounds: int
) -> None:
    """Both versions in turn, and what they took."""
    runs = {}
    for name, code in (("before", against), ("now", Path(__file__).parents[2])):
        (place / name).mkdir(mode=0o700)
        program = Program(place / name)
        program.env["PYTHONPATH"] = str(code)
        runs[name] = bench(server, program)
    took: dict[str, list[Times]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            took[name].append(run())
    print((bench.__doc__ or "").strip())
    for name, times in took.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"  {name:<8}{wall:7.2f} s   CPU {cpu:6.2f} s", flush=True)


if __name__ == "__main__":
    main()
