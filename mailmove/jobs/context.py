"""What stands around the words that were found, taken from the message itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailmove.archive.search.filling import Files
from mailmove.archive.search.query import Place, Query, Term
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError
from mailmove.mail.documents.extractor import Extractor
from mailmove.mail.searchable import searchable
from mailmove.mail.words import begins_with, sought, words

_BEFORE, _WIDE, _PIECE = 60, 240, 4000  # characters
_WORD = re.compile(r"\w+|[^\w\s]")


class Context(NamedTuple):
    """Text before a match, and from its beginning on, not made safe for a terminal."""

    before: str
    after: str


def context(archive: Archive, sha256: bytes, query: Query, places: Sequence[Place]) -> Context | None:
    """The first place in a message's text, or in that of its attachments, where words of the query stand.

    None where they are in its header only, which is listed anyway, or the message cannot be read.
    """
    terms = [term for term in query.terms if not term.excluded]
    if "text" not in places and "attachments" not in places:
        return None
    try:
        octets = Files(archive).octets(sha256)
    except ArchiveError:
        return None  # what cannot be read is told by check
    with Extractor() as extractor:
        found = searchable(octets, extractor if "text" not in places else None)
    texts = [found.text, *(each.text for each in found.attachments)]
    return next((around for text in texts for term in terms if (around := _around(text, term))), None)


def _around(text: str, term: Term) -> Context | None:
    wanted = sought(term.text)
    if not wanted:
        return None
    for begin in range(0, len(text), _PIECE):
        piece = text[begin : begin + _PIECE + _WIDE]
        if not _holds(words(piece), wanted):
            continue
        for start in _starts(piece):
            if begins_with(words(piece[start : start + _WIDE]), wanted):
                before = piece[max(0, start - _BEFORE) : start].rpartition("\n")[2]
                return Context(before.lstrip(), piece[start : start + _WIDE].partition("\n")[0].rstrip())
    return None


def _holds(found: list[str], wanted: list[str]) -> bool:
    return any(begins_with(found[at : at + len(wanted)], wanted) for at in range(len(found)))


def _starts(text: str) -> Iterator[int]:
    """Where a word may begin: in scripts without spaces, anywhere."""
    for word in _WORD.finditer(text):
        yield from range(word.start(), word.start() + 1 if word[0].isascii() else word.end())
