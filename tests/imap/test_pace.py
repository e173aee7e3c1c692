"""How many messages a server is told to delete at once: a moment's worth, whatever a portion costs by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailmove.imap.pace import FIRST_PORTION, MAX_PORTION, Pace


def deleted(messages: int, seconds: Callable[[int], float], round_trip: float = 0.001) -> list[tuple[int, float]]:
    """The portions, and how long each took, of a server that takes so many seconds for so many messages."""
    pace, portions = Pace(), []
    while messages > 0:
        some = min(pace.size, messages)
        pace.answered(round_trip)
        portions.append((some, took := round_trip + seconds(some)))
        pace.expunged(some, took)
        messages -= some
    return portions


@pytest.mark.parametrize("own", [0.002, 0.05, 0.1, 0.2, 2])
@pytest.mark.parametrize("each", [0.00001, 0.0001])
def test_what_a_portion_costs_by_itself_stays_a_small_part_of_all(own: float, each: float) -> None:
    portions = deleted(20_000, lambda some: own + some * each)
    assert sum(seconds for _, seconds in portions) < 2.5 * (20_000 * each + 20_000 / MAX_PORTION * own + 5 * own)


@pytest.mark.parametrize("each", [0.0001, 0.001, 0.003])
def test_no_portion_takes_long_where_each_message_does(each: float) -> None:
    portions = deleted(20_000, lambda some: some * each)
    assert all(seconds <= 1.01 for _, seconds in portions)


def test_a_server_that_becomes_slow_gets_smaller_portions() -> None:
    each = iter([0.0001] * 4 + [0.01] * 200)
    sizes = [some for some, _ in deleted(9_000, lambda some: some * next(each))]
    assert max(sizes) > 1000 and sizes[-2] == FIRST_PORTION


def test_a_long_line_has_longer_portions() -> None:
    short, long = (deleted(20_000, lambda some: some * 0.001, trip) for trip in (0.001, 0.2))
    assert len(long) < len(short) / 2
