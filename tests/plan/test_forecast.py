"""When a mailbox is full, with the clock standing still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailmove.plan.forecast import Point, Rate, by_arrivals, by_audits, forecast
from mailmove.plan.gauge import Gauge, Source

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
DAY = 86_400
MB = 1 << 20


def gauge(used: int, limit: int | None = 1000 * MB) -> Gauge:
    return Gauge("", "STORAGE", used, limit, Source.SERVER)


def audits(*used: int, every: int = 7) -> list[Point]:
    """Audits of the same distance in days, the last one now."""
    end = int(NOW.timestamp())
    return [Point(end - (len(used) - 1 - number) * every * DAY, amount) for number, amount in enumerate(used)]


def test_the_rate_is_the_slope_of_the_audits() -> None:
    rate = by_audits(audits(100 * MB, 107 * MB, 114 * MB, 121 * MB), NOW)
    assert rate is not None
    assert rate.per_day == pytest.approx(MB)
    assert rate.method == "4 audits in 21 days"


def test_a_cleanup_begins_the_count_anew() -> None:
    before = [Point(point.at - 60 * DAY, 900 * MB + point.used) for point in audits(0, 40 * MB)]
    rate = by_audits([*before, *audits(100 * MB, 107 * MB, 114 * MB)], NOW)
    assert rate is not None
    assert rate.per_day == pytest.approx(MB)
    assert rate.method == "3 audits in 14 days"


@pytest.mark.parametrize(
    "points",
    [
        audits(MB, 2 * MB, every=30),  # two are not enough
        audits(MB, 2 * MB, 3 * MB, every=6),  # not yet for long enough
        audits(900 * MB, 907 * MB, 914 * MB, 100 * MB),  # cleaned up just now
        [Point(point.at - 300 * DAY, point.used) for point in audits(MB, 2 * MB, 3 * MB)],  # too long ago
        [Point(point.at + 40 * DAY, point.used) for point in audits(MB, 2 * MB, 3 * MB)],  # by a clock that was wrong
    ],
)
def test_too_few_audits_are_none(points: list[Point]) -> None:
    assert by_audits(points, NOW) is None


def test_arrivals_of_the_last_90_days() -> None:
    assert by_arrivals(90 * MB, 0, NOW) == Rate(MB, "arrivals of the last 90 days")


def test_a_young_mailbox_counts_from_its_first_message() -> None:
    first = int((NOW - timedelta(days=10)).timestamp())
    assert by_arrivals(20 * MB, first, NOW, "mail sent in") == Rate(2 * MB, "mail sent in the last 10 days")
    assert by_arrivals(0, None, NOW) is None


def test_the_day_it_is_full() -> None:
    seen = forecast(gauge(959 * MB), [None, Rate(MB, "so")], NOW)
    assert seen is not None
    assert seen.full == NOW + timedelta(days=41)
    assert seen.rate.method == "so"


def test_the_first_known_rate_counts() -> None:
    seen = forecast(gauge(0), [Rate(10 * MB, "audits"), Rate(MB, "arrivals")], NOW)
    assert seen is not None
    assert seen.full == NOW + timedelta(days=100)


@pytest.mark.parametrize(
    ("of", "rate", "full"),
    [
        (gauge(1001 * MB), 5.0, NOW),  # full already
        (gauge(500 * MB), 0.0, None),
        (gauge(500 * MB), -7.0, None),
        (gauge(500 * MB), 1e-9, None),  # further away than a calendar reaches
        (gauge(500 * MB, None), 5.0, None),
        (gauge(500 * MB, 0), 5.0, None),
    ],
)
def test_no_day_where_there_is_none(of: Gauge, rate: float, full: datetime | None) -> None:
    seen = forecast(of, [Rate(rate, "so")], NOW)
    assert seen is not None
    assert seen.full == full


def test_without_any_rate_nothing_is_foreseen() -> None:
    assert forecast(gauge(1), [None, None], NOW) is None
