"""Commands as the formal syntax has them (RFC 3501 9), strictly: what is not in the grammar is BAD.

A command is read as one stretch of octets, its literals where they stand.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

_ATOM = re.compile(rb"[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
_ASTRING = re.compile(rb"[^\x00-\x20(){%*\"\\\x7f-\xff]+")  # an atom, or "]"
_FLAG = re.compile(rb"\\?[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
_PATTERN = re.compile(rb"[^\x00-\x20(){\"\\\x7f-\xff]+")  # list-char: wildcards as well
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*+)"')
_LITERAL = re.compile(rb"\{(\d{1,10})\+?\}\r\n")
_NUMBER = re.compile(rb"\d{1,10}")
_SET = re.compile(rb"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"(\d{1,2})-([a-z]{3})-(\d{4})", re.IGNORECASE | re.ASCII)
_SECTION = re.compile(rb"\[((?:[1-9]\d{0,4}\.)*(?:[1-9]\d{0,4}(?=\])|[A-Za-z.]*))", re.ASCII)
_PARTIAL = re.compile(rb"<(\d{1,10})\.(\d{1,10})>")
_MAX_DEPTH = 100

Ranges = tuple[tuple[int | None, int | None], ...]
"""A sequence set; None is ``*``."""


class BadCommand(Exception):
    """The command is not what the grammar allows, or not known: BAD."""


class Section(NamedTuple):
    """A part of a message that is asked for (RFC 3501 6.4.5).

    ``label`` is how the answer calls it. ``what`` is empty for all of the part, else HEADER, HEADER.FIELDS,
    HEADER.FIELDS.NOT, TEXT or MIME. ``partial`` is where it begins and how many octets of it are wanted.
    """

    label: bytes
    path: tuple[int, ...] = ()
    what: str = ""
    fields: tuple[bytes, ...] = ()
    partial: tuple[int, int] | None = None
    peek: bool = False


class Key(NamedTuple):
    """A search key (RFC 3501 6.4.4): its name and what belongs to it."""

    name: str
    keys: tuple[Key, ...] = ()
    text: bytes = b""
    field: bytes = b""
    number: int = 0
    day: date | None = None
    ranges: Ranges = ()


_MACROS = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_ITEMS = {"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE"}
_RFC822 = {
    "RFC822": Section(b"RFC822"),
    "RFC822.HEADER": Section(b"RFC822.HEADER", what="HEADER", peek=True),
    "RFC822.TEXT": Section(b"RFC822.TEXT", what="TEXT"),
}
_FLAG_KEYS = {
    *("ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "NEW", "OLD", "RECENT", "SEEN"),
    *("UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN"),
}
_TEXT_KEYS = {"BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO"}
_DAY_KEYS = {"BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"}

Item = str | Section


class Parser:
    """One command, taken apart from left to right. Every method raises :exc:`BadCommand`."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._octets)

    def end(self) -> None:
        """Nothing more may follow."""
        if not self.ended:
            raise BadCommand("more than the command takes")

    def space(self) -> None:
        """A single space."""
        self.take(b" ")

    def take(self, wanted: bytes) -> None:
        """These octets."""
        if not self.follows(wanted):
            raise BadCommand(f"expected {wanted.decode()!r} at octet {self._at}")

    def follows(self, wanted: bytes) -> bool:
        """Take these octets if they are next."""
        found = self._octets.startswith(wanted, self._at)
        self._at += len(wanted) if found else 0
        return found

    def atom(self) -> str:
        """An atom, in upper case."""
        return str(self._matched(_ATOM, "an atom")[0], "ascii").upper()

    def tag(self) -> bytes:
        """The tag of a command."""
        found = self._matched(_ASTRING, "a tag")[0]
        if b"+" in found:
            raise BadCommand("a tag has no +")
        return bytes(found)

    def astring(self) -> bytes:
        """A string, or a word that needs no quotes."""
        if self._next() in (b'"', b"{"):
            return self.string()
        return bytes(self._matched(_ASTRING, "a string")[0])

    def pattern(self) -> bytes:
        """A folder's name with wildcards (list-mailbox)."""
        if self._next() in (b'"', b"{"):
            return self.string()
        return bytes(self._matched(_PATTERN, "a folder name")[0])

    def string(self) -> bytes:
        """A quoted string or a literal."""
        if self._next() == b"{":
            length = int(self._matched(_LITERAL, "a literal")[1])
            found = self._octets[self._at : self._at + length]
            if len(found) != length:
                raise BadCommand("a literal is not whole")
            self._at += length
            return found
        return _ESCAPED.sub(rb"\1", self._matched(_QUOTED, "a string")[1])

    def number(self) -> int:
        """A number below 2^32."""
        found = int(self._matched(_NUMBER, "a number")[0])
        if found >= 1 << 32:
            raise BadCommand("a number is too large")
        return found

    def words(self) -> list[bytes]:
        """Strings in parentheses."""
        self.take(b"(")
        found = [self.astring()]
        while self.follows(b" "):
            found.append(self.astring())
        self.take(b")")
        return found

    def flags(self) -> list[bytes]:
        """Flags, in parentheses or bare."""
        inside = self.follows(b"(")
        found: list[bytes] = []
        if not (inside and self.follows(b")")):
            found.append(bytes(self._matched(_FLAG, "a flag")[0]))
            while self.follows(b" "):
                found.append(bytes(self._matched(_FLAG, "a flag")[0]))
            if inside:
                self.take(b")")
        return found

    def ranges(self) -> Ranges:
        """A sequence set."""
        found = self._matched(_SET, "a sequence set")[0]
        return tuple(_range(part) for part in found.split(b","))

    def day(self) -> date:
        """A date, such as 1-Feb-2024."""
        text = self.string() if self._next() == b'"' else self._matched(_ATOM, "a date")[0]
        found = _DATE.fullmatch(text.decode("ascii", "replace"))
        try:
            if found:
                return date(int(found[3]), _MONTHS.index(found[2].lower()) + 1, int(found[1]))
        except ValueError:
            pass
        raise BadCommand("that is no date")

    def items(self) -> list[Item]:
        """What FETCH is to tell."""
        if not self.follows(b"("):
            name = self._item_name()
            return list(_MACROS[name]) if name in _MACROS else [self._item(name)]
        found = [self._item(self._item_name())]
        while self.follows(b" "):
            found.append(self._item(self._item_name()))
        self.take(b")")
        return found

    def search(self) -> Key:
        """The keys of a search, all of which must hold."""
        found = [self._key(0)]
        while self.follows(b" "):
            found.append(self._key(0))
        return Key("AND", tuple(found))

    def _item_name(self) -> str:
        return self._matched(re.compile(rb"[A-Za-z0-9.]+"), "a FETCH item")[0].decode("ascii").upper()

    def _item(self, name: str) -> Item:
        if name in _ITEMS:
            return name
        if name in _RFC822:
            return _RFC822[name]
        if name in ("BODY", "BODY.PEEK") and self._next() == b"[":
            return self._section(peek=name == "BODY.PEEK")
        if name == "BODY":
            return name
        raise BadCommand(f"unknown FETCH item {name[:40]}")

    def _section(self, *, peek: bool) -> Section:
        text = self._matched(_SECTION, "a section")[1].upper()
        numbers = re.match(rb"(?:\d+(?:\.|\Z))*", text)
        path = tuple(int(each) for each in numbers[0].split(b".") if each) if numbers else ()
        what = text[numbers.end() if numbers else 0 :].decode("ascii")
        if what not in ("", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME") or (
            (what == "MIME" and not path) or (not what and text.endswith(b"."))
        ):
            raise BadCommand("unknown section")
        names: tuple[bytes, ...] = ()
        shown = text
        if what.startswith("HEADER.FIELDS"):
            self.space()
            names = tuple(self.words())
            shown = b"%b (%b)" % (text, b" ".join(map(_written, names)))
        self.take(b"]")
        partial, origin = None, b""
        if self._next() == b"<":
            found = self._matched(_PARTIAL, "a partial")
            partial, origin = (int(found[1]), int(found[2])), b"<%d>" % int(found[1])
            if not partial[1]:
                raise BadCommand("a partial of no octets")
        return Section(b"BODY[%b]%b" % (shown, origin), path, what, tuple(map(bytes.lower, names)), partial, peek)

    def _key(self, depth: int) -> Key:
        if depth > _MAX_DEPTH:
            raise BadCommand("search keys are nested too deep")
        if self.follows(b"("):
            found = [self._key(depth + 1)]
            while self.follows(b" "):
                found.append(self._key(depth + 1))
            self.take(b")")
            return Key("AND", tuple(found))
        if _SET.match(self._octets, self._at):
            return Key("SEQUENCE", ranges=self.ranges())
        name = self.atom()
        if name in _FLAG_KEYS:
            return Key(name)
        self.space()
        if name in _TEXT_KEYS:
            return Key(name, text=self.astring())
        if name in _DAY_KEYS:
            return Key(name, day=self.day())
        return self._other_key(name, depth)

    def _other_key(self, name: str, depth: int) -> Key:
        match name:
            case "LARGER" | "SMALLER":
                return Key(name, number=self.number())
            case "KEYWORD" | "UNKEYWORD":
                return Key(name, text=self.atom().encode())
            case "UID":
                return Key(name, ranges=self.ranges())
            case "NOT":
                return Key(name, (self._key(depth + 1),))
            case "HEADER":
                field = self.astring()
                self.space()
                return Key(name, field=field.lower(), text=self.astring())
            case "OR":
                one = self._key(depth + 1)
                self.space()
                return Key(name, (one, self._key(depth + 1)))
        raise BadCommand(f"unknown search key {name[:40]}")

    def _next(self) -> bytes:
        return self._octets[self._at : self._at + 1]

    def _matched(self, wanted: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        found = wanted.match(self._octets, self._at)
        if not found:
            raise BadCommand(f"expected {what} at octet {self._at}")
        self._at = found.end()
        return found


def _range(part: bytes) -> tuple[int | None, int | None]:
    first, _, last = part.partition(b":")
    ends = tuple(None if each == b"*" else int(each) for each in (first, last or first))
    if any(each is not None and not 0 < each < 1 << 32 for each in ends):
        raise BadCommand("a sequence number that cannot be")
    return ends[0], ends[1]


def _written(name: bytes) -> bytes:
    """A field's name as the answer repeats it."""
    return name if _ATOM.fullmatch(name) else b'"%b"' % name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
