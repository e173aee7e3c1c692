"""Prune: delete on the server what is old enough and provably archived, and remember the deed.

First :func:`plan`, which changes nothing that anybody would miss; then, once somebody has agreed, :func:`carry_out`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from datetime import UTC, datetime

from mailmove.archive import records
from mailmove.archive.index import Deletion
from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused, Disconnected, Interrupted, LackingError, Throttled, Unreachable
from mailmove.jobs import prune_gmail
from mailmove.jobs.progress import Advance, Progress
from mailmove.jobs.prune_plan import Options, Planner, measure
from mailmove.jobs.prune_results import FolderPlan, PrunePlan, PruneResult
from mailmove.model import Folder
from mailmove.plan.gauge import Gauge
from mailmove.server import deletion
from mailmove.server.deletion import Outcome
from mailmove.server.folders import look
from mailmove.server.session import Session
from mailmove.units import plural, timestamp

log = logging.getLogger(__name__)


def plan(
    account: str, session: Session, archive: Archive | None, options: Options, now: datetime
) -> Generator[Progress, None, PrunePlan]:
    """Find out what may go from the server at ``now`` (aware), and prove that the archive holds it.

    What a killed run had marked is unmarked first, and decided anew.

    :raises LackingError: when the server cannot delete by UID, or a target cannot be told.
    :raises UsageError: when a pattern matches no folder.
    :raises MailmoveError: of server and archive.
    """
    planner = Planner(account, session, archive, options, now)
    if archive is not None and not options.dry_run:
        planner.plan.notes += settle(session, archive)
    yield from planner.run()
    return planner.plan


def decline(planned: PrunePlan, archive: Archive | None, answer: str | None, *, asked: bool) -> PruneResult:
    """Nobody agreed to the plan: everything stays."""
    result = PruneResult(planned, answer, asked=asked)
    if archive is not None and not planned.dry_run:
        archive.record([_run(result)])
    return result


def carry_out(
    planned: PrunePlan, session: Session, archive: Archive, answer: str, *, asked: bool, limit: int | None = None
) -> Generator[Progress, None, PruneResult]:
    """Delete what the plan lists, folder by folder, each remembered durably before and told afterwards.

    What goes wrong in a folder, and what stopped the run early, is in the result. ``limit`` is the mailbox's size in
    octets where the server tells none.

    :raises ArchiveError: when the journal cannot be written; then nothing more is deleted.
    """
    began = time.monotonic()
    result = PruneResult(planned, answer, agreed=True, asked=asked)
    try:
        for folder in planned.folders:
            if folder.decisions.go:
                yield Advance(folder.folder.shown, 0, 0)
                result.run = result.run or _unused_name(archive)
                result.outcomes[folder.folder.wire] = _delete(result, folder, session, archive)
                result.unsettled = None
                gone = len(result.outcomes[folder.folder.wire].gone)
                log.info("%s: %s deleted", folder.folder.shown, plural(gone, "message"))
        result.after = _gauge_after(planned, session, limit) if result.gone else planned.gauge
    except (Unreachable, Interrupted, LackingError) as error:
        result.stopped = error.bare()
    archive.record([_run(result)])
    result.seconds = time.monotonic() - began
    return result


def settle(session: Session, archive: Archive) -> list[str]:
    """End what earlier runs began and did not end: take off their marks, and record what is gone.

    Returns what there is to say about it.
    """
    notes = []
    begun = archive.index.unfinished()
    folders = {view.folder.wire: view.folder for view in session.ask(lambda: look(session.wire))} if begun else {}
    for one in begun:
        found = folders.get(one.begun.folder)
        gone = one.begun.uids if found is None else _unmarked(session, found, one)
        if gone is None:
            continue
        left = one.begun.uids - gone
        archive.record([_done(one.begun, gone, left)])
        notes.append(
            f"run {one.begun.run} was stopped in the middle: of {plural(len(one.begun.uids), 'message')} that it had "
            f"begun to delete, {len(gone):,} are gone, and {len(left):,} were unmarked and are decided anew"
        )
    return notes


def _unmarked(session: Session, folder: Folder, one: Deletion) -> frozenset[int] | None:
    r"""Take the ``\Deleted`` of a killed run off; which messages are gone, or None when the server would not tell."""
    begun = one.begun
    try:
        outcome = session.ask(
            lambda: deletion.unmark(session.wire, folder, begun.uidvalidity, begun.uids, begun.marked)
        )
    except CommandRefused:
        return None
    return begun.uids if outcome.problem else outcome.gone


def _delete(result: PruneResult, folder: FolderPlan, session: Session, archive: Archive) -> Outcome:
    """Delete one folder's share; a lost connection is resumed, what cannot be asked any more is the next run's."""
    planned, going = result.plan, folder.decisions.go
    assert result.run is not None and result.answer is not None, "carried out under a name, after an answer"
    begun = records.PruneBegun(
        run=result.run,
        at=timestamp(datetime.now(UTC)),
        folder=folder.folder.wire,
        uidvalidity=folder.uidvalidity,
        uids=frozenset(going),
        marked=frozenset(uid for uid, listed in going.items() if deletion.is_marked(listed)),
        unarchived=frozenset(folder.unarchived),
        proof="none" if planned.without_archive else "sha256",
        answer=result.answer,
    )
    trash = None if folder.folder.special_use in prune_gmail.TRUE_DELETION else planned.trash
    session.cancel.check()
    archive.record([begun])
    result.unsettled = folder
    again = False
    while True:
        try:
            outcome = deletion.delete(session.wire, folder.folder, folder.uidvalidity, going, again=again, trash=trash)
        except (Disconnected, Throttled) as error:
            again = True
            session.failed(error)
        except CommandRefused as error:
            return Outcome(left=dict.fromkeys(going, str(error)), problem=str(error))
        else:
            archive.record([_done(begun, outcome.gone, frozenset(outcome.left))])
            return outcome


def _done(begun: records.PruneBegun, gone: frozenset[int], left: frozenset[int]) -> records.PruneDone:
    return records.PruneDone(begun.run, timestamp(datetime.now(UTC)), begun.folder, begun.uidvalidity, gone, left)


def _gauge_after(planned: PrunePlan, session: Session, limit: int | None) -> Gauge | None:
    """The plan's gauge as it stands now."""
    before = planned.gauge
    if before is None:
        return None
    found = measure(session, session.ask(lambda: look(session.wire)), limit)
    same = (g for g in (found.gauges if found else ()) if (g.root, g.resource) == (before.root, before.resource))
    return next(same, None)


def _unused_name(archive: Archive) -> str:
    """A name for this run that no other run of the archive has: the time it began."""
    name = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    number, candidate = 1, name
    while archive.index.deletions(candidate):
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _run(result: PruneResult) -> records.Run:
    planned = result.plan
    summary = {"selected": planned.messages, "deleted": result.gone}
    if result.agreed and not planned.unattended:
        summary["attended"] = 1
    return records.Run("prune", timestamp(datetime.now(UTC)), int(result.exit), summary, result.run)
