"""The folders of one account, read for an audit and added up by the rules of prune."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from mailmove.archive.index.headers import Headers
from mailmove.archive.index.messages import Known
from mailmove.errors import CommandRefused
from mailmove.jobs.audit.folder import FolderAudit, MakeUsage
from mailmove.jobs.audit.result import Band, BigMessage, FolderFigures, Month, TopGroups, WhatIf
from mailmove.jobs.fetching import FolderChanged
from mailmove.jobs.progress import Expect, Progress
from mailmove.mail import fields
from mailmove.model import Folder, Seen
from mailmove.plan import brakes, forecast
from mailmove.plan.folders import choose
from mailmove.plan.gauge import Gauge
from mailmove.plan.groups import By, Groups
from mailmove.plan.policy import AgeBy, Asked, Policy, before, guess_uses
from mailmove.plan.retention import DAY, Dates, FolderRule, Tally, is_drafts, total
from mailmove.plan.rules import Rules
from mailmove.plan.usage import Big, Freed, Usage
from mailmove.safe import visible
from mailmove.units import Age, parse_age, plural, utc

log = logging.getLogger(__name__)

AGES = tuple(map(parse_age, ("30d", "90d", "180d", "1y", "2y", "5y")))
TOP = 10
"""So many groups are told unless another number was asked for."""

Work = Generator[Progress, None, None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for.

    ``again`` are the words that name the account in a command to copy; ``scope`` and ``left_out`` are the patterns that
    an export of this account keeps to; ``ages`` begin with the youngest; ``age_by`` is None where the folders shall
    show by themselves which date tells their age; ``quota`` is a limit in octets for servers that name none.
    """

    again: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    quick: bool = False
    by: tuple[By, ...] = ()
    top: int | None = None
    ages: tuple[Age, ...] = AGES
    age_by: AgeBy | None = None
    policy: Policy = field(default_factory=Policy)
    quota: int | None = None
    fail_above: float | None = None


