"""Quota as servers tell it, garbage included: nothing is made up, and nothing divides by zero."""

from __future__ import annotations

import pytest

from mailmove.errors import UsageError
from mailmove.model import QuotaRoot, Resource
from mailmove.plan.gauge import Gauge, Source, announced, parse_percent, quota
from mailmove.plan.retention import Tally

STORAGE = Resource("STORAGE", 900, 1000)
MESSAGE = Resource("MESSAGE", 95, 100)


def test_every_resource_of_every_root_is_a_gauge() -> None:
    known = quota(
        [QuotaRoot("a", (STORAGE, MESSAGE), frozenset({b"INBOX"})), QuotaRoot("b", (Resource("STORAGE", 1, 10),))], 5
    )
    assert [(g.root, g.resource, g.used, g.limit) for g in known.gauges] == [
        ("a", "STORAGE", 900, 1000),
        ("a", "MESSAGE", 95, 100),
        ("b", "STORAGE", 1, 10),
    ]
    assert {g.source for g in known.gauges} == {Source.SERVER}
    assert known.lacking == ""
    assert known.tightest.resource == "MESSAGE"


def test_a_resource_that_pruning_cannot_help_is_not_the_tightest() -> None:
    known = quota([QuotaRoot("", (STORAGE, Resource("MAILBOX", 10, 10)))], 0)
    assert known.tightest.resource == "STORAGE"
    assert [g.resource for g in known.above(95)] == ["MAILBOX"]


@pytest.mark.fault(44)
@pytest.mark.parametrize(
    ("roots", "configured", "source", "limit", "lacking", "unlimited"),
    [
        (None, None, Source.SUM, None, "no QUOTA extension", False),
        (None, 4000, Source.CONFIGURED, 4000, "no QUOTA extension", False),
        ([], None, Source.SUM, None, "names no limit", True),
        ([QuotaRoot("r", ())], None, Source.SUM, None, "names no limit", True),
        ([QuotaRoot("r", ())], 4000, Source.CONFIGURED, 4000, "names no limit", True),
        ([QuotaRoot("r", None)], None, Source.SUM, None, "cannot be understood", False),
        ([QuotaRoot("r", (MESSAGE,))], None, Source.SUM, None, "names no limit", False),
    ],
)
def test_without_a_limit_the_sum_is_told_as_a_sum(
    roots: list[QuotaRoot] | None,
    configured: int | None,
    source: Source,
    limit: int | None,
    lacking: str,
    unlimited: bool,
) -> None:
    known = quota(roots, 1234, configured)
    assert (known.gauges[0].used, known.gauges[0].source, known.gauges[0].limit) == (1234, source, limit)
    assert lacking in known.lacking
    assert known.unlimited is unlimited


@pytest.mark.fault(44)
def test_a_limit_of_nothing_has_no_per_cent() -> None:
    known = quota([QuotaRoot("", (Resource("STORAGE", 10, 0),))], 1234)
    assert known.tightest == Gauge("", "STORAGE", 10, 0, Source.SERVER)
    assert known.tightest.percent is None
    assert known.above(0) == []
    assert not known.judged
    assert "limit is 0" in known.lacking


def test_a_configured_limit_stands_in_for_one_of_nothing() -> None:
    known = quota([QuotaRoot("", (Resource("STORAGE", 10, 0),))], 50, 100)
    assert known.tightest.source is Source.CONFIGURED
    assert known.tightest.percent == 50


def test_what_is_left_after_pruning() -> None:
    gauge = Gauge("", "STORAGE", 900, 1000, Source.SERVER, frozenset({b"INBOX"}))
    assert gauge.after(gauge.worth(Tally(3, 400))) == 50
    assert gauge.after(5000) == 0
    assert Gauge("", "MESSAGE", 90, 100, Source.SERVER).worth(Tally(3, 400)) == 3
    assert gauge.counts(b"INBOX")
    assert not gauge.counts(b"Sent")


def test_exactly_at_the_threshold_is_not_above_it() -> None:
    known = quota([QuotaRoot("", (STORAGE,))], 0)
    assert known.above(90) == []
    assert known.above(89.9) == list(known.gauges)


def test_thresholds() -> None:
    assert parse_percent("90%") == parse_percent(" 90 ") == 90
    assert parse_percent("99.5 %") == 99.5
    for text in ("", "full", "-1%", "1e3", "90%%"):
        with pytest.raises(UsageError):
            parse_percent(text)


@pytest.mark.parametrize(
    ("octets", "used", "total", "sizes"),
    [(500, 984, 1000, 510), (500, 1000, 1000, 500), (500, 800, 1000, 500), (500, 1100, 1000, 500), (0, 984, 1000, 0)],
)
def test_what_frees_octets_is_counted_as_the_quota_counts(octets: int, used: int, total: int, sizes: int) -> None:
    """A few per cent are line ends; a larger difference is none of counting."""
    assert announced(octets, used, total) == sizes
