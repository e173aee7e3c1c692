"""Header fields read for people and for grouping: words, addresses, dates and list names, by the email package.

They come as raw octets, as :mod:`mailmove.archive.headers` finds them. Whatever they hold, nothing here raises: mail is
full of fields that no RFC allows.
"""

from __future__ import annotations

import re
from datetime import UTC
from email import utils
from email.errors import HeaderParseError
from email.header import decode_header
from functools import lru_cache
from typing import NamedTuple

from mailmove.safe import visible

_BLANK = re.compile(r"\s+")
_LIST_ID = re.compile(r"<([^<>]*)>")


class Sender(NamedTuple):
    """Who a field such as From names first: display name (may be empty) and address in lower case, not made safe."""

    name: str
    address: str

    @property
    def shown(self) -> str:
        """One of them, safe for a terminal; the name is what people know."""
        return visible(self.name or self.address)


@lru_cache(maxsize=4096)
def text(raw: bytes | None) -> str:
    """A field's text with encoded words (RFC 2047) decoded, on one line; not made safe for a terminal.

    Octets beyond ASCII are read as UTF-8 where they are that, else as Latin-1.
    """
    if not raw:
        return ""
    plain = _unencoded(raw)
    if "=?" not in plain:
        return plain
    try:
        chunks = decode_header(plain)
    except (HeaderParseError, ValueError):
        return plain
    return _one_line("".join(_decoded(chunk, charset) for chunk, charset in chunks))


def shown(raw: bytes | None, limit: int = 300) -> str:
    """The same, safe for a terminal and not longer than ``limit``."""
    return visible(text(raw), limit)


@lru_cache(maxsize=4096)
def sender(raw: bytes | None) -> Sender:
    """The first mailbox that a From or To names (RFC 5322 3.4); both parts empty where there is none."""
    if not raw:
        return Sender("", "")
    # Encoded words are decoded after the address was taken apart: what they hold is not syntax (RFC 2047 5).
    try:
        name, address = utils.parseaddr(_unencoded(raw))
    except (ValueError, IndexError, RecursionError):  # such as comments nested a thousand deep
        return Sender("", "")
    return Sender(text(name.encode("utf-8", "replace")), text(address.encode("utf-8", "replace")).lower())


def sent(raw: bytes | None) -> int | None:
    """A Date field (RFC 5322 3.3) in Unix seconds; None where it is not a date that exists."""
    if not raw:
        return None
    try:
        moment = utils.parsedate_to_datetime(_unencoded(raw))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" is a time in UTC whose zone is not told (RFC 5322 3.3)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@lru_cache(maxsize=4096)
def list_name(raw: bytes | None) -> str:
    """The name by which a mailing list identifies itself (List-Id, RFC 2919), in lower case; empty: not from a list."""
    whole = text(raw)
    found = _LIST_ID.findall(whole)
    return str(found[-1] if found else whole).strip().lower()


def _unencoded(raw: bytes) -> str:
    try:
        plain = raw.decode("utf-8")
    except UnicodeDecodeError:
        plain = raw.decode("latin-1")
    return _one_line(plain)


def _decoded(chunk: bytes | str, charset: str | None) -> str:
    if isinstance(chunk, str):
        return chunk
    if charset is None:
        return chunk.decode("raw-unicode-escape", "replace")  # decode_header's own way of passing text through
    try:
        return chunk.decode(charset, "replace")
    except (LookupError, ValueError):
        return chunk.decode("latin-1")


def _one_line(plain: str) -> str:
    return _BLANK.sub(" ", plain).strip()
