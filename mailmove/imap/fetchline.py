"""Reading FETCH responses (RFC 9051 7.5.2), fast, by a regular expression learned from how this server writes them.

Servers send the items of a response in any order they like, but each in one order of its own. A line that no pattern
fits yet is read item by item, and a pattern for the whole line is made from its order; every later line of the same
shape is read by that in one step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, TypeGuard

from mailmove.imap.internaldate import to_seconds
from mailmove.imap.parse import Malformed, Segments, Value, number, pairs, parse
from mailmove.imap.wire import Wire
from mailmove.model import Listed, folder_text
from mailmove.safe import visible

MAX_UID = 2**32 - 1

_FETCH = re.compile(rb"\* \d{1,10} FETCH ", re.IGNORECASE)
_ITEM = re.compile(rb"([A-Za-z0-9.\[\]-]+) ")
_SHAPES = {
    b"UID": rb"(?P<uid>\d{1,10})",
    b"RFC822.SIZE": rb"(?P<size>\d{1,18})",
    b"FLAGS": rb"\((?P<flags>[^()\"\r\n]*)\)",
    b"INTERNALDATE": rb'"(?P<date>[^"\\\r\n]*)"',
    b"MODSEQ": rb"\(\d{1,19}\)",
    b"EMAILID": rb"\((?!NIL\))(?P<emailid>[A-Za-z0-9_-]{1,255})\)",
    b"X-GM-MSGID": rb"(?P<gmail>\d{1,20})",
    b"BODY[]": rb"~?\{(?P<octets>\d{1,20})\}",
}
_UID = re.compile(rb"[( ]UID (\d{1,10})(?=[ )])", re.IGNORECASE)
_ASKED = re.compile(rb"\* .*\b(RFC822\.SIZE|INTERNALDATE)\b", re.IGNORECASE | re.DOTALL)
_NEEDED = {b"UID", b"RFC822.SIZE", b"FLAGS", b"INTERNALDATE"}
_FLAGS = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) FLAGS \(([^()\"]*)\)\)")
_MODSEQ = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) MODSEQ \((\d{1,19})\)\)")
_EMAILID = re.compile(rb"[A-Za-z0-9_-]{1,255}")


class Told(NamedTuple):
    """What one FETCH response tells of a message; ``internaldate`` is INTERNALDATE as sent."""

    listed: Listed
    internaldate: bytes | None


class FetchLines:
    """Reads the FETCH responses of one command."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[bytes] | None = None
        self._head: re.Pattern[bytes] | None = None
        self._whole: re.Pattern[bytes] | None = None
        self._groups: tuple[str, ...] = ()

    def read(self, segments: Segments) -> Told | None:
        """What a response tells, or None when it is not what was asked for.

        A response without UID, or with FLAGS alone, was sent because another client changed something.
        """
        line = segments[0] if len(segments) == 1 else segments[0] + segments[-1]
        found = self._pattern.fullmatch(line) if self._pattern else None
        if not found:
            if len(segments) <= 3:
                self._learn(line)
            return _read(segments)
        listed = self._listed(*found.group(*self._groups))
        return Told(listed, found["date"]) if listed is not None else None

    def head(self, line: bytes) -> tuple[int, Told] | None:
        """Of a response of the shape learned that ends in a body: its octets, and what the line before them tells."""
        found = self._head.fullmatch(line) if self._head else None
        listed = self._listed(*found.group(*self._groups)) if found else None
        return (int(found["octets"]), Told(listed, found["date"])) if found and listed is not None else None

    def ahead(self, wire: Wire) -> Iterator[Listed | None]:
        """What the next responses tell that have come already, for as long as they are of the shape learned.

        None for one whose UID is none.
        """
        for groups in wire.ahead(self._whole, self._groups) if self._whole else ():
            yield self._listed(*groups)

    def _listed(self, uid: bytes, size: bytes, date: bytes, flags: bytes, object_id: bytes = b"") -> Listed | None:
        number = int(uid)
        if not 0 < number <= MAX_UID:
            return None
        name = _PREFIX[self._groups[-1]] + object_id.decode() if object_id else None
        return Listed(number, to_seconds(date), int(size), flag_set(flags), name)

    def _learn(self, line: bytes) -> None:
        start = _FETCH.match(line)
        if not start or line[start.end() : start.end() + 1] != b"(":
            return
        shape, at, names = rb"\* \d{1,10} FETCH \(", start.end() + 1, set()
        while True:
            item = _ITEM.match(line, at)
            name = item[1].upper() if item else b""
            if item is None or name not in _SHAPES or name in names:
                return
            value = re.compile(_SHAPES[name]).match(line, item.end())
            if not value:
                return
            names.add(name)
            shape += re.escape(item[1]) + b" " + _SHAPES[name]
            at = value.end() + 1
            if line[value.end() :] == b")":
                break
            shape += b" "
        if names >= _NEEDED:
            self._pattern = re.compile(shape + rb"\)")
            self._head = re.compile(shape) if name == b"BODY[]" else None
            self._whole = re.compile(shape + rb"\)\r\n")
            extra = [group for group in _PREFIX if group in self._pattern.groupindex]
            self._groups = ("uid", "size", "date", "flags", *extra[:1])


_PREFIX = {"emailid": "E", "gmail": "G"}
"""Marks whose name for a body an object id is, so that no two kinds can be equal."""


