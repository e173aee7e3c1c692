"""winmail.dat: how Outlook and Exchange wrap text and attachments ([MS-OXTNEF]), in one pass, whatever the octets are.

The one library that reads it has not changed for years.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailmove.mail import charsets

MAX_ATTRIBUTES = 100_000
_SIGNATURE = 0x223E9F78
_BODY, _CODEPAGE, _PROPERTIES = 0x800C, 0x9007, 0x9003
_NEW_ATTACHMENT, _TITLE, _DATA, _OF_ATTACHMENT = 0x9002, 0x8010, 0x800F, 0x9005
_ATTRIBUTE = struct.Struct("<BHHI")
_WIDTHS = {0x02: 4, 0x03: 4, 0x04: 4, 0x0A: 4, 0x0B: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING, _UNICODE, _OBJECT, _BINARY = 0x1E, 0x1F, 0x0D, 0x102
_PLAIN, _HTML, _RTF = 0x1000, 0x1013, 0x1009
_LONG_NAME, _SHORT_NAME, _SHOWN_NAME, _KIND, _CONTENT, _CONTENT_ID = 0x3707, 0x3704, 0x3001, 0x370E, 0x3701, 0x3712
_RTF_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n"
    b"\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_MAX_RTF = 16 << 20


@dataclass(slots=True)
class Item:
    """An attachment; one that is a message of Outlook itself is wrapped like the whole."""

    name: str = ""
    kind: str = ""
    content: bytes = b""
    content_id: str = ""


@dataclass(slots=True)
class Opened:
    """What was wrapped: the text in the forms that are there, with its code page, and the attachments."""

    plain: str = ""
    html: bytes = b""
    rtf: bytes = b""
    codepage: int = 1252
    items: list[Item] = field(default_factory=list)


class _Cut(Exception):
    """The octets end before what they promise."""


def opened(octets: bytes) -> Opened | None:
    """Open what was wrapped, as far as it can be read; None: it is not TNEF."""
    if len(octets) < 6 or int.from_bytes(octets[:4], "little") != _SIGNATURE:
        return None
    found = Opened()
    try:
        for attribute, value in _attributes(octets):
            _take(found, attribute, value)
    except _Cut:
        pass  # what came before it is there
    return found


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    walk = _Walk(octets, 6)
    for _ in range(MAX_ATTRIBUTES):
        if walk.at_end:
            return
        _, attribute, _, length = _ATTRIBUTE.unpack(walk.take(_ATTRIBUTE.size))
        yield attribute, walk.take(length)
        walk.take(2)  # a checksum that nobody relies on


def _take(found: Opened, attribute: int, value: bytes) -> None:
    if attribute == _CODEPAGE and len(value) >= 4:
        found.codepage = int.from_bytes(value[:4], "little")
    elif attribute == _BODY:
        found.plain = found.plain or _string(value, found.codepage)
    elif attribute == _PROPERTIES:
        _take_text(found, value)
    elif attribute == _NEW_ATTACHMENT:
        found.items.append(Item())
    elif found.items and attribute == _TITLE:
        found.items[-1].name = found.items[-1].name or _string(value, found.codepage)
    elif found.items and attribute == _DATA:
        found.items[-1].content = value
    elif found.items and attribute == _OF_ATTACHMENT:
        _take_item(found.items[-1], value, found.codepage)


def _take_text(found: Opened, value: bytes) -> None:
    for number, kind, content in _properties(value):
        if number == _PLAIN:
            found.plain = _text(kind, content, found.codepage)
        elif number == _HTML:
            found.html = content if kind == _BINARY else _text(kind, content, found.codepage).encode()
        elif number == _RTF and kind == _BINARY:
            found.rtf = rtf(content)


def _take_item(item: Item, value: bytes, codepage: int) -> None:
    named: dict[int, str] = {}
    for number, kind, content in _properties(value):
        if number == _CONTENT and kind == _OBJECT:
            item.content = content[16:]  # after the identifier of its interface
            item.kind = "application/ms-tnef"
        elif number == _CONTENT:
            item.content = content
        elif number in (_LONG_NAME, _SHORT_NAME, _SHOWN_NAME, _KIND, _CONTENT_ID):
            named[number] = _text(kind, content, codepage)
    item.name = named.get(_LONG_NAME) or item.name or named.get(_SHOWN_NAME) or named.get(_SHORT_NAME) or ""
    item.kind = item.kind or named.get(_KIND, "")
    item.content_id = named.get(_CONTENT_ID, "")


def _properties(value: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, type and first value of each MAPI property ([MS-OXTNEF] 2.1.3.4)."""
    walk = _Walk(value, 0)
    for _ in range(min(walk.number(4), MAX_ATTRIBUTES)):
        kind, number = walk.number(2), walk.number(2)
        if number >= 0x8000:
            walk.take(16)
            if walk.number(4) == 0:
                walk.take(4)
            else:
                walk.padded(walk.number(4))
        several, kind = kind & 0x1000, kind & 0xEFFF
        if kind in _WIDTHS:
            content = [walk.take(_WIDTHS[kind]) for _ in range(min(walk.number(4), MAX_ATTRIBUTES) if several else 1)]
        elif kind in (_STRING, _UNICODE, _OBJECT, _BINARY):
            content = [walk.padded(walk.number(4)) for _ in range(min(walk.number(4), MAX_ATTRIBUTES))]
        else:
            raise _Cut
        if content:
            yield number, kind, content[0]


