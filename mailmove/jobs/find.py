"""Find: which archived messages are what the user remembers. Works from the archive alone."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mailmove.archive.index.search import Match, Query, Search, folded
from mailmove.archive.proof import reading
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError, Exit
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.mail.message import Message, parse
from mailmove.mail.text import text
from mailmove.model import Folder, Found
from mailmove.plan.folders import choose
from mailmove.units import format_size, short_id

MAX_READ = 32 << 20  # octets of one message in which text is looked for


@dataclass(frozen=True, slots=True)
class Options:
    """What is looked for: ``folders`` are patterns; with ``body`` the query's words may also stand in the text of the
    message; ``limit`` 0: no limit.
    """

    query: Query
    folders: tuple[str, ...] = ()
    body: bool = False
    limit: int = 0


@dataclass(slots=True)
class FindResult:
    """What was found in one archive, newest first. ``found`` counts all, ``messages`` are those within the limit.

    Exact copies are one message; ``copies`` counts each of them, as an export does.
    ``searched`` is False when the search ended at the limit. ``unread`` says which files could not be looked into,
    ``partly`` which messages were not looked through to their end.
    """

    account: str
    login: str
    messages: list[Found] = field(default_factory=list)
    found: int = 0
    copies: int = 0
    searched: bool = True
    unread: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)

    @property
    def exit(self) -> Exit:
        """Nothing found is no failure; a file that cannot be read is."""
        return Exit.ARCHIVE if self.unread else Exit.DONE


def find(account: str, archive: Archive, options: Options) -> Generator[Progress, None, FindResult]:
    """Search one archive.

    :raises UsageError: when a folder pattern matches no folder of the archive.
    """
    result = FindResult(account, archive.manifest.login)
    query = options.query
    if options.folders:
        folders = {as_folder(each) for each in archive.manifest.folders}
        query = replace(query, folders=frozenset(f.wire for f in choose(folders, options.folders).chosen))
    words = query.words if options.body else ()
    if words:
        query = replace(query, words=())
    with Search(archive.index.path) as search:
        for messages in search.fill():
            yield Advance("search index", messages, 0)
        found = search.matching(query)
        if words:
            yield Expect(len(found), sum(match.octets for match in found))
            looked_at, found = found, []
            for match in looked_at:
                if _reads(archive, search, match, words, result):
                    found.append(match)
                    if len(found) == options.limit:
                        result.searched = match is looked_at[-1]
                        break
                yield Advance("", 1, match.octets)
        result.found, result.copies = len(found), sum(match.copies for match in found)
        result.messages = search.found(match.sha256 for match in found[: options.limit or None])
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


def _reads(archive: Archive, search: Search, wanted: Match, words: tuple[str, ...], result: FindResult) -> bool:
    """Whether all the words are in a message's headers or text."""
    sha256, octets, _ = wanted
    known = search.text(sha256)
    missing = [word for word in words if word not in known]
    if not missing:
        return True
    try:
        with reading.open_copy(archive, archive.index.with_body(sha256)) as proven:
            message, left_out = read_message(reading.pieces(proven, sha256), octets)
            read = folded(text(message))
    except ArchiveError as error:
        result.unread.append(error.what)
        return False
    if all(word in read for word in missing):
        return True
    result.partly += [f"{short_id(sha256)}: {what}" for what in (*message.skipped, *left_out)]
    return False


def read_message(pieces: Iterator[bytes], octets: int) -> tuple[Message, list[str]]:
    """As much of a message as is read, taken apart, and what is said if that is not all of its octets."""
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) >= MAX_READ:
            break
    left_out = [f"what comes after its first {format_size(len(content))}"] if len(content) < octets else []
    return parse(bytes(content)), left_out
