"""History: what was done to this archive and its account, from the journal; needs no server."""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import dataclass, replace

from mailmove.archive.index.deeds import Deletion
from mailmove.archive.index.search import Search
from mailmove.archive.record.records import ProvenAt, PruneBegun
from mailmove.archive.store import Archive
from mailmove.errors import Exit, UsageError
from mailmove.jobs.progress import Progress
from mailmove.model import Folder, Found
from mailmove.safe import few, visible


@dataclass(frozen=True, slots=True)
class Deed:
    """What a run deleted from one folder on the server.

    ``uids`` are what it began to delete, ``unarchived`` those of them in no archive; ``done`` is None while nobody
    knows the end, else when that was: ``gone`` are gone, ``left`` are still there. ``messages`` are those of them that
    are archived, by UID, where all is to be told.
    """

    folder: Folder
    uidvalidity: int
    begun: str
    proof: str
    answer: str
    uids: frozenset[int]
    unarchived: frozenset[int]
    done: str | None
    gone: frozenset[int]
    left: frozenset[int]
    messages: tuple[tuple[int, Found], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One run; ``exit`` is None when it was stopped before it could tell. ``deeds`` are its deletions, by folder."""

    command: str
    at: str
    exit: Exit | None
    summary: dict[str, int]
    id: str | None
    deeds: tuple[Deed, ...]
    copies: tuple[str, ...] = ()
    """The copies of the archive, by name, in which all that it deleted was proven, too."""
    hows: tuple[str, ...] = ()
    """How, for each of them: ``sha256`` is by hashing in that run."""


@dataclass(frozen=True, slots=True)
class HistoryResult:
    """The runs of one archive, oldest first; with ``detailed`` one was asked for, and all of it is to be told."""

    account: str
    path: str
    entries: tuple[Entry, ...]
    detailed: bool

    exit = Exit.DONE


def history(account: str, archive: Archive, run: str | None, limit: int) -> Generator[Progress, None, HistoryResult]:
    """The last ``limit`` runs (0: all), or the one that is called ``run``.

    :raises UsageError: when no run is called that.
    """
    yield from ()
    deeds: dict[str, list[Deed]] = {}
    for one in archive.index.deletions(run):
        deed = _deed(one) if run is None else replace(_deed(one), messages=_messages(archive, one.begun))
        deeds.setdefault(one.begun.run, []).append(deed)
    entries = [
        Entry(each.command, each.at, Exit(each.exit), each.summary, each.id, tuple(deeds.pop(each.id or "", ())))
        for each in archive.index.runs()
        if run in (None, each.id)
    ]
    for name, stopped in deeds.items():
        entries.append(Entry("prune", stopped[0].begun, None, {}, name, tuple(stopped)))
    if run is not None and not entries:
        known = [each.id for each in reversed(archive.index.runs()) if each.id]
        raise UsageError(
            f"{visible(account)} has no run {visible(run)!r}",
            f"Runs that deleted something: {', '.join(few(known))}." if known else "No run has deleted anything yet.",
        )
    proven = archive.index.proven_at()
    entries = [_with_copies(one, [at for at in proven if at.run == one.id]) for one in entries]
    entries.sort(key=lambda entry: entry.at)
    return HistoryResult(account, archive.path, tuple(entries[-limit:]), run is not None)


def _with_copies(entry: Entry, proven: Collection[ProvenAt]) -> Entry:
    return replace(entry, copies=tuple(at.name for at in proven), hows=tuple(at.how for at in proven))


def _messages(archive: Archive, begun: PruneBegun) -> tuple[tuple[int, Found], ...]:
    with Search(archive.index.path) as search:
        return tuple((uid, found) for uid, found in search.of(begun.folder, begun.uidvalidity) if uid in begun.uids)


def _deed(one: Deletion) -> Deed:
    begun, done = one
    return Deed(
        folder=Folder(begun.folder),
        uidvalidity=begun.uidvalidity,
        begun=begun.at,
        proof=begun.proof,
        answer=begun.answer,
        uids=begun.uids,
        unarchived=begun.unarchived,
        done=done.at if done is not None else None,
        gone=done.uids if done is not None else frozenset(),
        left=done.left if done is not None else frozenset(),
    )
