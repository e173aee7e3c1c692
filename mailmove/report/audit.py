"""What an audit found, in words and in JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from mailmove.errors import Exit
from mailmove.jobs.audit.result import AuditResult, Band, FolderFigures, TopGroups
from mailmove.plan.forecast import Forecast
from mailmove.plan.gauge import MESSAGE, STORAGE, Gauge, Source
from mailmove.plan.groups import By, Group
from mailmove.plan.policy import AgeBy
from mailmove.plan.retention import Stays, Tally
from mailmove.plan.usage import Freed
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.table import Column, fits, table
from mailmove.safe import visible
from mailmove.units import format_size, plural, timestamp

LINES = 24
"""The default report of one account and the prompt after it fit a terminal of 25 lines."""
FEWEST = 3
"""So many folders are told however little room there is."""
_BAR = 20
_LONG = 28  # a name of more characters has a line to itself
_SOURCES = {Source.SERVER: "", Source.CONFIGURED: "sum of sizes, limit configured", Source.SUM: "sum of sizes"}
_NOBODY = {By.SENDER: "(no sender)", By.LIST: "(not from a list)", By.YEAR: "(no year)"}


@dataclass(frozen=True, slots=True)
class Report:
    """The report of audits; ``exact``: sizes in octets instead of human units."""

    exact: bool = False

    def text(self, result: AuditResult, again: Again = ALL) -> Iterator[str]:
        """How full, until when, by what, what pruning would free, and the next step."""
        head = [*self._quota(result), *self._growth(result)]
        if result.quick:
            body, end = [*self.problems(result), *_notes(result)], []
        else:
            body = [*self._ages(result), *self._what_ifs(result), *self._kept(result)]
            end = [*self.problems(result), *_notes(result)]
            if result.trouble is not Exit.ARCHIVE:  # else nobody knows what is archived
                end += [self._archive(result), _next(result)]
        room = LINES - len(head) - len(body) - len(end) - 2  # a head, and a line for the others
        yield from head
        yield from self._folders(result, result.limit or max(FEWEST, room))
        yield from body
        yield from self._biggest(result)
        for top in result.tops:
            yield from self._groups(top)
        yield from end

    def together(self, results: Sequence[AuditResult], again: Again = ALL) -> Iterator[str]:
        """Several accounts in one table, the one that fills up first at the top."""
        rows = []
        for result in sorted(results, key=lambda result: result.urgency):
            gauge = result.quota.tightest
            day, growth = _day_and_growth(result.forecast, self._rate(gauge, result.forecast))
            limit = "-" if gauge.limit is None else self._amount(gauge, gauge.limit)
            amounts = (self._amount(gauge, gauge.used), limit, words.percent(gauge.percent))
            rows.append((visible(result.account), *amounts, day, growth, _SOURCES[gauge.source]))
        heads = ("used", "limit", "full", "full on", "growth a day")
        yield from table(
            [Column("Account", cut=8), *(Column(head, figures=True) for head in heads), Column(below=True)], rows
        )
        for result in results:
            yield from self.problems(result)
        yield f"Next: {again.command('audit', 'ACCOUNT')}     tells one in full"

    def problems(self, result: AuditResult, again: Again = ALL) -> Iterator[str]:
        """What is above the threshold, and what could not be looked at."""
        account = visible(result.account)
        for gauge in result.above:
            what = f"{_name(gauge)} is {words.percent(gauge.percent)} full"
            yield f"ABOVE {result.fail_above:g} %: {account}: {what}: {self._of(gauge)}"
        if result.fail_above is not None and not result.quota.judged:
            yield f"{account}: nobody can say whether it is above {result.fail_above:g} %: {result.quota.lacking}"
            yield '  If you know the limit, write it to the configuration of the account: quota = "50GB"'
        for problem in result.problems:
            yield f"PROBLEM: {account}: {problem}"

    def as_json(self, result: AuditResult) -> dict[str, Any]:
        """One account; the topic ``audit`` tells what each key means."""
        return {
            "account": result.account,
            "exit": int(result.exit),
            "at": timestamp(result.at),
            "quota": [_gauge_json(gauge) for gauge in result.quota.gauges],
            "quota_lacking": result.quota.lacking or None,
            "forecast": _forecast_json(result.forecast, result.quota.tightest),
            "messages": result.all.messages,
            "octets": result.all.octets,
            "folders": [_folder_json(result, folder) for folder in result.folders],
            "left_out": [{"name": folder.name, "why": why} for folder, why in result.left_out],
            "age_by": result.age_by.value,
            "moved": [{"name": folder.name, "why": why} for folder, why in result.moved.items()],
            "ages": [_band_json(band) for band in result.bands],
            "undated": _tally_json(result.undated),
            "prune": [
                {
                    "older_than": what_if.age.text,
                    "frees": _tally_json(what_if.freed.all),
                    "archived": _tally_json(what_if.freed.archived),
                    "stays": {why.value: _tally_json(tally) for why, tally in what_if.freed.stays.items()},
                    "left": what_if.left,
                    "percent_after": words.hundredths(what_if.percent),
                    "command": command(result, what_if.age.text),
                }
                for what_if in result.what_ifs
            ],
            "prune_leaves_alone": [{"name": folder.name, "why": why} for folder, why in result.alone.items()],
            "biggest": [
                {
                    "folder": big.folder.name,
                    "uid": big.uid,
                    "octets": big.octets,
                    "date": _date_json(big.date),
                    "subject": big.subject,
                    "from": big.sender,
                }
                for big in result.biggest
            ],
            "months": [{"month": month.name, **_tally_json(month.tally)} for month in result.months],
            "top": next(map(_top_json, result.tops), None),
            "tops": list(map(_top_json, result.tops)),
            "archive": None if result.archive is None else {"path": result.archive, **_tally_json(result.archived)},
            "problems": result.problems,
            "notes": result.notes,
        }

    def _quota(self, result: AuditResult) -> Iterator[str]:
        """A line for each gauge, the account's name before the first."""
        quota, before = result.quota, visible(result.account)
        if len(before) > _LONG:
            yield before
            before = ""
        many = len({gauge.root for gauge in quota.gauges}) > 1
        for gauge in quota.gauges:
            root = f"   {visible(gauge.root, 40)}" if many and gauge.root else ""
            labels = [_SOURCES[gauge.source]]
            if gauge.resource == STORAGE and not gauge.limit:
                labels.append(quota.lacking)
            label = "; ".join(filter(None, labels))
            bar = "" if gauge.percent is None else f"   {words.percent(gauge.percent)}  {_bar(gauge.percent)}"
            yield f"{before}{root}   {self._of(gauge)}{bar}{f'     ({label})' if label else ''}"
            before = " " * len(before)

    def _growth(self, result: AuditResult) -> Iterator[str]:
        seen = result.forecast
        if seen is None:
            return
        gauge = result.quota.tightest
        how = f"{self._rate(gauge, seen)} a day, {seen.rate.method}"
        if not gauge.limit:
            yield f"Growth: {how}"
        elif seen.full is None:
            yield f"Not full in sight ({how})"
        elif gauge.used >= gauge.limit:
            yield f"Full now ({how})"
        else:
            days = (seen.full - result.at).days
            yield f"Full in about {plural(days, 'day')}, on {seen.full.astimezone():%Y-%m-%d} ({how})"

    def _folders(self, result: AuditResult, room: int) -> Iterator[str]:
        folders = result.folders
        shown = folders if len(folders) <= room + 1 else folders[:room]
        everything = result.all.octets
        columns = [
            Column("Folder", cut=8),
            Column("messages", figures=True),
            Column("unread", figures=True, spare=1),
            Column("size", figures=True),
            Column("share", figures=True),
        ]
        rows = []
        for one in shown:
            size = "?" if one.octets is None else self._size(one.octets)
            share = words.percent(one.octets * 100 / everything) if one.octets and everything else "-"
            unread = "?" if one.unread is None else f"{one.unread:,}"
            rows.append([_folder(one), f"{one.messages:,}", unread, size, share])
            if not result.quick:
                rows[-1] += [_date(one.oldest), _date(one.newest)]
        if not result.quick:
            columns += [Column("oldest", spare=1), Column("newest", spare=1)]
        yield from table(columns, rows)
        if others := folders[len(shown) :]:
            messages = plural(sum(one.messages for one in others), "message")
            size = self._size(sum(one.octets or 0 for one in others))
            yield f"and {plural(len(others), 'other folder')} with {messages}, {size}"

    def _ages(self, result: AuditResult) -> Iterator[str]:
        for folder, why in result.moved.items():
            yield f"{folder.shown}: {why}."
        if result.moved:
            yield "So ages here go by the day of sending, as with prune --age-by sent."
        bands = [*result.bands, *([Band(None, result.undated)] if result.undated.messages else [])]
        heads = [*_band_names(result.bands), "undated"]
        names = ["Age", *(head for _, head in zip(bands, heads, strict=False))]
        messages = ["messages", *(f"{band.tally.messages:,}" for band in bands)]
        sizes = ["size", *(self._size(band.tally.octets) for band in bands)]
        columns = [Column(name, figures=name != "Age") for name in names]
        if fits(columns, [messages, sizes]):
            yield from table(columns, [messages, sizes])
        else:  # a line for each age
            _, *bands_below = zip(names, messages, sizes, strict=True)
            heads_beside = ("Age", "messages", "size")
            yield from table([Column(head, figures=head != "Age") for head in heads_beside], bands_below)

    def _what_ifs(self, result: AuditResult) -> Iterator[str]:
        gauge = result.quota.tightest
        rows = []
        for what_if in result.what_ifs:
            freed = what_if.freed
            worth = self._amount(gauge, gauge.worth(freed.all)) if gauge.frees else self._size(freed.all.octets)
            after = self._amount(gauge, what_if.left) if what_if.percent is None else words.percent(what_if.percent)
            rows.append([what_if.age.text, worth, after, _archived(freed), command(result, what_if.age.text)])
        heads = ("frees", "leaves", "archived")
        columns = [Column("Older than"), *(Column(head, figures=True) for head in heads), Column()]
        if fits(columns, rows):
            yield from table(columns, rows)
        else:
            yield from table(columns[:-1], [row[:-1] for row in rows])
            yield f"To free that: {command(result, 'AGE')}"

    def _kept(self, result: AuditResult) -> Iterator[str]:
        stays = result.what_ifs[0].freed.stays
        kept = [words.stays(tally.messages, why) for why, tally in stays.items() if why is not Stays.NEWER]
        if kept:
            yield f"Prune keeps: {', '.join(kept)}"
        if result.alone:
            alone = ", ".join(f"{folder.shown} ({why})" for folder, why in result.alone.items())
            yield f"Prune leaves alone: {alone}"

    def _biggest(self, result: AuditResult) -> Iterator[str]:
        if not result.biggest:
            return
        rows = [
            (self._size(big.octets), _date(big.date), big.folder.shown, str(big.uid), big.sender, big.subject)
            for big in result.biggest
        ]
        columns = [Column("Biggest", figures=True), Column("date"), Column("folder", cut=8)]
        columns += [Column("UID", figures=True), Column("from", cut=8, spare=1), Column("subject", cut=8)]
        yield from table(columns, rows)

    def _groups(self, top: TopGroups) -> Iterator[str]:
        everything = sum(group.tally.octets for group in top.groups) + top.rest.octets
        rows = [(*_group(top.by, group), *self._figures(group.tally, everything)) for group in top.groups]
        if top.others:
            rows.append((f"{top.others:,} others", "", *self._figures(top.rest, everything)))
        heads = ("messages", "size", "share")
        columns = [Column(top.by.value.title(), cut=8), Column(cut=8)]
        yield from table([*columns, *(Column(head, figures=True) for head in heads)], rows)

    def _figures(self, tally: Tally, everything: int) -> tuple[str, str, str]:
        share = words.percent(tally.octets * 100 / everything) if everything else "-"
        return f"{tally.messages:,}", self._size(tally.octets), share

    def _archive(self, result: AuditResult) -> str:
        if result.archive is None:
            return "Local archive: none yet."
        held, everything = result.archived, result.all
        if not held.messages:
            return f"Local archive: holds none of this   {words.path(result.archive)}"
        what = f"{held.messages:,} of {plural(everything.messages, 'message')} ({self._size(held.octets)})"
        return f"Local archive: {what}   {words.path(result.archive)}"

    def _of(self, gauge: Gauge) -> str:
        if gauge.limit is None:
            return f"{self._amount(gauge, gauge.used)} used"
        used = self._size(gauge.used) if gauge.resource == STORAGE else f"{gauge.used:,}"
        return f"{used} of {self._amount(gauge, gauge.limit)}"

    def _rate(self, gauge: Gauge, seen: Forecast | None) -> str:
        if seen is None:
            return "-"
        sign = "-" if seen.rate.per_day < 0 else "+"
        return f"{sign}{self._amount(gauge, round(abs(seen.rate.per_day)))}"

    def _amount(self, gauge: Gauge, amount: int) -> str:
        if gauge.resource == STORAGE:
            return self._size(amount)
        return f"{amount:,} messages" if gauge.resource == MESSAGE else f"{amount:,} {visible(gauge.resource, 40)}"

    def _size(self, octets: int) -> str:
        return f"{octets:,}" if self.exact else format_size(octets)


