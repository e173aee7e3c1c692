r"""An IMAP server that misbehaves as a script says, and behaves where the script says nothing.

It listens on loopback, in threads of the test, and remembers every octet that the client sent. What is odd comes from
*rules*; everything else is answered by a :class:`~tests.servers.model.Store`, a mailbox in memory::

    server = scripted('''
        UID FETCH #1 /BODY/
            * 1 FETCH (UID 1 FLAGS () BODY[] {400}
            !raw only the beginning
            !hangup
    ''')
    server.store.add("INBOX", message(1), message(2))
    mailmove("export", server.url, "--tls", "none", ...)
    assert not server.deletions

**A rule** begins with a command's name; its answer is the indented lines below. ``#2`` limits it to the second
such command, ``#2-`` to the second and later ones, ``/regexp/`` to those whose arguments match; the first rule that
fits answers. ``GREETING`` is what is said when a client connects.

**An answer** is sent line by line, with CRLF. ``{tag}`` is the command's tag, ``\xNN`` an octet. A line that begins
with ``!`` is a directive:

=======================  ================================================================================
``!answer``              what the store answers, the tagged completion included
``!answer s/re/text/``   the same, after a substitution (``/`` cannot stand in either part)
``!untagged [s/…/…/]``   the same without the tagged completion
``!raw TEXT``            TEXT without CRLF
``!octets N``            N octets of ``x``
``!endless TEXT``        TEXT for ever, without CRLF, until the client hangs up
``!cut N``               N more octets are sent on this connection, then it is cut
``!hangup``              cut it here
``!silence``             nothing more is said, until the client hangs up
``!drip SECONDS``        from here on octet by octet, with pauses of so many seconds
``!starttls``            go on with TLS
=======================  ================================================================================

Mailboxes of real servers that behave oddly, by name, are in :mod:`tests.servers.personalities`.

What a script cannot say, a function can: ``server.on("UID FETCH", function)``; it is called with the
:class:`Conversation` and the :class:`~tests.servers.model.Command`, and may change ``server.store`` on the way.
"""

from __future__ import annotations

import re
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import trustme

from tests.servers.model import Command, Refused, State, Store, Unanswered, Value

Act = Callable[["Conversation", Command], object]

_TWO_WORDS = {"UID"}
_DELETING = re.compile(
    rb"UID EXPUNGE|EXPUNGE|CLOSE|DELETE|RENAME|UID MOVE|MOVE|(UID )?STORE .*\\Deleted", re.IGNORECASE
)
_RULE = re.compile(r"([A-Z][A-Z-]*(?: [A-Z]+)?)\s*(?:#(\d+)(-?))?\s*(?:/(.*)/)?\s*\Z")


class _Hangup(Exception):
    """This conversation is over."""


@dataclass
class Rule:
    """When it applies and what it does."""

    name: str
    act: Act
    arguments: re.Pattern[str] | None = None
    nth: int = 0
    later: bool = False
    met: int = field(default=0, init=False)

    def fits(self, command: Command) -> bool:
        if command.name != self.name:
            return False
        if self.arguments and not self.arguments.search(command.raw.decode("latin-1")):
            return False
        self.met += 1
        return not self.nth or self.met == self.nth or (self.later and self.met > self.nth)


