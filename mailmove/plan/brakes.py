"""What makes a cleanup suspicious: a clock that may be wrong, a folder that is not what it was, a plan too large.

Unattended, a brake keeps the folder, or for the clock everything; at a terminal the plan says it and a person decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from mailmove.plan.policy import MaxDelete
from mailmove.plan.retention import DAY, USABLE_FROM, Decisions
from mailmove.units import plural, utc

SMALL = 100
"""In a folder of fewer messages nothing counts as too much."""
CLOCK_SLACK = 3600
"""Seconds that a local clock may differ from a server's."""
QUIET = 60 * DAY
ONE_DAY_SHARE = 0.9
SPAN = 60 * DAY
"""Date headers that are so far apart were not sent on the day they arrived."""


class PastRun(NamedTuple):
    """An earlier run: when, by the clock of that time, and whether somebody watched it delete."""

    at: int
    attended: bool


def clock_doubt(now: int, last_added: int | None, newest: int | None, runs: Iterable[PastRun]) -> str | None:
    """Why the local clock may be wrong, or None.

    ``last_added`` is the arrival of the message that was added last, ``newest`` the newest arrival that can be true.
    Runs after an unexplained leap of the clock prove nothing, until somebody has watched one.
    """
    if last_added is not None and last_added > now + CLOCK_SLACK:
        return f"the clock of this machine says {_day(now)}, but the last message arrived {_day(last_added)}"
    credible: int | None = None
    for run in sorted(runs):
        if credible is None or run.attended or run.at <= max(credible, newest or 0) + QUIET:
            credible = run.at
    if credible is None or newest is None or now <= max(credible, newest) + QUIET:
        return None
    return (
        f"the clock of this machine says {_day(now)}, more than {QUIET // DAY} days after the last run "
        f"({_day(credible)}) and the newest message ({_day(newest)})"
    )


def too_much(decisions: Decisions, limit: MaxDelete) -> str | None:
    """Why a plan is too large for a run that nobody watches, or None."""
    going, held = len(decisions.go), decisions.messages
    if held < SMALL or not limit.exceeded(going, held):
        return None
    return f"{going:,} of {plural(held, 'message')} would go, more than --max-delete {limit}"


def mostly_one_day(decisions: Decisions) -> bool:
    """Whether nearly everything in a folder arrived on one day: then its Date headers are worth a look."""
    return bool(decisions.go) and one_day(decisions.days.values(), decisions.messages)


def one_day(arrived: Iterable[int], messages: int) -> bool:
    """Whether nearly all of so many messages arrived on one day; ``arrived`` tells how many on each."""
    return messages >= SMALL and max(arrived, default=0) >= messages * ONE_DAY_SHARE


def migrated(sent: Collection[int]) -> str | None:
    """Why the arrival of messages that all came on one day says nothing of their age, or None.

    ``sent`` are Date headers of some of them, in Unix seconds.
    """
    usable = sorted(date for date in sent if date >= USABLE_FROM)
    if not usable:
        return None
    trimmed = usable[len(usable) // 20 : len(usable) - len(usable) // 20]  # a few absurd dates prove nothing
    if trimmed[-1] - trimmed[0] < SPAN:
        return None
    return (
        f"nearly all of it arrived on one day but was sent from {_day(trimmed[0])} to {_day(trimmed[-1])}: "
        "it looks moved here from elsewhere, and arrival does not tell its age"
    )


def _day(seconds: int) -> str:
    return f"{utc(seconds):%Y-%m-%d}"
