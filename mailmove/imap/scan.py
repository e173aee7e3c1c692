"""Metadata of a folder's messages, streamed: the listing, flags or labels alone, or some header fields."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from mailmove.errors import CommandRefused
from mailmove.imap.fetchline import MAX_UID, FetchLines, about, flag_set, flags_in, is_fetch, items, labels_in, stray
from mailmove.imap.parse import Segments, Value, number
from mailmove.imap.wire import Wire
from mailmove.model import Listed
from mailmove.safe import visible
from mailmove.units import LONG_LINE, parse_uid_set, uid_sets

LISTED = 4096  # octets that a message's line in a listing may well have
MAX_WORDS = 2_000_000  # flags or labels, of all combinations of them that occur in a folder
FIELD_OCTETS = 1 << 15  # of the header fields of one message; what is longer is cut by the server
MAX_REFUSED = 50  # messages of a folder whose header fields may be refused; then it is the folder

# How most servers write these responses; any other shape is read item by item.
_FLAGS = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) FLAGS \(([^()\"]*)\)\)")
_FIELDS = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) BODY\[HEADER\.FIELDS \([^()]*\)\](?:<0>)? \{\d+\}")


def object_item(wire: Wire) -> tuple[bytes, ...]:
    """The FETCH item that names a body across folders: Gmail's X-GM-MSGID, RFC 8474's EMAILID, or none."""
    if wire.can("X-GM-EXT-1"):
        return (b"X-GM-MSGID",)
    return (b"EMAILID",) if wire.can("OBJECTID") else ()


def listing(wire: Wire, uids: Iterable[int] | None = None, strays: list[str] | None = None) -> Iterator[Listed]:
    """Every message of the selected folder, or those of ``uids`` that are still there; each UID once.

    ``strays`` receives the lines that cannot be read and name no message: one more may be there for each.

    :raises CommandRefused: in the end, when there is such a line and nowhere to put it.
    """
    return _listing(wire, ("1:*",) if uids is None else uid_sets(uids), strays)


def find(wire: Wire, uids: Collection[int]) -> dict[int, Listed]:
    """Those of ``uids`` that are in the selected folder now, in one round trip.

    :raises CommandRefused: when it cannot be told which.
    """
    sets = list(uid_sets(uids, LONG_LINE))
    if len(sets) > 1:
        sets = [f"{min(uids)}:{max(uids)}"]  # what lies between costs less than many commands
    return {listed.uid: listed for listed in _listing(wire, sets) if listed.uid in uids}


def _listing(wire: Wire, sets: Iterable[str], strays: list[str] | None = None) -> Iterator[Listed]:
    wanted = b" ".join((b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"FLAGS", *object_item(wire)))
    lines = FetchLines()
    seen: set[int] = set()
    shared = _Shared(wire)
    lost: list[str] = [] if strays is None else strays
    for chosen in sets:
        for segments in wire.responses(b"UID FETCH", chosen.encode(), b"(%s)" % wanted):
            told = lines.read(segments)
            if told is None:
                _note_stray(segments, lost)
            for listed in chain((told.listed,) if told is not None else (), lines.ahead(wire)):
                if listed is None:
                    _note_stray((_NO_UID,), lost)
                elif listed.uid not in seen:
                    seen.add(listed.uid)
                    wire.wanted(LISTED)
                    flags = shared(listed.flags)
                    yield listed if flags is listed.flags else listed._replace(flags=flags)
            wire.within(len(seen))
    if strays is None:
        _must_be_read(lost)


_NO_UID = b"* 0 FETCH (UID 0)"  # what stands for a response like that
_MOST_STRAYS = 100  # of those that are kept


def _note_stray(segments: Segments, strays: list[str]) -> None:
    if len(strays) < _MOST_STRAYS and (line := stray(segments)):
        strays.append(line)


def _must_be_read(strays: list[str]) -> None:
    if strays:
        raise CommandRefused("UID FETCH", "OK", "", f"a line cannot be read: {strays[0]}")


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


def flags(wire: Wire) -> dict[int, frozenset[str] | None]:
    """UID and flags of every message of the selected folder: who is there, without dates and sizes.

    None: they cannot be read.
    """
    found: dict[int, frozenset[str] | None] = {}
    shared = _Shared(wire)
    for segments in wire.responses(b"UID FETCH", b"1:*", b"(UID FLAGS)"):
        matched = _FLAGS.fullmatch(segments[0])
        before = len(found)
        if matched and 0 < (known := int(matched[1])) <= MAX_UID:
            found[known] = shared(flag_set(matched[2]))
        else:
            told = items(segments)
            uid = number(told.get("UID"), MAX_UID) if told else about(segments) if is_fetch(segments) else None
            if uid and _tells("FLAGS", told):  # without UID another client changed something
                words = flags_in(told)
                found[uid] = shared(words) if words is not None else None
        if len(found) > before:
            wire.wanted(LISTED)
            wire.within(len(found))
    return found


def labels(wire: Wire, chosen: bytes = b"1:*", strays: list[str] | None = None) -> dict[int, tuple[str, ...] | None]:
    r"""The Gmail labels of messages of the selected folder: names of folders, ``\Inbox`` and the like.

    None: they cannot be read. ``strays`` receives the lines that cannot be read and name no message.
    """
    found: dict[int, tuple[str, ...] | None] = {}
    shared = _Shared(wire)
    for segments in wire.responses(b"UID FETCH", chosen, b"(UID X-GM-LABELS)"):
        told = items(segments)
        uid = number(told.get("UID"), MAX_UID) if told else about(segments) if is_fetch(segments) else None
        if not (is_fetch(segments) and _tells("X-GM-LABELS", told)):
            continue
        if strays is not None and not uid:
            strays.append(visible(segments[0], 100))
        if uid and uid not in found:
            wire.wanted(LISTED)
            names = labels_in(told)
            found[uid] = tuple(sorted(shared(names))) if names is not None else None
            wire.within(len(found))
    return found


def _tells(item: str, told: Collection[str]) -> bool:
    """Whether a response with these items is what a question for one was answered with; it may lack it, or be odd."""
    return item in told or not set(told) & {"FLAGS", "MODSEQ"}  # those come because another client changed something


Block = bytes | CommandRefused
"""Header fields as they stand in a message, or why the server does not tell them."""


def fields(wire: Wire, uids: Iterable[int], names: bytes) -> Iterator[tuple[int, Block]]:
    """Header fields of messages of the selected folder: UID, and the fields of these names.

    A message that is gone does not come; each comes once. What is refused is asked for by halves, until what the server
    refuses is alone.

    :raises CommandRefused: when it refuses more than a few.
    """
    missing = set(uids)
    refused = 0
    item = b"(UID BODY.PEEK[HEADER.FIELDS (%s)]<0.%d>)" % (names, FIELD_OCTETS)
    queue = deque(uid_sets(missing, LONG_LINE))
    while queue:
        chosen = queue.popleft()
        try:
            yield from _fields(wire, chosen, item, missing)
        except CommandRefused as error:
            left = sorted(missing & parse_uid_set(chosen))
            if not wire.usable or refused == MAX_REFUSED:
                raise
            if len(left) == 1:
                refused += 1
                missing.discard(left[0])
                yield left[0], error
            else:
                halves = left[: len(left) // 2], left[len(left) // 2 :]
                queue.extendleft(reversed([part for half in halves for part in uid_sets(half, LONG_LINE)]))


def _fields(wire: Wire, chosen: str, item: bytes, missing: set[int]) -> Iterator[tuple[int, bytes]]:
    """What one command brings of the messages that are missing.

    :raises CommandRefused: also when a response cannot be read.
    """
    strays: list[str] = []
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
            if is_fetch(segments) and not isinstance(block, bytes) and "FLAGS" not in told:
                strays.append(visible(segments[0], 100))
        if uid in missing and isinstance(block, bytes):
            missing.discard(uid)
            wire.wanted()
            yield uid, block[:FIELD_OCTETS]
    _must_be_read([line for line in strays if missing])