class Scripted:
    """The server; :meth:`stop` ends it and raises what went wrong in it."""

    def __init__(self, script: str = "", store: Store | None = None, *, tls: str = "none") -> None:
        """``tls`` is ``none``, ``starttls`` or ``implicit``."""
        self.store = store or Store()
        self.host = "localhost"
        self.user = "user"
        self.tls = tls
        self.received: list[bytearray] = []
        """What each connection sent, after decryption."""
        self.commands: list[Command] = []
        """Every whole command, of all connections."""
        self.context: ssl.SSLContext | None = None
        self._rules = list(_read(script))
        self._errors: list[BaseException] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._directory = tempfile.TemporaryDirectory(prefix="mailmove-scripted-")
        self.stopping = threading.Event()
        if tls != "none":
            self.certify()
        if tls == "starttls" and "STARTTLS" not in self.store.capabilities:
            self.store.capabilities.append("STARTTLS")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def url(self) -> str:
        """The account as a one-off URL; needs ``--tls none`` unless the server speaks TLS."""
        return f"{'imaps' if self.tls == 'implicit' else 'imap'}://{self.user}@{self.host}:{self.port}"

    @property
    def ca(self) -> str:
        """The file of the authority that certifies it."""
        return str(Path(self._directory.name) / "ca.pem")

    @property
    def octets(self) -> bytes:
        """All that clients sent."""
        with self._lock:
            return b"".join(map(bytes, self.received))

    @property
    def deletions(self) -> list[bytes]:
        """The commands that delete or move mail, or prepare it."""
        return [command.raw for command in self.commands if _DELETING.match(command.raw.partition(b" ")[2])]

    def count(self, name: str, arguments: str = "") -> int:
        """How many such commands came; ``arguments`` is a regular expression."""
        wanted = re.compile(arguments)
        return sum(c.name == name and bool(wanted.search(c.raw.decode("latin-1"))) for c in self.commands)

    def script(self, text: str) -> None:
        """Add rules, which go before those that are there."""
        self._rules[:0] = _read(text)

    def on(self, name: str, act: Act, arguments: str = "", nth: int = 0) -> None:
        """Let a function answer a command; it goes before the rules that are there."""
        self._rules.insert(0, Rule(name, act, re.compile(arguments) if arguments else None, nth))

    def certify(self, name: str = "localhost", begins: datetime | None = None, expires: datetime | None = None) -> None:
        """Be certified as this host name, from then until then; a file of the authority is :attr:`ca`."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, not_before=begins, not_after=expires).configure_cert(self.context)

    def stop(self) -> None:
        """End it, and raise what went wrong in its own code."""
        self.stopping.set()
        with self._lock:
            waiting = [self._listener, *self._open]
        for sock in waiting:
            _shut(sock)
        for thread in self._threads:
            thread.join(10)
        self._directory.cleanup()
        if self._errors:
            raise self._errors[0]

    def rule(self, command: Command) -> Rule | None:
        """The rule for a command."""
        with self._lock:
            fitting = [rule for rule in self._rules if rule.fits(command)]  # each counts what it meets
        return fitting[0] if fitting else None

    def watch(self, sock: socket.socket) -> None:
        """A connection to be ended by :meth:`stop`."""
        with self._lock:
            self._open.add(sock)
        if self.stopping.is_set():
            _shut(sock)

    def forget(self, sock: socket.socket) -> None:
        """A connection is over."""
        with self._lock:
            self._open.discard(sock)

    def heard(self, heard: bytearray, data: bytes) -> None:
        """A client sent this."""
        with self._lock:
            heard += data

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                break
            self._start(lambda sock=sock: self._converse(sock))  # type: ignore[misc]
        self._listener.close()

    def _converse(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self.received.append(heard := bytearray())
        self.watch(sock)
        talk = Conversation(self, sock, heard)
        try:
            talk.run()
        except (_Hangup, OSError):
            pass  # the client went, or is to be left
        except BaseException as error:
            self._errors.append(error)
        finally:
            talk.close()


class Conversation:
    """One connection."""

    def __init__(self, server: Scripted, sock: socket.socket, heard: bytearray) -> None:
        self.server = server
        self.state = State()
        self._sock = sock
        self._heard = heard
        self._unread = b""
        self._waiting = bytearray()  # to be sent
        self._room: int | None = None
        self._pause = 0.0

    def run(self) -> None:
        """Talk until the client hangs up or the script does."""
        if self.server.tls == "implicit":
            self.starttls()
        self._act(Command("*", "GREETING", [], b""))
        while True:
            self.flush()
            command = self._command()
            self.server.commands.append(command)
            self._act(command)
            if command.name == "LOGOUT":
                self.hangup()

    def line(self, text: str) -> None:
        """Send a line; ``\\xNN`` in it is an octet."""
        self.send(_octets(text) + b"\r\n")

    def send(self, data: bytes) -> None:
        """Send octets as they are."""
        self._waiting += data

    def answer(
        self, command: Command, edit: Callable[[bytes], bytes] = lambda text: text, *, tagged: bool = True
    ) -> None:
        """Answer as the store does, after ``edit`` of it all."""
        store, lines, status = self.server.store, [], ""
        try:
            if command.name == "GREETING":
                lines = [b"* OK [CAPABILITY %s] ready" % " ".join(store.capabilities).encode()]
                tagged = False
            elif command.name == "STARTTLS":
                self.send(edit(b"%s OK begin TLS\r\n" % command.tag.encode()))
                self.starttls()
                return
            elif command.name == "AUTHENTICATE":
                self._authenticate(command)
            else:
                lines += store.answer(self.state, command)
            status = f"OK {store.completion}"
        except Refused as refused:
            status = str(refused)
        except Unanswered:
            tagged = False
        if tagged:
            lines.append(f"{command.tag} {status}".encode())
        self.send(edit(b"".join(line + b"\r\n" for line in lines)))

    def cut_after(self, octets: int) -> None:
        """So many more octets are sent on this connection, then it is cut."""
        self.flush()
        self._room = octets

    def drip(self, seconds: float) -> None:
        """From here on octet by octet, with pauses."""
        self.flush()
        self._pause = seconds

    def hangup(self) -> None:
        """Cut the connection, after what was said so far."""
        self.flush()
        self._leave()

    def silence(self) -> None:
        """Say nothing more, until the client hangs up."""
        self.flush()
        while self._receive():
            pass
        raise _Hangup

    def endless(self, data: bytes) -> None:
        """Repeat this until the client hangs up."""
        self.flush()
        block = data * (65536 // len(data) + 1)
        while not self.server.stopping.is_set():
            self._sock.sendall(block)
        raise _Hangup

    def starttls(self) -> None:
        """Go on with TLS."""
        self.flush()
        assert self.server.context is not None, "a server without TLS"
        self.server.forget(self._sock)
        self._sock = self.server.context.wrap_socket(self._sock, server_side=True)
        self.server.watch(self._sock)

    def close(self) -> None:
        """Let go of the connection."""
        self.server.forget(self._sock)
        self._sock.close()

    def _act(self, command: Command) -> None:
        rule = self.server.rule(command)
        if rule is None:
            self.answer(command)
        else:
            rule.act(self, command)

    def _authenticate(self, command: Command) -> None:
        store, mechanism = self.server.store, command.args[0].decode().upper()
        if len(command.args) > 1:
            response = command.args[1]
        else:
            self.send(b"+ \r\n")
            response = self._line()
        if store.accepts(mechanism, response):
            self.state.authenticated = True
            store.completion = "logged in"
            return
        if mechanism != "PLAIN":  # RFC 7628 3.2.3: an error in the challenge, which the client acknowledges
            self.send(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n")
            self._line()
        raise Refused("NO [AUTHENTICATIONFAILED] the credentials are not accepted")

    def _command(self) -> Command:
        raw = self._line()
        while found := re.search(rb"\{(\d+)(\+?)\}\Z", raw):
            if not found[2]:
                self.send(b"+ go ahead\r\n")
            raw += b"\r\n" + self._exactly(int(found[1])) + self._line()
        tag, _, rest = raw.partition(b" ")
        words, at = [], 0
        while at < len(rest):
            value, at = _value(rest, at)
            words.append(value)
        name = words.pop(0).decode().upper() if words and isinstance(words[0], bytes) else ""
        if name in _TWO_WORDS and words:
            name += " " + words.pop(0).decode().upper()
        return Command(tag.decode("latin-1"), name, words, raw)

    def _line(self) -> bytes:
        self.flush()
        while b"\r\n" not in self._unread:
            self._more()
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line

    def _exactly(self, octets: int) -> bytes:
        self.flush()
        while len(self._unread) < octets:
            self._more()
        data, self._unread = self._unread[:octets], self._unread[octets:]
        return data

    def _more(self) -> None:
        data = self._receive()
        if not data:
            raise _Hangup
        self._unread += data

    def _receive(self) -> bytes:
        data = self._sock.recv(65536)
        self.server.heard(self._heard, data)
        return data

    def flush(self) -> None:
        """Send what was said so far; it returns once the system has taken it."""
        data, self._waiting = bytes(self._waiting), bytearray()
        allowed = data if self._room is None else data[: self._room]
        if self._pause:
            for octet in allowed:
                self._sock.sendall(bytes([octet]))
                if self.server.stopping.wait(self._pause):
                    raise _Hangup
        elif allowed:
            self._sock.sendall(allowed)
        if self._room is not None:
            self._room -= len(allowed)
            if len(allowed) < len(data) or not self._room:
                self._leave()

    def _leave(self) -> None:
        """Close in order: what was sent must arrive, so the client's last words are taken first."""
        self._sock.shutdown(socket.SHUT_WR)
        while self._receive():
            pass
        raise _Hangup


