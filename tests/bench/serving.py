"""How fast `mailmove serve` is, beside Dovecot with the same message files. Run by hand; not part of the tests:

    python -m tests.bench.serving [--messages 100000] [--bodies 5000] [--octets 2000]

Each step is asked of both over loopback by the same bare client, which only looks for the end of the answer. Cold is
the first time after the server started (Dovecot: with its index still to be made), warm the median of three more.
Shown are wall time and the server's own CPU, in seconds. Mail goes out of mailmove only after it was hashed.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.kit import Program, message
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.serving.conftest import Serving, Shelved

_LISTED = b"FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)"


class Server(NamedTuple):
    """A server under measurement: its ports and login, and the process that began it."""

    name: str
    imap: int
    pop3: int
    user: str
    password: str
    process: int


class Cost(NamedTuple):
    """Seconds of wall time, and of CPU of the server."""

    wall: float
    cpu: float


def _family(root: int) -> Iterator[int]:
    """A process and all below it."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    yield from found


def _cpu(root: int) -> float:
    total = 0
    for pid in _family(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / 100


def _memory(pid: int, what: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / 1000


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=600) as connection:
        connection.recv(4096)
        yield connection


def _ask(connection: socket.socket, sent: bytes, end: bytes) -> int:
    """Send it and read up to a last line that begins so; how many octets came."""
    connection.sendall(sent)
    count, tail = 0, b"\r\n"
    while True:
        octets = connection.recv(1 << 18)
        if not octets:
            raise RuntimeError(f"closed after {tail[-300:]!r}")
        count += len(octets)
        tail = (tail + octets)[-2000:]
        at = tail.rfind(b"\r\n" + end)
        if at >= 0 and tail.endswith(b"\r\n"):
            if tail[at + 2 + len(end) :].startswith((b"NO", b"BAD")):
                raise RuntimeError(repr(tail))
            return count


def _imap(server: Server, *commands: bytes) -> Callable[[], None]:
    def run() -> None:
        with _connected(server.imap) as connection:
            for command in (f"LOGIN {server.user} {server.password}".encode(), b"EXAMINE INBOX", *commands):
                _ask(connection, b"t " + command + b"\r\n", b"t ")

    return run


def _pop3(server: Server, retrieved: int) -> Callable[[], None]:
    def run() -> None:
        with _connected(server.pop3) as connection:
            _ask(connection, f"USER {server.user}\r\n".encode(), b"+OK")
            _ask(connection, f"PASS {server.password}\r\n".encode(), b"+OK")
            for command in (b"LIST", b"UIDL", *(b"RETR %d" % number for number in range(1, retrieved + 1))):
                _ask(connection, command + b"\r\n", b".\r\n")

    return run


def _mbsync(server: Server, place: Path) -> Callable[[], None]:
    def run() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "rc").write_text(
            f"FSync no\n\nIMAPAccount a\nHost 127.0.0.1\nPort {server.imap}\nUser {server.user}\n"
            f"Pass {server.password}\nSSLType None\nAuthMechs *\n\nIMAPStore far\nAccount a\n\n"
            f"MaildirStore near\nPath {place}/\nInbox {place}/INBOX\n\nChannel c\nFar :far:\nNear :near:\n"
            "Patterns Few\nCreate Near\nSync Pull\nSyncState *\n"
        )
        subprocess.run(["mbsync", "-q", "-c", str(place / "rc"), "-a"], check=True, stderr=subprocess.DEVNULL)

    return run


def measured(server: Server, run: Callable[[], None]) -> Cost:
    """What it costs."""
    before, began = _cpu(server.process), time.monotonic()
    run()
    wall = time.monotonic() - began
    time.sleep(0.1)  # the processes of a connection that ended are waited for
    return Cost(wall, max(0.0, _cpu(server.process) - before))


