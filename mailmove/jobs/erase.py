"""Erase: a person's mail goes from the archive for ever, as a request may demand; the record of it stays.

Looked up and shown first; then the intent is recorded, durably, and only what that names goes. What was killed in
between is ended by the next run, and what is erased is not fetched, adopted or restored again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive import erasing
from mailmove.archive.files import durable
from mailmove.archive.index.search import Search
from mailmove.archive.place import META
from mailmove.archive.record import records
from mailmove.archive.state.header_cache import HeaderCache
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.archive.tree import Tree
from mailmove.copies.directory import Copy
from mailmove.errors import Exit, MailmoveError, RefusedError
from mailmove.jobs.progress import Progress
from mailmove.model import Found
from mailmove.safe import visible
from mailmove.units import timestamp


@dataclass(slots=True)
class EraseResult:
    """What of one archive is to be erased, or was.

    ``copies`` counts exact copies, ``remembered`` messages that only a lost index knew, ``files`` the files by where
    they are: the archive, what was set aside, what was doubted. ``finished``: so many messages an earlier run had begun
    to erase, or had erased and somebody had put back. ``declined``: nobody agreed.
    """

    account: str
    path: str
    messages: list[Found] = field(default_factory=list)
    remembered: int = 0
    files: dict[str, int] = field(default_factory=dict)
    finished: int = 0
    reason: str = ""
    run: str = ""
    declined: bool = False
    done: bool = False
    seconds: list[str] = field(default_factory=list)
    """The archive's copies, as they are called."""
    pending: dict[str, str] = field(default_factory=dict)
    """Those of them where something of what was ever erased may lie still, and why."""

    @property
    def copies(self) -> int:
        """How many messages that is, exact copies counted each."""
        return sum(len(found.copies) for found in self.messages) + self.remembered

    @property
    def on_server(self) -> int:
        """How many the server had at the last look."""
        return sum(copy.on_server for found in self.messages for copy in found.copies)

    @property
    def exit(self) -> Exit:
        """The exit code of this archive."""
        if self.declined:
            return Exit.REFUSED
        return Exit.PARTIAL if self.pending else Exit.DONE


def finish(archive: Archive, *, again: bool = False) -> int:
    """End what earlier runs began to erase; with ``again`` also what was erased and whose files are there again.

    Returns how many messages that were.

    :raises ArchiveError: when the disk fails.
    """
    pending = archive.index.unfinished_erasures()
    wanted = archive.index.erasures() if again else pending
    if not wanted:
        return 0
    there = {name for _, _, name in erasing.found(archive, wanted)} if again else set()
    if pending or there:
        _delete(archive, wanted)
    if pending:
        now = timestamp(datetime.now(UTC))
        archive.record([records.ErasureOver(run, now) for run in sorted({line.run for line in pending})])
    return max(len(pending), len(there))


def follow(archive: Archive) -> dict[str, str]:
    """Erase in the copies what was erased here and may lie there still; why not, by copy, where one cannot be reached.

    That stays pending, and the next copy to it ends it.

    :raises ArchiveError: when the archive's journal cannot be written.
    """
    pending = archive.index.pending()
    why: dict[str, str] = {}
    for line in archive.index.copied():  # in the order of their ids, as copies are locked
        if line.copy not in pending:
            continue
        try:
            with Copy.open(line.place) as copy:
                if (copy.identity, copy.manifest.uuid) != (line.copy, archive.manifest.uuid):
                    raise RefusedError(
                        "another copy, or one of another archive, is there now",
                        "Look what is mounted there, then run the same command again.",
                    )
                erase_in(copy, archive)
        except MailmoveError as error:
            why[line.name or line.place] = error.what
        else:
            archive.record(erased_in(archive, line.copy, archive.index.runs_that_erased()))
    return why


def erased_in(archive: Archive, copy: str, runs: Collection[str]) -> list[records.Record]:
    """What says that nothing is left in a copy of what these runs erased, where it is not said yet."""
    now = timestamp(datetime.now(UTC))
    return [records.ErasedIn(run, copy, now) for run in sorted(set(runs) - archive.index.erased_in(copy))]


