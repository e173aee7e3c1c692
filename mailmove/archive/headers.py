"""The header fields that find and audit need, as raw octets, by one scan of the header block (RFC 5322 2.2).

The email package would parse the whole message; this is for the hot path, and decodes nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_BLOCK = 1 << 18  # octets of a header block that are looked at
MAX_FIELD = 8192  # octets of one field that are kept

_NAMES = (b"message-id", b"date", b"from", b"to", b"cc", b"subject", b"list-id")
_FIELD = rb"(%b):[ \t]*(.*(?:\n[ \t].*)*)" % b"|".join(_NAMES)
_FIRST = re.compile(_FIELD, re.IGNORECASE)
_NEXT = re.compile(rb"\n(?=[mdftcsl])" + _FIELD, re.IGNORECASE)  # the look ahead passes over most others for less
_EMPTY_LINE = re.compile(rb"\n\r?\n")


class Headers(NamedTuple):
    """The first of each of these fields, unfolded but otherwise as it stands in the message; None: there is none."""

    message_id: bytes | None = None
    date: bytes | None = None
    from_: bytes | None = None
    to: bytes | None = None
    cc: bytes | None = None
    subject: bytes | None = None
    list_id: bytes | None = None


def end_of_block(start: bytes | memoryview) -> int:
    """Where the header block ends that begins ``start``, or where it is not worth looking on; -1: further on."""
    if bytes(start[:2]).startswith((b"\n", b"\r\n")):
        return 0
    found = _EMPTY_LINE.search(start, 0, MAX_BLOCK)
    if found:
        return found.start()
    return MAX_BLOCK if len(start) >= MAX_BLOCK else -1


def scan(start: bytes | memoryview, end: int | None = None) -> Headers:
    """Read the header block at the beginning of ``start``, which ends at ``end`` as :func:`end_of_block` tells it."""
    if end is None:
        end = end_of_block(start)
    if end < 0:
        end = len(start)
    fields = _NEXT.findall(start, 0, end)
    if first := _FIRST.match(start, 0, end):
        fields.insert(0, first.groups())
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        key = name.lower()
        if key not in found:
            found[key] = value.rstrip() if b"\n" not in value else _unfolded(value)
    return Headers(*[value and value[:MAX_FIELD] for value in map(found.get, _NAMES)])


def _unfolded(value: bytes) -> bytes:
    """A field's value on one line (RFC 5322 2.2.3)."""
    return b" ".join([line.strip() for line in value.split(b"\n")]).rstrip()
