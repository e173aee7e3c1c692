"""The header fields that find and audit need, as raw octets, by one scan of the header block (RFC 5322 2.2).

The email package would parse the whole message; this is for the hot path, and decodes nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_BLOCK = 1 << 18  # octets of a header block that are looked at
TYPICAL_BLOCK = 1 << 14  # octets that hold nearly every header block
MAX_FIELD = 8192  # octets of one field that are kept

_FIELD = re.compile(  # the look at the first letter passes over most other fields for less
    rb"\n(?=[mdftcsl])(message-id|date|from|to|cc|subject|list-id):[ \t]*(.*(?:\n[ \t].*)*)", re.IGNORECASE
)
_NAMES = (b"message-id", b"date", b"from", b"to", b"cc", b"subject", b"list-id")


class Headers(NamedTuple):
    """The first of each of these fields, unfolded but otherwise as it stands in the message; None: there is none."""

    message_id: bytes | None = None
    date: bytes | None = None
    from_: bytes | None = None
    to: bytes | None = None
    cc: bytes | None = None
    subject: bytes | None = None
    list_id: bytes | None = None


def gather(start: bytes, piece: memoryview | bytes) -> bytes:
    """The beginning of a message, with more of it behind: enough for :func:`scan`, in few octets."""
    more = start + bytes(piece[:TYPICAL_BLOCK])
    if len(piece) > TYPICAL_BLOCK and not ended(more):
        more = start + bytes(piece[:MAX_BLOCK])
    return more


def ended(start: bytes) -> bool:
    """Whether the header block ends in ``start``."""
    return b"\r\n\r\n" in start or b"\n\n" in start


def scan(start: bytes) -> Headers:
    """Read the header block at the beginning of ``start``, which may hold more or less than the block."""
    found: dict[bytes, bytes] = {}
    for name, value in _FIELD.findall(b"\n" + start[: _end(start)]):
        if b"\n" in value:  # folded (RFC 5322 2.2.3)
            value = b" ".join(line.strip() for line in value.split(b"\n"))
        found.setdefault(name.lower(), value)
    return Headers._make([value and value[:MAX_FIELD].rstrip() for value in map(found.get, _NAMES)])


def _end(start: bytes) -> int:
    """Where the empty line after the header block is, or so far that it is not worth looking on."""
    if start.startswith((b"\r\n", b"\n")):
        return 0
    crlf = start.find(b"\n\r\n", 0, MAX_BLOCK)
    end = crlf if crlf >= 0 else MAX_BLOCK
    lf = start.find(b"\n\n", 0, end)
    return lf if lf >= 0 else end
