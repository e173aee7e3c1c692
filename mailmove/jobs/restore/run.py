"""Restore: put archived messages back on a server, each as often as it was there, none twice.

What the server has decides, never what an earlier run believes to have done: a folder is listed, compared, filled and
listed again until nothing is missing. So a run that was killed is simply run again. The journal says where a run has
begun (:class:`~mailmove.archive.record.records.Restoring`); what arrived in that folder since then is compared by
content before anything more is put there. For each message that is back it says under which UID
(:class:`~mailmove.archive.record.records.Restored`): its age counts from then, and the next export, which fetches it
like any other message and stores it as a link to the file it came from, is not a second message to a later restore.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime

from mailmove.archive.index.messages import Entry
from mailmove.archive.record import records
from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused, Interrupted, LackingError, Unreachable, UsageError
from mailmove.imap import quota
from mailmove.imap.folders import look, personal_prefix
from mailmove.imap.session import Session
from mailmove.jobs.find import as_folder
from mailmove.jobs.progress import Expect, Progress
from mailmove.jobs.restore.folder import FolderRestore
from mailmove.jobs.restore.result import PutBack, RestoreResult
from mailmove.model import Folder
from mailmove.plan import mapping
from mailmove.plan.folders import choose
from mailmove.plan.restore import overfull
from mailmove.units import plural, timestamp


@dataclass(frozen=True, slots=True)
class Options:
    """What goes back, one of: messages by SHA-256, folders by patterns, what a run of prune deleted, everything.

    ``into``: one folder for all of it; ``to``: the account that it goes to, as it was named; ``home``: options that
    name the archive it comes from.
    """

    hashes: frozenset[bytes] = frozenset()
    folders: tuple[str, ...] = ()
    run: str | None = None
    everything: bool = False
    into: str | None = None
    to: str = ""
    home: tuple[str, ...] = ()


class Restore:
    """A restore of an archive into the account that ``session`` is logged in to: its own, or another one.

    What there is to do is looked up when it is made, and told in :attr:`result`; :meth:`run` does it.

    :raises UsageError: when nothing in the archive is meant.
    :raises LackingError: when it is known beforehand that there is no room for it.
    :raises RefusedError: when folders cannot be mapped.
    """

    def __init__(self, account: str, session: Session, archive: Archive, options: Options) -> None:
        self.result = RestoreResult(account, archive.path, to=options.to, home=options.home)
        self._archive = archive
        selected = _select(archive, options, self.result)
        own = session.endpoint.login == archive.manifest.login
        looked = session.ask(lambda: look(session.wire))
        folders = [view.folder for view in looked]
        self.result.unread = looked.unread
        place = mapping.Place(folders, session.ask(lambda: personal_prefix(session.wire)), own)
        archived = {folder.wire: as_folder(folder) for folder in archive.manifest.folders}
        targets = mapping.targets([archived[wire] for wire in selected], archived.values(), place, options.into)
        login = None if own else session.endpoint.login
        copies = archive.index.copies()
        self._works = [
            FolderRestore(
                session, archive, target, [e for f in target.sources for e in selected[f.wire]], login, copies
            )
            for target in targets
        ]
        self.result.folders = [work.outcome for work in self._works]
        for work in self._works:
            work.plan()
        _must_fit(session, folders, self.result.folders)

    @property
    def unfinished(self) -> bool:
        """Whether an earlier run was stopped before it had recorded all it did."""
        return any(work.unfinished for work in self._works)

    def run(self) -> Generator[Progress, None, RestoreResult]:
        """Do it; what goes wrong with a message or a folder is in the result, and so is what stopped the run early.

        :raises ArchiveError: when the archive or its disk fails.
        """
        result, began = self.result, time.monotonic()
        yield Expect(result.total("planned"), result.total("planned_octets"))
        result.carried_out = True
        try:
            for work in self._works:
                yield from work.run()
        except (Unreachable, Interrupted, CommandRefused) as error:
            result.stopped = error
        self._archive.record([_run(result)])
        result.seconds = time.monotonic() - began
        return result


def _select(archive: Archive, options: Options, result: RestoreResult) -> dict[bytes, list[Entry]]:
    """The messages that are meant, by the folder they were archived from."""
    index, directories = archive.index, archive.manifest.folders
    entries: list[Entry] = []
    if options.run is not None:
        for begun, _ in _deletions(archive, options.run):
            wanted = begun.uids - begun.unarchived
            entries += [e for e in index.entries(begun.folder, begun.uidvalidity) if e.stored.id.uid in wanted]
            erased = {rest.uid for rest in index.erased(begun.folder, begun.uidvalidity)} & wanted
            if erased:
                result.notes.append(f"{plural(len(erased), 'message')} of that run were erased from the archive since")
            if begun.unarchived:
                lost = plural(len(begun.unarchived), "message")
                result.notes.append(f"{lost} of that run had been deleted without archive and cannot come back")
    elif options.hashes:
        for sha256 in options.hashes:
            entries += index.entries_with(sha256)
    else:
        wires = {directory.wire for directory in directories}
        if options.folders:
            chosen = choose({as_folder(directory) for directory in directories}, options.folders).chosen
            wires = {folder.wire for folder in chosen}
        for directory in directories:
            if directory.wire in wires:
                entries += index.entries(directory.wire, directory.uidvalidity)
    if not entries:
        raise UsageError("there is nothing in the archive to restore", "See what there is: mailmove find")
    selected: dict[bytes, list[Entry]] = {}
    for entry in entries:
        selected.setdefault(entry.stored.id.folder, []).append(entry)
    return selected


def _deletions(archive: Archive, run: str) -> list[tuple[records.PruneBegun, records.PruneDone | None]]:
    found = archive.index.deletions(run)
    if not found:
        raise UsageError("the archive knows no such run", "Runs that deleted something: mailmove history")
    return [(deletion.begun, deletion.done) for deletion in found]


def _must_fit(session: Session, folders: list[Folder], outcomes: list[PutBack]) -> None:
    """Refuse what the quota has no room for, before anything is sent."""
    there = {folder.wire for folder in folders}
    needs: dict[bytes, tuple[int, int]] = {}
    for outcome in outcomes:
        wire = outcome.folder.wire if outcome.folder.wire in there else mapping.INBOX
        messages, octets = needs.get(wire, (0, 0))
        needs[wire] = (messages + outcome.planned, octets + outcome.planned_octets)
    asked = [folder for folder in folders if folder.wire in needs]
    roots = session.ask(lambda: quota.roots(session.wire, asked)) or []
    if problems := overfull(roots, needs):
        raise LackingError(
            f"the server's quota has no room for this: {problems[0]}",
            "Nothing was done. Restore less of it, or ask the provider for more room.",
        )


def _run(result: RestoreResult) -> records.Run:
    summary = {"restored": result.total("restored"), "there": result.total("there"), "failed": len(result.failures)}
    return records.Run("restore", timestamp(datetime.now(UTC)), int(result.exit), summary)
