"""Find: which archived messages are what the user remembers. Works from the archive alone."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailmove.archive.index.search import Search
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.search import catching, tables
from mailmove.archive.search.filling import Awaited, Filled
from mailmove.archive.search.matching import Match, Matching
from mailmove.archive.search.query import EVERYWHERE, Place, Query
from mailmove.archive.search.tables import Damaged
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.errors import Exit
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.model import Folder, Found
from mailmove.plan.folders import choose
from mailmove.units import short_id

if TYPE_CHECKING:
    from mailmove.jobs.context import Context


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


@dataclass(slots=True)
class FindResult:
    """What was found in one archive, newest first. ``found`` counts all, ``messages`` are those within the limit.

    Exact copies are one message; ``copies`` counts each of them, as an export does. ``where`` and ``contexts`` tell of
    each message, by SHA-256, in which places the words are, and what stands around them.
    ``unread`` says which files could not be read, ``partly`` which messages not whole: those that were not found may
    hold the words as well. ``notes`` are for the user, not made safe for a terminal.
    """

    account: str
    login: str
    messages: list[Found] = field(default_factory=list)
    found: int = 0
    copies: int = 0
    where: dict[bytes, list[Place]] = field(default_factory=dict)
    contexts: dict[bytes, Context] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit(self) -> Exit:
        """Nothing found is no failure; a file that cannot be read is."""
        return Exit.ARCHIVE if self.unread else Exit.DONE


def find(
    account: str, archive: Archive, options: Options, cancel: Cancel | None = None
) -> Generator[Progress, None, FindResult]:
    """Search one archive, after taking what is new there into its search index.

    :raises UsageError: when a folder pattern matches no folder of the archive.
    :raises ArchiveError: when the search index cannot be used.
    """
    result = FindResult(account, archive.manifest.login)
    query = options.query
    folders = _wires(archive, query.folders) if query.folders else None
    outside = _wires(archive, query.outside) if query.outside else frozenset[bytes]()
    try:
        yield from _catch_up(archive, result, cancel)
        _search(archive, options, folders, outside, result)
    except Damaged as error:
        result.notes.append(f"{error.what}; it was made again")
        tables.remove(catching.path_of(archive))
        with catching.made_again(archive):
            yield from _catch_up(archive, result, cancel)
            _search(archive, options, folders, outside, result)
    return result


def keep_newest(results: Sequence[FindResult], limit: int) -> None:
    """Of what was found in several archives, keep the newest ``limit`` of all."""
    every = [(found.arrival, found.sha256, at) for at, result in enumerate(results) for found in result.messages]
    newest = set(sorted(every, reverse=True)[:limit])
    for at, result in enumerate(results):
        result.messages = [found for found in result.messages if (found.arrival, found.sha256, at) in newest]


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
    archive: Archive, options: Options, folders: frozenset[bytes] | None, outside: frozenset[bytes], result: FindResult
) -> None:
    with catching.opened(archive) as index, tables.explained(index.path), Search(archive.index.path) as search:
        matching = Matching(index, options.query, folders, outside)
        result.found, result.copies = matching.counted()
        matches = list(matching.newest(options.limit, options.skip))
        result.messages = search.found(match.sha256 for match in matches)
        if _looks_into_text(options.query):
            for note in matching.notes():
                if note.unread:
                    result.unread.append(note.what)
                else:
                    what = note.what.replace("\n", "; ")
                    result.partly.append(f"{short_id(note.sha256)}: {what}")
        if options.where or options.context:
            result.where = _where(matching, matches)
    if options.context:
        from mailmove.jobs.context import context

        for match in matches:
            if around := context(archive, match.sha256, options.query, result.where[match.sha256]):
                result.contexts[match.sha256] = around


def _where(matching: Matching, matches: list[Match]) -> dict[bytes, list[Place]]:
    found = matching.where(matches)
    return {match.sha256: found[match.number] for match in matches}


def _looks_into_text(query: Query) -> bool:
    return any(place in EVERYWHERE[5:] for term in query.terms if not term.excluded for place in term.places)
