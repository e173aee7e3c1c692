"""Metadata of a folder's messages, streamed: the listing, flags or labels alone, or some header fields."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from mailmove.imap.fetchline import MAX_UID, FetchLines, flag_set, flags_of, items
from mailmove.imap.parse import Value, number
from mailmove.imap.wire import Wire
from mailmove.model import Listed, folder_text
from mailmove.units import LONG_LINE, uid_sets

LISTED = 4096  # octets that a message's line in a listing may well have
MAX_WORDS = 2_000_000  # flags or labels, of all combinations of them that occur in a folder
FIELD_OCTETS = 1 << 15  # of the header fields of one message; what is longer is cut by the server

# How most servers write these responses; any other shape is read item by item.
_FLAGS = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) FLAGS \(([^()\"]*)\)\)")
_FIELDS = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) BODY\[HEADER\.FIELDS \([^()]*\)\](?:<0>)? \{\d+\}")


def object_item(wire: Wire) -> tuple[bytes, ...]:
    """The FETCH item that names a body across folders: Gmail's X-GM-MSGID, RFC 8474's EMAILID, or none."""
    if wire.can("X-GM-EXT-1"):
        return (b"X-GM-MSGID",)
    return (b"EMAILID",) if wire.can("OBJECTID") else ()


def listing(wire: Wire, uids: Iterable[int] | None = None) -> Iterator[Listed]:
    """Every message of the selected folder, or those of ``uids`` that are still there; each UID once."""
    return _listing(wire, ("1:*",) if uids is None else uid_sets(uids))


def find(wire: Wire, uids: Collection[int]) -> dict[int, Listed]:
    """Those of ``uids`` that are in the selected folder now, in one round trip."""
    sets = list(uid_sets(uids, LONG_LINE))
    if len(sets) > 1:
        sets = [f"{min(uids)}:{max(uids)}"]  # what lies between costs less than many commands
    return {listed.uid: listed for listed in _listing(wire, sets) if listed.uid in uids}


def _listing(wire: Wire, sets: Iterable[str]) -> Iterator[Listed]:
    wanted = b" ".join((b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"FLAGS", *object_item(wire)))
    lines = FetchLines()
    seen: set[int] = set()
    shared = _Shared(wire)
    for chosen in sets:
        for segments in wire.responses(b"UID FETCH", chosen.encode(), b"(%s)" % wanted):
            told = lines.read(segments)
            for listed in chain((told.listed,) if told is not None else (), lines.ahead(wire)):
                if listed.uid not in seen:
                    seen.add(listed.uid)
                    wire.wanted(LISTED)
                    flags = shared(listed.flags)
                    yield listed if flags is listed.flags else listed._replace(flags=flags)
            wire.within(len(seen))


class _Shared:
    """Flags or labels of a folder's messages: one set for all that have the same, and no more than memory can hold."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._known: dict[frozenset[str], frozenset[str]] = {}
        self._words = 0

    def __call__(self, words: frozenset[str]) -> frozenset[str]:
        known = self._known.get(words)
        if known is None:
            known = self._known[words] = words
            self._words += len(words)
            if self._words > MAX_WORDS:
                raise self._wire.flooded("it lists ever new flags or labels")
        return known


def flags(wire: Wire) -> dict[int, frozenset[str]]:
    """UID and flags of every message of the selected folder: who is there, without dates and sizes."""
    found: dict[int, frozenset[str]] = {}
    shared = _Shared(wire)
    for segments in wire.responses(b"UID FETCH", b"1:*", b"(UID FLAGS)"):
        matched = _FLAGS.fullmatch(segments[0])
        before = len(found)
        if matched and 0 < (known := int(matched[1])) <= MAX_UID:
            found[known] = shared(flag_set(matched[2]))
        else:
            told = items(segments)
            uid = number(told.get("UID"), MAX_UID)
            if uid and isinstance(told.get("FLAGS"), list):  # without UID another client changed something
                found[uid] = shared(flags_of(told["FLAGS"]))
        if len(found) > before:
            wire.wanted(LISTED)
            wire.within(len(found))
    return found


def labels(wire: Wire, chosen: bytes = b"1:*") -> dict[int, tuple[str, ...]]:
    r"""The Gmail labels of messages of the selected folder: names of folders, ``\Inbox`` and the like."""
    found: dict[int, tuple[str, ...]] = {}
    shared = _Shared(wire)
    for segments in wire.responses(b"UID FETCH", chosen, b"(UID X-GM-LABELS)"):
        told = items(segments)
        uid, names = number(told.get("UID"), MAX_UID), told.get("X-GM-LABELS")
        if uid and isinstance(names, list) and uid not in found:
            wire.wanted(LISTED)
            texts = frozenset(folder_text(name) for name in names if isinstance(name, bytes))
            found[uid] = tuple(sorted(shared(texts)))
            wire.within(len(found))
    return found


def fields(wire: Wire, uids: Iterable[int], names: bytes) -> Iterator[tuple[int, bytes]]:
    """Header fields of messages of the selected folder: UID, and the fields of these names as they stand there.

    A message that is gone, or that the server tells nothing of, does not come; each comes once.
    """
    missing = set(uids)
    item = b"(UID BODY.PEEK[HEADER.FIELDS (%s)]<0.%d>)" % (names, FIELD_OCTETS)
    for chosen in list(uid_sets(missing, LONG_LINE)):
        for segments in wire.responses(b"UID FETCH", chosen.encode(), item):
            matched = _FIELDS.fullmatch(segments[0]) if len(segments) == 3 and segments[2] == b")" else None
            uid: int | None
            block: Value
            if matched:
                uid, block = int(matched[1]), segments[1]
            else:
                told = items(segments)
                uid = number(told.get("UID"))
                block = next((value for name, value in told.items() if name.startswith("BODY[HEADER")), None)
            if uid in missing and isinstance(block, bytes):
                missing.discard(uid)
                wire.wanted()
                yield uid, block[:FIELD_OCTETS]
