"""The text of a message, as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mailmove.mail import charsets
from mailmove.mail.budget import Spent
from mailmove.mail.calendar.lines import MAX_TEXT
from mailmove.mail.calendar.shown import invitation
from mailmove.mail.html.text import readable
from mailmove.mail.message import Message, header
from mailmove.mail.structure import Part

CALENDARS = ("text/calendar", "application/ics")
_SHOWN = ("From", "To", "Date", "Subject")
_STUB = 500  # characters of a plain alternative that may say no more than that there is another
_RICHER = 3


def text(message: Message, *, links: bool = True) -> str:
    """The text: of alternatives the plain one, HTML made readable, invitations, the messages within it.

    Not made safe for a terminal; empty where it has none. With ``links``, where those of HTML lead is listed. What the
    message's budget does not reach is noted there.
    """
    return "\n".join(_Reader(message, links=links).read(message.root))


def is_text(part: Part) -> bool:
    """Whether a part that has no parts is read as the message's text; a multipart in which none were found is."""
    return (part.kind in ("text/plain", "text/html") or part.is_multipart) and not part.is_attachment


@dataclass(slots=True)
class _Reader:
    message: Message
    links: bool
    images: dict[str, str] = field(default_factory=dict)
    """Names of images that the text may show, by Content-ID."""

    def read(self, part: Part) -> Iterator[str]:
        """The text in pieces. Levels are few: the budget limits them."""
        if part.message is not None:
            yield from self._attached(part, part.message)
        elif part.parts and part.kind == "multipart/alternative":
            yield from self._alternative(part)
        elif part.parts:
            self.images |= {each.content_id: each.file_name for each in part.parts if each.content_id}
            for each in part.parts:
                yield from self.read(each)
        elif is_text(part) or part.kind in CALENDARS:
            yield self._decoded(part)
        elif part.kind.startswith("image/") and not part.is_attachment and not part.content_id:
            yield f"[image: {part.file_name or part.kind}]"

    def _attached(self, part: Part, inner: Part) -> Iterator[str]:
        """A message within this one."""
        yield f"\n--- {part.file_name or 'attached message'} ---"
        for name in _SHOWN:
            for value in header(inner, name):
                yield f"{name}: {value}"
        yield ""
        yield from self.read(inner)
        yield "---"

    def _alternative(self, part: Part) -> Iterator[str]:
        """The plainest that says something (RFC 2046 5.1.4: the plainest comes first), and the invitation."""
        calendars = [each for each in part.parts if each.kind in CALENDARS]
        others = [each for each in part.parts if each.kind not in CALENDARS]
        best: list[str] = []
        for each in sorted(others, key=lambda each: each.kind != "text/plain"):
            if not _is_blank(best) and not _is_stub(best, each):
                break
            found = list(self.read(each))
            if _length(found) > _RICHER * _length(best):
                best = found
        yield from best
        for each in calendars[:1]:
            yield from self.read(each)

    def _decoded(self, part: Part) -> str:
        try:
            self.message.budget.read(len(part.raw))
        except Spent:
            self.message.budget.skip("the text from here on: it is too long")
            return ""
        if part.kind == "text/html":
            source = charsets.decode(part.content, charsets.in_html(part.content, part.label))
            return readable(source, self.message.budget, links=self.links, images=self.images)
        source = charsets.decode(part.content, part.label)
        if part.kind not in CALENDARS:
            return source
        if len(source) > MAX_TEXT:
            self.message.budget.skip("the end of a calendar: it is too long")
        return invitation(source)


def _length(pieces: list[str]) -> int:
    return sum(len(each.strip()) for each in pieces)


def _is_blank(pieces: list[str]) -> bool:
    return not _length(pieces)


def _is_stub(pieces: list[str], other: Part) -> bool:
    """Whether a text may only say that another program is needed to read the other one."""
    size = sum(len(leaf.raw) for leaf in other.leaves() if leaf.kind == "text/html")
    return _length(pieces) < _STUB and size > 2 * _STUB and size > 10 * _RICHER * _length(pieces)
