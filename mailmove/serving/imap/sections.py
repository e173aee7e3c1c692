"""Which octets of a message a section means (RFC 3501 6.4.5)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmove.serving import parts
from mailmove.serving.imap.parser import Section
from mailmove.serving.octets import PIECE, Octets
from mailmove.serving.parts import Part, Span


class Body:
    """A message whose sections are asked for; it is taken apart only where a section needs that."""

    def __init__(self, octets: Octets) -> None:
        self.octets = octets
        self._root: Part | None = None

    @property
    def root(self) -> Part:
        """The message, taken apart."""
        if self._root is None:
            self._root = parts.parse(self.octets)
        return self._root

    def section(self, wanted: Section) -> Iterator[bytes] | None:
        """Its literal, in pieces; None where the message has no such part, which is NIL."""
        if wanted.what.startswith("HEADER.FIELDS"):
            found = self._fields(wanted)
            return None if found is None else _literal(found, Span(0, len(found)), wanted)
        span = self._span(wanted)
        return None if span is None else _literal(self.octets, span, wanted)

    def _span(self, wanted: Section) -> Span | None:
        if not wanted.path:
            whole = Span(0, len(self.octets))
            if not wanted.what:
                return whole
            header = parts.header_at(self.octets, 0, whole.end)
            return header if wanted.what == "HEADER" else Span(header.end, whole.end)
        part = _part(self.root, wanted.path)
        if part is None:
            return None
        if not wanted.what:
            return part.body
        if wanted.what == "MIME":
            return part.header
        if part.message is None:
            return None
        return part.message.header if wanted.what == "HEADER" else part.message.body

    def _fields(self, wanted: Section) -> bytes | None:
        if not wanted.path:
            header = parts.header_at(self.octets, 0, len(self.octets))
            told = parts.fields(self.octets[header.start : header.end])
        else:
            part = _part(self.root, wanted.path)
            if part is None or part.message is None:
                return None
            told = part.message.fields
        among = wanted.what == "HEADER.FIELDS"
        lines = [field.lines for field in told if (field.name in wanted.fields) is among]
        return b"".join(line if line.endswith(b"\n") else line + b"\r\n" for line in lines) + b"\r\n"


def _part(root: Part, path: tuple[int, ...]) -> Part | None:
    """The part of this number: a message that is no multipart is its own first part."""
    found: Part | None = None
    inside = root.parts or [root]
    for number in path:
        if number > len(inside):
            return None
        found = inside[number - 1]
        inside = (found.message.parts or [found.message]) if found.message is not None else found.parts
    return found


def _literal(octets: Octets, span: Span, wanted: Section) -> Iterator[bytes]:
    start, end = span
    if wanted.partial is not None:
        first, count = wanted.partial
        start = min(start + first, end)
        end = min(start + count, end)
    if end - start <= PIECE:
        yield b"{%d}\r\n%b" % (end - start, octets[start:end])
        return
    yield b"{%d}\r\n" % (end - start)
    for at in range(start, end, PIECE):
        yield octets[at : min(at + PIECE, end)]
