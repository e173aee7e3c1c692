"""A prune's plan, its question and what came of it, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mailmove.errors import Exit
from mailmove.jobs.prune.result import FolderPlan, PrunePlan, PruneResult
from mailmove.plan.gauge import Gauge
from mailmove.plan.policy import AgeBy
from mailmove.plan.retention import Decisions, Stays
from mailmove.plan.steps import Came
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.table import Column, table
from mailmove.safe import visible
from mailmove.units import format_size, plural, timestamp, utc


def plan(planned: PrunePlan, again: Again = ALL) -> Iterator[str]:
    """What would go, what stays and why, and what a person should know before; it is named where there are several."""
    going = [folder for folder in planned.folders if folder.decisions.go]
    if planned.exported or planned.verified:
        yield f"Exported {planned.exported:,} new. Verified {planned.verified:,} local copies: all identical."
    yield from notes(planned)
    yield from _held(planned)
    if not going:
        yield f"Nothing to delete on the server for {visible(planned.account)}."
        yield from _staying(planned.folders)
        return
    if again.account:
        yield visible(planned.account)
    yield _heading(planned, going)
    yield from _table(going, show_before=len({folder.before for folder in going}) > 1)
    if odd := [line for folder in planned.folders for line in _odd(folder)]:
        yield "Kept, because their date cannot be right:"
        yield from odd
    for folder in going:
        if folder.sent_later:
            yield f"{folder.folder.shown}: {folder.sent_later:,} of them have a newer Date header; arrival decides."
    if planned.gauge is not None:
        yield _quota(planned.gauge, planned)
    yield from _consequence(planned)


def question(planned: PrunePlan) -> str:
    """What is asked at the terminal."""
    return f"Type {planned.messages} to delete, Enter to keep everything: "


def agrees(planned: PrunePlan, answer: str | None) -> bool:
    """Whether an answer is the number of messages; 12,310 and 12310 are the same."""
    return answer is not None and "".join(answer.split()).replace(",", "") == str(planned.messages)


def text(result: PruneResult, again: Again = ALL) -> Iterator[str]:
    """The plan, unless somebody has seen it, and what came of it."""
    planned = result.plan
    if not result.asked:
        yield from plan(planned, again)
    if result.outcomes or result.stopped:
        yield from _done(result, again)
    elif planned.dry_run:
        yield "Nothing was changed: this is a dry run."
    elif planned.messages and not result.agreed:
        if typed := (result.answer or "").strip():
            yield f"{visible(typed, 40)} is not {planned.messages}."
        yield "Nothing was deleted."
        if not result.asked:
            yield f"Next: at a terminal {planned.by_hand}     or --yes where nobody can be asked"


def problems(result: PruneResult, _: Again = ALL) -> Iterator[str]:
    """What was refused, is unproven, or went wrong."""
    planned = result.plan
    account = visible(planned.account)
    if result.stopped is not None:
        yield _stopped(result)
    elif planned.messages and not result.agreed:
        yield f"{account}: nothing was deleted, because nobody has agreed; for cron: --yes"
    elif result.exit:
        yield f"{account}: NOT everything that was selected has been deleted:"
    yield from _held(planned)
    yield from _wrong(result)


def came(result: PruneResult) -> dict[str, Came]:
    """What is to be remembered of it: nothing where somebody looked at the plan and kept everything."""
    if result.plan.dry_run or (result.asked and not result.agreed):
        return {}
    what = next(problems(result), "") if result.exit else ""
    return {"prune": Came(result.exit, what, result.exit.name.lower() if result.exit else "")}


def _stopped(result: PruneResult) -> str:
    assert result.stopped is not None
    what = "interrupted" if result.stopped.exit is Exit.INTERRUPTED else str(result.stopped)
    return f"{visible(result.plan.account)}: the prune stopped early: {what}"


def notes(planned: PrunePlan) -> Iterator[str]:
    """What is worth a word though nothing is wrong."""
    for note in planned.notes:
        yield f"Note: {note}."
    for folder, why in planned.left_out:
        if why not in ("excluded", "not chosen"):
            yield f"Note: {folder.shown} is left alone: {why}."


def figures(result: PruneResult) -> dict[str, int]:
    """What several accounts add up to."""
    planned = result.plan
    octets = planned.octets if planned.dry_run else result.freed
    return {"messages": planned.messages if planned.dry_run else result.gone, "octets": octets, "dry": planned.dry_run}


def total(several: Sequence[Mapping[str, int]], accounts: int) -> Iterator[str]:
    """All accounts together, those included of which nothing is told here."""
    touched = [one for one in several if one["messages"]]
    messages, octets = (sum(one[key] for one in touched) for key in ("messages", "octets"))
    did = "would be deleted" if any(one["dry"] for one in several) else "deleted"
    said = f"{plural(messages, 'message')}, {format_size(octets)}," if touched else "nothing"
    yield f"Together {said} {did} in {len(touched):,} of {accounts:,} accounts."


_DATED = {AgeBy.ARRIVAL: "arrived", AgeBy.SENT: "sent"}


def _heading(planned: PrunePlan, going: list[FolderPlan]) -> str:
    befores = {folder.before for folder in going}
    limit = next(iter(befores))
    would = "Would be deleted" if planned.dry_run else "To delete"
    if planned.target is not None:
        return f"{would} on the server, oldest first, to get down to {planned.target.text}:"
    if len(befores) == 1 and limit is not None:
        return f"{would} on the server ({_DATED[planned.age_by]} before {_minute(limit)}):"
    return f"{would} on the server:"


def _table(folders: list[FolderPlan], *, show_before: bool) -> Iterator[str]:
    rows = []
    for folder in folders:
        oldest, newest = folder.arrivals or (0, 0)
        span = f"{utc(oldest):%Y-%m-%d} to {utc(newest):%Y-%m-%d}"
        stays = _stays(folder.decisions)
        if show_before and folder.before is not None:
            stays = f"before {folder.before:%Y-%m-%d}" + (f"; {stays}" if stays else "")
        rows.append((folder.folder.shown, f"{len(folder.decisions.go):,}", format_size(folder.octets), span, stays))
    columns = [Column(cut=8), Column(figures=True), Column(figures=True), Column(), Column(below=True)]
    yield from table(columns, rows, indent=2)


def _stays(decisions: Decisions) -> str:
    """``keeps 3,402: 3,290 newer, 112 flagged``."""
    tallies = [(why, tally.messages) for why, tally in decisions.stay.items() if tally.messages]
    if not tallies:
        return "keeps none"
    parts = [words.stays(number, why) for why, number in sorted(tallies, key=lambda item: -item[1])]
    if len(parts) == 1:
        return f"keeps {parts[0]}"
    return f"keeps {sum(number for _, number in tallies):,}: {', '.join(parts)}"


def _staying(folders: Iterable[FolderPlan]) -> Iterator[str]:
    for folder in folders:
        if folder.decisions.messages:
            yield f"  {folder.folder.shown} {_stays(folder.decisions)}"
        yield from _odd(folder)


def _odd(folder: FolderPlan) -> Iterator[str]:
    for why in (Stays.UNDATED, Stays.FUTURE):
        if numbers := [uid for uid, found in folder.decisions.odd.items() if found is why]:
            yield f"  {folder.folder.shown} {words.uids(numbers)}: {why.value}"


def _held(planned: PrunePlan) -> Iterator[str]:
    """Doubts: what keeps a folder, or what a person should know."""
    kept = planned.unattended
    for doubt in planned.doubts:
        yield f"{'Everything is kept' if kept else 'Look twice'}: {doubt}."
    for problem in planned.problems:
        yield f"PROBLEM: {problem}."
    for missing in planned.misspelt:
        yield f"{'Folders without a rule are kept' if kept else 'Look twice'}: {missing}{'' if missing.like else '.'}"
    for folder in planned.folders:
        name = folder.folder.shown
        if folder.problem:
            yield f"PROBLEM: {name}: {folder.problem}."
        if folder.refused:
            yield f"{name} is kept: {folder.refused}."
        for doubt in folder.doubts:
            yield f"{name + ' is kept' if kept else 'Look twice: ' + name}: {doubt}."
        yield from _unproven(folder)
    if kept and (planned.doubts or any(folder.doubts for folder in planned.folders)):
        yield f"If that is right, run it once by hand: {planned.by_hand}"
    if kept and planned.misspelt:
        yield "Correct or remove that rule in the configuration."


def _unproven(folder: FolderPlan) -> Iterator[str]:
    by_reason: dict[str, list[int]] = {}
    for uid, why in folder.unproven.items():
        by_reason.setdefault(why, []).append(uid)
    for why, numbers in by_reason.items():
        yield f"NOT PROVEN, kept: {folder.folder.shown} {words.uids(numbers)}: {why}"


def _quota(gauge: Gauge, planned: PrunePlan) -> str:
    """``Quota 97 % → 30 %``, or what is used where nobody names a limit."""
    counted = [folder for folder in planned.folders if gauge.counts(folder.folder.wire)]
    octets = sum(folder.octets for folder in counted)
    freed = octets if gauge.resource == "STORAGE" else sum(len(folder.decisions.go) for folder in counted)
    return f"Quota {_full(gauge, 0)} → {_full(gauge, freed)}."


def _full(gauge: Gauge, freed: int) -> str:
    percent = gauge.after(freed)
    if percent is not None:
        return words.percent(percent)
    left = max(0, gauge.used - freed)
    return format_size(left) if gauge.resource == "STORAGE" else f"{left:,}"


def _consequence(planned: PrunePlan) -> Iterator[str]:
    yield "They vanish from every phone, mail program and webmail."
    if planned.lost and planned.without_archive:
        yield f"{planned.lost:,} of them {_are(planned.lost)} in NO archive and will be LOST FOR GOOD."
        if planned.lost == planned.messages:
            return
    elif planned.lost:
        yield f"{planned.lost:,} of them {_are(planned.lost)} not archived yet and would be exported first."
    if planned.path is not None:
        if planned.copies:
            names = ", ".join(map(visible, planned.copies))
            yield f"Each was re-hashed just now, here and at {names}{_relied(planned)}. They stay in"
            yield f"  {words.path(planned.path)}"
        else:
            yield f"The only copy will be\n  {words.path(planned.path)}"


def _relied(planned: PrunePlan) -> str:
    """What was not hashed in a copy just now."""
    told = (
        f"{one.messages:,} at {visible(name)}, unchanged since they were on {utc(one.since):%Y-%m-%d} or later"
        for name, one in planned.relied.items()
    )
    return "".join(f"; but for {each}" for each in told)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _done(result: PruneResult, again: Again) -> Iterator[str]:
    planned = result.plan
    if result.stopped is not None:
        yield _stopped(result)
    yield from _wrong(result)
    count = f"{result.gone:,}" if result.gone == planned.messages else f"{result.gone:,} of {planned.messages:,}"
    least = "at least " if result.unsettled is not None else ""
    yield f"Deleted {least}{count} messages ({format_size(result.freed)}), by another look at the server."
    if planned.gauge is not None and result.after is not None:
        yield f"Quota {_full(planned.gauge, 0)} → {_full(result.after, 0)}, says the server."
    if result.missed and planned.target is not None:
        yield f"That is not down to {planned.target.text}: what may go is not enough, or the server counts otherwise."
    if result.stopped is not None:
        yield "Next: run the same command again; it settles what was begun."
    elif result.run is not None:
        if result.gone and planned.path is not None:
            yield f"Undo: {again.command('restore', '--run', result.run)}     puts it back on the server"
        yield f"Next: {again.command('history', result.run)}     shows what was deleted"


def _wrong(result: PruneResult) -> Iterator[str]:
    shown = {folder.folder.wire: folder.folder.shown for folder in result.plan.folders}
    for wire, outcome in result.outcomes.items():
        by_reason: dict[str, list[int]] = {}
        for uid, why in outcome.left.items():
            by_reason.setdefault(why, []).append(uid)
        for why, numbers in by_reason.items():
            yield f"  {shown[wire]} {words.uids(numbers)}: {why}"
    if (folder := result.unsettled) is not None:
        uids = words.uids(list(folder.decisions.go))
        yield f"  {folder.folder.shown} {uids}: stopped while these were being deleted; not looked at again"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def as_json(result: PruneResult) -> dict[str, Any]:
    """One account: the whole plan and what came of it."""
    planned = result.plan
    return {
        "account": planned.account,
        "archive": planned.path,
        "exit": int(result.exit),
        "run": result.run,
        "now": timestamp(planned.now),
        "dry_run": planned.dry_run,
        "unattended": planned.unattended,
        "without_archive": planned.without_archive,
        "agreed": result.agreed,
        "stopped": result.stopped.what if result.stopped else None,
        "seconds": round(result.seconds, 3),
        "exported": planned.exported,
        "verified": planned.verified,
        "copies": {
            name: {"hashed_before": planned.relied[name].messages if name in planned.relied else 0}
            for name in planned.copies
        },
        "messages": planned.messages,
        "octets": planned.octets,
        "lost_for_good": planned.lost if planned.without_archive else 0,
        "deleted": result.gone,
        "freed": result.freed,
        "doubts": planned.doubts,
        "problems": planned.problems,
        "rules_without_folder": [{"rule": missing.rule, "held": missing.doubtful} for missing in planned.missing],
        "quota": {"before": _gauge_json(planned.gauge), "after": _gauge_json(result.after)},
        "folders": [_folder_json(folder, result) for folder in planned.folders],
        "left_out": [{"name": folder.name, "why": why} for folder, why in planned.left_out],
        "notes": planned.notes,
    }


def _folder_json(folder: FolderPlan, result: PruneResult) -> dict[str, Any]:
    decisions, outcome = folder.decisions, result.outcomes.get(folder.folder.wire)
    oldest, newest = folder.arrivals or (None, None)
    return {
        "name": folder.folder.name,
        "uidvalidity": folder.uidvalidity,
        "before": timestamp(folder.before) if folder.before is not None else None,
        "messages": decisions.messages,
        "delete": {
            "messages": len(decisions.go),
            "octets": folder.octets,
            "uids": words.uid_set(decisions.go),
            "oldest": timestamp(utc(oldest)) if oldest is not None else None,
            "newest": timestamp(utc(newest)) if newest is not None else None,
            "unarchived": words.uid_set(folder.unarchived),
            "sent_later": folder.sent_later,
        },
        "keep": {
            why.name.lower(): {"messages": tally.messages, "octets": tally.octets}
            for why, tally in decisions.stay.items()
            if tally.messages
        },
        "odd_dates": [{"uid": uid, "why": why.value} for uid, why in decisions.odd.items()],
        "unproven": [{"uid": uid, "why": why} for uid, why in folder.unproven.items()],
        "refused": folder.refused or None,
        "doubts": folder.doubts,
        "problem": folder.problem or None,
        "unsettled": folder is result.unsettled,
        "outcome": None
        if outcome is None
        else {
            "deleted": words.uid_set(outcome.gone),
            "vanished": words.uid_set(outcome.vanished),
            "left": [{"uid": uid, "why": why} for uid, why in outcome.left.items()],
            "problem": outcome.problem or None,
        },
    }


def _gauge_json(gauge: Gauge | None) -> dict[str, Any] | None:
    if gauge is None:
        return None
    return {"root": gauge.root, "resource": gauge.resource, "used": gauge.used, "limit": gauge.limit}
