"""The header fields that find and audit need, as raw octets, by one scan of the header block (RFC 5322 2.2).

The email package would parse the whole message; this is for the hot path, and decodes nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_BLOCK = 1 << 18  # octets of a header block that are looked at
MAX_FIELD = 8192  # octets of one field that are kept

_FIELD = re.compile(
    rb"^(message-id|date|from|to|cc|subject|list-id):[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_END = re.compile(rb"\r?\n\r?\n")


class Headers(NamedTuple):
    """The first of each of these fields, unfolded but otherwise as it stands in the message; None: there is none."""

    message_id: bytes | None = None
    date: bytes | None = None
    from_: bytes | None = None
    to: bytes | None = None
    cc: bytes | None = None
    subject: bytes | None = None
    list_id: bytes | None = None


_PLACE = {b"message-id": 0, b"date": 1, b"from": 2, b"to": 3, b"cc": 4, b"subject": 5, b"list-id": 6}


def scan(start: bytes) -> Headers:
    """Read the header block at the beginning of ``start``, which may hold more or less than the block."""
    end = _END.search(start, 0, MAX_BLOCK)
    found: list[bytes | None] = [None] * 7
    for name, value in _FIELD.findall(start, 0, end.start() if end else min(len(start), MAX_BLOCK)):
        place = _PLACE[name.lower()]
        if found[place] is None:
            found[place] = _unfolded(value)
    return Headers(*found)


def _unfolded(value: bytes) -> bytes:
    if b"\n" in value:
        value = b" ".join(line.strip() for line in value.splitlines())
    return value[:MAX_FIELD].rstrip()
