"""What somebody should be told of an account, and what they were told already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

DAY = 86_400
PERSISTS = 20 * 3600
"""Seconds after which a failure that may pass by itself, such as a busy server, is one that does not."""
_PASSING = frozenset({"unreachable", "busy", "exhausted", "locked", "partial"})


class Failing(NamedTuple):
    """A command whose last run failed: of what kind, and for how many seconds its runs do so."""

    command: str
    kind: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Per cent of a quota, seconds until it is full, and how old a check or copy may be; None: nobody cares."""

    quota: float | None = None
    full_within: int | None = None
    check: int | None = None
    copy: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """How an account stands; ages and times in seconds, None where unknown or never."""

    failing: tuple[Failing, ...] = ()
    percent: float | None = None
    full_in: int | None = None
    ages: Mapping[str, int | None] | None = None


def alarms(facts: Facts, thresholds: Thresholds) -> dict[str, str]:
    """What is wrong now, by what it is about; the text changes only when the matter does, so that it is told once."""
    found = {}
    for command, kind, seconds in facts.failing:
        if kind == "threshold":
            continue  # it has an alarm of its own, where one is wanted
        if kind not in _PASSING or seconds >= PERSISTS:
            found[command] = f"{command} fails: {kind}"
    if thresholds.quota is not None and facts.percent is not None and facts.percent > thresholds.quota:
        found["quota"] = f"the quota is more than {thresholds.quota:g} % full"
    if thresholds.full_within is not None and facts.full_in is not None and facts.full_in < thresholds.full_within:
        found["full"] = f"the quota is full within {thresholds.full_within // DAY} days"
    for command, limit in (("check", thresholds.check), ("copy", thresholds.copy)):
        ages = facts.ages or {}
        if limit is not None and command in ages:
            age = ages[command]
            if age is None or age > limit:
                found[f"old {command}"] = f"no good {command} within {limit // DAY} days"
    return found


def news(now: Mapping[str, str], told: Mapping[str, str]) -> list[str]:
    """What of this nobody was told yet."""
    return [text for about, text in now.items() if told.get(about) != text]
