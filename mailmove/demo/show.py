"""The demo: a server, a mailbox full of sample mail, and the real commands, each shown as a user types it."""

from __future__ import annotations

import contextlib
import imaplib
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import FrameType

from mailmove import utf7
from mailmove.demo.mail import OWNER, samples
from mailmove.errors import Interrupted

FIND = "find fattura --only-here --limit 3"

# What is shown, in order: a word to the reader, then a command as a user types it; ``{id}`` is what FIND finds first.
STEPS: tuple[tuple[str, str], ...] = (
    ("How full is the mailbox, and of what?", "mailmove audit"),
    ("Bring every message home. This changes nothing on the server:", "mailmove export"),
    ("Is every file still what the server sent?", "mailmove check"),
    ("Now the server may forget what is older than a year:", "mailmove prune --older-than 1y --yes"),
    ("What it has forgotten is found here ...", f"mailmove {FIND}"),
    ("... read here ...", "mailmove show {id}"),
    ("... and goes back when it is wanted:", "mailmove restore {id} --yes"),
    ("All that was done is remembered:", "mailmove history"),
)


def show(program: Sequence[str], keep: str | None) -> int:
    """Play the demo; ``program`` runs mailmove, ``keep`` is a directory for the archive, which otherwise goes as well.

    Returns the exit code of the first command that failed, or 0.

    :raises Interrupted: after Ctrl-C or SIGTERM; nothing is left behind then either.
    """
    with (
        _Stage() as stage,
        tempfile.TemporaryDirectory(prefix="mailmove-demo-") as home,
        _server() as (port, password),
    ):
        count = _fill(port, password)
        print(f"An IMAP server of its own, on this machine only, now holds {count} sample messages.")
        environment = _environment(home, port, password, keep)
        for words, step in STEPS:
            command = step.format(id=stage.found(program, environment)) if "{id}" in step else step
            print(f"\n# {words}\n$ {command}", flush=True)
            if code := stage.run([*program, *shlex.split(command)[1:]], environment):
                print(f"The demo ends here: that command failed with exit code {code}.", file=sys.stderr)
                return code
    print(f"\nThe server is gone. {f'The archive is in {keep}.' if keep else 'Nothing is left behind.'}")
    return 0


class _Stage:
    """Runs one command after the other; told to stop, it lets the one that runs come to its end and begins no other."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def __enter__(self) -> _Stage:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {number: signal.signal(number, self._stop) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command; returns its exit code.

        :raises Interrupted: when the demo was told to stop.
        """
        if not self._stopped:
            self._child = subprocess.Popen(command, env=environment)
            code = self._child.wait()
        if self._stopped:
            raise Interrupted("interrupted")
        return code

    def found(self, program: Sequence[str], environment: Mapping[str, str]) -> str:
        """The ID of the first message that FIND finds.

        :raises Interrupted: when the demo was told to stop.
        """
        done = subprocess.run([*program, *FIND.split(), "--json"], env=environment, stdout=subprocess.PIPE, check=False)
        if self._stopped:
            raise Interrupted("interrupted")
        return str(json.loads(done.stdout)["accounts"][0]["messages"][0]["id"])

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._stopped = True
        if self._child is not None and number != signal.SIGINT:  # Ctrl-C has reached it already
            self._child.terminate()


@contextlib.contextmanager
def _server() -> Iterator[tuple[int, str]]:
    """A server with one mailbox; gives its port and the owner's password."""
    password = secrets.token_urlsafe(12)
    process = subprocess.Popen(
        [sys.executable, "-m", "mailmove.demo.server", OWNER.addr_spec],
        env={**os.environ, "MAILMOVE_PASSWORD": password},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the demo, which then ends it
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield int(process.stdout.readline()), password
    finally:
        process.communicate()  # it serves until its standard input ends


def _fill(port: int, password: str) -> int:
    """Put the sample mail on the server; returns how many messages that is."""
    mail = list(samples(datetime.now(UTC)))
    with imaplib.IMAP4("localhost", port) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each APPEND waits 40 ms for an ACK
        client.login(OWNER.addr_spec, password)
        for folder in {sample.folder: None for sample in mail if sample.folder != "INBOX"}:
            client.create(_quoted(folder))
        for sample in mail:
            arrival = imaplib.Time2Internaldate(sample.arrival)
            status, answer = client.append(
                _quoted(sample.folder), f"({' '.join(sample.flags)})", arrival, sample.octets
            )
            if status != "OK":
                raise RuntimeError(f"the demo's server refused a message: {answer!r}")
    return len(mail)


def _quoted(folder: str) -> str:
    return f'"{utf7.encode(folder).decode("ascii")}"'


def _environment(home: str, port: int, password: str, keep: str | None) -> Mapping[str, str]:
    """An environment in which mailmove finds the demo's account, and nothing of the user's."""
    directory = os.path.join(home, ".config", "mailmove")
    os.makedirs(directory)
    lines = [f'[account."{OWNER.addr_spec}"]', 'host = "localhost"', f"port = {port}", 'tls = "none"']
    lines.append('quota = "10MB"')  # the server has no QUOTA extension
    if keep:
        lines.append(f"archive = {_toml(keep)}")
    config = os.path.join(directory, "config.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAILMOVE_", "XDG_"))}
    return {
        **kept,
        "HOME": home,
        "MAILMOVE_CONFIG": config,
        "MAILMOVE_STATE": os.path.join(home, ".local", "state", "mailmove"),
        "MAILMOVE_PASSWORD": password,
    }


def _toml(text: str) -> str:
    import tomlkit

    return tomlkit.string(text).as_string()
