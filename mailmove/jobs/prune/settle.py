"""Ending what an earlier prune began and did not end: its marks are taken off, and what is gone is recorded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive.index.deeds import Deletion
from mailmove.archive.record import records
from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused
from mailmove.imap import deletion
from mailmove.imap.folders import look
from mailmove.imap.session import Session
from mailmove.jobs.fetching import FolderChanged, Opened
from mailmove.model import Folder, Seen
from mailmove.plan.renamed import Home, is_same, look_for
from mailmove.units import plural, timestamp


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of it: ``notes``, and which folders, by wire name, are ``held``, and why."""

    notes: list[str] = field(default_factory=list)
    held: dict[bytes, str] = field(default_factory=dict)


def settle(session: Session, archive: Archive) -> Settled:
    """Take off the marks of deletions that were begun, and record what is gone.

    A folder where that is not possible is held: its messages may carry a mark of ours.
    """
    settled = Settled()
    begun = archive.index.unfinished()
    if not begun:
        return settled
    looked = session.ask(lambda: look(session.wire))
    views = [view for view in looked if view.folder.selectable]
    for one in begun:
        homes = _homes(session, archive, one, views)
        if not homes and looked.unread:  # it may be there all the same
            settled.held[one.begun.folder] = _why(one)
            continue
        gone = one.begun.uids
        for folder in homes:
            found = _unmarked(session, folder, one)
            if found is None:
                settled.held[folder.wire] = _why(one)
                break
            gone &= found
        else:
            _record(archive, settled, one, gone)
    return settled


def unsettled(archive: Archive) -> dict[bytes, str]:
    """The folders, by wire name, where a deletion was begun and not ended, and what that means."""
    return {one.begun.folder: _why(one) for one in archive.index.unfinished()}


def done(begun: records.PruneBegun, gone: frozenset[int], left: frozenset[int]) -> records.PruneDone:
    """The record that ends a deletion."""
    return records.PruneDone(begun.run, timestamp(datetime.now(UTC)), begun.folder, begun.uidvalidity, gone, left)


def _record(archive: Archive, settled: Settled, one: Deletion, gone: frozenset[int]) -> None:
    left = one.begun.uids - gone
    archive.record([done(one.begun, gone, left)])
    settled.notes.append(
        f"run {one.begun.run} was stopped in the middle: of {plural(len(one.begun.uids), 'message')} that it had "
        f"begun to delete, {len(gone):,} are gone, and {len(left):,} were unmarked and are decided anew"
    )


def _why(one: Deletion) -> str:
    return (
        f"run {one.begun.run} began to delete {plural(len(one.begun.uids), 'message')} there, and its marks could not "
        "be taken off yet: nothing is decided before"
    )


def _homes(session: Session, archive: Archive, one: Deletion, views: Collection[Seen]) -> list[Folder]:
    """The folder of a deletion under whatever name it has by now; where two fit, both; none: it is gone."""
    wire, uidvalidity = one.begun.folder, one.begun.uidvalidity
    for view in views:
        told = view.status.uidvalidity if view.status is not None else None
        if view.folder.wire == wire and told in (None, uidvalidity):
            return [view.folder]
    known = archive.index.known(wire, uidvalidity)
    candidates = look_for(Home("", wire, uidvalidity), views, {}, archive.index.last_uid(wire, uidvalidity))
    homes = []
    for view in candidates.possible:
        try:
            listing = Opened(session, view.folder).listing()
        except (CommandRefused, FolderChanged):
            homes.append(view.folder)  # it might be; asked again when its marks are taken off
        else:
            homes += [view.folder] if is_same(listing, known) else []
    return homes


def _unmarked(session: Session, folder: Folder, one: Deletion) -> frozenset[int] | None:
    r"""Take the ``\Deleted`` of a killed run off; which messages are gone, or None when the server would not tell."""
    begun = one.begun
    try:
        outcome = session.ask_of_folder(
            lambda: deletion.unmark(session.wire, folder, begun.uidvalidity, begun.uids, begun.marked)
        )
    except CommandRefused:
        return None
    return begun.uids if outcome.problem else outcome.gone
