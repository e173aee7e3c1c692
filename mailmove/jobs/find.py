"""Find: which archived messages are what the user remembers. Works from the archive alone."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailmove.archive.index.search import Search
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.search import catching, tables
from mailmove.archive.search.filling import Awaited, Filled
from mailmove.archive.search.matching import Match, Matching, Note
from mailmove.archive.search.query import EVERYWHERE, Place, Query
from mailmove.archive.search.tables import Damaged, Tables
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.errors import Exit
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.model import Folder, Found
from mailmove.plan.folders import choose
from mailmove.units import short_id

if TYPE_CHECKING:
    from mailmove.jobs.context import Context

_FIRST, _PORTION = 50, 5000  # messages: the first are there at once, and each portion asks the index anew


@dataclass(frozen=True, slots=True)
class Options:
    """What is looked for; ``limit`` 0: no limit; ``skip`` are the newest, which are left out.

    ``where``: also in which places of each message; ``context``: also what stands around the words there.
    """

    query: Query
    limit: int = 0
    skip: int = 0
    where: bool = False
    context: bool = False


class Hit(NamedTuple):
    """A message that was found; ``arrival`` is that of its newest copy that was looked for, in Unix seconds.

    ``places`` and ``context`` tell where the words are, and what stands around them, where that was asked for.
    """

    found: Found
    arrival: int
    places: Sequence[Place] = ()
    context: Context | None = None


@dataclass(slots=True)
class FindResult:
    """What was found in one archive. ``found`` counts all; ``messages`` are those within ``limit``, newest first.

    Without a limit they are read while they are asked for, once. Exact copies are one message; ``copies`` counts each
    of them, as an export does. ``unread`` says which files could not be read, ``partly`` which messages not whole:
    those that were not found may hold the words as well. ``notes`` are for the user, not made safe for a terminal.
    """

    account: str
    login: str
    limit: int = 0
    messages: Iterable[Hit] = ()
    found: int = 0
    copies: int = 0
    unread: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit(self) -> Exit:
        """Nothing found is no failure; a file that cannot be read is."""
        return Exit.ARCHIVE if self.unread else Exit.DONE


def find(
    account: str, archive: Archive, options: Options, until: ExitStack, cancel: Cancel | None = None
) -> Generator[Progress, None, FindResult]:
    """Search one archive, after taking what is new there into its search index.

    What the messages are read from is closed with ``until``; the archive must stay open as long.

    :raises UsageError: when a folder pattern matches no folder of the archive.
    :raises ArchiveError: when the search index cannot be used; also while the messages are read.
    """
    result = FindResult(account, archive.manifest.login, options.limit)
    query = options.query
    folders = _wires(archive, query.folders) if query.folders else None
    outside = _wires(archive, query.outside) if query.outside else frozenset[bytes]()
    try:
        yield from _catch_up(archive, result, cancel)
        _search(archive, options, folders, outside, result, until)
    except Damaged as error:
        result.notes.append(f"{error.what}; it was made again")
        tables.remove(catching.path_of(archive))
        with catching.made_again(archive):
            yield from _catch_up(archive, result, cancel)
            _search(archive, options, folders, outside, result, until)
    return result


def newest(results: Sequence[FindResult], limit: int = 0) -> Iterator[tuple[FindResult, Hit]]:
    """What was found in several archives as one list, newest first; 0: all of it."""
    every = heapq.merge(*map(_with_messages, results), key=lambda one: one[1].arrival, reverse=True)
    return islice(every, limit or None)


def keep_newest(results: Sequence[FindResult], limit: int) -> None:
    """Of what was found in several archives, keep the newest ``limit`` of all."""
    kept: list[list[Hit]] = [[] for _ in results]
    at = {id(result): number for number, result in enumerate(results)}
    for result, hit in newest(results, limit):
        kept[at[id(result)]].append(hit)
    for result, messages in zip(results, kept, strict=True):
        result.messages = messages


def _with_messages(result: FindResult) -> Iterator[tuple[FindResult, Hit]]:
    return ((result, hit) for hit in result.messages)


def as_folder(directory: FolderDir) -> Folder:
    """An archived folder as the server once listed it, as far as the archive knows."""
    uses = frozenset((directory.special_use,)) if directory.special_use else frozenset()
    return Folder(directory.wire, directory.delimiter, uses)


def _wires(archive: Archive, patterns: tuple[str, ...]) -> frozenset[bytes]:
    folders = {as_folder(each) for each in archive.manifest.folders}
    return frozenset(folder.wire for folder in choose(folders, patterns).chosen)


def _catch_up(archive: Archive, result: FindResult, cancel: Cancel | None) -> Iterator[Progress]:
    go_on = cancel.check if cancel else lambda: None
    for news in catching.caught_up(archive, go_on):
        if isinstance(news, Awaited):
            yield Expect(*news)
        elif isinstance(news, Filled):
            yield Advance("search index", *news)
        else:
            result.notes.append(news)


def _search(
    archive: Archive,
    options: Options,
    folders: frozenset[bytes] | None,
    outside: frozenset[bytes],
    result: FindResult,
    until: ExitStack,
) -> None:
    with ExitStack() as opened:
        index = opened.enter_context(catching.opened(archive))
        search = opened.enter_context(Search(archive.index.path))
        with tables.explained(index.path):
            matching = Matching(index, options.query, folders, outside)
            result.found, result.copies = matching.counted()
            if _looks_into_text(options.query):
                _tell(matching.notes(), result)
        result.messages = _hits(archive, index, search, matching, options)
        if options.limit:
            result.messages = list(result.messages)
        else:
            until.enter_context(opened.pop_all())


def _tell(notes: Iterable[Note], result: FindResult) -> None:
    for note in notes:
        if note.unread:
            result.unread.append(note.what)
        else:
            what = note.what.replace("\n", "; ")
            result.partly.append(f"{short_id(note.sha256)}: {what}")


def _hits(
    archive: Archive, index: Tables, search: Search, matching: Matching, options: Options
) -> Generator[Hit, None, None]:
    with tables.explained(index.path):
        matches = matching.newest(options.limit, options.skip)
        size = _FIRST
        while portion := list(islice(matches, size)):
            size = _PORTION
            arrivals = {match.sha256: match.arrival for match in portion}
            places = _where(matching, portion) if options.where or options.context else {}
            for found in search.found(arrivals):
                where = places.get(found.sha256, ())
                around = _context(archive, found.sha256, options, where) if options.context else None
                yield Hit(found, arrivals[found.sha256], where, around)


def _where(matching: Matching, matches: list[Match]) -> dict[bytes, list[Place]]:
    found = matching.where(matches)
    return {match.sha256: found[match.number] for match in matches}


def _context(archive: Archive, sha256: bytes, options: Options, places: Sequence[Place]) -> Context | None:
    from mailmove.jobs.context import context  # late: it loads what decodes messages

    return context(archive, sha256, options.query, places)


def _looks_into_text(query: Query) -> bool:
    return any(place in EVERYWHERE[5:] for term in query.terms if not term.excluded for place in term.places)
