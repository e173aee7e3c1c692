"""The parts of a message (RFC 2046 5), found in one pass over its octets.

The email package's parser compares each line with every boundary that is open and calls itself for every level; this
one looks a line up among the boundaries, so that its time is linear in the octets however a message is nested. Parts
are octets of the message, never made anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from mailmove.mail import charsets, fields, parameters, transfer
from mailmove.mail.budget import Budget, Spent

MAX_HEADER = 1 << 18  # octets of one header block
MAX_FIELDS = 1000
_MAX_BOUNDARY = 200  # octets of a line that are compared; RFC 2046 5.1.1 allows 70
_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:(.*)", re.DOTALL)


@dataclass(slots=True)
class Header:
    """A header block: names and values as they stand there, values folded."""

    items: list[tuple[bytes, bytes]] = field(default_factory=list)

    def add(self, name: bytes, value: list[bytes]) -> None:
        """One more, by the lines of its value."""
        if name and value and len(self.items) < MAX_FIELDS:
            self.items.append((name, b"\n".join(value).strip()))

    def without(self, name: str) -> Header:
        """The same without the fields of this name."""
        return Header([(key, value) for key, value in self.items if key.lower() != name.encode()])

    def all(self, name: str) -> list[bytes]:
        """The values of every field of this name."""
        wanted = name.lower().encode()
        return [value for key, value in self.items if key.lower() == wanted]

    def first(self, name: str) -> bytes:
        """The value of the first one; empty where there is none."""
        return next(iter(self.all(name)), b"")


@dataclass
class Part:
    """A part: its header fields, its octets as they were sent, and the parts within it, if it is a multipart."""

    header: Header
    raw: bytes = b""
    parts: list[Part] = field(default_factory=list)
    default: str = "text/plain"
    message: Part | None = None
    """The message that is attached as this part."""
    charset: str | None = None
    """Of the whole message: what octets beyond ASCII in fields are read in."""

    @cached_property
    def _type(self) -> parameters.Structured:
        return parameters.parse(self.header.first("content-type"), self.charset)

    @cached_property
    def disposition(self) -> parameters.Structured:
        """Content-Disposition (RFC 2183)."""
        return parameters.parse(self.header.first("content-disposition"), self.charset)

    @cached_property
    def kind(self) -> str:
        """Type and subtype in lower case; what is no type is what RFC 2045 5.2 says it means."""
        value = self._type.value
        if value.count("/") == 1 and not value.startswith("/") and not value.endswith("/"):
            return value
        return {"text": "text/plain", "multipart": "multipart/mixed"}.get(value, self.default)

    @property
    def is_multipart(self) -> bool:
        """Whether it says so."""
        return self.kind.startswith("multipart/")

    @property
    def parameters(self) -> dict[str, str]:
        """Of its type."""
        return self._type.parameters

    @property
    def label(self) -> str | None:
        """The character set that it names."""
        named = self.parameters.get("charset", "").strip().partition(" ")[0].partition("(")[0]
        return named.strip("'\"") or None

    @property
    def boundary(self) -> bytes:
        """What separates its parts; empty where it says nothing."""
        named = self.parameters.get("boundary", "").rstrip()
        return named.encode("utf-8", "replace")[: _MAX_BOUNDARY - 4] if self.is_multipart else b""

    @cached_property
    def encoding(self) -> str:
        """Content-Transfer-Encoding in lower case."""
        return parameters.parse(self.header.first("content-transfer-encoding")).value.strip("\"'")

    @cached_property
    def content(self) -> bytes:
        """Its octets without their transfer encoding."""
        return transfer.decode(self.raw, self.encoding)

    @cached_property
    def file_name(self) -> str:
        """What its sender calls it, safe for nothing; empty where it has no name."""
        named = self.disposition.parameters.get("filename") or self.parameters.get("name") or ""
        return fields.text(named.encode("utf-8", "replace"))

    @property
    def content_id(self) -> str:
        """What HTML calls it (RFC 2392); empty where it has no such name."""
        return self.header.first("content-id").decode("ascii", "replace").strip().strip("<>")

    @property
    def is_attachment(self) -> bool:
        """Whether its sender wants it apart from the text."""
        return self.disposition.value == "attachment"

    def leaves(self) -> Iterator[Part]:
        """The parts that hold something, in order, this one if it has no parts."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            if part.parts:
                waiting += reversed(part.parts)
            else:
                yield part


def made(kind: str, content: bytes, name: str = "", content_id: str = "") -> Part:
    """A part for what was not sent as one."""
    part = Part(Header(), content)
    part.header.add(b"content-type", [kind.encode("ascii", "replace").translate(None, b"\r\n")])
    if content_id:
        part.header.add(b"content-id", [content_id.encode("ascii", "replace").translate(None, b"\r\n")])
    if name:
        part.disposition = parameters.Structured("attachment", {"filename": name})
    return part


class _Open(NamedTuple):
    part: Part
    boundary: bytes


