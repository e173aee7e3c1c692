"""The text of a message, as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from mailmove.mail import charsets, html
from mailmove.mail.budget import Spent
from mailmove.mail.message import Message
from mailmove.mail.structure import Part


def text(message: Message) -> str:
    """The text: of alternatives the plain one, HTML made readable; not made safe for a terminal.

    Empty where it has none. What the message's budget does not reach is noted there.
    """
    return "\n".join(_texts(message.root, message))


def is_text(part: Part) -> bool:
    """Whether a part that has no parts is read as the message's text; a multipart in which none were found is."""
    return (part.kind in ("text/plain", "text/html") or part.is_multipart) and not part.is_attachment


def _texts(part: Part, message: Message) -> Iterator[str]:
    if part.kind == "multipart/alternative" and part.parts:
        yield from _alternative(part, message)
    elif part.parts:
        for each in part.parts:
            yield from _texts(each, message)
    elif is_text(part):
        yield _decoded(part, message)


def _alternative(part: Part, message: Message) -> Iterator[str]:
    """The plainest that says something (RFC 2046 5.1.4: the plainest comes first)."""
    for each in sorted(part.parts, key=lambda each: each.kind != "text/plain"):
        found = list(_texts(each, message))
        if any(words.strip() for words in found):
            yield from found
            return


def _decoded(part: Part, message: Message) -> str:
    try:
        message.budget.read(len(part.raw))
    except Spent:
        message.budget.skip("the text from here on: it is too long")
        return ""
    if part.kind == "text/html":
        return html.readable(charsets.decode(part.content, charsets.in_html(part.content, part.label)), message.budget)
    return charsets.decode(part.content, part.label)
