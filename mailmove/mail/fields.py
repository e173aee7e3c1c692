"""Header fields read for people and for grouping: words, addresses, dates and list names.

They come as raw octets, as :mod:`mailmove.archive.index.headers` finds them. Whatever they hold, nothing here raises:
mail is full of fields that no RFC allows. The time is linear in the octets, which the email package's own parsers are
not.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from datetime import UTC
from functools import lru_cache
from typing import NamedTuple

from mailmove.mail import charsets, transfer
from mailmove.safe import visible

MAX_FIELD = 1 << 16  # octets of a field that are read
MAX_DATE = 200

_BLANK = re.compile(r"\s+")
_LIST_ID = re.compile(r"<([^<>]*)>")
_WORD_BEGINS = re.compile(r"=\?([^?\s]{1,75})\?([bq])\?", re.IGNORECASE)
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"?|\\(.)|([()<>,:;])|[^"\\()<>,:;]++|.', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Sender(NamedTuple):
    """Who a field such as From names first: display name (may be empty) and address in lower case, not made safe."""

    name: str
    address: str

    @property
    def shown(self) -> str:
        """One of them, safe for a terminal; the name is what people know."""
        return visible(self.name or self.address)


@lru_cache(maxsize=4096)
def text(raw: bytes | None, charset: str | None = None) -> str:
    """A field's text with encoded words (RFC 2047) decoded, on one line; not made safe for a terminal.

    Octets that are not UTF-8, which no RFC allows there, are read in ``charset``, that of the message's text.
    """
    if not raw:
        return ""
    plain = _unencoded(raw, charset)
    return _one_line("".join(_words(plain))) if "=?" in plain else plain


def shown(raw: bytes | None, limit: int = 300) -> str:
    """The same, safe for a terminal and not longer than ``limit``."""
    return visible(text(raw), limit)


@lru_cache(maxsize=4096)
def sender(raw: bytes | None) -> Sender:
    """The first mailbox that a From or To names (RFC 5322 3.4); both parts empty where there is none."""
    # Encoded words are decoded after the address was taken apart: what they hold is not syntax (RFC 2047 5).
    name, address = _mailbox(_unencoded(raw)) if raw else ("", "")
    return Sender(text(name.encode("utf-8", "replace")), text(address.encode("utf-8", "replace")).lower())


def sent(raw: bytes | None) -> int | None:
    """A Date field (RFC 5322 3.3) in Unix seconds; None where it is not a date that exists."""
    if not raw or len(raw) > MAX_DATE:
        return None
    from email import utils  # late: few dates are read, and it loads sockets

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


def needs_charset(raw: bytes) -> bool:
    """Whether a field can be read only by a character set that stands elsewhere: it holds octets that are not UTF-8."""
    if raw.isascii():
        return False
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _unencoded(raw: bytes, charset: str | None = None) -> str:
    raw = raw[:MAX_FIELD]
    if raw.isascii() and b"  " not in raw and (plain := raw.decode()).isprintable():
        return plain.strip()  # so are most, and it costs a third
    return _one_line(charsets.decode(raw, charset if needs_charset(raw) else None))


def _words(plain: str) -> Iterator[str]:
    """The text in pieces. Encoded words that follow each other may share a character between them."""
    at, end = 0, -1
    octets, charset = b"", ""
    openings = list(_WORD_BEGINS.finditer(plain))
    for number, opening in enumerate(openings):
        if end < opening.end():
            end = plain.find("?=", opening.end())
        if end < 0:
            break
        if number + 1 < len(openings) and openings[number + 1].start() < end:
            continue  # it never ends; the next one does
        between = plain[at : opening.start()]
        if octets and (charset != opening[1].lower() or between.strip()):
            yield charsets.decode(octets, charset)
            octets = b""
        if between.strip() or not at:
            yield between
        charset = opening[1].lower()
        octets += _content(plain[opening.end() : end], opening[2])
        at = end + 2
    yield charsets.decode(octets, charset)
    yield plain[at:]


def _content(word: str, encoding: str) -> bytes:
    """The octets of an encoded word (RFC 2047 4)."""
    octets = word.encode("utf-8", "replace")
    return transfer.base64(octets) if encoding in "bB" else binascii.a2b_qp(octets, header=True)


def _mailbox(plain: str) -> tuple[str, str]:
    """Display name and address of the first mailbox; a comma in a name that nobody quoted is part of the name."""
    names: list[str] = []
    for name, address, comment in _mailboxes(plain):
        if address:
            return ", ".join([*names, name] if name else names), address
        if "@" in name:
            return comment, name.replace(" ", "")
        if name or comment:
            names.append(name or comment)
    return ("", names[0]) if names else ("", "")


def _mailboxes(plain: str) -> Iterator[tuple[str, str, str]]:
    """Name, what stands between angle brackets, and comment of each element of an address list."""
    parts: dict[str, list[str]] = {"name": [], "address": [], "comment": []}
    place, depth = "name", 0

    def element() -> tuple[str, str, str]:
        found = tuple(_one_line("".join(parts[each])) for each in parts)
        for each in parts.values():
            each.clear()
        return found[0], found[1].rpartition(":")[2], found[2]  # RFC 5322 4.4: a route may stand before the address

    for token in _TOKEN.finditer(plain):
        quoted, escaped, special = token.groups()
        if special == "(":
            depth += 1
        elif special == ")" and depth:
            depth -= 1
        elif depth:
            parts["comment"].append(token[0])
        elif special == "<":
            place = "address"
        elif special == ">":
            place = "name"
        elif special in (",", ";") and place == "name":
            yield element()
        elif special == ":" and place == "name":
            parts["name"].clear()  # the name of a group
        else:
            parts[place].append(_ESCAPED.sub(r"\1", quoted) if quoted is not None else escaped or token[0])
    yield element()


def _one_line(plain: str) -> str:
    return _BLANK.sub(" ", plain).strip()