def parse(octets: bytes, budget: Budget, depth: int = 0, header: Header | None = None) -> Part:
    """Take a message apart that lies ``depth`` levels within another; with a header, the octets are what follows it.

    What the budget does not reach is noted there.
    """
    return _Parser(octets, budget, depth).run(header)


class _Parser:
    def __init__(self, octets: bytes, budget: Budget, depth: int) -> None:
        self._octets = octets
        self._budget = budget
        self._depth = depth
        self._charset = charsets.named(octets)
        self._open: list[_Open] = []
        self._levels: dict[bytes, list[int]] = {}  # where each boundary is open, innermost last
        self._at = 0
        self._reading: tuple[Part, int] | None = None  # the part that the octets from there on belong to

    def run(self, header: Header | None = None) -> Part:
        root = Part(header or Header(), charset=self._charset)
        try:
            self._budget.read(len(self._octets))
            if header is None:
                self._header(root.header, is_first=True)
            self._begin(root)
            while self._next():
                pass
        except Spent:
            self._budget.skip("the parts that follow: they are too many to look into")
        self._finish(len(self._octets))
        return root

    def _next(self) -> bool:
        """Go on to the next delimiter and what it begins; False: there is none."""
        while (line := self._octets.find(b"\n--", max(0, self._at - 1))) >= 0:
            self._budget.spend()
            self._at = line + 3
            boundary = self._octets[line + 3 : line + _MAX_BOUNDARY].partition(b"\n")[0].rstrip()
            closing = boundary not in self._levels and boundary.endswith(b"--")
            if levels := self._levels.get(boundary[:-2] if closing else boundary):
                self._finish(line - 1 if self._octets[line - 1 : line] == b"\r" else line)
                end = self._octets.find(b"\n", self._at)
                self._at = len(self._octets) if end < 0 else end + 1
                self._delimiter(levels, closing=closing)
                return True
        return False

    def _delimiter(self, levels: list[int], *, closing: bool) -> None:
        level = levels[-1]
        self._leave(level + 1)
        if not closing:
            self._child(self._open[level].part)
        elif len(levels) > 1:  # else it stays open: some senders go on after the end
            self._leave(level)

    def _child(self, parent: Part) -> None:
        self._budget.part()
        part = Part(Header(), charset=self._charset)
        if parent.kind == "multipart/digest":
            part.default = "message/rfc822"  # RFC 2046 5.1.5
        parent.parts.append(part)
        self._reading = (part, self._at)
        self._header(part.header)
        self._begin(part)

    def _begin(self, part: Part) -> None:
        """A part's header has been read: its content begins here."""
        self._reading = (part, self._at)
        boundary = part.boundary
        if not boundary:
            return
        if self._depth + len(self._open) >= self._budget.depth:
            self._budget.skip_depth()
            return
        self._levels.setdefault(boundary, []).append(len(self._open))
        self._open.append(_Open(part, boundary))

    def _finish(self, end: int) -> None:
        """The part that was being read ends here."""
        if self._reading is not None:
            part, start = self._reading
            part.raw = self._octets[start : max(start, end)]
            self._reading = None

    def _leave(self, level: int) -> None:
        """Multiparts from this level on have ended."""
        while len(self._open) > level:
            boundary = self._open.pop().boundary
            self._levels[boundary].pop()
            if not self._levels[boundary]:
                del self._levels[boundary]

    def _header(self, header: Header, *, is_first: bool = False) -> None:
        """Read the header block that begins here.

        An empty line ends it. A line that is no field is passed over, as IMAP servers do, where fields follow; else it
        is the beginning of a content that no empty line sets off.
        """
        value: list[bytes] = []
        name, doubtful, size = b"", -1, 0
        for start, line in self._lines():
            if not line.strip(b"\r") or self._is_delimiter(line):
                self._at = doubtful if doubtful >= 0 else start if line[:2] == b"--" else self._at
                break
            if line[:1] in (b" ", b"\t") and name:
                value.append(line)
            elif found := _FIELD.match(line):
                header.add(name, value)
                name, value, doubtful = found[1], [found[2]], -1
            elif is_first and not name and line.startswith((b"From ", b">From ")):
                continue
            elif doubtful >= 0 or not (name or is_first):
                self._at = doubtful if doubtful >= 0 else start
                break
            else:
                doubtful = start
            size += len(line)
            if size > MAX_HEADER:
                value, name = [], b"x"
        header.add(name, value)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Where each line begins, and the line without its LF."""
        while self._at < len(self._octets):
            self._budget.spend()
            start = self._at
            end = self._octets.find(b"\n", start)
            end = len(self._octets) if end < 0 else end
            self._at = min(end + 1, len(self._octets))
            yield start, self._octets[start:end]

    def _is_delimiter(self, line: bytes) -> bool:
        if not self._levels or line[:2] != b"--":
            return False
        boundary = line[2:_MAX_BOUNDARY].rstrip()
        return boundary in self._levels or boundary.removesuffix(b"--") in self._levels
