"""What a folder's messages come to, and what a prune would free of them, added up while they stream past.

Messages that no rule can tell apart are counted as one kind: rules look at flags, and at dates only by comparing them
with a few instants. So the rules of prune are asked once a kind, not once a message, and memory does not grow with the
number of messages.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappush, heappushpop
from typing import NamedTuple

from mailmove.model import Listed
from mailmove.plan.retention import DAY, NO_DATES, USABLE_FROM, Dates, FolderRule, Newest, Stays, Tally, total
from mailmove.plan.sync import Archived, same_message

Place = int | tuple[int, ...]
"""Between which instants a message's arrival lies, or each of its dates; -1: it has none."""


class Kind:
    """Messages that no rule can tell apart, and one of them."""

    __slots__ = ("all", "archived", "sample")

    def __init__(self, sample: Listed) -> None:
        self.sample = sample
        self.all = Tally()
        self.archived = Tally()


@dataclass(slots=True)
class Freed:
    """What a prune frees: how much, how much of that is archived already, and what stays for which reason."""

    all: Tally = field(default_factory=Tally)
    archived: Tally = field(default_factory=Tally)
    stays: dict[Stays, Tally] = field(default_factory=dict)

    def join(self, other: Freed) -> None:
        """Add another folder's."""
        self.all.join(other.all)
        self.archived.join(other.archived)
        for why, tally in other.stays.items():
            self.stays.setdefault(why, Tally()).join(tally)


class Big(NamedTuple):
    """One of the biggest messages of a folder; ordered by size."""

    size: int
    uid: int
    date: int | None


class Usage:
    """The messages of one folder, added up.

    ``instants`` are all that any rule and any age band compares dates with; ``archived`` is what the archive holds of
    the folder; ``dates`` what only the archive or the messages themselves tell of them. With ``by_sent`` a message's
    date is its Date header, else its arrival.
    """

    def __init__(
        self,
        instants: Iterable[int],
        now: datetime,
        archived: Mapping[int, Archived],
        dates: Dates = NO_DATES,
        *,
        by_sent: bool = False,
        newest: int = 0,
        biggest: int = 0,
    ) -> None:
        self.unsized = 0
        """Messages whose size the server did not tell."""
        self.days: dict[int, Tally] = {}
        """By the day of their date since 1970 (UTC); messages without a usable date are not there."""
        self.big: list[Big] = []
        self._now = int(now.timestamp())
        self._instants = sorted({*instants, USABLE_FROM, self._now + 1})
        self._archived = archived
        self._dates = dates
        self._by_sent = by_sent
        self._newest = Newest(newest) if newest else None
        self._biggest = biggest
        self._kinds: dict[tuple[Place, frozenset[str]], Kind] = {}

    def add(self, messages: Iterable[Listed]) -> None:
        """Count messages of the folder's listing, each of which comes once."""
        kinds, days, instants, by_sent, now = self._kinds, self.days, self._instants, self._by_sent, self._now
        archived, newest = self._archived, self._newest
        simple = not by_sent and not self._dates.archived and not self._dates.restored
        least = 0 if self._biggest else 1 << 63  # octets from which a message is among the biggest
        for message in messages:
            uid, arrival, size, flags = message[:4]
            if size is None:
                size = 0
                self.unsized += 1
            place = (-1 if arrival is None else bisect(instants, arrival)) if simple else self._place(message)
            kind = kinds.get((place, flags))
            if kind is None:
                kind = kinds[place, flags] = Kind(message)
            kind.all.messages += 1
            kind.all.octets += size
            if archived and self._held(message):
                kind.archived.add(message)
            date = self._date(message) if by_sent else arrival
            if date is not None and USABLE_FROM <= date <= now:
                day = days.get(date // DAY)
                if day is None:
                    day = days[date // DAY] = Tally()
                day.messages += 1
                day.octets += size
            if size > least:
                least = self._among_biggest(Big(size, uid, date))
            if newest is not None and self._usable(arrival):
                newest.add(message)

    @property
    def all(self) -> Tally:
        """All messages."""
        return total(kind.all for kind in self._kinds.values())

    @property
    def archived(self) -> Tally:
        """Those that the archive holds."""
        return total(kind.archived for kind in self._kinds.values())

    @property
    def unread(self) -> int:
        """How many messages nobody has read."""
        return sum(
            kind.all.messages for (_, flags), kind in self._kinds.items() if "\\seen" not in map(str.lower, flags)
        )

    @property
    def undated(self) -> Tally:
        """Messages whose date is missing or cannot be true."""
        return total(kind.all for kind in self._kinds.values() if not self._usable(self._date(kind.sample)))

    def bands(self, edges: Sequence[int]) -> list[Tally]:
        """Messages by age, the oldest first, cut at these instants; those without a usable date are in none."""
        bands = [Tally() for _ in range(len(edges) + 1)]
        for kind in self._kinds.values():
            date = self._date(kind.sample)
            if date is not None and self._usable(date):
                bands[bisect(edges, date)].join(kind.all)
        return bands

    def freed(self, rule: FolderRule) -> Freed:
        """What a prune by this rule frees."""
        freed = Freed()
        for kind in self._kinds.values():
            why = rule.stays(kind.sample, self._dates)
            if why is None:
                freed.all.join(kind.all)
                freed.archived.join(kind.archived)
            else:
                freed.stays.setdefault(why, Tally()).join(kind.all)
        for message in self._newest or ():
            if rule.stays(message, self._dates) is None:
                freed.all.remove(message)
                if self._held(message):
                    freed.archived.remove(message)
                freed.stays.setdefault(Stays.NEWEST, Tally()).add(message)
        return freed

    def _held(self, message: Listed) -> bool:
        record = self._archived.get(message.uid)
        return record is not None and same_message(message, record)

    def _date(self, message: Listed) -> int | None:
        return self._dates.sent.get(message.uid) if self._by_sent else message.arrival

    def _usable(self, date: int | None) -> bool:
        return date is not None and USABLE_FROM <= date <= self._now

    def _place(self, message: Listed) -> Place:
        """The same as for arrival alone, for all dates that rules look at."""
        more = (self._dates.sent, self._dates.archived, self._dates.restored)
        dates = (message.arrival, *(dates.get(message.uid) for dates in more))
        return tuple(-1 if date is None else bisect(self._instants, date) for date in dates)

    def _among_biggest(self, big: Big) -> int:
        if len(self.big) < self._biggest:
            heappush(self.big, big)
        else:
            heappushpop(self.big, big)
        return self.big[0].size if len(self.big) == self._biggest else 0
