"""The parts of a message by their places in it (RFC 2046 5), for IMAP's sections: no octet is decoded or made anew.

Each level is one pass over the octets. Depth and number of parts are bounded, so that the time is linear however a
message is made; what lies beyond is content of the part around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, pairwise
from typing import NamedTuple

from mailmove.mail import parameters
from mailmove.serving.octets import PIECE, Octets

MAX_HEADER = 1 << 18  # octets of a header block that are looked into
_MAX_PARTS = 10_000
_MAX_DEPTH = 50
_MAX_BOUNDARY = 200
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_BLANK = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")


class Span(NamedTuple):
    """A stretch of a message."""

    start: int
    end: int


_NOTHING = Span(0, 0)


class Field(NamedTuple):
    """A header field: its name in lower case, its value, and the lines it stands in."""

    name: bytes
    value: bytes
    lines: bytes


@dataclass
class Part:
    """A part, by the places of its header (with the blank line after it) and its body."""

    header: Span
    fields: list[Field]
    default: str = "text/plain"
    body: Span = _NOTHING
    parts: list[Part] = field(default_factory=list)
    message: Part | None = None
    """The message that this part is (``message/rfc822``)."""

    def first(self, name: bytes) -> bytes:
        """The value of the first field of this name; empty where there is none."""
        return next((each.value for each in self.fields if each.name == name), b"")

    def all(self, name: bytes) -> list[bytes]:
        """The values of all fields of this name."""
        return [each.value for each in self.fields if each.name == name]

    @cached_property
    def type(self) -> parameters.Structured:
        """Content-Type; what is no type is what RFC 2045 5.2 says it means."""
        told = parameters.parse(self.first(b"content-type"))
        kind, slash, sub = told.value.partition("/")
        if slash and _TOKEN.fullmatch(kind) and _TOKEN.fullmatch(sub):
            return told
        return parameters.Structured(self.default, told.parameters if kind == "text" else {})

    @property
    def kind(self) -> str:
        """Type and subtype as they are told; a multipart without parts, or a message without one, is none."""
        kind = self.type.value
        if kind.startswith("multipart/") and not self.parts:
            return "text/plain"
        return "application/octet-stream" if kind == "message/rfc822" and self.message is None else kind

    @property
    def boundary(self) -> bytes:
        """What separates its parts; empty where it has none."""
        if not self.type.value.startswith("multipart/"):
            return b""
        return self.type.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")[: _MAX_BOUNDARY - 4]

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding in lower case."""
        return parameters.parse(self.first(b"content-transfer-encoding")).value.strip("\"'")


def fields(block: bytes) -> list[Field]:
    """The fields of a header block, in order; lines that are no field belong to none."""
    found: list[Field] = []
    lines: list[bytes] = []

    def add() -> None:
        if lines and (matched := _FIELD.match(b"".join(lines))):
            found.append(Field(matched[1].lower(), matched[2].strip(), b"".join(lines)))

    for line in _lines(block):
        if line[:1] in (b" ", b"\t") and lines:
            lines.append(line)
            continue
        add()
        lines = [line]
    add()
    return found


def _lines(block: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(block):
        end = block.find(b"\n", start) + 1 or len(block)
        yield block[start:end]
        start = end


def header_at(octets: Octets, start: int, end: int) -> Span:
    """The header block that begins here, with the blank line that ends it; all that is looked into where none does."""
    for most in (1 << 12, MAX_HEADER):
        found = _BLANK.search(octets[start : min(end, start + most)])
        if found:
            return Span(start, start + found.end())
    return Span(start, end if start + MAX_HEADER >= end else start + MAX_HEADER)


def parse(octets: Octets) -> Part:
    """Take a message apart."""
    return _Parser(octets).message(0, len(octets), 0)


class _Open(NamedTuple):
    part: Part
    boundary: bytes


class _Parser:
    def __init__(self, octets: Octets) -> None:
        self._octets = octets
        self._left = _MAX_PARTS

    def message(self, start: int, end: int, depth: int) -> Part:
        root = self._part(start, end, "text/plain")
        waiting = [(root, depth)]
        while waiting:
            part, level = waiting.pop()
            if part.boundary and level < _MAX_DEPTH:
                waiting += [(child, level + 1) for child in self._children(part)]
            elif part.type.value == "message/rfc822" and level < _MAX_DEPTH and self._left > 0 and not _encoded(part):
                part.message = self._part(part.body.start, part.body.end, "text/plain")
                waiting.append((part.message, level + 1))
        return root

    def _part(self, start: int, end: int, default: str) -> Part:
        self._left -= 1
        header = header_at(self._octets, start, end)
        return Part(header, fields(self._octets[header.start : header.end]), default, Span(header.end, end))

    def _children(self, parent: Part) -> list[Part]:
        """The parts between the delimiters of a multipart (RFC 2046 5.1.1)."""
        default = "message/rfc822" if parent.type.value == "multipart/digest" else "text/plain"
        places = list(islice(self._delimiters(parent), max(0, self._left) + 1))
        starts = [(after, until) for (_, after), (until, _) in pairwise(places) if after >= 0]
        parent.parts = [self._part(after, max(after, until), default) for after, until in starts if self._left > 0]
        return parent.parts

    def _delimiters(self, parent: Part) -> Iterator[tuple[int, int]]:
        """Where each delimiter line begins, with the line end before it, and where what it begins does; -1: nothing."""
        boundary, (start, end) = parent.boundary, parent.body
        at = start
        while 0 <= at < end:
            line = self._octets[at : min(at + _MAX_BOUNDARY, end)].partition(b"\n")[0].rstrip()
            if line in (b"--" + boundary, b"--%b--" % boundary):
                closing = line != b"--" + boundary
                after = self._octets.find(b"\n", at, end) + 1 or end
                before = at - 1 if at > start else at
                if before > start and self._octets[before - 1 : before] == b"\r":
                    before -= 1
                yield max(before, start), -1 if closing else min(after, end)
                if closing:
                    return
            at = self._octets.find(b"\n--" + boundary, at, end) + 1 or end
        yield end, -1


def _encoded(part: Part) -> bool:
    return part.encoding not in ("", "7bit", "8bit", "binary")


def count_lines(octets: Octets, span: Span) -> int:
    """How many line ends there are in a stretch."""
    return sum(octets[at : min(at + PIECE, span.end)].count(b"\n") for at in range(span.start, span.end, PIECE))
