"""All the words of a message: what a search index takes in, and what its snippets are cut from."""

from __future__ import annotations

from typing import NamedTuple

from mailmove.mail import charsets
from mailmove.mail.attachments import named_leaves
from mailmove.mail.budget import Budget, Spent
from mailmove.mail.calendar.shown import card, invitation
from mailmove.mail.documents.extractor import Extracted, Extractor
from mailmove.mail.html.text import readable
from mailmove.mail.message import Message, parse
from mailmove.mail.structure import Part
from mailmove.mail.text import text

HEADERS = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "List-Id")
_TEXTS = ("application/json", "application/xml", "application/javascript", "application/x-sh")
_ENDINGS = {
    **dict.fromkeys((".txt", ".csv", ".tsv", ".log", ".md", ".json", ".diff", ".patch", ".tex"), "text/plain"),
    **dict.fromkeys((".html", ".htm", ".xml", ".svg"), "text/html"),
    ".ics": "text/calendar",
    ".vcf": "text/vcard",
}


class Attached(NamedTuple):
    """An attachment: its name as its sender gave it, its type, its octets, its text, and what of that is missing."""

    name: str
    kind: str
    octets: int
    text: str
    note: str


class Searchable(NamedTuple):
    """The words of a message, none of them made safe for a terminal.

    ``headers`` has the text of each of :data:`HEADERS` that is there; several fields of one name are lines of it.
    ``text`` holds the messages within this one too. ``notes`` say what could not be read or was left out.
    """

    headers: dict[str, str]
    text: str
    attachments: tuple[Attached, ...]
    notes: tuple[str, ...]


def searchable(octets: bytes, extractor: Extractor | None = None, budget: Budget | None = None) -> Searchable:
    """Read a message; without an extractor the text of documents (PDF, Office …) is left out, and not noted.

    Nothing raises, whatever the octets are; equal octets give equal words.
    """
    message = parse(octets, budget)
    headers = {name: "\n".join(found) for name in HEADERS if (found := message.header(name))}
    words = text(message, links=False)
    attachments = tuple(
        Attached(name, part.kind, len(part.content), *_read(part, name, message, extractor))
        for name, part in named_leaves(message, within=True)
    )
    documents = (f"{each.name}: {each.note}" for each in attachments if each.note)
    return Searchable(headers, words, attachments, (*message.notes, *message.skipped, *documents))


def _read(part: Part, name: str, message: Message, extractor: Extractor | None) -> Extracted:
    """The text of an attachment; of an attached message it is in the text of the message that it is attached to."""
    kind = _text_kind(part, name)
    if kind:
        try:
            message.budget.read(len(part.content))
        except Spent:
            return Extracted("", "it is too long")
        return Extracted(_as_text(part, kind, message.budget))
    found = extractor.text(part.content) if extractor else None
    return found or Extracted("")


def _text_kind(part: Part, name: str) -> str:
    """The type of an attachment that is text, by what it is called where its type says nothing; else empty."""
    if part.kind.startswith("text/") and part.kind != "text/plain":
        return part.kind
    by_name = _ENDINGS.get("." + name.lower().rpartition(".")[2], "")
    if part.kind == "text/plain" or part.kind in _TEXTS or part.kind.endswith(("+xml", "+json")):
        return by_name or "text/plain"
    return by_name if part.kind == "application/octet-stream" else ""


def _as_text(part: Part, kind: str, budget: Budget) -> str:
    if kind in ("text/html", "text/xml"):
        return readable(charsets.decode(part.content, charsets.in_html(part.content, part.label)), budget, links=False)
    source = charsets.decode(part.content, part.label)
    if kind == "text/calendar":
        return invitation(source)
    if kind in ("text/vcard", "text/x-vcard", "text/directory"):
        return card(source)
    return source
