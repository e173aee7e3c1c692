"""What is in a message, for people: its text and its attachments (RFC 2045 to 2049), by the email package.

Mail is full of messages that follow no RFC: whatever they hold, nothing here raises, and nothing is fetched.
"""

from __future__ import annotations

import email
import mimetypes
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from html.parser import HTMLParser
from typing import NamedTuple

from mailmove.mail import fields

_BLANK = re.compile(r"[ \t\r\n\f\xa0]+")
_MANY_LINES = re.compile(r"\n{3,}")


class Attachment(NamedTuple):
    """A part that is not the message's text; ``name`` is what its sender calls it, safe for nothing.

    ``content`` is None where the email package cannot take it out.
    """

    name: str
    content: bytes | None


def parse(octets: bytes) -> Message:
    """Take a message apart; one that is nested beyond reason stays in one piece."""
    try:
        return email.message_from_bytes(octets)
    except RecursionError:
        return BytesHeaderParser().parsebytes(octets)


def header(message: Message, name: str) -> list[bytes]:
    """Every field of this name, as octets."""
    items = message.raw_items()  # get_all() puts U+FFFD for octets beyond ASCII
    return [value.encode("ascii", "surrogateescape") for key, value in items if key.lower() == name.lower()]


def text(message: Message) -> str:
    """The text of a message: its plain text parts, or else its HTML parts made readable; not made safe for a terminal.

    Empty where it has neither.
    """
    parts = [part for part in _parts(message) if not _is_attachment(part)]
    plain = [_decoded(part) for part in parts if _is_plain(part)]
    if any(words.strip() for words in plain):
        return "\n".join(plain)
    return "\n".join(readable(_decoded(part)) for part in parts if part.get_content_type() == "text/html")


def attachments(message: Message) -> list[Attachment]:
    """Every part that :func:`text` does not read."""
    return [
        Attachment(_name(part, number), _content(part))
        for number, part in enumerate(_parts(message), 1)
        if _is_attachment(part)
    ]


def readable(html: str) -> str:
    """HTML as text: paragraphs, list items, where links lead; no scripts, no styles."""
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except (AssertionError, ValueError):
        pass  # what was read up to there
    lines = (_BLANK.sub(" ", line).strip() for line in "".join(reader.out).split("\n"))
    return _MANY_LINES.sub("\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    _BLOCKS = frozenset(
        ("p", "div", "br", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr")
    )
    _SILENT = frozenset(("script", "style", "head", "title", "template"))

    def __init__(self) -> None:
        super().__init__()
        self.out: list[str] = []
        self._silent: list[str] = []
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._silent.clear()  # a head that was never closed
        elif tag in self._SILENT:
            self._silent.append(tag)
        elif tag == "li":
            self.out.append("\n- ")
        elif tag in self._BLOCKS:
            self.out.append("\n")
        elif tag in ("td", "th"):
            self.out.append(" ")
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self.out)))
        elif tag == "img" and (alternative := dict(attrs).get("alt")):
            self.out.append(f"[{alternative}]")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in self._BLOCKS:
            self.out.append("\n")
        elif tag == "a" and self._links:
            link, start = self._links.pop()
            if link.startswith(("http:", "https:")) and link not in "".join(self.out[start : start + 100]):
                self.out.append(f" <{link}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.out.append(_BLANK.sub(" ", data))


def _parts(message: Message) -> Iterator[Message]:
    """The parts that hold something; an attached message is one part, whatever it holds itself."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        inner = part.get_payload()
        if isinstance(inner, list) and part.get_content_maintype() == "multipart":
            waiting += [each for each in reversed(inner) if isinstance(each, Message)]
        else:
            yield part


def _is_plain(part: Message) -> bool:
    """Plain text, or a multipart in which no parts were found."""
    return part.get_content_type() == "text/plain" or part.get_content_maintype() == "multipart"


def _is_attachment(part: Message) -> bool:
    if not _is_plain(part) and part.get_content_type() != "text/html":
        return True
    return str(part.get("Content-Disposition", "")).strip().lower().startswith("attachment")


def _content(part: Message) -> bytes | None:
    inner = part.get_payload()
    if isinstance(inner, list):  # an attached message
        try:
            return b"".join(each.as_bytes() for each in inner if isinstance(each, Message))
        except Exception:  # noqa: BLE001 - the generator fails in many ways on what the parser accepted
            return None
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else None


def _decoded(part: Message) -> str:
    content = _content(part) or b""
    try:
        return content.decode(str(part.get_content_charset("utf-8")))
    except (LookupError, ValueError):
        pass
    try:
        return content.decode("utf-8")
    except ValueError:
        return content.decode("latin-1")


def _name(part: Message, number: int) -> str:
    try:
        name = part.get_filename()
    except (LookupError, ValueError, TypeError):
        name = None
    if name:
        return fields.text(str(name).encode("utf-8", "replace"))
    kind = part.get_content_type()
    return f"part-{number}{'.eml' if kind == 'message/rfc822' else mimetypes.guess_extension(kind) or ''}"
