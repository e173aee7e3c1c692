"""The largest senders, lists and years."""

from __future__ import annotations

import pytest

from mailmove.errors import UsageError
from mailmove.plan.groups import By, Group, Groups, parse_by
from mailmove.plan.retention import Tally


def test_the_largest_groups_and_what_the_others_come_to() -> None:
    groups = Groups()
    for key, size in (("a", 5), ("b", 30), ("a", 6), ("c", 1), ("d", 2)):
        groups.add(key, f"name of {key}" if size != 6 else "", Tally(1, size))
    top, others, rest = groups.top(2)
    assert top == [Group("b", "name of b", Tally(1, 30)), Group("a", "name of a", Tally(2, 11))]
    assert (others, rest) == (2, Tally(2, 3))


def test_years_begin_at_midnight_utc() -> None:
    groups = Groups()
    groups.add_days({18_261: Tally(1, 10), 18_262: Tally(1, 20), 18_627: Tally(2, 5)})  # 2019-12-31, 2020-01-01, …
    assert [(group.key, group.tally) for group in groups.top(9)[0]] == [
        ("2020", Tally(3, 25)),
        ("2019", Tally(1, 10)),
    ]


def test_what_can_be_grouped_by() -> None:
    assert parse_by(" Sender ") is By.SENDER
    with pytest.raises(UsageError, match="'size' is nothing to group by"):
        parse_by("size")
