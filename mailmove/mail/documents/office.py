"""Text of Office Open XML and OpenDocument files: ZIP files of XML, read piece by piece, without entities.

Libraries for them build the whole document, which costs a hundred times its size; for its words a parser is enough.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

from defusedxml.ElementTree import XMLParser

MAX_XML = 64 << 20  # octets of XML of one document that are read
_PIECE = 1 << 16
Emit = Callable[[str], None]


class _Kind(NamedTuple):
    """Which members hold text, in this order; in which elements it is (none: in all); what ends a line, or a cell."""

    members: re.Pattern[str]
    text: frozenset[str]
    lines: frozenset[str]
    gaps: frozenset[str]


_WORD = _Kind(
    re.compile(r"word/(document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml"),
    frozenset(("t",)),
    frozenset(("p", "br", "cr")),
    frozenset(("tab", "tc")),
)
_SHEETS = _Kind(
    re.compile(r"xl/(workbook|sharedStrings|worksheets/sheet\d+|comments\d*)\.xml"),
    frozenset(("t", "v")),
    frozenset(("si", "row", "comment")),
    frozenset(("c",)),
)
_SLIDES = _Kind(
    re.compile(r"ppt/(slides/slide\d+|notesSlides/notesSlide\d+)\.xml"),
    frozenset(("t",)),
    frozenset(("p", "br")),
    frozenset(("tc",)),
)
_OPEN = _Kind(
    re.compile(r"content\.xml"),
    frozenset(),
    frozenset(("p", "h", "line-break", "table-row")),
    frozenset(("s", "tab", "table-cell")),
)
_KINDS = {"word/": _WORD, "xl/": _SHEETS, "ppt/": _SLIDES, "content.xml": _OPEN}


class Encrypted(Exception):
    """A password is needed."""


def read(octets: bytes, emit: Emit) -> None:
    """Give the text of a document to ``emit``, in pieces; of a ZIP file that is no document, nothing.

    :raises Encrypted: when it needs a password.
    :raises ValueError: when it is damaged, or too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            left = MAX_XML
            for member, kind in _members(archive):
                left = _member(archive, member, kind, emit, left)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, SyntaxError) as error:
        raise ValueError(str(error)) from error


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, _Kind]]:
    found = [
        (member, kind)
        for member in archive.infolist()
        for start, kind in _KINDS.items()
        if member.filename.startswith(start) and kind.members.fullmatch(member.filename)
    ]
    return iter(sorted(found, key=lambda each: (len(each[0].filename), each[0].filename)))


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, kind: _Kind, emit: Emit, left: int) -> int:
    if member.flag_bits & 1:
        raise Encrypted
    parser = XMLParser(target=_Text(kind, emit))
    with archive.open(member) as opened:
        while piece := opened.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise ValueError("it is too large")
            parser.feed(piece)
    parser.close()
    emit("\n")
    return left


class _Text:
    """What expat finds, as text."""

    def __init__(self, kind: _Kind, emit: Emit) -> None:
        self._kind = kind
        self._emit = emit
        self._depth = 0 if kind.text else 1  # of elements that hold text
        self._is_reference = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if name == "c":
            self._is_reference = attributes.get("t") == "s"  # to a shared string, which is read where it stands
        elif name == "sheet":
            self._emit(attributes.get("name", "") + "\n")
        elif name in self._kind.text and not (name == "v" and self._is_reference):
            self._depth += 1

    def end(self, tag: str) -> None:
        name = tag.rpartition("}")[2]
        if name in self._kind.text:
            self._depth = max(0, self._depth - 1)
        elif name in self._kind.lines:
            self._emit("\n")
        elif name in self._kind.gaps:
            self._emit(" ")

    def data(self, text: str) -> None:
        if self._depth:
            self._emit(text)

    def close(self) -> None:
        pass
