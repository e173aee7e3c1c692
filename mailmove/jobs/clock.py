"""Whether the clock of this machine can be trusted with what it would delete: held against dates that servers wrote."""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused
from mailmove.imap import scan
from mailmove.imap.session import Session
from mailmove.jobs.fetching import FolderChanged, Opened
from mailmove.jobs.prune.result import PrunePlan
from mailmove.model import Seen
from mailmove.plan.brakes import CLOCK_SLACK, QUIET, PastRun, clock_doubt
from mailmove.plan.retention import DAY
from mailmove.units import parse_timestamp

LAST = 100
"""So many UIDs at the end of INBOX are enough to tell when mail came last."""


def doubt(plan: PrunePlan, archive: Archive | None, session: Session, views: Iterable[Seen]) -> str | None:
    """Why the clock may be wrong, or None; where nothing goes, only a clock that is behind matters.

    :raises ArchiveError: when the state directory cannot be read or written.
    """
    now = int(plan.now.timestamp())
    looked = [folder.decisions for folder in plan.folders if folder.decisions.messages]
    inbox = [one.decisions for one in plan.folders if one.folder.wire == b"INBOX" and one.decisions.messages]
    last = max((decisions.last or 0 for decisions in inbox or looked), default=None)
    arrivals = {decisions.newest for decisions in looked if decisions.newest is not None}
    arrivals.update(day * DAY for decisions in looked for day in decisions.days)
    known = None if archive is None else vouch(archive, max(arrivals, default=0), now)
    found = clock_doubt(now, last, arrivals if plan.messages else (), [], known)
    if found is None or archive is None:
        return found
    arrivals.update(day * DAY for day in archive.index.days())
    if not inbox:  # none of its messages is to go, and the newest may be among them
        arrivals |= _arrivals_in_inbox(session, views)
    vouch(archive, max((arrival for arrival in arrivals if arrival <= now), default=0), now)
    return clock_doubt(now, last, arrivals, _runs(archive), known)


def _arrivals_in_inbox(session: Session, views: Iterable[Seen]) -> set[int]:
    """Arrivals of the messages that were added to INBOX last; none where the server does not tell them."""
    view = next((view for view in views if view.folder.wire == b"INBOX"), None)
    if view is None or view.status is None or not view.status.messages or not view.status.uidnext:
        return set()
    opened, uidnext = Opened(session, view.folder), view.status.uidnext
    last = range(max(1, uidnext - LAST), uidnext)
    try:
        listing = session.ask_of_folder(lambda: list(scan.listing(opened.wire(), last)))
    except (CommandRefused, FolderChanged):
        return set()  # what is not known vouches for nothing
    return {listed.arrival for listed in listing if listed.arrival is not None}


def vouch(archive: Archive, newest: int, now: int) -> int | None:
    """Let the newest message of an account vouch for the clock in all accounts of this machine, if it is new.

    Returns the newest arrival that any of them has seen.

    :raises ArchiveError: when the state directory cannot be read or written.
    """
    known = archive.memory.newest_arrival()
    if now - QUIET <= newest <= now + CLOCK_SLACK and newest >= (known or 0) + DAY:
        archive.memory.note_arrival(newest)
    return known


def vouch_by_archive(archive: Archive, now: int) -> None:
    """The same by what the archive holds, to the day."""
    vouch(archive, max((day * DAY for day in archive.index.days() if day * DAY <= now), default=0), now)


def _runs(archive: Archive) -> list[PastRun]:
    return [
        PastRun(int(parse_timestamp(run.at).timestamp()), bool(run.summary.get("attended")))
        for run in archive.index.runs()
    ]
