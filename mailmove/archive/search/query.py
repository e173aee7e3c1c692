"""What is looked for, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["from", "to", "subject", "other", "filename", "text", "attachments"]
EVERYWHERE: tuple[Place, ...] = ("from", "to", "subject", "other", "filename", "text", "attachments")
"""Where words are found: header fields, names of attachments, the text, the text of attachments.

``to`` is To, Cc and Bcc; ``other`` is Sender, Reply-To and List-Id, which only a search everywhere looks at.
"""
HEADERS: tuple[Place, ...] = EVERYWHERE[:5]
"""Where words may also stand inside longer ones."""

Mark = Literal["flagged", "unread", "only-here", "attachment"]


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow each other somewhere in one of these places; ``excluded``: nowhere there."""

    text: str
    places: tuple[Place, ...] = EVERYWHERE
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """All of this must be true of a message, or of one of its copies.

    ``since`` and ``before`` bound the arrival, in Unix seconds; ``larger`` is in octets. ``folders`` are patterns, of
    which one must match; ``outside`` are those in which no copy may be. ``marks`` are what must be true and
    ``unmarked`` what must not.
    """

    terms: tuple[Term, ...] = ()
    since: int | None = None
    before: int | None = None
    larger: int | None = None
    folders: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    unmarked: tuple[Mark, ...] = ()
