"""What is in a message beside its text."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from typing import NamedTuple

from mailmove.mail.message import MESSAGES, Message
from mailmove.mail.structure import Part
from mailmove.mail.text import is_text


class Attachment(NamedTuple):
    """A part that is not the message's text; ``name`` is what its sender calls it, safe for nothing."""

    name: str
    content: bytes


def attachments(message: Message) -> list[Attachment]:
    """Every part that :func:`mailmove.mail.text.text` does not read, without its transfer encoding.

    An attached message is one, whatever it holds itself; its octets are those that were sent.
    """
    return [Attachment(name, part.content) for name, part in named_leaves(message)]


def named_leaves(message: Message, *, within: bool = False) -> Iterator[tuple[str, Part]]:
    """Every part that is an attachment, by its name; those of messages within this one too, if wanted."""
    waiting = [message.root]
    while waiting:
        for number, part in enumerate(waiting.pop().leaves(), 1):
            if not is_text(part):
                yield name_of(part, number), part
            if within and part.message:
                waiting.append(part.message)


def name_of(part: Part, number: int) -> str:
    """What a part is called, or the part of this number is to be called."""
    if part.file_name:
        return part.file_name
    extension = ".eml" if part.kind in MESSAGES else mimetypes.guess_extension(part.kind)
    return f"part-{number}{extension or ''}"
