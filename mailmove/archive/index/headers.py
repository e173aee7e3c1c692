"""The header fields that find and audit need, as raw octets, by one scan of the header block (RFC 5322 2.2).

The email package would parse the whole message; this is for the hot path, and decodes nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mailmove.mail import charsets, fields

MAX_BLOCK = 1 << 18  # octets of a header block that are looked at
MAX_FIELD = 8192  # octets of one field that are kept
MAX_NAMED = 1 << 14  # octets after the block in which the text may name its character set

_NAMES = (b"message-id", b"date", b"from", b"to", b"cc", b"subject", b"list-id")
_FIELD = rb"(%b):[ \t]*(.*(?:\n[ \t].*)*)" % b"|".join(_NAMES)
_FIRST = re.compile(_FIELD, re.IGNORECASE)
_NEXT = re.compile(rb"\n(?=[mdftcsl])" + _FIELD, re.IGNORECASE)  # the look ahead passes over most others for less
_PEOPLE = ("from_", "to", "cc", "subject")
_EMPTY_LINE = re.compile(rb"\n\r?\n")


class Headers(NamedTuple):
    """The first of each of these fields, unfolded but otherwise as it stands in the message; None: there is none.

    Words for people that are not UTF-8 cannot be read alone: where the message names the character set they are given
    in UTF-8.
    """

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
    items = _NEXT.findall(start, 0, end)
    if first := _FIRST.match(start, 0, end):
        items.insert(0, first.groups())
    found: dict[bytes, bytes] = {}
    for name, value in items:
        key = name.lower()
        if key not in found:
            found[key] = value.rstrip() if b"\n" not in value else _unfolded(value)
    told = Headers(*[value and value[:MAX_FIELD] for value in map(found.get, _NAMES)])
    if any(map(_is_foreign, _for_people(told))):
        charset = charsets.named(bytes(start[: end + MAX_NAMED]), end=MAX_BLOCK)
        people = [_in_utf8(value, charset) if value and charset else value for value in _for_people(told)]
        return told._replace(**dict(zip(_PEOPLE, people, strict=True)))
    return told


def is_whole(start: bytes | memoryview, end: int, found: Headers) -> bool:
    """Whether more of the message would tell nothing more of these fields of its block, which ends at ``end``."""
    return len(start) >= min(end + MAX_NAMED, MAX_BLOCK) or not any(map(_is_foreign, _for_people(found)))


def _for_people(told: Headers) -> list[bytes | None]:
    return [told.from_, told.to, told.cc, told.subject]


def _is_foreign(value: bytes | None) -> bool:
    return value is not None and fields.needs_charset(value)


def _in_utf8(value: bytes, charset: str) -> bytes:
    return charsets.decode(value, charset).encode("utf-8", "replace") if _is_foreign(value) else value


def _unfolded(value: bytes) -> bytes:
    """A field's value on one line (RFC 5322 2.2.3)."""
    return b" ".join([line.strip() for line in value.split(b"\n")]).rstrip()