class Survey:
    """The folders of one account; :meth:`read` comes first."""

    def __init__(self, reader: FolderAudit, options: Options, views: Sequence[Seen], now: datetime) -> None:
        """``views`` are all folders of the account."""
        self.policy = options.policy
        if options.age_by is not None:
            self.policy = replace(self.policy, age_by=options.age_by)
        self.usages: dict[Folder, Usage] = {}
        """What was read, by folder."""
        self.problems: list[str] = []
        """What could not be read; safe for a terminal."""
        self.moved: dict[Folder, str] = {}
        """Folders where arrival does not tell the age, and why."""
        self._now = now
        self._edges = [before(age, now) for age in reversed(options.ages)]
        self._recent = int(now.timestamp()) - forecast.ARRIVALS
        self._reader = reader
        self._options = options
        self._views = views
        selectable = [view.folder for view in views if view.folder.selectable]
        self._guessed = guess_uses(selectable)
        self._exported = frozenset(choose(selectable, options.scope, options.left_out).chosen)
        self._chosen: list[Seen] = []
        self._groups: dict[By, Groups] = {}

    def read(self, chosen: Sequence[Folder]) -> Work:
        """Read these folders; where arrival does not tell their age, all of them once more by the day of sending."""
        self._chosen = [view for view in self._views if view.folder in chosen]
        yield from self._read_all()
        if self._options.age_by is None and self.policy.age_by is AgeBy.ARRIVAL and not self._options.quick:
            yield from self._find_moved()
            if self.moved:
                self.policy = replace(self.policy, age_by=AgeBy.SENT)
                yield from self._read_all()

    def figures(self) -> Iterator[FolderFigures]:
        """Every folder, the largest first."""
        found = [self._figures(view) for view in self._chosen if view.status is not None]
        yield from sorted(found, key=lambda one: (-(one.octets or 0), one.folder.name))

    def arrivals(self, gauge: Gauge) -> tuple[int, int | None]:
        """How much of what a gauge counts has a date of the last 90 days, and the first date there is."""
        counted = [usage for folder, usage in self.usages.items() if gauge.counts(folder.wire)]
        days = [min(usage.days) for usage in counted if usage.days]
        amount = sum(gauge.worth(usage.bands([self._recent])[1]) for usage in counted)
        return amount, min(days) * DAY if days else None

    def bands(self) -> Iterator[Band]:
        """All messages by age, the youngest first."""
        folders = [list(reversed(usage.bands(self._edges))) for usage in self.usages.values()]
        for number, age in enumerate((None, *self._options.ages)):
            yield Band(age, total(bands[number] for bands in folders))

    def what_if(self, age: Age, gauge: Gauge) -> WhatIf:
        """What pruning by an age frees, by the rules that prune has."""
        freed, counted = Freed(), 0
        for folder, usage in self.usages.items():
            rule = self._rule(folder, age)
            if isinstance(rule, FolderRule):
                part = usage.freed(rule)
                freed.join(part)
                counted += gauge.worth(part.all) if gauge.counts(folder.wire) else 0
        return WhatIf(age, freed, max(0, gauge.used - counted), gauge.after(counted))

    def alone(self) -> dict[Folder, str]:
        """Folders that prune leaves alone whatever their messages, and why."""
        rules = ((folder, self._rule(folder, self._options.ages[0])) for folder in self.usages)
        return {folder: rule for folder, rule in rules if isinstance(rule, str)}

    def biggest(self) -> tuple[BigMessage, ...]:
        """The biggest messages of all folders."""
        number = self._options.top or 0
        ranked = sorted(((big, folder) for folder, usage in self.usages.items() for big in usage.big), key=_by_size)
        del ranked[number:]
        headers: dict[Folder, dict[int, Headers]] = {}
        for folder in {folder for _, folder in ranked}:
            uids = [big.uid for big, of in ranked if of is folder]
            try:
                headers[folder], refusal = self._reader.headers(folder, uids)
                if refusal is not None:
                    some = "some of " if headers[folder] else ""
                    self._fail(folder, refusal, f"{some}its biggest messages are not named")
            except (CommandRefused, FolderChanged) as error:
                headers[folder] = {}
                self._fail(folder, error, "its biggest messages are not named")
        return tuple(_shown(big, folder, headers[folder].get(big.uid, Headers())) for big, folder in ranked)

    def months(self) -> Iterator[Month]:
        """What came in which month, the first first."""
        found: dict[str, Tally] = {}
        for usage in self.usages.values():
            for day, tally in usage.days.items():
                found.setdefault(f"{_day(day):%Y-%m}", Tally()).join(tally)
        yield from (Month(name, found[name]) for name in sorted(found))

    def tops(self) -> Iterator[TopGroups]:
        """The largest groups of each kind that was asked for."""
        for by in self._options.by:
            if by is By.YEAR:
                for usage in self.usages.values():
                    self._groups[by].add_days(usage.days)
            groups, others, rest = self._groups[by].top(self._options.top or TOP)
            yield TopGroups(by, tuple(groups), others, rest)

    def _read_all(self) -> Work:
        self.usages.clear()
        self._groups = {by: Groups() for by in self._options.by}
        self.problems = [
            f"{view.folder.shown} cannot be opened: {visible(view.problem)}"
            for view in self._chosen
            if view.status is None
        ]
        self.problems += [f"{view.folder.shown}: {view.doubt}" for view in self._chosen if view.doubt]
        wanted = [view for view in self._chosen if view.status is not None and not self._told(view)]
        for view in wanted:
            assert view.status is not None
            yield Expect(view.status.messages, view.status.size or 0)
        for view in wanted:
            yield from self._read(view)

    def _told(self, view: Seen) -> bool:
        """Whether the status of a folder is all that is wanted of it."""
        return self._options.quick and view.status is not None and view.status.size is not None

    def _read(self, view: Seen) -> Work:
        by_sent, archived = self.policy.age_by is AgeBy.SENT, self.policy.archived_for is not None
        take = self._take if {By.SENDER, By.LIST}.intersection(self._options.by) else None
        try:
            make = self._maker(view.folder)
            usage, unlisted = yield from self._reader.read(view, make, sent=by_sent, archived=archived, take=take)
        except (CommandRefused, FolderChanged) as error:
            self._fail(view.folder, error)
        else:
            self.usages[view.folder] = usage
            log.info("%s: %s", view.folder.shown, plural(usage.all.messages, "message"))
            if unlisted:
                missing = plural(unlisted, "message")
                self.problems.append(f"{view.folder.shown}: {missing} that the server counts are not in its listing")
            if untold := self._reader.untold.pop(view.folder, 0):
                which = plural(untold, "message")
                self.problems.append(f"{view.folder.shown}: {which} whose header fields the server does not tell")

    def _fail(self, folder: Folder, error: CommandRefused | FolderChanged, so: str = "") -> None:
        """Remember that the server would not show a folder, and what follows from it."""
        why = f"{error.status} {error.text}" if isinstance(error, CommandRefused) else str(error)
        self.problems.append(f"{folder.shown} cannot be read: {why}" + (f"; {so}" if so else ""))

    def _find_moved(self) -> Work:
        """Folders where nearly all arrived on one day though it was sent on many."""
        for view in self._chosen:
            usage = self.usages.get(view.folder)
            if usage is None or not brakes.one_day((day.messages for day in usage.days.values()), usage.all.messages):
                continue
            try:
                why = brakes.migrated((yield from self._sent(view)))
            except (CommandRefused, FolderChanged) as error:
                self._fail(view.folder, error, "it may have been moved here, and be older than its arrivals")
            else:
                if why is not None:
                    self.moved[view.folder] = why

    def _sent(self, view: Seen) -> Generator[Progress, None, list[int]]:
        """The Date headers of a folder."""
        sent: list[int] = []

        def make(known: Mapping[int, Known], dates: Dates) -> Usage:
            sent[:] = dates.sent.values()
            return Usage((), self._now, known)

        yield from self._reader.read(view, make, sent=True)
        return sent

    def _maker(self, folder: Folder) -> MakeUsage:
        rules = [rule for age in self._options.ages if isinstance(rule := self._rule(folder, age), FolderRule)]
        instants = {*self._edges, self._recent, *(instant for rule in rules for instant in rule.instants)}
        by_sent = self.policy.age_by is AgeBy.SENT
        newest, biggest = self.policy.keep_newest, self._options.top or 0
        return lambda known, dates: Usage(
            instants, self._now, known, dates, by_sent=by_sent, newest=newest, biggest=biggest
        )

    def _rule(self, folder: Folder, age: Age) -> FolderRule | str:
        """The rule of prune for a folder when this age is asked for, or why it leaves the folder alone."""
        asked = Asked(age=age, folders=self._options.include)
        ages = Rules(self.policy, asked, self._now, self._guessed).age(folder)
        if isinstance(ages, str):
            return ages
        if folder not in self._exported:
            return "it is left out of the export"
        return FolderRule(ages, self.policy, self._now, drafts=is_drafts(folder, self._guessed))

    def _figures(self, view: Seen) -> FolderFigures:
        status, usage = view.status, self.usages.get(view.folder)
        assert status is not None
        if usage is None:
            return FolderFigures(view.folder, status.messages, status.size, status.unseen)
        days = usage.days
        oldest, newest = (_day(min(days)), _day(max(days))) if days else (None, None)
        everything = usage.all
        return FolderFigures(
            view.folder, everything.messages, everything.octets, usage.unread, oldest, newest, usage.archived
        )

    def _take(self, size: int, headers: Headers) -> None:
        """Count a message in the groups that its header tells."""
        if By.SENDER in self._groups:
            sender = fields.sender(headers.from_)
            self._groups[By.SENDER].add(sender.address or sender.name, sender.name, Tally(1, size))
        if By.LIST in self._groups:
            name = fields.list_name(headers.list_id)
            self._groups[By.LIST].add(name, name, Tally(1, size))


def _by_size(ranked: tuple[Big, Folder]) -> tuple[int, str, int]:
    big, folder = ranked
    return -big.size, folder.name, big.uid


def _shown(big: Big, folder: Folder, headers: Headers) -> BigMessage:
    day = None if big.date is None else _day(big.date // DAY)
    sender = fields.sender(headers.from_)
    return BigMessage(folder, big.uid, big.size, day, fields.shown(headers.subject, 100), sender.shown)


def _day(days: int) -> date:
    """A day counted since 1970, in UTC."""
    return utc(days * DAY).date()
