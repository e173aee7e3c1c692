"""SEARCH (RFC 3501 6.4.4): all its keys; a message's file is read only where nothing else has decided."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from mailmove.archive.index.headers import Headers
from mailmove.errors import ArchiveError
from mailmove.mail import charsets, fields
from mailmove.mail.searchable import Searchable, searchable
from mailmove.mail.words import folded
from mailmove.serving import octets, parts
from mailmove.serving.imap.parser import Key
from mailmove.serving.imap.selected import Selected
from mailmove.serving.messages import Item
from mailmove.serving.parts import Field

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
_COST = {"TEXT": 3, "BODY": 3, "HEADER": 2, "BCC": 2}


class Search:
    """One search in a selected folder. ``failed`` are the messages that could not be read, in words."""

    def __init__(self, selected: Selected, key: Key, charset: str) -> None:
        self._selected = selected
        self._key = _ordered(key)
        self._charset = charset
        self._sets: dict[Key, frozenset[int]] = {}
        self.failed: list[str] = []

    def found(self, most: int = 500) -> Iterator[list[int]]:
        """The indices of messages for which it holds, as far as ``most`` messages were looked at each time."""
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

    def words(self, key: Key) -> str:
        """What a key looks for, without what a search ignores."""
        return folded(key.text.decode(self._charset, "replace"))

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
        self._fields: list[Field] | None = None
        self._read: tuple[str, str] | None = None

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
        raw = next(iter(self._values(b"date")), b"")
        written = _date(raw)
        if written is None and (seconds := fields.sent(raw)) is not None:
            return datetime.fromtimestamp(seconds, UTC).date()
        return written

    def _says(self, key: Key) -> bool:
        wanted = self._search.words(key)
        if key.name in ("TEXT", "BODY"):
            header, body = self._words()
            return wanted in body or (key.name == "TEXT" and wanted in header)
        values = self._values(key.field if key.name == "HEADER" else key.name.lower().encode())
        return any(wanted in folded(fields.text(value)) for value in values)

    def _values(self, name: bytes) -> list[bytes]:
        if name in _INDEXED:
            value = getattr(self._search.indexed(self._item), _INDEXED[name])
            return [] if value is None else [value]
        return [field.value for field in self._header() if field.name == name]

    def _header(self) -> list[Field]:
        if self._fields is None:
            block = self._content()
            span = parts.header_at(block, 0, len(block))
            self._fields = parts.fields(block[span.start : span.end])
        return self._fields

    def _words(self) -> tuple[str, str]:
        """The words of its header, and of its text and attachments."""
        if self._read is None:
            charset = charsets.named(self._content())
            header = "\n".join(f"{each.name.decode()}: {fields.text(each.value, charset)}" for each in self._header())
            read: Searchable = searchable(self._content())
            text = "\n".join((read.text, *(f"{each.name}\n{each.text}" for each in read.attachments)))
            self._read = folded(header), folded(text)
        return self._read

    def _content(self) -> bytes:
        if self._octets is None:
            selected = self._search.selected
            stored = selected.snapshot.stored(selected.mailbox, self._item)
            with octets.opened(selected.snapshot, stored) as found:
                self._octets = found[0 : min(len(found), MAX_READ)]
        return self._octets


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
