"""The listing of a folder: one streamed metadata FETCH."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailmove.model import Listed
from mailmove.server.fetchline import FetchLines
from mailmove.server.wire import Wire
from mailmove.units import uid_sets


def object_item(wire: Wire) -> tuple[bytes, ...]:
    """The FETCH item that names a body across folders: Gmail's X-GM-MSGID, RFC 8474's EMAILID, or none."""
    if wire.can("X-GM-EXT-1"):
        return (b"X-GM-MSGID",)
    return (b"EMAILID",) if wire.can("OBJECTID") else ()


def listing(wire: Wire, uids: Iterable[int] | None = None) -> Iterator[Listed]:
    """Every message of the selected folder, or those of ``uids`` that are still there; each UID once."""
    items = b" ".join((b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"FLAGS", *object_item(wire)))
    lines = FetchLines()
    seen: set[int] = set()
    for chosen in ("1:*",) if uids is None else uid_sets(uids):
        for segments in wire.responses(b"UID FETCH", chosen.encode(), b"(%s)" % items):
            told = lines.read(segments)
            if told is not None and told.listed.uid not in seen:
                seen.add(told.listed.uid)
                yield told.listed