def erase_in(copy: Tree, archive: Archive) -> int:
    """Delete in a copy, which this run has locked, the files of what was erased from its archive; returns how many.

    :raises ArchiveError: when its disk fails.
    """
    erased = archive.index.erasures()
    return erasing.erase(copy, erased) if erased else 0


def plan(account: str, archive: Archive, hashes: Collection[bytes]) -> Generator[Progress, None, EraseResult]:
    """What is there of the messages with these SHA-256, and in which places.

    :raises ArchiveError: when the archive cannot be read.
    """
    yield from ()
    result = EraseResult(account, archive.path, seconds=[line.name or line.place for line in archive.index.copied()])
    with Search(archive.index.path) as search:
        result.messages = search.found(hashes)
    wanted = list(_lines(archive, hashes, "", ""))
    result.remembered = len(wanted) - result.copies
    for where, _, _ in erasing.found(archive, wanted):
        place = where.rpartition("/")[2] if where.startswith(".mailmove/") else "archive"
        result.files[place] = result.files.get(place, 0) + 1
    return result


def carry_out(planned: EraseResult, archive: Archive, hashes: Collection[bytes], reason: str) -> None:
    """Erase them.

    :raises ArchiveError: when the disk fails; the same again ends it.
    """
    run = _unused_name(archive)
    lines = list(_lines(archive, hashes, run, reason))
    archive.record(lines)
    _delete(archive, lines)
    ended = timestamp(datetime.now(UTC))
    summary = {"erased": len(lines)}
    archive.record([records.ErasureOver(run, ended)])
    planned.run, planned.reason, planned.done = run, reason, True
    planned.pending = follow(archive)
    archive.record([records.Run("erase", ended, int(planned.exit), summary)])


def _unused_name(archive: Archive) -> str:
    """A name for this run that no other that erased here has: what a copy has followed is told by it."""
    name, used = f"{datetime.now(UTC):%Y%m%d-%H%M%S}", archive.index.runs_that_erased()
    return next(
        each for each in (name, *(f"{name}-{number}" for number in range(2, len(used) + 3))) if each not in used
    )


def whole(memory: Memory, login: str, path: str) -> list[str]:
    """Erase the archive of a login and all that this machine remembers of it; killed, the same again ends it.

    Returns what others have put into its directory and stays, relative to it.

    :raises ArchiveError: when it is another login's, in use, or its disk fails.
    """
    uuid, left = memory.recall(login).get(path), list[str]()
    if os.path.isdir(os.path.join(path, META)):
        with Archive.for_login(login, path, memory, writable=True) as archive:
            uuid = archive.manifest.uuid
            left = erasing.erase_all(archive)
    else:
        with durable.explained(f"deleting {visible(path)}"):
            erasing.end(path)
    erasing.forget(memory, login, uuid)
    return left


def _lines(archive: Archive, hashes: Iterable[bytes], run: str, reason: str) -> Iterator[records.Erased]:
    """The records that erase these messages, each copy of each."""
    at, wanted = timestamp(datetime.now(UTC)), set(hashes)
    for sha256 in wanted:
        for entry in archive.index.entries_with(sha256):
            stored = entry.stored
            yield records.Erased(run, at, *stored.id, entry.arrival, stored.base.octets, stored.sha256.hex(), reason)
    for line in archive.index.remembered():
        if bytes.fromhex(line.sha256) in wanted:
            place = line.folder, line.uidvalidity, line.uid
            yield records.Erased(run, at, *place, line.arrival, line.octets, line.sha256, reason)


def _delete(archive: Archive, lines: Sequence[records.Erased]) -> None:
    """The files, then what this machine remembers of them: header fields, words to search by."""
    erasing.erase(archive, lines)
    uids: dict[bytes, set[int]] = {}
    for line in lines:
        uids.setdefault(line.folder, set()).add(line.uid)
    with HeaderCache(archive.memory, archive.manifest.login) as cache:
        for wire, some in uids.items():
            cache.forget(wire, some)
        cache.scrub()
    archive.index.scrub()
