"""What an audit found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from mailmove.errors import Exit, most_serious
from mailmove.model import Folder
from mailmove.plan.forecast import Forecast
from mailmove.plan.gauge import Gauge, Quota
from mailmove.plan.groups import By, Group
from mailmove.plan.policy import AgeBy
from mailmove.plan.retention import Tally, total
from mailmove.plan.usage import Freed
from mailmove.units import Age


@dataclass(frozen=True, slots=True)
class FolderFigures:
    """One folder. ``octets`` is None where the server does not tell; dates are those of its messages (UTC)."""

    folder: Folder
    messages: int
    octets: int | None
    unread: int | None = None
    oldest: date | None = None
    newest: date | None = None
    archived: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Band:
    """Messages at least as old as ``age``, and younger than that of the next band; None: younger than any."""

    age: Age | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class Month:
    """The messages of one month, ``2025-11``, by their dates (UTC)."""

    name: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What ``prune --older-than`` would free; ``left`` and ``percent``: how full the tightest gauge is then."""

    age: Age
    freed: Freed
    left: int
    percent: float | None


@dataclass(frozen=True, slots=True)
class BigMessage:
    """One of the biggest messages; ``subject`` and ``sender`` are safe for a terminal."""

    folder: Folder
    uid: int
    octets: int
    date: date | None
    subject: str
    sender: str


@dataclass(frozen=True, slots=True)
class TopGroups:
    """The largest groups, and what the others come to."""

    by: By
    groups: tuple[Group, ...]
    others: int
    rest: Tally


@dataclass(slots=True)
class AuditResult:
    """The outcome of one account's audit. ``again`` are the words that name it in a command to copy."""

    account: str
    again: tuple[str, ...]
    at: datetime
    quota: Quota
    forecast: Forecast | None = None
    folders: tuple[FolderFigures, ...] = ()
    left_out: tuple[tuple[Folder, str], ...] = ()
    alone: Mapping[Folder, str] = field(default_factory=dict)
    """Folders that prune leaves alone, and why."""
    quick: bool = False
    age_by: AgeBy = AgeBy.ARRIVAL
    moved: Mapping[Folder, str] = field(default_factory=dict)
    """Folders where arrival does not tell the age, and why: the figures then go by the day of sending."""
    bands: tuple[Band, ...] = ()
    undated: Tally = field(default_factory=Tally)
    what_ifs: tuple[WhatIf, ...] = ()
    months: tuple[Month, ...] = ()
    """Those in which anything came, the first first."""
    biggest: tuple[BigMessage, ...] = ()
    tops: tuple[TopGroups, ...] = ()
    limit: int | None = None
    """How many folders, messages and groups were asked for."""
    archive: str | None = None
    """The archive's path, where there is one."""
    fail_above: float | None = None
    problems: list[str] = field(default_factory=list)
    """What could not be looked at; safe for a terminal."""
    trouble: Exit = Exit.DONE
    """The exit code for them."""
    notes: list[str] = field(default_factory=list)

    @property
    def all(self) -> Tally:
        """All messages that were looked at."""
        return total(Tally(folder.messages, folder.octets or 0) for folder in self.folders)

    @property
    def archived(self) -> Tally:
        """Those that the archive holds."""
        return total(folder.archived for folder in self.folders)

    @property
    def above(self) -> list[Gauge]:
        """The gauges above the threshold that was asked for."""
        return self.quota.above(self.fail_above) if self.fail_above is not None else []

    @property
    def urgency(self) -> tuple[float, float, str]:
        """A sort key: first what is full first, then what is fullest."""
        full = self.forecast.full.timestamp() if self.forecast is not None and self.forecast.full else math.inf
        return full, -(self.quota.tightest.percent or 0), self.account

    @property
    def exit(self) -> Exit:
        """The exit code of this account."""
        if self.above:
            return most_serious((self.trouble, Exit.THRESHOLD))
        judged = self.fail_above is None or self.quota.judged
        return most_serious((self.trouble, Exit.DONE if judged else Exit.LACKING))
