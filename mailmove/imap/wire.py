"""Commands and answers on an authenticated connection (RFC 9051 2.2): one at a time, nothing mixed, nothing assumed."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mailmove.cancel import Cancel
from mailmove.errors import CommandRefused, Disconnected, Nonsense, Throttled, UsageError
from mailmove.imap import refusal
from mailmove.imap.connection import Connection
from mailmove.imap.parse import Segments
from mailmove.imap.reader import LINE_COST, MAX_LINE
from mailmove.safe import visible

MAX_UNWANTED = 1 << 24  # octets that may come in a row without bringing what was asked for
MAX_MESSAGES = 3_000_000
"""More in one folder is not read: it would not fit into the memory of many machines."""
MAX_ARRIVALS = 10_000  # times that a server may tell of new messages while it answers one command
_NEWS = 1000  # messages that a listing may bring before the server has said that they arrived

_LITERAL = re.compile(rb"~?\{(\d{1,20})\}\Z")
_LITERAL_PLUS = re.compile(rb"\{\d+\+?\}\Z")
_COMPLETION = re.compile(rb"(?:\S+ )?(?:OK|NO|BAD)\b", re.IGNORECASE)
_STATUS = re.compile(rb"(OK|NO|BAD)(?: (.*))?\Z", re.DOTALL | re.IGNORECASE)

_EXISTS = re.compile(rb"\* (\d{1,10}) EXISTS", re.IGNORECASE)

log = logging.getLogger(__name__)


class Astring(bytes):
    """A string argument, such as a folder name: sent quoted, or as a literal where quoting cannot carry it."""

    __slots__ = ()


Argument = bytes | Astring


def sendable(word: bytes) -> bool:
    """Whether IMAP can carry an argument: CR, LF or NUL in it could smuggle in another command."""
    return not any(octet in word for octet in (b"\r", b"\n", b"\0"))


def misleading(word: bytes) -> bool:
    """Whether some servers take this argument, quoted as it is, for a literal to come (GNU Mailutils).

    They then wait for it: whoever can sends it last, with nothing else under way.
    """
    return _LITERAL_PLUS.search(word) is not None


class Wire:
    """Sends commands and reads what comes back.

    Every method raises :exc:`~mailmove.errors.Disconnected` when the connection is lost or stops making sense,
    :exc:`~mailmove.errors.CommandRefused` on NO or BAD, :exc:`~mailmove.errors.Throttled` when asked to wait and
    :exc:`~mailmove.errors.Interrupted` when the user stops the run.
    """

    def __init__(self, connection: Connection, cancel: Cancel) -> None:
        self.capabilities = connection.capabilities
        self.reader = connection.reader
        self._connection = connection
        self._cancel = cancel
        self._count = 0
        self._early: list[Segments] = []
        self._asked = ""
        self._unwanted = 0
        self._arrivals = 0
        self._trace = log.isEnabledFor(logging.DEBUG)
        self.usable = True
        self.exists = MAX_MESSAGES
        """How many messages the selected folder has, as last told."""
        self.believing = True
        """Whether a server that says it is busy, and not for how long, is asked again rather than taken to refuse."""
        self.completion = b""
        """What the last tagged OK said."""

    def can(self, capability: str) -> bool:
        """Whether the server announced this capability."""
        return capability.upper() in self.capabilities

    @property
    def encryption(self) -> str | None:
        """The protocol that protects the connection, such as ``TLSv1.3``; None: it is in the clear."""
        return self._connection.sock.version() if isinstance(self._connection.sock, ssl.SSLSocket) else None

    def close(self) -> None:
        """Say goodbye without waiting for an answer."""
        if self.usable:
            self.usable = False
            try:
                self._connection.sock.sendall(b"MM LOGOUT\r\n")
            except OSError:
                pass
        self._connection.close()

    def command(self, *words: Argument) -> list[Segments]:
        """Run one command and collect its untagged responses, in order; unsolicited ones are among them."""
        return list(self.responses(*words))

    def responses(self, *words: Argument) -> Iterator[Segments]:
        """Run one command and yield its untagged responses as they come."""
        tag = self.send(*words)
        while (response := self.response(tag, self._asked)) is not None:
            yield response

    def batch(self, commands: Sequence[Sequence[Argument]]) -> Iterator[Segments | CommandRefused]:
        """Send several read-only commands at once and yield all their untagged responses, and refusals.

        Only for commands whose responses name what they are about, such as STATUS (RFC 9051 5.5).
        """
        waiting = {self.send(*words): words[0].decode("ascii", "replace") for words in commands}
        pause: Throttled | None = None
        while waiting:
            self.reader.at_once()
            line = self._logical_line()
            if line[0].startswith(b"* "):
                self._check_bye(line)
                yield line
                continue
            if line[0].startswith(b"+"):
                raise self.broken(f"the server wants more of a {' or '.join(set(waiting.values()))} that is complete")
            tag, _, rest = line[0].partition(b" ")
            name = waiting.pop(tag, None)
            if name is None and _COMPLETION.match(line[0]):
                raise self.broken("the server answered a command that was not sent")
            if name is None:
                yield line  # part of nothing, and for the caller to complain of
                continue
            try:
                self._complete(rest, name)
            except CommandRefused as error:
                yield error
            except Throttled as error:
                pause = pause or error
        if pause is not None:  # not before: the other answers would be taken for those of the next command
            raise pause

    def send(self, *words: Argument) -> bytes:
        """Send a command and return its tag; :meth:`response` reads what follows.

        :raises UsageError: when an argument is not :func:`sendable`.
        """
        self._cancel.check()
        if not self.usable:
            raise Disconnected("the connection is closed")
        for word in words:
            if not sendable(word):
                raise UsageError(
                    f"{visible(bytes(word))} holds a control character that IMAP cannot carry", "Leave it out."
                )
        self._arrivals = 0
        self._count += 1
        self._asked = words[0].decode("ascii", "replace")
        self._unwanted = 0
        tag = b"M%d" % self._count
        line = [tag]
        for word in words:
            if not isinstance(word, Astring):
                line.append(word)
            elif word.isascii():
                line.append(b'"%s"' % word.replace(b"\\", b"\\\\").replace(b'"', b'\\"'))
            else:
                waits = not (self.can("LITERAL+") or self.can("LITERAL-"))
                line.append(b"{%d%s}" % (len(word), b"" if waits else b"+"))
                self._put(b" ".join(line) + b"\r\n")
                if waits:
                    self._await_go_ahead(tag, self._asked)
                line = [bytes(word)]
        self._put(b" ".join(line) + b"\r\n")
        return tag

    def put(self, octets: bytes) -> None:
        """Send octets of the command under way: what a literal holds, and what follows it. They are not logged."""
        self._cancel.check()
        self._write(octets)

    def answer(self, waiting: Mapping[bytes, str]) -> tuple[bytes, bytes | CommandRefused] | None:
        """The next answer to one of several commands: its tag, and what the OK said or the refusal; None: a go-ahead.

        ``waiting`` are their names by tag. Untagged responses are read over.
        """
        while True:
            self.reader.at_once()
            line = self._logical_line()
            if line[0].startswith(b"* "):
                self._check_bye(line)
            elif line[0].startswith(b"+"):
                return None
            else:
                break
        tag, _, rest = line[0].partition(b" ")
        if tag not in waiting:
            raise self.broken("the server answered a command that was not sent")
        try:
            self._complete(rest, waiting[tag])
        except CommandRefused as error:
            return tag, error
        return tag, self.completion

    def response(self, tag: bytes, name: str) -> Segments | None:
        """The next untagged response, or None when the command has completed with OK."""
        if self._early:
            return self._early.pop(0)
        line = self._logical_line()
        return None if self.completed(line, tag, name) else line

    def completed(self, line: Segments, tag: bytes, name: str) -> bool:
        """Whether this line is the command's tagged OK; raises on its NO or BAD, and on BYE."""
        text = line[0]
        if text.startswith(b"* "):
            self._check_bye(line)
            if text[-1:] in b"Ss" and (arrived := _EXISTS.fullmatch(text)):
                self.exists = max(self.exists, int(arrived[1]))
                self._arrivals += 1
                if self._arrivals > MAX_ARRIVALS:
                    raise self.broken(f"during {name} the server told of new messages without end")
            return False
        if not text.startswith(tag + b" "):
            if text.startswith(b"+"):  # nothing here is to be continued, so that the server waits for ever
                self.usable = False
                raise CommandRefused(name, "BAD", "", "the server wants more of a command that is complete")
            raise self.broken(f"unexpected answer to {name}: {visible(text, 80)}")
        self._complete(text[len(tag) + 1 :], name)
        return True

    def line(self) -> bytes:
        """One line of input; a literal that it announces is still to be read."""
        if self._cancel.asked:
            self._cancel.check()
        try:
            line = self.reader.line()
        except Disconnected as error:
            raise self._lost(error.what) from None
        if self._trace:
            log.debug("< %s", visible(line))
        self.unwanted(len(line) + LINE_COST)
        return line

    def ahead(self, pattern: re.Pattern[bytes], groups: Sequence[str]) -> list[tuple[bytes, ...]]:
        """These groups of the lines that have come already, for as long as lines fit ``pattern``, CRLF included.

        They count as read, as if :meth:`line` had returned each. With the protocol logged, every line goes its own way.
        """
        if self._trace or self._early or self._cancel.asked:
            return []
        before = self.reader.pending
        found = self.reader.ahead(pattern, groups)
        self.unwanted(before - self.reader.pending)
        return found

    def wanted(self, octets: int = MAX_UNWANTED) -> None:
        """What came last is what was asked for, and it may well have so many octets."""
        self._unwanted = self._unwanted - octets if self._unwanted > octets else 0

    def within(self, messages: int) -> None:
        """So many messages were listed: no more than the server said there are, and have arrived.

        :raises CommandRefused: when there are more; the connection is dropped with it.
        """
        if messages > min(self.exists, MAX_MESSAGES) + _NEWS:
            raise self.flooded("it lists more messages than it says there are")

    def flooded(self, what: str) -> CommandRefused:
        """The error for an answer that would fill the memory: it costs the connection, and what was asked for."""
        self.usable = False
        return CommandRefused(self._asked, "OK", "", what)

    def unwanted(self, octets: int) -> None:
        """So much came that need not be; between two calls of :meth:`wanted` that has a limit."""
        self._unwanted += octets
        if self._unwanted > MAX_UNWANTED:
            raise self.broken(f"the server's answer to {self._asked} does not end")

    def literal(self, octets: int) -> Iterable[memoryview]:
        """The octets of a literal, in pieces that are valid until the next one is asked for."""
        if octets <= self.reader.pending:  # nearly always
            return (self.reader.whole(octets),)
        return self._long_literal(octets)

    def _long_literal(self, octets: int) -> Iterator[memoryview]:
        try:
            yield from self.reader.literal(octets)
        except Disconnected as error:
            raise self._lost(error.what) from None

    def broken(self, what: str) -> Nonsense:
        """The error for a server that does not speak IMAP: the connection is dropped with it."""
        self.usable = False
        error = Nonsense(what)
        error.command = self._asked
        return error

    def _logical_line(self) -> Segments:
        return self.rest_of(self.line())

    def rest_of(self, text: bytes) -> Segments:
        """A line together with the literals it announces."""
        if not text.endswith(b"}"):
            return (text,)
        found = _LITERAL.search(text)
        if not found:
            return (text,)
        segments, length = [text], len(text)
        while found:
            octets = int(found[1])
            self.unwanted(octets)
            segments.append(b"".join(map(bytes, self.literal(octets))))
            text = self.line()
            segments.append(text)
            found = _LITERAL.search(text)
            length += len(text) + 2
            if length > MAX_LINE:  # it would take many times that to hold what it says
                raise self.broken("the server sent a response without end")
        return tuple(segments)

    def _put(self, data: bytes) -> None:
        if self._trace:
            log.debug("> %s", visible(data.rstrip()))
        self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            self._connection.sock.sendall(data)
        except OSError as error:
            raise self._lost(f"the connection broke: {error}") from error
        self.reader.expect()

    def _await_go_ahead(self, tag: bytes, name: str) -> None:
        while not (line := self._logical_line())[0].startswith(b"+"):
            if self.completed(line, tag, name):
                raise self.broken(f"the server completed {name} before it had all of it")
            self._early.append(line)

    def _complete(self, rest: bytes, name: str) -> None:
        found = _STATUS.match(rest)
        if not found:
            raise self.broken(f"unexpected answer to {name}: {visible(rest, 80)}")
        status = found[1].decode().upper()
        if status != "OK":
            text = (found[2] or b"").decode("utf-8", "replace")
            raise refusal.refused(name, status, text, believed=self.believing)
        self.completion = found[2] or b""

    def _check_bye(self, line: Segments) -> None:
        if line[0][:6].upper() == b"* BYE " or line[0].upper() == b"* BYE":
            self.usable = False
            raise refusal.said_bye(line[0][6:].decode("utf-8", "replace"))

    def _lost(self, what: str) -> Disconnected:
        """The connection failed; or was it the user, who wants to stop?"""
        self.usable = False
        self._cancel.check()
        return Disconnected(what)
