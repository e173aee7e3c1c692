"""At what rate a mailbox grows, and the day it is full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import linear_regression

from mailmove.plan.gauge import Gauge

DAY = 86_400
ARRIVALS = 90 * DAY
"""Seconds of arrivals that tell the rate where audits do not."""
ENOUGH_AUDITS = 3
ENOUGH_TIME = 14 * DAY
LOOK_BACK = 180 * DAY
DROP = 0.01
"""Less by more than this share of what was used: something was cleaned up, and growth begins anew."""
HORIZON = 100 * 365
"""Days beyond which a forecast is not worth a date."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a gauge showed at an earlier audit: when, in Unix seconds, and how much was used."""

    at: int
    used: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Growth a day in the gauge's unit, and how that is known."""

    per_day: float
    method: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """The rate, and when it fills the gauge: ``full`` is None when that never happens or no limit is known."""

    rate: Rate
    full: datetime | None


def by_audits(points: Iterable[Point], now: datetime) -> Rate | None:
    """The rate that earlier audits and this one, the last point, show since the last cleanup; None: too few.

    It is the slope of the straight line that fits them best.
    """
    since: list[Point] = []
    for point in sorted(points, key=lambda point: point.at):
        if point.at < now.timestamp() - LOOK_BACK or point.at > now.timestamp():
            continue
        if since and point.used < since[-1].used * (1 - DROP):
            since = []
        since.append(point)
    if len(since) < ENOUGH_AUDITS or since[-1].at - since[0].at < ENOUGH_TIME:
        return None
    slope = linear_regression([point.at / DAY for point in since], [float(point.used) for point in since]).slope
    return Rate(slope, f"{len(since)} audits in {(since[-1].at - since[0].at) // DAY} days")


def by_arrivals(amount: int, oldest: int | None, now: datetime, word: str = "arrivals of") -> Rate | None:
    """The rate at which so much came in the last 90 days, or since ``oldest``, the first arrival, if that is later."""
    if oldest is None:
        return None
    days = max(1.0, min(ARRIVALS, now.timestamp() - oldest) / DAY)
    return Rate(amount / days, f"{word} the last {round(days)} days")


def forecast(gauge: Gauge, rates: Sequence[Rate | None], now: datetime) -> Forecast | None:
    """When a gauge is full by the first of these rates that is known; None without any."""
    rate = next((rate for rate in rates if rate is not None), None)
    if rate is None:
        return None
    if not gauge.limit:
        return Forecast(rate, None)
    if gauge.used >= gauge.limit:
        return Forecast(rate, now)
    days = (gauge.limit - gauge.used) / rate.per_day if rate.per_day > 0 else HORIZON + 1
    return Forecast(rate, now + timedelta(days=days) if days <= HORIZON else None)
