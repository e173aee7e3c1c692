"""One POP3 session (RFC 1939, RFC 2449): the whole archive or one folder, each message once, the oldest first.

A UIDL is the message's SHA-256: it stays the same for ever, so what is left here is never downloaded twice. Nothing is
deleted, and DELE says so: a program that is told OK and finds the message again would fetch it again each time.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain

from mailmove import utf7
from mailmove.errors import ArchiveError
from mailmove.safe import visible
from mailmove.serving import octets, parts
from mailmove.serving.channel import Channel, Closed
from mailmove.serving.drop import Drop
from mailmove.serving.folders import Mailbox
from mailmove.serving.logins import Logins, NoPlain, NotEncrypted, Wrong
from mailmove.serving.messages import Item
from mailmove.serving.octets import PIECE, Octets
from mailmove.serving.shelf import Shelf, Snapshot

_NUMBER = re.compile(r"[1-9]\d{0,9}", re.ASCII)
_COUNT = re.compile(r"\d{1,10}", re.ASCII)
_MAX_BAD = 30


class Refused(Exception):
    """-ERR, with these words."""


class Session:
    """One connection of a mail program."""

    def __init__(self, channel: Channel, logins: Logins, tls: ssl.SSLContext | None, version: str) -> None:
        self._channel = channel
        self._logins = logins
        self._tls = tls
        self._version = version
        self._user: str | None = None
        self._snapshot: Snapshot | None = None
        self._drop = Drop(())
        self._always: dict[str, Callable[[str], Awaitable[None]]] = {"CAPA": self._capa}
        self._before: dict[str, Callable[[str], Awaitable[None]]] = {
            "STLS": self._stls,
            "USER": self._name,
            "PASS": self._pass,
            "AUTH": self._auth,
        }
        self._after: dict[str, Callable[[str], Awaitable[None]]] = {
            "STAT": self._stat,
            "LIST": self._list,
            "UIDL": self._uidl,
            "RETR": self._retr,
            "TOP": self._top,
            "DELE": self._dele,
            "NOOP": self._ok,
            "RSET": self._ok,
        }

    @property
    def guest(self) -> bool:
        """Whether nobody has logged in yet."""
        return self._snapshot is None

    async def run(self) -> None:
        """Answer commands until the connection ends."""
        bad = 0
        try:
            await self._send("+OK mailmove: archives, read-only")
            while bad < _MAX_BAD:
                line = (await self._channel.line()).decode("utf-8", "replace")
                command, _, argument = line.partition(" ")
                if command.upper() == "QUIT":
                    await self._channel.close(b"+OK nothing was deleted\r\n")
                    return
                bad = 0 if await self._answer(command.upper(), argument) else bad + 1
            raise Closed("too many commands that are none")
        except Closed as closed:
            await self._channel.close(f"-ERR {closed.why}\r\n".encode() if closed.why else b"")

    async def _answer(self, command: str, argument: str) -> bool:
        does = (self._always | (self._before if self.guest else self._after)).get(command)
        try:
            if does is None:
                raise Refused("no such command here")
            await does(argument)
        except (Refused, NoPlain) as refused:
            await self._send(f"-ERR {refused}")
        except NotEncrypted:
            await self._send("-ERR only over TLS: STLS first")
        except Wrong as wrong:
            await self._send(f"-ERR [AUTH] {wrong}")
        except ArchiveError as error:
            await self._send(f"-ERR [SYS/PERM] {error.what}")
        return does is not None

    async def _send(self, line: str) -> None:
        await self._channel.write(line.encode("ascii", "replace") + b"\r\n")

    async def _ok(self, _: str) -> None:
        await self._send("+OK")

    async def _capa(self, _: str) -> None:
        words = ["TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER"]
        words.append(f"IMPLEMENTATION mailmove-{self._version}")
        if self.guest and self._logins.allowed(self._channel):
            words += ["USER", "SASL PLAIN"]
        if self._tls is not None and not self._channel.encrypted:
            words.append("STLS")
        await self._send("\r\n".join(["+OK what it can:", *words, "."]))

    # Before the login (RFC 1939 4)

    async def _stls(self, _: str) -> None:
        if self._tls is None or self._channel.encrypted:
            raise Refused("no TLS here")
        await self._send("+OK begin TLS")
        await self._channel.start_tls(self._tls)
        self._user = None

    async def _name(self, argument: str) -> None:
        self._logins.must_be_allowed(self._channel)
        self._user = argument
        await self._send("+OK and the password?")

    async def _pass(self, argument: str) -> None:
        if self._user is None:
            raise Refused("first the user")
        user, self._user = self._user, None
        await self._entered(user, argument)

    async def _auth(self, argument: str) -> None:
        if not argument:
            await self._send("+OK\r\nPLAIN\r\n.")
            return
        kind, _, response = argument.partition(" ")
        if kind.upper() != "PLAIN":
            raise Refused("only PLAIN is known")
        told = b"" if response == "=" else response.encode() or None
        await self._entered(*await self._logins.plain(self._channel, told))

    async def _entered(self, user: str, password: str) -> None:
        account, folder = self._logins.folder(user)
        login = await self._logins.check(self._channel, account, password)
        snapshot, drop = await self._channel.work(_drop, login.shelf, folder)
        self._drop, self._snapshot = drop, snapshot
        await self._send(f"+OK {len(self._drop)} messages")

    # Logged in (RFC 1939 5)

    async def _stat(self, _: str) -> None:
        await self._send(f"+OK {len(self._drop)} {sum(self._drop.octets)}")

    async def _list(self, argument: str) -> None:
        await self._told(argument, lambda number: b"%d" % self._drop.octets[number])

    async def _uidl(self, argument: str) -> None:
        await self._told(argument, lambda number: self._drop.name(number).encode())

    async def _told(self, argument: str, tell: Callable[[int], bytes]) -> None:
        """One line, or that of each message."""
        if argument.strip():
            number = self._number(argument.strip())
            await self._channel.write(b"+OK %d %b\r\n" % (number, tell(number - 1)))
            return
        lines = (b"%d %b\r\n" % (number + 1, tell(number)) for number in range(len(self._drop)))
        await self._channel.stream(chain((b"+OK\r\n",), lines, (b".\r\n",)))

    async def _retr(self, argument: str) -> None:
        await self._message(self._number(argument), None)

    async def _top(self, argument: str) -> None:
        number, _, lines = argument.partition(" ")
        if not _COUNT.fullmatch(lines):
            raise Refused("TOP takes a message and a number of lines")
        await self._message(self._number(number), int(lines))

    async def _dele(self, argument: str) -> None:
        self._number(argument)
        raise Refused("the archive is read-only: tell your mail program to leave messages on the server")

    def _number(self, text: str) -> int:
        if not _NUMBER.fullmatch(text) or int(text) > len(self._drop):
            raise Refused("no such message")
        return int(text)

    async def _message(self, number: int, lines: int | None) -> None:
        assert self._snapshot is not None
        pieces = _pieces(self._snapshot, *self._drop[number - 1], lines)
        block, more = await self._channel.made(pieces)  # -ERR is still possible
        await self._channel.write(block)
        try:
            if more:
                await self._channel.stream(pieces)
        except ArchiveError as error:
            self._channel.abort()
            raise Closed from error


def _drop(shelf: Shelf, folder: str) -> tuple[Snapshot, Drop]:
    """What is served: all of an archive, or one folder of it; of equal messages one.

    :raises Refused: when there is no such folder.
    """
    snapshot = shelf.snapshot()
    if not folder:
        return snapshot, snapshot.once
    name = "INBOX" if folder.upper() == "INBOX" else folder
    box = snapshot.mailboxes.get(utf7.encode(name)) or snapshot.mailboxes.get(name.encode("utf-8", "replace"))
    if box is None:
        raise Refused(f"[AUTH] there is no folder {visible(folder)}")
    return snapshot, Drop([(box, snapshot.listing(box).items)])


def _pieces(snapshot: Snapshot, box: Mailbox, item: Item, lines: int | None) -> Iterator[bytes]:
    """The answer to RETR or, with a number of lines, to TOP: what begins with a dot gets another (RFC 1939 3)."""
    with octets.opened(snapshot, snapshot.stored(box, item)) as found:
        end = len(found) if lines is None else _top_end(found, lines)
        begin = b"+OK\r\n" if lines is not None else b"+OK %d octets\r\n" % len(found)
        last = b"\n"
        for at in range(0, end, PIECE):
            piece = found[at : min(at + PIECE, end)]
            stuffed = piece.replace(b"\n.", b"\n..")
            if last[-1:] == b"\n" and piece[:1] == b".":
                stuffed = b"." + stuffed
            yield begin + stuffed
            begin, last = b"", (last + piece)[-2:]
        closing = b"" if last in (b"\r\n", b"\n") or not end else b"\r\n"
        if lines is not None and end == len(found) and parts.header_at(found, 0, end).end == end:
            closing += _blank(found)
        yield b"%b%b.\r\n" % (begin, closing)


def _blank(found: Octets) -> bytes:
    """The blank line after a header, where the message is nothing else and does without."""
    last = found[max(0, len(found) - 3) : len(found)]
    return b"" if last.endswith((b"\n\r\n", b"\n\n")) or last in (b"\r\n", b"\n") else b"\r\n"


def _top_end(found: Octets, lines: int) -> int:
    """Where the header and so many lines of the body end."""
    at = parts.header_at(found, 0, len(found)).end
    for _ in range(lines):
        at = found.find(b"\n", at, len(found)) + 1
        if not at:
            return len(found)
    return at
