"""SEARCH (RFC 3501 6.4.4): all its keys; a message's file is read only where nothing else has decided.

Texts are compared as i;unicode-casemap does (RFC 5051): case does not count, accents do. The text of a message is what
its reader sees: decoded, HTML without its marks, names of attachments and the text of those that are text. The search
index rules out messages; whether one is found is decided by what stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from mailmove.archive.index.headers import Headers
from mailmove.archive.search.query import Place
from mailmove.errors import ArchiveError
from mailmove.mail import charsets, fields
from mailmove.mail.searchable import Searchable, searchable
from mailmove.mail.words import cased
from mailmove.serving import octets, parts
from mailmove.serving.imap.parser import Key
from mailmove.serving.imap.selected import Selected
from mailmove.serving.messages import Item

MAX_READ = 32 << 20  # octets of a message that are looked through
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY = re.compile(rb"\b(\d{1,2})[ \t]+([a-z]{3})[a-z]*[ \t]+(\d{4})\b", re.IGNORECASE)
_FLAGS = {"ANSWERED", "DELETED", "DRAFT", "FLAGGED"}
_INDEXED = {
    b"from": "from_",
    b"to": "to",
    b"cc": "cc",
    b"subject": "subject",
    b"date": "date",
    b"message-id": "message_id",
    b"list-id": "list_id",
}
"""Header fields that the index has, and its names for them; one that stands there twice it has once."""
_WORDS: tuple[Place, ...] = ("filename", "text", "attachments")
_PLACES: dict[bytes, tuple[Place, ...]] = {
    b"from": ("from",),
    b"subject": ("subject",),
    **dict.fromkeys((b"to", b"cc", b"bcc"), ("to",)),
    **dict.fromkeys((b"sender", b"reply-to", b"list-id"), ("other",)),
}
"""Where the search index has header fields, all that a message has of each."""
_FEW = 100  # messages that are looked through without it
_COST = {"TEXT": 3, "BODY": 3, "HEADER": 2, "BCC": 2}


class Search:
    """One search in a selected folder. ``failed`` are the messages that could not be read, in words."""

    def __init__(self, selected: Selected, key: Key, charset: str) -> None:
        self._selected = selected
        self._key = _ordered(key)
        self._charset = charset
        self._sets: dict[Key, frozenset[int]] = {}
        self._without: dict[Key, set[bytes]] = {}
        self.failed: list[str] = []

    def found(self, most: int = 500) -> Iterator[list[int]]:
        """The indices of messages for which it holds, as far as ``most`` messages were looked at each time."""
        if len(self._selected.items) > _FEW:
            yield from self._narrowed()
        hits: list[int] = []
        for index, item in enumerate(self._selected.items):
            try:
                if _Look(self, index, item).holds(self._key):
                    hits.append(index)
            except ArchiveError as error:
                self.failed.append(error.what)
            if index % most == most - 1:
                yield hits
                hits = []
        yield hits

    def _narrowed(self) -> Iterator[list[int]]:
        """Ask the search index which messages need not be read; yields nothing of importance, often.

        To take in what is new costs more than to read headers, but less than to read texts.
        """
        keys = {key for key in _leaves(self._key) if _places(key)}
        if not keys:
            return
        try:
            fill = any(_places(key) == _WORDS for key in keys)
            for narrowing in self._selected.snapshot.narrowing(fill=fill):
                yield []
                if narrowing is not None:
                    self._without = {key: narrowing.without(self._text(key), _places(key)) for key in keys}
        except ArchiveError:  # then all that is searched is read
            self._without.clear()

    def _text(self, key: Key) -> str:
        return key.text.decode(self._charset, "replace")

    def wanted(self, key: Key) -> str:
        """What a key looks for, as it is compared."""
        return cased(self._text(key))

    def rules_out(self, key: Key, sha256: bytes) -> bool:
        """Whether the search index knows that a message does not hold what a key looks for; of TEXT, in its body."""
        return sha256 in self._without.get(key, ())

    def chosen(self, key: Key) -> frozenset[int]:
        """The messages that a sequence set means."""
        if key not in self._sets:
            self._sets[key] = frozenset(self._selected.chosen(key.ranges, by_uid=key.name == "UID"))
        return self._sets[key]

    def indexed(self, item: Item) -> Headers:
        """The header fields of a message, as the index has them."""
        snapshot = self._selected.snapshot
        return snapshot.headers(snapshot.stored(self._selected.mailbox, item))

    @property
    def selected(self) -> Selected:
        """The folder that is searched."""
        return self._selected


class _Look:
    """One message under a search's eyes; its file is read once at most."""

    def __init__(self, search: Search, index: int, item: Item) -> None:
        self._search = search
        self._index = index
        self._item = item
        self._octets: bytes | None = None
        self._fields: list[tuple[bytes, str]] | None = None
        self._read: tuple[str, ...] | None = None

    def holds(self, key: Key) -> bool:
        """Whether a key is true of it."""
        match key.name:
            case "AND":
                return all(self.holds(each) for each in key.keys)
            case "OR":
                return any(self.holds(each) for each in key.keys)
            case "NOT":
                return not self.holds(key.keys[0])
            case "ALL" | "OLD":
                return True
            case "NEW" | "RECENT":
                return False
            case "SEQUENCE" | "UID":
                return self._index in self._search.chosen(key)
            case "LARGER":
                return self._item.octets > key.number
            case "SMALLER":
                return self._item.octets < key.number
            case "SEEN" | "UNSEEN":
                return self._search.selected.is_seen(self._index) is (key.name == "SEEN")
            case "KEYWORD" | "UNKEYWORD":
                return self._flagged(key.text.decode()) is (key.name == "KEYWORD")
        name = key.name.removeprefix("UN")
        if name in _FLAGS:
            return self._flagged(f"\\{name}") is (name == key.name)
        if key.day is not None:
            return self._dated(key.name, key.day)
        return self._says(key)

    def _flagged(self, flag: str) -> bool:
        return flag.lower() in self._item.flags.lower().split()

    def _dated(self, name: str, day: date) -> bool:
        mine = self._sent() if name.startswith("SENT") else self._arrived()
        if mine is None:
            return False
        match name.removeprefix("SENT"):
            case "BEFORE":
                return mine < day
            case "ON":
                return mine == day
        return mine >= day

    def _arrived(self) -> date | None:
        """The day as its INTERNALDATE has it, whatever the zone."""
        return _date(self._item.date[:11].replace(b"-", b" "))

    def _sent(self) -> date | None:
        """The day as its Date field has it, whatever the zone."""
        raw = self._search.indexed(self._item).date or b""
        written = _date(raw)
        if written is None and (seconds := fields.sent(raw)) is not None:
            return datetime.fromtimestamp(seconds, UTC).date()
        return written

    def _says(self, key: Key) -> bool:
        wanted, out = self._search.wanted(key), self._search.rules_out(key, self._item.sha256)
        if key.name in ("TEXT", "BODY"):
            return (key.name == "TEXT" and self._in_header(wanted)) or (not out and self._in_body(wanted))
        name = _field(key)
        if out:
            return False
        if name in _INDEXED:
            if any(wanted in cased(fields.text(value)) for value in self._values(name)):
                return True
            if name not in _PLACES:  # of those that are there once in any mail, the first is what it has
                return False
        return any(
            wanted in cased(self._decoded(each.value)) for each in parts.fields(self._block()) if each.name == name
        )

    def _values(self, name: bytes) -> list[bytes]:
        value = getattr(self._search.indexed(self._item), _INDEXED[name])
        return [] if value is None else [value]

    def _in_header(self, wanted: str) -> bool:
        block = self._block()
        plain = wanted.isascii() and not set(wanted) & set(" \t\r\n") and block.isascii() and b"=?" not in block
        if plain and wanted.encode() not in block.upper():
            return False
        return any(wanted in cased(f"{name.decode()}: {text}") for name, text in self._header())

    def _in_body(self, wanted: str) -> bool:
        if self._read is None:
            read: Searchable = searchable(self._content())
            texts = (read.text, *(text for each in read.attachments for text in (each.name, each.text)))
            self._read = tuple(map(cased, texts))
        return any(wanted in text for text in self._read)

    def _header(self) -> list[tuple[bytes, str]]:
        if self._fields is None:
            self._fields = [(each.name, self._decoded(each.value)) for each in parts.fields(self._block())]
        return self._fields

    def _decoded(self, value: bytes) -> str:
        return fields.text(value, charsets.named(self._content()) if fields.needs_charset(value) else None)

    def _block(self) -> bytes:
        block = self._content()
        span = parts.header_at(block, 0, len(block))
        return block[span.start : span.end]

    def _content(self) -> bytes:
        if self._octets is None:
            selected = self._search.selected
            stored = selected.snapshot.stored(selected.mailbox, self._item)
            with octets.opened(selected.snapshot, stored) as found:
                self._octets = found[0 : min(len(found), MAX_READ)]
        return self._octets


def _leaves(key: Key) -> Iterator[Key]:
    yield key
    for each in key.keys:
        yield from _leaves(each)


def _field(key: Key) -> bytes:
    """The header field in which a key looks."""
    return key.field if key.name == "HEADER" else key.name.lower().encode()


def _places(key: Key) -> tuple[Place, ...]:
    """Where in the search index it looks; empty: it looks for no text, or for one that the index does not have."""
    return _WORDS if key.name in ("TEXT", "BODY") else _PLACES.get(_field(key), ())


def _ordered(key: Key) -> Key:
    """The same with what costs least first."""
    inner = tuple(map(_ordered, key.keys))
    return key._replace(keys=tuple(sorted(inner, key=_cost)) if key.name in ("AND", "OR") else inner)


def _cost(key: Key) -> int:
    return max((_COST.get(key.name, 0), *map(_cost, key.keys)))


def _date(raw: bytes) -> date | None:
    found = _DAY.search(raw[:100])
    try:
        return date(int(found[3]), _MONTHS.index(found[2].decode().lower()) + 1, int(found[1])) if found else None
    except ValueError:
        return None
