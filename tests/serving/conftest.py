"""Archives made without a server, and `mailmove serve` for them as a user runs it."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from imapclient import IMAPClient

from mailmove.archive import creating
from mailmove.archive.record import records
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.archive.writing.writer import Writer
from mailmove.model import Folder, Listed
from tests.kit import Program

ARRIVAL = 1_600_000_000


class Shelved:
    """An archive that a test fills, by the code that an export uses."""

    def __init__(self, path: Path, state: Path) -> None:
        self.path = path
        self.memory = Memory(str(state))
        creating.create(str(path), "me@example.org")

    @contextmanager
    def opened(self) -> Iterator[Archive]:
        with Archive.open(str(self.path), self.memory, writable=True) as archive:
            yield archive

    def put(
        self,
        messages: dict[int, bytes],
        folder: str = "INBOX",
        *,
        uidvalidity: int = 7,
        flags: Sequence[str] = (),
        use: str | None = None,
        delimiter: bytes | None = b"/",
        arrival: Callable[[int], int] = lambda uid: ARRIVAL + uid,
    ) -> None:
        """Archive messages of a folder, by UID."""
        wire = folder.encode()
        with self.opened() as archive:
            archive.prepare([(Folder(wire, delimiter, frozenset([use] if use else [])), uidvalidity)])
            with Writer(archive) as writer:
                writer.enter(archive.folder(wire, uidvalidity))
                for uid, octets in messages.items():
                    incoming = writer.begin()
                    incoming.write(octets)
                    writer.keep(incoming, Listed(uid, arrival(uid), len(octets), frozenset(flags)), None)

    def record(self, *lines: records.Record) -> None:
        with self.opened() as archive:
            archive.record(lines)

    def file(self, uid: int, folder: str = "INBOX") -> Path:
        return next(path for path in (self.path / folder / "cur").iterdir() if f"U{uid}," in path.name)


class Serving:
    """A running `mailmove serve`, by what it printed first."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None and process.stderr is not None
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready, "nothing was printed"
        line = process.stdout.readline()
        assert line, process.stderr.read()
        self.told: Any = json.loads(line)
        self.user, self.password = (self.told["accounts"][0][name] for name in ("user", "password"))

    @property
    def imap_port(self) -> int:
        return int(self.told["imap"]["port"])

    @property
    def pop3_port(self) -> int:
        return int(self.told["pop3"]["port"])

    @contextmanager
    def imap(self, folder: str | None = None, *, readonly: bool = True) -> Iterator[IMAPClient]:
        """A session of a client that is not ours."""
        client = IMAPClient("127.0.0.1", self.imap_port, ssl=False, timeout=20)
        client.login(self.user, self.password)
        if folder is not None:
            client.select_folder(folder, readonly=readonly)
        try:
            yield client
        finally:
            client.shutdown()

    @contextmanager
    def wire(self, port: int | None = None) -> Iterator[Wire]:
        """A connection without any client."""
        connection = socket.create_connection(("127.0.0.1", port or self.imap_port), timeout=20)
        with connection, connection.makefile("rb") as reading:
            yield Wire(connection, reading)

    def memory(self) -> int:
        """The most octets that it needed so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) << 10

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=20)
        assert (self.process.returncode, said) == (0, "")


class Wire:
    """A conversation, line by line."""

    def __init__(self, connection: socket.socket, reading: BinaryIO) -> None:
        self.connection = connection
        self.reading = reading

    def send(self, octets: bytes) -> None:
        self.connection.sendall(octets)

    def line(self) -> bytes:
        return self.reading.readline()

    def until(self, tag: bytes) -> list[bytes]:
        """The lines up to one that begins so; less when the other side ends it."""
        lines = []
        while line := self.line():
            lines.append(line)
            if line.startswith(tag):
                break
        return lines

    def ask(self, command: bytes, tag: bytes = b"t") -> list[bytes]:
        self.send(b"%b %b\r\n" % (tag, command))
        return self.until(tag + b" ")

    def log_in(self, serving: Serving) -> None:
        self.line()
        assert self.ask(f"LOGIN {serving.user} {serving.password}".encode())[-1].startswith(b"t OK")


@pytest.fixture
def shelved(tmp_path: Path, mailmove: Program) -> Shelved:
    """An empty archive of this home."""
    return Shelved(mailmove.home / "box", Path(mailmove.env["MAILMOVE_STATE"]))


@pytest.fixture
def serve(shelved: Shelved, mailmove: Program) -> Iterator[Callable[..., Serving]]:
    """Starts `mailmove serve` for the archive; it must end well."""
    running: list[Serving] = []

    def start(*arguments: object) -> Serving:
        command = mailmove.command(
            "serve", os.fspath(shelved.path), "--json", "--show-login", "--imap", 0, "--pop3", 0, *arguments
        )
        process = subprocess.Popen(
            command,
            env=mailmove.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=mailmove.home,
        )
        try:
            running.append(Serving(process))
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.stop()
        for stream in (one.process.stdout, one.process.stderr):
            assert stream is not None
            stream.close()


def digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()