def _read(script: str) -> list[Rule]:
    """The rules of a script."""
    rules: list[Rule] = []
    lines = [line for line in script.splitlines() if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    steps: list[Callable[[Conversation, Command], None]] = []
    for line in lines:
        text = line[margin:]
        if text[0].isspace():
            steps.append(_step(text.lstrip()))
            continue
        found = _RULE.match(text)
        assert found, f"not a rule: {text}"
        steps = []
        name, nth, later, arguments = found.groups()
        pattern = re.compile(arguments) if arguments else None
        rules.append(Rule(name, _performed(steps), pattern, int(nth or 0), bool(later)))
    return rules


def _performed(steps: list[Callable[[Conversation, Command], None]]) -> Act:
    def act(talk: Conversation, command: Command) -> None:
        for step in steps:
            step(talk, command)

    return act


def _step(text: str) -> Callable[[Conversation, Command], None]:
    """One line of an answer."""
    if not text.startswith("!"):
        return lambda talk, command: talk.line(text.replace("{tag}", command.tag))
    directive, _, rest = text[1:].partition(" ")
    match directive:
        case "answer" | "untagged":
            edit = _edit(rest)
            return lambda talk, command: talk.answer(command, edit, tagged=directive == "answer")
        case "raw":
            return lambda talk, command: talk.send(_octets(rest.replace("{tag}", command.tag)))
        case "octets":
            return lambda talk, _: talk.send(b"x" * int(rest))
        case "endless":
            return lambda talk, _: talk.endless(_octets(rest))
        case "cut":
            return lambda talk, _: talk.cut_after(int(rest))
        case "hangup":
            return lambda talk, _: talk.hangup()
        case "silence":
            return lambda talk, _: talk.silence()
        case "drip":
            return lambda talk, _: talk.drip(float(rest))
        case "starttls":
            return lambda talk, _: talk.starttls()
    raise AssertionError(f"not a directive: {text}")


def _edit(text: str) -> Callable[[bytes], bytes]:
    if not text:
        return lambda data: data
    _, pattern, new, _ = text.split("/")
    compiled, replacement = re.compile(pattern.encode(), re.DOTALL), _octets(new)
    return lambda data: compiled.sub(replacement, data)


def _octets(text: str) -> bytes:
    r"""A script's text: UTF-8, ``\xNN`` for any octet."""
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())


def _value(text: bytes, at: int) -> tuple[Value, int]:
    """One argument of a command, and where it ends."""
    while text[at : at + 1] == b" ":
        at += 1
    if text[at : at + 1] == b"(":
        values, at = [], at + 1
        while text[at : at + 1] != b")":
            value, at = _value(text, at)
            values.append(value)
            while text[at : at + 1] == b" ":
                at += 1
        return values, at + 1
    if found := re.compile(rb'"((?:[^"\\]|\\.)*)"').match(text, at):
        return re.sub(rb"\\(.)", rb"\1", found[1]), found.end()
    if found := re.compile(rb"\{(\d+)\+?\}\r\n").match(text, at):
        end = found.end() + int(found[1])
        return text[found.end() : end], end
    found = re.compile(rb"[^\s()]+").match(text, at)
    assert found, f"not IMAP: {text!r}"
    return found[0], found.end()


def _shut(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass
