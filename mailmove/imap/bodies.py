"""Message bodies, streamed: octet for octet as the server sends them, never whole in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing

from mailmove.errors import CommandRefused, Disconnected
from mailmove.imap.fetchline import FetchLines, Told
from mailmove.imap.parse import Segments
from mailmove.imap.scan import object_item
from mailmove.imap.wire import Wire
from mailmove.units import LONG_LINE, uid_sets

MAX_BODY = 1 << 36  # octets; more is an attack, not a message

_BODY = re.compile(rb"BODY\[\] ~?\{(\d{1,20})\}\Z", re.IGNORECASE)
_REST = re.compile(  # what may follow a body; anything else is more of it
    rb"\)\Z| (?:UID|FLAGS|INTERNALDATE|RFC822\.SIZE|MODSEQ|EMAILID|THREADID|X-[A-Z-]+|BODY|ENVELOPE)[ \[]",
    re.IGNORECASE,
)
_QUOTED_BODY = re.compile(rb'BODY\[\] "((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FETCH = re.compile(rb"\* \d+ FETCH \(", re.IGNORECASE)


class Body:
    """A message on its way: first its octets from :meth:`pieces`, to the end; then :meth:`told`."""

    def __init__(
        self,
        wire: Wire,
        lines: FetchLines,
        head: bytes,
        octets: int,
        *,
        told: Told | None = None,
        whole: bytes | None = None,
    ) -> None:
        """``told``: all that is told of it, if nothing follows the octets; ``whole``: they came in the line itself."""
        self.octets = octets
        self._wire = wire
        self._lines = lines
        self._head = head
        self._told = told
        self._whole = whole
        self._open = True

    def pieces(self) -> Iterable[memoryview]:
        """The octets, in pieces that are valid until the next one is asked for."""
        if self._whole is not None:
            return (memoryview(self._whole),)
        return self._wire.literal(self.octets)

    def told(self) -> Told | None:
        """What the server tells of this message, which may come after its octets; None: it was not asked for."""
        if self._whole is not None:
            self._open = False
            return self._lines.read((self._head,))
        line = self._wire.line()
        if line == b")" and self._told is not None:
            self._open = False
            return self._told
        if not _REST.match(line):
            raise self._wire.broken("a message did not end where the server said it would")
        segments: Segments = (self._head, b"", *self._wire.rest_of(line))
        self._open = False
        return self._lines.read(segments)

    @property
    def unfinished(self) -> bool:
        """Whether its octets or what follows them are still on the wire."""
        return self._open


def bodies(wire: Wire, uids: Collection[int]) -> Generator[Body, None, None]:
    """Fetch messages of the selected folder by UID, without marking them read (RFC 9051 6.4.5, ``BODY.PEEK``).

    The server decides which it sends, and in what order; the caller compares. When this generator is closed before it
    ends, the connection is in the middle of an answer and is dropped.
    """
    items = b" ".join((b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", *object_item(wire), b"BODY.PEEK[]"))
    lines = FetchLines()
    done = False
    try:
        for chosen in uid_sets(uids, LONG_LINE):
            tag = wire.send(b"UID FETCH", chosen.encode(), b"(%s)" % items)
            yield from _answers(wire, tag, lines)
        done = True
    except CommandRefused:
        done = True
        raise
    finally:
        if not done:
            wire.usable = False


def _answers(wire: Wire, tag: bytes, lines: FetchLines) -> Iterator[Body]:
    while True:
        head = wire.line()
        if known := lines.head(head):
            octets, told = known
            body = Body(wire, lines, head, octets, told=told)
        elif head.endswith(b"}") and (found := _BODY.search(head)) and _FETCH.match(head):
            body = Body(wire, lines, head, int(found[1]))
        elif head.endswith(b")") and (quoted := _QUOTED_BODY.search(head)) and _FETCH.match(head):
            whole = re.sub(rb"\\(.)", rb"\1", quoted[1])
            body = Body(wire, lines, head, len(whole), whole=whole)
        else:
            line = wire.rest_of(head)
            if wire.completed(line, tag, "UID FETCH"):
                return
            continue
        if body.octets > MAX_BODY:
            raise wire.broken(f"the server announced a message of {body.octets} octets")
        yield body
        if body.unfinished:
            raise Disconnected("a message was left in the middle")


def hashes(wire: Wire, uids: Collection[int]) -> dict[int, bytes]:
    """SHA-256 of messages, fetched; of those that are still there."""
    found: dict[int, bytes] = {}
    with closing(bodies(wire, uids)) as arriving:
        for body in arriving:
            digest = hashlib.sha256()
            for piece in body.pieces():
                digest.update(piece)
            told = body.told()
            if told is not None and told.listed.uid in uids:
                found[told.listed.uid] = digest.digest()
    return found
