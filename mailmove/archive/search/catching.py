"""A search index that knows all that is archived, made again where it cannot be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from mailmove.archive.index import index as index_of_archive
from mailmove.archive.search import tables
from mailmove.archive.search.filling import Awaited, Filled, fill
from mailmove.archive.search.matching import Matching
from mailmove.archive.search.query import Query, Term
from mailmove.archive.search.tables import Damaged, Tables, explained
from mailmove.archive.store import Archive


def path_of(archive: Archive) -> str:
    """Where the search index of an archive is."""
    return os.path.join(archive.memory.directory("search"), os.path.basename(archive.index.path))


def caught_up(archive: Archive, go_on: Callable[[], None] = lambda: None) -> Iterator[Awaited | Filled | str]:
    """Let the search index know all that is archived, yielding how much is to be read and was, and a note
    when it was made again.

    ``go_on`` is called often, and raises where that is to be left for another time.

    :raises ArchiveError: when it cannot be used.
    """
    try:
        yield from _filled(archive, go_on)
    except Damaged as error:
        yield f"{error.what}; it is made again"
        tables.remove(path_of(archive))
        with made_again(archive):
            yield from _filled(archive, go_on)


@contextmanager
def made_again(archive: Archive) -> Iterator[None]:
    """What is damaged beside a search index made just now is the archive's own index, which is read with it.

    :raises ArchiveDamaged: instead of :exc:`~mailmove.archive.search.tables.Damaged`.
    """
    try:
        yield
    except Damaged as error:
        raise index_of_archive.damage(archive.index.path, error.__cause__ or error) from error


def opened(archive: Archive) -> Tables:
    """The search index as it is. To be closed, or used as a context."""
    return Tables(path_of(archive), archive.index.path)


def forget(archive: Archive) -> None:
    """Delete the search index: it is the mail in clear. It is made again when something is looked for.

    :raises ArchiveError: when that is not possible.
    """
    tables.remove(path_of(archive))


def matching(archive: Archive, terms: Sequence[Term], folders: Collection[bytes] | None = None) -> set[bytes]:
    """SHA-256 of the messages that all these terms are found in, of all that is archived now.

    :raises ArchiveError: when the search index cannot be used.
    """
    for _ in caught_up(archive):
        pass
    with opened(archive) as index, explained(index.path):
        return {match.sha256 for match in Matching(index, Query(tuple(terms)), folders).newest()}


def _filled(archive: Archive, go_on: Callable[[], None]) -> Iterator[Awaited | Filled]:
    with opened(archive) as index, explained(index.path):
        yield from fill(archive, index, go_on)