def _steps(server: Server, bodies: int, place: Path) -> dict[str, Callable[[], None]]:
    return {
        "SELECT, FETCH 1:* (UID FLAGS …)": _imap(server, _LISTED),
        f"FETCH of {bodies:,} bodies": _imap(server, b"FETCH 1:%d BODY.PEEK[]" % bodies),
        "SEARCH SUBJECT (few)": _imap(server, b"SEARCH SUBJECT 4711"),
        "SEARCH BODY (few)": _imap(server, b'SEARCH BODY "e of message 4711"'),
        "SEARCH UNSEEN SINCE": _imap(server, b"SEARCH UNSEEN SINCE 1-Jan-2020"),
        "POP3 LIST, UIDL": _pop3(server, 0),
        "POP3 LIST, UIDL, RETR of 1,000": _pop3(server, 1000),
        "mbsync of the bodies": _mbsync(server, place),
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=int, default=100_000)
    options.add_argument("--bodies", type=int, default=5000)
    options.add_argument("--octets", type=int, default=2000, help="of each message")
    wanted = options.parse_args()
    dovecot = Dovecot()
    with tempfile.TemporaryDirectory(prefix="mailmove-bench-") as directory:
        try:
            _measure(Path(directory), dovecot, wanted.messages, wanted.bodies, wanted.octets)
        finally:
            dovecot.stop()


def _measure(directory: Path, dovecot: Dovecot, messages: int, bodies: int, octets: int) -> None:
    program = Program(directory)
    shelved = Shelved(program.home / "box", Path(program.env["MAILMOVE_STATE"]))
    for folder, count in (("INBOX", messages), ("Few", bodies)):
        shelved.put({number: message(number, size=octets) for number in range(1, count + 1)}, folder)
    home = dovecot.home("bench") / "Maildir"
    for folder, name in (("INBOX", "."), ("Few", ".Few")):
        shutil.copytree(shelved.path / folder / "cur", home / name / "cur")
        for part in ("new", "tmp"):
            (home / name / part).mkdir()
    dovecot.own(dovecot.home("bench"))
    process = subprocess.Popen(
        program.command("serve", shelved.path, "--json", "--show-login", "--imap", 0, "--pop3", 0),
        env=program.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        serving = Serving(process)
        ours = Server("mailmove", serving.imap_port, serving.pop3_port, serving.user, serving.password, process.pid)
        theirs = Server("Dovecot", dovecot.imap, dovecot.pop3, "bench", PASSWORD, dovecot._process.pid)
        both = [(server, _steps(server, bodies, directory / server.name)) for server in (ours, theirs)]
        print(f"{messages:,} messages of {octets:,} octets; memory at the start {_memory(process.pid, 'VmRSS'):.0f} MB")
        print(f"{'':<34}{'mailmove':>18}{'Dovecot':>18}{'ratio':>12}   wall (CPU)")
        for name in both[0][1]:
            costs = [[measured(server, steps[name]) for _ in range(4)] for server, steps in both]
            print(f"{name:<34}cold  " + _line(*(each[0] for each in costs)), flush=True)
            print(f"{'':<34}warm  " + _line(*(_median(each[1:]) for each in costs)), flush=True)
            print(f"{'':<34}memory {_memory(process.pid, 'VmRSS'):.0f} MB, most {_memory(process.pid, 'VmHWM'):.0f} MB")
        _ten(ours)
        print(
            f"10 connections: memory {_memory(process.pid, 'VmRSS'):.0f} MB, most {_memory(process.pid, 'VmHWM'):.0f}"
        )
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def _line(ours: Cost, theirs: Cost) -> str:
    ratio = f"{ours.wall / theirs.wall:.2f} ({ours.cpu / max(theirs.cpu, 0.01):.2f})"
    return f"{ours.wall:8.2f} ({ours.cpu:5.2f}){theirs.wall:9.2f} ({theirs.cpu:5.2f}){ratio:>14}"


def _ten(server: Server) -> None:
    """Ten programs at once, each with the whole folder."""
    import threading

    threads = [threading.Thread(target=_imap(server, _LISTED)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
