"""APPEND (RFC 9051 6.3.12): messages into a folder, octet for octet, streamed, several on their way at a time.

Where the server has MULTIAPPEND (RFC 3502), several messages are one command, which it carries out as a whole or not at
all; elsewhere commands follow each other without waiting. Literals wait for the server's go-ahead where RFC 7888 asks
for that, and where a message is so large that a refusal should come before it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mailmove.errors import CommandRefused, Disconnected
from mailmove.imap.parse import number, pairs, parse
from mailmove.imap.reader import QUICK_ACK
from mailmove.imap.wire import Astring, Wire
from mailmove.model import Folder

_UNASKED = 1 << 20  # octets that are sent without a go-ahead where the server allows that (LITERAL+)
_UNASKED_MINUS = 4096  # the same for LITERAL- and IMAP4rev2 (RFC 7888 5)
_APPENDUID = re.compile(rb"\[APPENDUID (\d{1,10}) ([\d:,]+)\]", re.IGNORECASE)
_UIDS = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?")
_ATOM = re.compile(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]+")  # RFC 9051 9, flag


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to append: ``internaldate`` as in RFC 9051's ``date-time``, ``pieces`` its octets, read once."""

    octets: int
    flags: Iterable[str]
    internaldate: bytes | None
    pieces: Iterable[bytes]


Answer = int | CommandRefused
"""The new message's UID, 0 where the server did not tell it (UIDPLUS, RFC 4315 3); or its refusal."""


class Appending:
    """Messages that were sent to a folder when this was made; :meth:`answers` tells what became of each.

    UIDs count only in ``uidvalidity``, and only where the server names as many different ones as there are messages.

    :raises Disconnected: and the other errors of :class:`~mailmove.imap.wire.Wire`; then any of the messages may be
        in the folder. What reading the pieces raises goes through, and the connection is dropped.
    """

    def __init__(self, wire: Wire, folder: Folder, uidvalidity: int, messages: Sequence[Outgoing]) -> None:
        self._wire = wire
        self._uidvalidity = uidvalidity
        self._waiting: dict[bytes, str] = {}  # commands without an answer yet, by tag
        self._told: dict[bytes, bytes | CommandRefused] = {}
        self._counts: dict[bytes, int] = {}
        with self._whole():
            if len(messages) > 1 and wire.can("MULTIAPPEND"):
                self._together(folder, messages)
                return
            for message in messages:
                asks = self._together(folder, [message])
                # A name that is a literal itself waits for its own go-ahead. A go-ahead that has to wait until the OK
                # before it is acknowledged comes sooner when the next command carries the acknowledgement.
                if not folder.wire.isascii() or (asks and QUICK_ACK is None):
                    self._collect()

    def answers(self) -> list[Answer]:
        """Wait for what became of the messages, in order.

        :raises Disconnected: as above.
        """
        with self._whole():
            self._collect()
        uids: list[Answer] = []
        for tag, count in self._counts.items():
            told = self._told[tag]
            uids += [told] * count if isinstance(told, CommandRefused) else _uids(told, self._uidvalidity, count)
        known = [uid for uid in uids if isinstance(uid, int) and uid]
        return uids if len(set(known)) == len(known) else [u if isinstance(u, CommandRefused) else 0 for u in uids]

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """What breaks off in the middle takes the connection with it."""
        try:
            yield
        except BaseException:
            if self._waiting:
                self._wire.usable = False
            raise

    def _together(self, folder: Folder, messages: Sequence[Outgoing]) -> bool:
        """Send one command for all of these; whether it waited for a go-ahead."""
        tag, waited = b"", False
        for message in messages:
            mark, asks = self._literal(message)
            words = (*_attributes(message), mark)
            if not tag:
                tag = self._wire.send(b"APPEND", Astring(folder.wire), *words)
                self._waiting[tag] = "APPEND"
                self._counts[tag] = len(messages)
            else:
                self._wire.put(b" %b\r\n" % b" ".join(words))
            waited = waited or asks
            if asks and not self._allowed(tag):
                return waited
            self._send(message)
        self._wire.put(b"\r\n")
        return waited

    def _collect(self) -> None:
        while self._waiting:
            if self._read():
                raise self._unasked()

    def _literal(self, message: Outgoing) -> tuple[bytes, bool]:
        """How a message's literal is announced, and whether the server is to be asked first."""
        unasked = _UNASKED if self._wire.can("LITERAL+") else 0
        if self._wire.can("LITERAL-") or self._wire.can("IMAP4REV2"):
            unasked = max(unasked, _UNASKED_MINUS)
        asks = message.octets > unasked
        return b"{%d%b}" % (message.octets, b"" if asks else b"+"), asks

    def _allowed(self, tag: bytes) -> bool:
        """Wait for the go-ahead of a command, or for its refusal."""
        while tag in self._waiting:
            if self._read():
                if next(iter(self._waiting)) != tag:  # a server takes one command after the other
                    raise self._unasked()
                return True
        return False

    def _unasked(self) -> Disconnected:
        """The error for a go-ahead of nothing: were it taken for that of a message, its text could be commands."""
        return self._wire.broken("the server wants more of an APPEND that is complete")

    def _read(self) -> bool:
        """Read one answer; whether it was a go-ahead."""
        answer = self._wire.answer(self._waiting)
        if answer is None:
            return True
        tag, told = answer
        del self._waiting[tag]
        self._told[tag] = told
        return False

    def _send(self, message: Outgoing) -> None:
        left = message.octets
        for piece in message.pieces:
            left -= len(piece)
            if left < 0:
                break
            self._wire.put(piece)
        if left:
            raise self._wire.broken("a message did not have the octets it was announced with")


def append_limit(wire: Wire, folder: Folder) -> int | None:
    """The largest message that a folder takes, in octets, where the server says so (RFC 7889)."""
    for capability in wire.capabilities:
        if capability.startswith("APPENDLIMIT="):
            return number(capability.removeprefix("APPENDLIMIT=").encode())
    if not wire.can("APPENDLIMIT"):
        return None
    try:
        for response in wire.command(b"STATUS", Astring(folder.wire), b"(APPENDLIMIT)"):
            if response[0][2:8].upper() == b"STATUS":
                return number(pairs(parse(response)[-1]).get("APPENDLIMIT"))
    except CommandRefused:
        pass
    return None


def _attributes(message: Outgoing) -> list[bytes]:
    flags = " ".join(sorted(flag for flag in message.flags if _ATOM.fullmatch(flag)))
    date = [b'"%b"' % message.internaldate] if message.internaldate is not None else []
    return [b"(%b)" % flags.encode("ascii"), *date]


def _uids(told: bytes, uidvalidity: int, count: int) -> list[Answer]:
    found = _APPENDUID.search(told)
    uids: list[Answer] = []
    for part in found[2].split(b",") if found and int(found[1]) == uidvalidity else ():
        run = _UIDS.fullmatch(part)
        if not run or len(uids) > count:
            return [0] * count
        low, high = int(run[1]), int(run[2] or run[1])
        uids += range(low, min(high, low + count) + 1)
    return uids if len(uids) == count else [0] * count
