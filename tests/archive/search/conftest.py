"""What the tests of the search index share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailmove.archive.search import catching
from mailmove.archive.search.catching import matching
from mailmove.archive.search.query import EVERYWHERE, Place, Term
from mailmove.archive.search.tables import Tables
from mailmove.archive.store import Archive


@contextmanager
def caught_up(archive: Archive) -> Iterator[Tables]:
    """The search index, which knows all that is archived."""
    for _ in catching.caught_up(archive):
        pass
    with catching.opened(archive) as index:
        yield index


def found(archive: Archive, *texts: str, places: tuple[Place, ...] = EVERYWHERE) -> set[bytes]:
    """SHA-256 of what is found."""
    return matching(archive, [Term(text, places) for text in texts])