def _text(kind: int, content: bytes, codepage: int) -> str:
    if kind == _UNICODE:
        return content.decode("utf-16-le", "replace").rstrip("\0")
    return _string(content, codepage)


def _string(content: bytes, codepage: int) -> str:
    return charsets.decode(content.rstrip(b"\0"), f"cp{codepage}")


class _Walk:
    """Octets taken one after another."""

    def __init__(self, octets: bytes, at: int) -> None:
        self._octets = octets
        self._at = at

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._octets)

    def take(self, length: int) -> bytes:
        taken = self._octets[self._at : self._at + length]
        if len(taken) != length:
            raise _Cut
        self._at += length
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def padded(self, length: int) -> bytes:
        """A value that is filled up to four octets."""
        taken = self.take(length)
        self.take(min(-length % 4, len(self._octets) - self._at))
        return taken


def rtf(octets: bytes) -> bytes:
    """RTF as MAPI compresses it ([MS-OXRTFCP] 2.2)."""
    if len(octets) < 16:
        return b""
    _, size, kind, _ = struct.unpack("<IIII", octets[:16])
    size = min(size, _MAX_RTF)
    if kind == 0x414C454D:  # not compressed
        return octets[16 : 16 + size]
    return _inflated(octets[16:], size) if kind == 0x75465A4C else b""


def _inflated(octets: bytes, size: int) -> bytes:
    written = bytearray(_RTF_START)
    begun, at = len(written), 0
    while at < len(octets) and len(written) - begun < size:
        flags = octets[at]
        at += 1
        for bit in range(8):
            if not flags >> bit & 1:
                written += octets[at : at + 1]
                at += 1
            elif at + 1 < len(octets):
                reference = octets[at] << 8 | octets[at + 1]
                at += 2
                if not _copied(written, reference >> 4, (reference & 15) + 2):
                    return bytes(written[begun : begun + size])
    return bytes(written[begun : begun + size])


def _copied(written: bytearray, place: int, length: int) -> bool:
    """Repeat what stands at a place of the window of 4,096 octets; False: the end was told."""
    end = len(written) % 4096
    if place == end:
        return False
    begin = len(written) - (end - place) % 4096
    for offset in range(length):
        written.append(written[begin + offset] if begin >= 0 else 0x20)
    return True
