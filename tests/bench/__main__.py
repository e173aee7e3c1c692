"""How fast mailmove copies a mailbox, beside mbsync, on this machine. Run by hand; not part of the tests:

    python -m tests.bench [--messages 2000] [--octets 56000] [--rounds 3]

Both bring the same mailbox home from a private Dovecot on loopback, then look again at one that has not changed.
Start-up is included. mbsync runs as it comes, which syncs each message to disk, and with ``FSync no``, which syncs
none. One round that does not count warms everything up; then the order rotates. Shown are the medians in seconds and
mailmove's share of the others' time.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.kit import Mailbox, Program, message
from tests.servers.dovecot import PASSWORD, Dovecot

_MBSYNC = """
{fsync}
IMAPAccount a
Host localhost
Port {port}
User {user}
Pass {password}
AuthMechs LOGIN
SSLType None

IMAPStore far
Account a

MaildirStore near
Path {place}/
Inbox {place}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
SyncState *
CopyArrivalDate yes
"""

Client = Callable[[Path], list[str]]
"""The command that brings the mailbox into a directory; told the same directory again, it looks for changes."""


def clients(mailbox: Mailbox, program: Program) -> dict[str, Client]:
    """What is compared."""

    def mailmove(place: Path) -> list[str]:
        return program.command("export", "-q", mailbox.url, "--tls", "none", "--archive", place / "mail")

    def mbsync(fsync: str) -> Client:
        def command(place: Path) -> list[str]:
            config = place / "mbsyncrc"
            config.write_text(
                _MBSYNC.format(port=mailbox.port, user=mailbox.user, password=PASSWORD, place=place, fsync=fsync)
            )
            return ["mbsync", "-q", "-c", str(config), "-a"]

        return command

    return {"mailmove": mailmove, "mbsync": mbsync(""), "mbsync, FSync no": mbsync("FSync no")}


def timed(command: list[str], program: Program) -> float:
    """Seconds that a command takes.

    :raises subprocess.CalledProcessError: when it fails.
    """
    began = time.monotonic()
    subprocess.run(command, env=program.env, check=True, stderr=subprocess.PIPE)  # mbsync warns of plaintext
    return time.monotonic() - began


def copied(place: Path) -> int:
    """Messages in the Maildirs below a directory."""
    return sum(1 for file in place.rglob("*") if file.parent.name in ("cur", "new") and file.is_file())


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=int, default=2000)
    options.add_argument("--octets", type=int, default=56_000, help="of each message")
    options.add_argument("--rounds", type=int, default=3)
    wanted = options.parse_args()
    if shutil.which("mbsync") is None:
        sys.exit("mbsync is not installed (Debian: isync)")
    server = Dovecot()
    try:
        with tempfile.TemporaryDirectory(prefix="mailmove-bench-") as directory:
            mailbox = Mailbox("dovecot", server.host, server.imap, "bench", PASSWORD)
            mailbox.fill(message(number, size=wanted.octets) for number in range(wanted.messages))
            measure(mailbox, Path(directory), wanted.messages, wanted.rounds)
    finally:
        server.stop()


def measure(mailbox: Mailbox, directory: Path, messages: int, rounds: int) -> None:
    """Run each client in each round, in turn the first, and print what it took."""
    program = Program(directory)
    compared = clients(mailbox, program)
    first: dict[str, list[float]] = {name: [] for name in compared}
    again: dict[str, list[float]] = {name: [] for name in compared}
    for number in range(rounds + 1):
        names = list(compared)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            place = directory / f"{number} {name}".replace(" ", "-")
            place.mkdir()
            took = timed(compared[name](place), program), timed(compared[name](place), program)
            if (got := copied(place)) != messages:
                sys.exit(f"{name} copied {got} of {messages} messages")
            if number:
                first[name].append(took[0])
                again[name].append(took[1])
            shutil.rmtree(place)
            shutil.rmtree(program.home / "state", ignore_errors=True)
    for title, times in (("first copy", first), ("no change", again)):
        ours = statistics.median(times["mailmove"])
        print(title)
        for name, seconds in times.items():
            median = statistics.median(seconds)
            print(
                f"  {name:<18}{median:7.2f} s"
                + ("" if name == "mailmove" else f"   mailmove / it = {ours / median:.2f}")
            )


if __name__ == "__main__":
    main()
