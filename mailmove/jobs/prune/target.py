"""A target: how many octets have to go until the mailbox is no fuller than asked for."""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.errors import CommandRefused, LackingError
from mailmove.imap.session import Session
from mailmove.jobs.fetching import FolderChanged, Opened
from mailmove.jobs.prune.result import PrunePlan
from mailmove.model import Folder, Seen
from mailmove.plan import gauge


def measured_by(plan: PrunePlan, found: gauge.Quota | None) -> gauge.Gauge | None:
    """What the plan is measured by: for a target only what counts octets."""
    if found is None or plan.target is None:
        return None if found is None else found.tightest
    return max(
        (one for one in found.gauges if one.resource == gauge.STORAGE),
        key=lambda one: one.percent or 0,
        default=None,
    )


def needed_octets(plan: PrunePlan, session: Session, views: Iterable[Seen]) -> int:
    """How many octets, as messages announce them, have to go.

    :raises LackingError: when the server does not tell how full the mailbox is.
    """
    over = _over(plan)
    if over <= 0 or plan.gauge is None or plan.trash is not None:
        return over
    return gauge.announced(over, plan.gauge.used, _all_octets(plan, session, views, plan.gauge))


def _over(plan: PrunePlan) -> int:
    """By how many octets of the quota the mailbox is fuller than the target."""
    target, found = plan.target, plan.gauge
    assert target is not None
    if found is None or (target.percent is not None and not found.limit):
        raise LackingError(
            "the server does not tell how full the mailbox is: a target cannot be reached",
            "Use --older-than, or write the size of the mailbox to the configuration as quota.",
        )
    wanted = target.octets if target.percent is None else int((found.limit or 0) * target.percent / 100)
    return found.used - wanted


def _all_octets(plan: PrunePlan, session: Session, views: Iterable[Seen], counting: gauge.Gauge) -> int:
    """The sizes of all messages that a gauge counts, as announced; 0 where one is not told."""
    decided = {folder.folder.wire: folder.decisions for folder in plan.folders}
    octets = 0
    for view in views:
        wire, status = view.folder.wire, view.status
        if not counting.counts(wire) or (status is not None and not status.messages):
            continue
        if status is not None and status.size is not None:
            octets += status.size
        elif wire in decided and decided[wire].messages:
            octets += decided[wire].octets
        elif (listed := _listed_octets(session, view.folder)) is not None:
            octets += listed
        else:
            return 0
    return octets


def _listed_octets(session: Session, folder: Folder) -> int | None:
    if not folder.selectable:
        return 0
    try:
        sizes = [listed.size for listed in Opened(session, folder).listing()]
    except (CommandRefused, FolderChanged):
        return None
    return None if None in sizes else sum(size or 0 for size in sizes)
