"""A message as one page of HTML that fetches nothing: whoever opens it tells nobody."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from mailmove.mail import charsets
from mailmove.mail.attachments import named_leaves
from mailmove.mail.calendar.shown import invitation
from mailmove.mail.documents.extractor import Extractor
from mailmove.mail.html.text import readable
from mailmove.mail.message import MESSAGES, Message, header
from mailmove.mail.structure import Part
from mailmove.mail.text import CALENDARS, is_text

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF8": "gif",
    b"BM": "bmp",
}
_MAX_IMAGES = 16 << 20  # octets of images that a page holds
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
_HEAD = """<!doctype html>
<html><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 1rem; }}
header {{ border-bottom: 1px solid #999; margin-bottom: 1rem; padding-bottom: .5rem; }}
header div {{ overflow-wrap: anywhere; }}
section {{ border-left: 3px solid #999; margin: 1rem 0; padding-left: 1rem; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
img {{ max-width: 100%; height: auto; }}
</style></head><body>
"""


def page(message: Message, extractor: Extractor) -> str:
    """The whole page. HTML is made harmless by the extractor; where that fails its text is shown."""
    writer = _Writer(message, extractor)
    return _whole(writer, writer.message(message.root, [name for name, _ in named_leaves(message)]))


def body(message: Message, extractor: Extractor) -> str:
    """The same without the header and the names of attachments, for a frame below them."""
    writer = _Writer(message, extractor)
    return _whole(writer, writer.part(message.root))


def _whole(writer: _Writer, pieces: Iterator[str]) -> str:
    message, content = writer.of, "\n".join(pieces)
    subject = next(iter(message.header("subject")), "")
    said = [*message.notes, *(f"left out: {what}" for what in (*message.skipped, *writer.left_out))]
    notes = "".join(f"<p><em>({escape(each)})</em></p>\n" for each in dict.fromkeys(said))
    return f"{_HEAD.format(policy=_POLICY, title=escape(subject))}{content}\n{notes}</body></html>\n"


@dataclass(slots=True)
class _Writer:
    of: Message
    extractor: Extractor
    images: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    room: int = _MAX_IMAGES

    def message(self, root: Part, attached: list[str]) -> Iterator[str]:
        """Header and content of a message, or of one within it."""
        yield "<header>"
        for name in _SHOWN:
            for value in header(root, name):
                yield f"<div><b>{name}:</b> {escape(value)}</div>"
        for name in attached:
            yield f"<div><b>Attached:</b> {escape(name)}</div>"
        yield "</header>"
        yield from self.part(root)

    def part(self, part: Part) -> Iterator[str]:
        """What a part shows."""
        if part.message is not None and part.kind in MESSAGES:
            yield "<section>"
            yield from self.message(part.message, [])
            yield "</section>"
        elif part.parts:
            yield from self._parts(part)
        elif part.kind == "text/html" and is_text(part):
            yield self._html(part)
        elif is_text(part):
            yield f"<pre>{escape(charsets.decode(part.content, part.label))}</pre>"
        elif part.kind in CALENDARS:
            yield f"<pre>{escape(invitation(charsets.decode(part.content, part.label)))}</pre>"
        elif part.kind.startswith("image/") and not part.is_attachment and not part.content_id:
            yield self._shown_image(part)

    def _parts(self, part: Part) -> Iterator[str]:
        for each in part.parts:
            if each.content_id and (source := self._embedded(each)):
                self.images[each.content_id] = source
        for each in _richest(part) if part.kind == "multipart/alternative" else part.parts:
            yield from self.part(each)

    def _html(self, part: Part) -> str:
        source = charsets.decode(part.content, charsets.in_html(part.content, part.label))
        clean, note = self.extractor.page(source, self.images)
        if clean:
            self.left_out += [note] if note else []
            return f"<div>{clean}</div>"
        self.left_out += [f"how its HTML looks: {note}"] if note else []
        return f"<pre>{escape(readable(source, self.of.budget))}</pre>"

    def _shown_image(self, part: Part) -> str:
        source, name = self._embedded(part), escape(part.file_name or part.kind)
        return f'<p><img src="{source}" alt="{name}"></p>' if source else f"<p>[image: {name}]</p>"

    def _embedded(self, part: Part) -> str:
        """An image as a ``data:`` URL, by what it is and not by what it is called; else empty."""
        content = part.content
        kind = next((kind for start, kind in _IMAGES.items() if content.startswith(start)), "")
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            kind = "webp"
        if not kind or len(content) > self.room:
            return ""
        self.room -= len(content)
        return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _richest(part: Part) -> list[Part]:
    """The last of alternatives that has HTML (RFC 2046 5.1.4: the richest comes last), else the first; invitations."""
    calendars = [each for each in part.parts if each.kind in CALENDARS]
    others = [each for each in part.parts if each.kind not in CALENDARS]
    rich = [each for each in others if any(leaf.kind == "text/html" and leaf.raw.strip() for leaf in each.leaves())]
    return [*(rich[-1:] or others[:1]), *calendars[:1]]
