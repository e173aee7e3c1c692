"""What tests share: a mailbox on a real server, messages to fill it with, and the program run as a user runs it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from imapclient import IMAPClient

from mailmove.cli import topics
from tests.launcher import Launcher

NOW = datetime.now(UTC).replace(microsecond=0)


def message(number: int, *, size: int = 400, subject: str | None = None, sent: datetime | None = None) -> bytes:
    """A small message, the same for the same arguments."""
    sent = sent or datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    head = (
        f"From: Sender {number % 7} <sender{number % 7}@example.org>\r\n"
        f"To: me@example.net\r\n"
        f"Subject: {subject or f'message {number}'}\r\n"
        f"Date: {sent:%a, %d %b %Y %H:%M:%S +0000}\r\n"
        f"Message-ID: <{number}@example.org>\r\n\r\n"
    ).encode()
    line = f"line of message {number}, padded to sixty octets or so {'x' * 20}\r\n".encode()
    return head + line * max(1, (size - len(head)) // len(line))


def topic(name: str) -> str:
    """What ``mailmove help NAME`` says."""
    text = topics.read(name)
    assert text is not None, name
    return text


def sha256(text: bytes) -> str:
    """The hash of a message, as :func:`archived` counts it."""
    return hashlib.sha256(text).hexdigest()


def hashes(*messages: bytes) -> Counter[str]:
    """Messages as :func:`archived` counts them."""
    return Counter(map(sha256, messages))


@dataclasses.dataclass(frozen=True)
class Mailbox:
    """A mailbox that a test fills and that mailmove then works on."""

    kind: str
    host: str
    port: int
    user: str
    password: str = "pw"

    @property
    def url(self) -> str:
        """The account as a one-off URL; needs ``--tls none``."""
        return f"imap://{self.user}@{self.host}:{self.port}"

    def table(self, name: str, *more: str) -> str:
        """The account's table for ``config.toml``; ``more`` are further lines of it."""
        lines = (f'host = "{self.host}"', f"port = {self.port}", f'user = "{self.user}"', 'tls = "none"', *more)
        return f'[account."{name}"]\n' + "\n".join(lines) + "\n"

    def client(self) -> IMAPClient:
        """A logged-in session of a client that is not ours."""
        client = IMAPClient(self.host, self.port, ssl=False, timeout=20)
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each APPEND waits 40 ms for an ACK
        client.login(self.user, self.password)
        return client

    def fill(
        self,
        messages: Iterable[bytes],
        folder: str = "INBOX",
        *,
        flags: Sequence[str] = (),
        arrival: datetime | None = None,
    ) -> None:
        """Append messages, creating the folder."""
        with self.client() as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            for text in messages:
                client.append(folder, text, flags, arrival)

    def expunge(self, folder: str, uids: Sequence[int]) -> None:
        """Remove messages, as another client would."""
        with self.client() as client:
            client.select_folder(folder)
            client.delete_messages(uids, silent=True)
            client.uid_expunge(uids)

    def contents(self) -> dict[str, Counter[str]]:
        """SHA-256 of every message, by folder, fetched by a client that is not ours."""
        held: dict[str, Counter[str]] = {}
        with self.client() as client:
            for attributes, _, name in client.list_folders():
                if b"\\Noselect" in attributes:
                    continue
                client.select_folder(name, readonly=True)
                fetched = client.fetch(client.search(), ["BODY.PEEK[]"])
                held[name] = Counter(hashlib.sha256(item[b"BODY[]"]).hexdigest() for item in fetched.values())
        return held

    def uids(self, folder: str = "INBOX") -> list[int]:
        """The UIDs in a folder."""
        with self.client() as client:
            client.select_folder(folder, readonly=True)
            return list(client.search())


def total(held: Mapping[str, Counter[str]]) -> Counter[str]:
    """All folders together."""
    return sum(held.values(), Counter())