def is_fetch(segments: Segments) -> bool:
    """Whether this is a FETCH response, be it readable or not."""
    return _FETCH.match(segments[0]) is not None


def items(segments: Segments) -> dict[str, Value]:
    """The items of a FETCH response of any shape, by their names in upper case; none where it cannot be read."""
    if not _FETCH.match(segments[0]):
        return {}
    try:
        values = parse(segments)
    except Malformed:
        return {}
    told = values[3] if len(values) > 3 else None
    return {} if isinstance(told, list) and len(told) % 2 else pairs(told)


def state(segments: Segments) -> tuple[int | None, frozenset[str] | None, frozenset[str] | None] | None:
    """UID, flags and Gmail's labels, as far as a FETCH response tells them; None for one that tells of neither.

    Without UID it was sent because another client changed something, or cannot be read.
    """
    if found := _FLAGS.fullmatch(segments[0]):
        return int(found[1]), flag_set(found[2]), None
    if not is_fetch(segments):
        return None
    told = items(segments)
    if told and not told.keys() & {"FLAGS", "X-GM-LABELS"}:
        return None
    return number(told.get("UID"), MAX_UID) if told else about(segments), flags_in(told), labels_in(told)


def flags_in(told: dict[str, Value]) -> frozenset[str] | None:
    """The flags that a response tells, if they can be read."""
    flags = told.get("FLAGS")
    return flags_of(flags) if _plain(flags) else None


def labels_in(told: dict[str, Value]) -> frozenset[str] | None:
    """Gmail's labels that a response tells, if each can be read."""
    labels = told.get("X-GM-LABELS")
    if not isinstance(labels, list):
        return None
    names = [folder_text(name) for name in labels if isinstance(name, bytes)]
    return frozenset(names) if len(names) == len(labels) else None


def modseq(segments: Segments) -> tuple[int, int] | None:
    """UID and modification sequence (RFC 7162 3.1.4.2) that a FETCH response tells, if both."""
    if found := _MODSEQ.fullmatch(segments[0]):  # of a conditional STORE, one for each message
        uid, sequence = number(found[1], MAX_UID), number(found[2])
    else:
        told = items(segments)
        uid, value = number(told.get("UID"), MAX_UID), told.get("MODSEQ")
        sequence = number(value[0]) if isinstance(value, list) and value else None
    return (uid, sequence) if uid and sequence else None


def _read(segments: Segments) -> Told | None:
    """One FETCH response of any shape, item by item."""
    told = items(segments)
    uid = number(told.get("UID"), MAX_UID)
    flags = told.get("FLAGS")
    if not uid or not _plain(flags):
        return _odd(segments, told)
    if not told.keys() & {"RFC822.SIZE", "INTERNALDATE"}:
        return _odd(segments, told)
    date = told.get("INTERNALDATE")
    date = date if isinstance(date, bytes) else None
    listed = Listed(
        uid,
        to_seconds(date) if date is not None else None,
        number(told.get("RFC822.SIZE")),
        flags_of(flags),
        _object_id(told),
    )
    return Told(listed, date)


def about(segments: Segments) -> int | None:
    """The UID of the message that a response is about which cannot be read, if it names one."""
    uids = {int(uid) for uid in _UID.findall(_outside(segments))}
    uid = uids.pop() if len(uids) == 1 else 0
    return uid if 0 < uid <= MAX_UID else None


def _odd(segments: Segments, told: dict[str, Value]) -> Told | None:
    """A response that cannot be read, if it is what was asked for, and it can be told about which message."""
    text = _outside(segments)
    unreadable = is_fetch(segments) and not told
    if not (unreadable or _ASKED.match(text)) or (uid := about(segments)) is None:
        return None
    return Told(Listed(uid, None, None, frozenset(), odd=visible(text, 100)), None)


def stray(segments: Segments) -> str:
    """A FETCH response that cannot be read, and names no message either; safe for a terminal. Empty: another."""
    text = _outside(segments)
    if not (_FETCH.match(text) or _ASKED.match(text)) or about(segments) is not None:
        return ""
    told = items(segments)
    return "" if told and "UID" not in told and not _ASKED.match(text) else visible(text, 100)


def _outside(segments: Segments) -> bytes:
    """The text of a response without its literals."""
    return segments[0] if len(segments) == 1 else segments[0] + b" " + segments[-1]


def _plain(flags: Value) -> TypeGuard[list[Value]]:
    """Whether this is a list of flags and nothing else."""
    return isinstance(flags, list) and not any(isinstance(flag, list) for flag in flags)


@lru_cache(maxsize=4096)
def flag_set(text: bytes) -> frozenset[str]:
    r"""The flags and keywords of a FLAGS list, as sent.

    Left out are ``\Recent``, a matter of sessions, and NIL, which stands for no flag and could not be set again.
    """
    words = text.decode("utf-8", "replace").split()
    return frozenset(word for word in words if word.lower() not in ("\\recent", "nil"))


def flags_of(words: Value) -> frozenset[str]:
    """The same of a list that was taken apart already."""
    return flag_set(b" ".join(word for word in words or () if isinstance(word, bytes)))


def _object_id(told: dict[str, Value]) -> str | None:
    for item, group in (("EMAILID", "emailid"), ("X-GM-MSGID", "gmail")):
        value = told.get(item)
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, bytes) and _EMAILID.fullmatch(value):
            return _PREFIX[group] + value.decode("ascii")
    return None
