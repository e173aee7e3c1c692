"""What makes a cleanup suspicious: a clock that may be wrong, a folder that is not what it was, a plan too large.

Unattended, a brake keeps the folder, or for the clock everything; at a terminal the plan says it and a person decides.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
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


def clock_doubt(
    now: int, last_added: int | None, arrivals: Collection[int], runs: Iterable[PastRun], elsewhere: int | None = None
) -> str | None:
    """Why the local clock may be wrong, or None.

    ``last_added`` is the arrival of the message that was added last; ``arrivals`` are those that are known, of any
    time; ``elsewhere`` is the newest that any account of this machine has seen. Servers wrote them: a clock not long
    after the newest is right. So is one not long after a run that was credible: somebody watched it delete, or it was
    itself not long after the newest message of then.
    """
    if last_added is not None and last_added > now + CLOCK_SLACK:
        return f"the clock of this machine says {_day(now)}, but the last message arrived {_day(last_added)}"
    known = sorted(arrival for arrival in arrivals if arrival <= now + CLOCK_SLACK)
    if not known or now <= max(known[-1], elsewhere or 0) + QUIET:
        return None
    past = (run for run in runs if run.at <= now + CLOCK_SLACK)  # a run of the future had the wrong clock, or we have
    credible = max((run.at for run in past if run.attended or _near_mail(run.at, known)), default=None)
    if credible is not None and now <= credible + QUIET:
        return None
    long_after = f"the clock of this machine says {_day(now)}, more than {QUIET // DAY} days after"
    if credible is None:
        return f"{long_after} the newest message ({_day(known[-1])}), and no run tells that it is right"
    return f"{long_after} the last run that is credible ({_day(credible)}) and the newest message ({_day(known[-1])})"


def _near_mail(at: int, arrivals: Sequence[int]) -> bool:
    """Whether the last of these sorted arrivals that is not after a moment is not long before it."""
    before = bisect_right(arrivals, at + CLOCK_SLACK)
    return before > 0 and at <= arrivals[before - 1] + QUIET


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