def archived(directory: Path) -> dict[str, Counter[str]]:
    """SHA-256 of every message file of an archive, read from the files themselves, by directory."""
    held: dict[str, Counter[str]] = {}
    for cur in sorted(directory.rglob("cur")):
        folder = cur.parent.relative_to(directory).as_posix()
        files = [file for file in cur.iterdir() if ",H=" in file.name]
        held[folder] = Counter(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    return held


def by_uid(directory: Path, folder: str = "INBOX") -> set[tuple[int, str]]:
    """UID, as its name says, and SHA-256 of every message file of a folder."""
    files = [file for file in (directory / folder / "cur").iterdir() if ",H=" in file.name]
    return {(int(re.split("[U,]", file.name)[1]), sha256(file.read_bytes())) for file in files}


def leftovers(directory: Path) -> list[str]:
    """What is in any ``tmp`` of an archive: nothing, after a run that ended by itself."""
    return [file.name for tmp in directory.rglob("tmp") for file in tmp.iterdir()]


class Server(Protocol):
    """Where an account is."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def user(self) -> str: ...


@dataclasses.dataclass(frozen=True)
class Done:
    """What a run of the program came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclasses.dataclass(frozen=True)
class Used:
    """What a run needed: the most ``memory`` it had, in octets, and the ``descriptors`` open at its end."""

    memory: int
    descriptors: int


class Program:
    """mailmove as a user runs it: a process of its own, with a home directory that the test owns."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {
            **self.environment(),
            "HOME": str(home),
            "MAILMOVE_STATE": str(home / "state"),
            "MAILMOVE_PASSWORD": "pw",
        }
        self.vouch_for_the_clock()

    @staticmethod
    def environment() -> dict[str, str]:
        """What does not depend on where its home is."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "PYTHONWARNINGS": "error::ResourceWarning",
            "TZ": "Europe/Rome",
            "COLUMNS": "100",
        }

    def vouch_for_the_clock(self) -> None:
        """On this machine there is another account, with mail of today: unattended, prune trusts the clock."""
        state = Path(self.env["MAILMOVE_STATE"])
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / "newest-message").write_text(f"{NOW.timestamp():.0f}\n")
        (state / "newest-message").chmod(0o600)

    def elsewhere(self, name: str) -> Program:
        """The same program with another home, below this one."""
        home = self.home / name
        home.mkdir(mode=0o700)
        return Program(home)

    @contextmanager
    def kept(self) -> Iterator[Callable[[], None]]:
        """Keep everything at home as it is now; what this gives brings it back."""
        copy = self.home.with_name(f"{self.home.name}.kept")

        def bring_back() -> None:
            shutil.rmtree(self.home)
            subprocess.run(["cp", "-a", copy, self.home], check=True)

        subprocess.run(["cp", "-a", self.home, copy], check=True)
        yield bring_back
        shutil.rmtree(copy)

    def account(self, server: Server, *, name: str = "box", timeout: float = 20, **keys: object) -> Path:
        """Configure an account at this server that gives up soon, beside those configured before.

        Returns the directory of its archive. Other keys are those of the configuration.
        """
        archive = self.home / name
        words = {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "tls": "none",
            "archive": str(archive),
            "timeout": timeout,
            "retry_waits": [0, 0, 0],
            "trust_disk": True,  # the tests may lie in memory
            **keys,
        }
        path = self.home / ".config" / "mailmove" / "config.toml"
        before = path.read_text() if path.exists() else ""
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in words.items())
        self.configure(f"{before}[account.{name}]\n{table}")
        return archive

    def command(self, *arguments: object) -> list[str]:
        """The command line as a list, for a test that starts the process itself."""
        return [sys.executable, "-m", "mailmove", *map(str, arguments)]

    def install(self, directory: Path) -> Path:
        """Make the executable that pip would make, for whatever runs the program with an environment of its own."""
        script = directory / "mailmove"
        checkout = str(Path(__file__).parent.parent)
        script.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {checkout!r})\n"
            "from mailmove.__main__ import main\nmain()\n"
        )
        script.chmod(0o755)
        return script

    def configure(self, text: str) -> Path:
        """Write the configuration where the program looks for it."""
        path = self.home / ".config" / "mailmove" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def measured(self, *arguments: object, timeout: float = 120) -> tuple[Done, Used]:
        """Run it to its end, and tell what it needed for that."""
        code = (
            "import atexit, os, pathlib, sys; from mailmove.__main__ import main;"
            "held = lambda: (pathlib.Path('/proc/self/status').read_text(), len(os.listdir('/proc/self/fd')) - 1);"
            "atexit.register(lambda: print(*held(), sep='', end='', file=sys.stderr)); main()"
        )
        done = self._run([sys.executable, "-c", code, *map(str, arguments)], timeout=timeout)
        said, _, status = done.err.rpartition("Name:\t")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak, done.err
        return Done(done.code, done.out, said), Used(int(peak[1]) << 10, int(status.rpartition("\n")[2]))

    @contextmanager
    def started(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """Run it while the test does something else; it is killed when it has not ended by then."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def __call__(
        self, *arguments: object, env: Mapping[str, str | None] | None = None, stdin: str = "", timeout: float = 120
    ) -> Done:
        """Run it to its end; a value None in ``env`` removes that variable."""
        environment = {name: value for name, value in {**self.env, **(env or {})}.items() if value is not None}
        if not _launcher().fits(environment):
            return self.anew(*arguments, env=env, stdin=stdin, timeout=timeout)
        return _done(_launcher().run(list(map(str, arguments)), environment, self.home, stdin, timeout))

    def anew(
        self, *arguments: object, env: Mapping[str, str | None] | None = None, stdin: str = "", timeout: float = 120
    ) -> Done:
        """The same by Python as it is started, for what is to be seen of that from outside."""
        environment = {name: value for name, value in {**self.env, **(env or {})}.items() if value is not None}
        return self._run(self.command(*arguments), environment, stdin, timeout)

    def _run(
        self, command: list[str], env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 120
    ) -> Done:
        done = subprocess.run(
            command,
            env=self.env if env is None else env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.home,
            check=False,
        )
        return _done(done)


def _done(done: subprocess.CompletedProcess[str]) -> Done:
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@functools.cache
def _launcher() -> Launcher:
    """This test process's own; it ends with it."""
    return Launcher(Program.environment())