def command(result: AuditResult, age: str) -> str:
    """The command that does what a what-if says, to copy."""
    by = ("--age-by", "sent") if result.age_by is AgeBy.SENT else ()
    return shlex.join(("mailmove", "prune", *result.again, "--older-than", age, *by))


def _next(result: AuditResult) -> str:
    if result.archived.messages < result.all.messages:
        return f"Next: {shlex.join(('mailmove', 'export', *result.again))}     changes nothing on the server"
    freeing = [what_if for what_if in result.what_ifs if what_if.freed.all.messages]
    if freeing:
        return f"Next: {command(result, freeing[-1].age.text)}     asks before it deletes"
    return "Nothing to do: all of it is archived, and nothing is old enough to be pruned."


def _notes(result: AuditResult) -> Iterator[str]:
    for note in result.notes:
        yield f"Note: {note}."
    for folder, why in result.left_out:
        if why not in ("excluded", "not chosen"):
            yield f"Note: {folder.shown} is left out: {why}."


def _name(gauge: Gauge) -> str:
    return visible(f"{gauge.resource} of {gauge.root}" if gauge.root else gauge.resource, 80)


def _bar(percent: float) -> str:
    full = min(_BAR, int(percent * _BAR / 100))
    return f"[{'#' * full}{'-' * (_BAR - full)}]"


