"""Prune: delete on the server what is old enough and provably archived, and remember the deed.

First :func:`plan`, which changes nothing that anybody would miss; then, once somebody has agreed, :func:`carry_out`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime

from mailmove.archive.proof.witness import Witness
from mailmove.archive.record import records
from mailmove.archive.store import Archive
from mailmove.errors import (
    ArchiveError,
    CommandRefused,
    Disconnected,
    Interrupted,
    LackingError,
    RefusedError,
    Throttled,
    Unreachable,
)
from mailmove.imap.deletion import Deletion
from mailmove.imap.folders import look
from mailmove.imap.marks import is_marked
from mailmove.imap.outcome import Outcome
from mailmove.imap.session import Session
from mailmove.jobs.progress import Advance, Progress
from mailmove.jobs.prune import copies, gmail, settle
from mailmove.jobs.prune.copies import Places, Second
from mailmove.jobs.prune.measuring import measure
from mailmove.jobs.prune.plan import Options, Planner
from mailmove.jobs.prune.result import FolderPlan, PrunePlan, PruneResult
from mailmove.plan.gauge import Gauge
from mailmove.plan.policy import AgeBy
from mailmove.safe import visible
from mailmove.units import plural, timestamp

log = logging.getLogger(__name__)


def plan(
    account: str,
    session: Session,
    archive: Archive | None,
    options: Options,
    now: datetime,
    seconds: Sequence[Second] = (),
) -> Generator[Progress, None, PrunePlan]:
    """Find out what may go from the server at ``now`` (aware), and prove that the archive holds it.

    ``seconds`` are the copies that must hold it as well.
    What a killed run had marked is unmarked first, and decided anew.

    :raises LackingError: when the server cannot delete by UID, or a target cannot be told.
    :raises UsageError: when a pattern matches no folder.
    :raises MailmoveError: of server and archive.
    """
    planner = Planner(account, session, archive, options, now, seconds)
    if archive is not None and options.dry_run:
        planner.held = settle.unsettled(archive)
    elif archive is not None:
        settled = settle.settle(session, archive)
        planner.plan.notes += settled.notes
        planner.held = settled.held
    yield from planner.run()
    planner.plan.relied = copies.relied(seconds, planner.plan.evidence)
    planner.plan.notes += [
        f"{visible(second.name)}: all of it is hashed anew, since {second.recall.useless}"
        for second in seconds
        if second.recall is not None and second.recall.useless
    ]
    return planner.plan


def must_last(archive: Archive) -> None:
    """See to it that an archive is proof also where nobody watches: on no disk that forgets.

    :raises RefusedError: when it is on one.
    """
    if archive.forgets:
        raise RefusedError(
            archive.forgets,
            "Prune with somebody watching, move the archive to another disk, or set trust_disk = true for the account.",
        )


def decline(planned: PrunePlan, archive: Archive | None, answer: str | None, *, asked: bool) -> PruneResult:
    """Nobody agreed to the plan: everything stays."""
    result = PruneResult(planned, answer, asked=asked)
    if archive is not None and not planned.dry_run:
        archive.record([_run(result)])
    return result


def carry_out(
    planned: PrunePlan,
    session: Session,
    archive: Archive,
    answer: str,
    *,
    asked: bool,
    limit: int | None = None,
    seconds: Sequence[Second] = (),
) -> Generator[Progress, None, PruneResult]:
    """Delete what the plan lists, folder by folder, each remembered durably before and told afterwards.

    What goes wrong in a folder, and what stopped the run early, is in the result; so is a journal that cannot be
    written, or an archive that is not the one any more that proved the plan: then nothing more is deleted. ``limit`` is
    the mailbox's size in octets where the server tells none. ``seconds`` are the copies of the plan.
    """
    began = time.monotonic()
    result = PruneResult(planned, answer, agreed=True, asked=asked)
    assert planned.copies == tuple(second.name for second in seconds), "what the plan relies on is looked at again"
    places = Places(Witness(archive), seconds)
    try:
        places.must_stand()
        for folder in planned.folders:
            if folder.decisions.go:
                yield Advance(folder.folder.shown, 0, 0)
                if result.run is None:
                    result.run = _unused_name(archive)
                    archive.record(copies.record(result.run, seconds, planned.relied, timestamp(datetime.now(UTC))))
                result.outcomes[folder.folder.wire] = _delete(result, folder, session, archive, places)
                result.unsettled = None
                gone = len(result.outcomes[folder.folder.wire].gone)
                log.info("%s: %s deleted", folder.folder.shown, plural(gone, "message"))
        result.after = _gauge_after(planned, session, limit) if result.gone else planned.gauge
        archive.record([_run(result)])
    except ArchiveError as error:
        result.stopped = error.bare()
    except (Unreachable, Interrupted, LackingError) as error:
        result.stopped = error.bare()
        archive.record([_run(result)])
    result.seconds = time.monotonic() - began
    return result


def _delete(result: PruneResult, folder: FolderPlan, session: Session, archive: Archive, places: Places) -> Outcome:
    """Delete one folder's share; a lost connection is resumed, what cannot be asked any more is the next run's."""
    planned, going = result.plan, folder.decisions.go
    assert result.run is not None and result.answer is not None, "carried out under a name, after an answer"
    begun = records.PruneBegun(
        run=result.run,
        at=timestamp(datetime.now(UTC)),
        folder=folder.folder.wire,
        uidvalidity=folder.uidvalidity,
        uids=frozenset(going),
        marked=frozenset(uid for uid, listed in going.items() if is_marked(listed)),
        unarchived=frozenset(folder.unarchived),
        proof="none" if planned.without_archive else "sha256",
        answer=result.answer,
    )
    session.cancel.check()
    rule = records.PruneRule(result.run, folder.folder.wire, folder.uidvalidity, _rule(planned, folder))
    archive.record([rule, begun])
    result.unsettled = folder
    tried: set[int] = set()
    while True:
        try:
            outcome = _portions(result, folder, session, places, tried)
        except (Disconnected, Throttled) as error:
            session.failed(error)
        except CommandRefused as error:
            return Outcome(left=dict.fromkeys(going, str(error)), problem=str(error), marked=frozenset(tried))
        else:
            result.outcomes[folder.folder.wire] = outcome  # told also where it cannot be recorded
            if not outcome.marked:  # or the next run has to take our marks off
                archive.record([settle.done(begun, outcome.gone, frozenset(outcome.left))])
            return outcome


def _rule(planned: PrunePlan, folder: FolderPlan) -> str:
    """By what the messages of a folder were chosen, in words."""
    which = "sent" if planned.age_by is AgeBy.SENT else "arrived"
    said = [f"{which} before {timestamp(folder.before)}"] if folder.before is not None else []
    said += [f"oldest first, down to {planned.target.text}"] if planned.target is not None else []
    said += ["without archive"] if planned.without_archive else []
    return "; ".join(said) or "all that the options do not keep"


def _portions(result: PruneResult, folder: FolderPlan, session: Session, places: Places, tried: set[int]) -> Outcome:
    """Delete portion by portion, each looked at in the archive just before; ``tried`` receives what may be marked.

    :raises ArchiveError: when the archive is not the one that proved the plan; ``result`` has the outcome until then.
    """
    trash = None if folder.folder.special_use in gmail.TRUE_DELETION else result.plan.trash
    deed = Deletion(
        session.wire,
        folder.folder,
        folder.uidvalidity,
        folder.decisions.go,
        tried=frozenset(tried),
        trash=trash,
        labels=folder.labels,
    )
    try:
        while uids := deed.portion():
            session.cancel.check()
            proof, lost = places.renew(folder.evidence[uid] for uid in uids)
            deed.leave(lost)
            deed.delete(proof.keys(), proof)
    except ArchiveError:
        result.outcomes[folder.folder.wire] = deed.close()
        raise
    finally:
        tried |= deed.tried
    return deed.close()


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
