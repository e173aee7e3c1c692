"""What is in a message beside its text."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from typing import NamedTuple

from mailmove.mail.message import Message
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


def named_leaves(message: Message) -> Iterator[tuple[str, Part]]:
    """Every part that is an attachment, by its name."""
    for number, part in enumerate(message.root.leaves(), 1):
        if not is_text(part):
            yield _name(part, number), part


def _name(part: Part, number: int) -> str:
    if part.file_name:
        return part.file_name
    extension = ".eml" if part.kind in ("message/rfc822", "message/global") else mimetypes.guess_extension(part.kind)
    return f"part-{number}{extension or ''}"
