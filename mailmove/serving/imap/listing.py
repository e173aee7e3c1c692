"""LIST and LSUB (RFC 3501 6.3.8) with special uses (RFC 6154): names by patterns, and the levels above them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from mailmove.serving.folders import Mailbox
from mailmove.serving.imap import strings

_RUNS = re.compile(rb"[*%]+")


def responses(command: str, boxes: Mapping[bytes, Mailbox], pattern: bytes) -> Iterator[bytes]:
    """A line for each folder that the pattern means, and for each level above one that it means."""
    delimiter = next((box.delimiter for box in boxes.values() if box.delimiter), None)
    if not pattern:
        yield _line(command, [b"\\Noselect"], delimiter, b"")
        return
    pattern = _RUNS.sub(lambda run: b"*" if b"*" in run[0] else b"%", pattern)
    told: set[bytes] = set()
    for name, box in boxes.items():
        if _matches(pattern, box.delimiter, name):
            told.add(name)
            yield _line(command, [*_children(name, box.delimiter, boxes), *_use(box)], box.delimiter, name)
    for name, box in boxes.items():
        for above in _above(name, box.delimiter):
            if above not in told and above not in boxes and _matches(pattern, box.delimiter, above):
                told.add(above)
                yield _line(command, [b"\\Noselect", b"\\HasChildren"], box.delimiter, above)


def _line(command: str, attributes: list[bytes], delimiter: bytes | None, name: bytes) -> bytes:
    shown = strings.quoted(delimiter) if delimiter else b"NIL"
    return b"* %b (%b) %b %b\r\n" % (command.encode(), b" ".join(attributes), shown, strings.quoted(name))


def _use(box: Mailbox) -> list[bytes]:
    return [b"\\" + box.use[1:].capitalize().encode()] if box.use else []


def _children(name: bytes, delimiter: bytes | None, boxes: Collection[bytes]) -> list[bytes]:
    if not delimiter:
        return [b"\\HasNoChildren"]
    below = name + delimiter
    return [b"\\HasChildren" if any(other.startswith(below) for other in boxes) else b"\\HasNoChildren"]


def _above(name: bytes, delimiter: bytes | None) -> Iterator[bytes]:
    """The levels above a name, highest first."""
    at = name.find(delimiter, 1) if delimiter else -1
    while delimiter and at > 0:
        yield name[:at]
        at = name.find(delimiter, at + len(delimiter))


def _matches(pattern: bytes, delimiter: bytes | None, name: bytes) -> bool:
    """Whether a name matches: ``*`` is anything, ``%`` what has no delimiter in it. Linear, whatever the pattern."""
    if name.upper() == b"INBOX":
        pattern, name = pattern.upper(), name.upper()
    places = _reached({0}, pattern)
    for octet in name:
        on = set()
        for place in places:
            sign = pattern[place : place + 1]
            if sign == b"*" or (sign == b"%" and bytes((octet,)) != delimiter):
                on.add(place)
            elif sign == bytes((octet,)):
                on.add(place + 1)
        places = _reached(on, pattern)
        if not places:
            return False
    return len(pattern) in places


def _reached(places: set[int], pattern: bytes) -> set[int]:
    """These places in a pattern, and those behind wildcards, which may stand for nothing."""
    for place in list(places):
        while pattern[place : place + 1] in (b"*", b"%"):
            place += 1
            places.add(place)
    return places