def _day_and_growth(seen: Forecast | None, rate: str) -> tuple[str, str]:
    if seen is None:
        return "-", "-"
    return "-" if seen.full is None else f"{seen.full.astimezone():%Y-%m-%d}", rate


def _folder(one: FolderFigures) -> str:
    use = one.folder.special_use
    return one.folder.shown if use is None or use[1:] == one.folder.name.lower() else f"{one.folder.shown} {use}"


def _group(by: By, group: Group) -> tuple[str, str]:
    key = visible(group.key, 100) or _NOBODY[by]
    return (visible(group.name, 100) or key, key) if by is By.SENDER else (key, "")


def _archived(freed: Freed) -> str:
    return words.percent(freed.archived.messages * 100 / freed.all.messages) if freed.all.messages else "-"


def _band_names(bands: Sequence[Band]) -> Iterator[str]:
    ages = [band.age.text for band in bands if band.age is not None]
    yield f"< {ages[0]}"
    for young, old in pairwise(ages):
        yield f"{young}-{old}"
    yield f"> {ages[-1]}"


def _date(day: date | None) -> str:
    return "-" if day is None else day.isoformat()


def _date_json(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _tally_json(tally: Tally) -> dict[str, int]:
    return {"messages": tally.messages, "octets": tally.octets}


def _gauge_json(gauge: Gauge) -> dict[str, Any]:
    return {
        "root": gauge.root,
        "resource": gauge.resource,
        "used": gauge.used,
        "limit": gauge.limit,
        "percent": words.hundredths(gauge.percent),
        "source": gauge.source.value,
    }


def _forecast_json(seen: Forecast | None, gauge: Gauge) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "root": gauge.root,
        "resource": gauge.resource,
        "per_day": round(seen.rate.per_day),
        "method": seen.rate.method,
        "full": timestamp(seen.full) if seen.full else None,
    }


def _folder_json(result: AuditResult, one: FolderFigures) -> dict[str, Any]:
    return {
        "name": one.folder.name,
        "special_use": one.folder.special_use,
        "messages": one.messages,
        "unread": one.unread,
        "octets": one.octets,
        "oldest": _date_json(one.oldest),
        "newest": _date_json(one.newest),
        "archived": None if result.quick else _tally_json(one.archived),
    }


def _band_json(band: Band) -> dict[str, Any]:
    return {"older_than": None if band.age is None else band.age.text, **_tally_json(band.tally)}


def _top_json(top: TopGroups) -> dict[str, Any]:
    return {
        "by": top.by.value,
        "groups": [{"key": g.key, "name": g.name, **_tally_json(g.tally)} for g in top.groups],
        "others": {"groups": top.others, **_tally_json(top.rest)},
    }
