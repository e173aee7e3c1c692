"""Messages by whoever sent them, by mailing list, by year: which groups are the largest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mailmove.errors import UsageError
from mailmove.plan.retention import DAY, Tally, total
from mailmove.safe import visible
from mailmove.units import utc


class By(Enum):
    """What messages are grouped by."""

    SENDER = "sender"
    LIST = "list"
    YEAR = "year"


def parse_by(text: str) -> By:
    """Read ``sender``, ``list`` or ``year``.

    :raises UsageError: for anything else.
    """
    try:
        return By(text.strip().lower())
    except ValueError:
        allowed = ", ".join(by.value for by in By)
        raise UsageError(f"{visible(text)!r} is nothing to group by", f"Allowed: {allowed}.") from None


@dataclass(frozen=True, slots=True)
class Group:
    """Messages with the same ``key``: an address, a List-Id, a year; empty: none. ``name`` is what people call it."""

    key: str
    name: str
    tally: Tally


class Groups:
    """Groups, added up."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}
        self._names: dict[str, str] = {}

    def add(self, key: str, name: str, tally: Tally) -> None:
        """Count messages of a group; the last name that is not empty is kept."""
        self._tallies.setdefault(key, Tally()).join(tally)
        if name:
            self._names[key] = name

    def add_days(self, days: Mapping[int, Tally]) -> None:
        """Count messages by their day since 1970, in groups by year (UTC)."""
        for day, tally in days.items():
            self.add(str(utc(day * DAY).year), "", tally)

    def top(self, number: int) -> tuple[list[Group], int, Tally]:
        """The groups with the most octets; how many others there are, and what they come to."""
        ranked = sorted(self._tallies, key=lambda key: (-self._tallies[key].octets, key))
        rest = ranked[number:]
        largest = [Group(key, self._names.get(key, ""), self._tallies[key]) for key in ranked[:number]]
        return largest, len(rest), total(self._tallies[key] for key in rest)
