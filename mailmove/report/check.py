"""What a check found, in words and in JSON."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

from mailmove.jobs.check import CheckResult, Problem, Some
from mailmove.jobs.copy.result import Second
from mailmove.jobs.seal import Verdict
from mailmove.mail import fields
from mailmove.plan.copying import in_places
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.table import Column, table
from mailmove.safe import few, visible
from mailmove.units import format_size, plural, uid_sets, utc

NAMED = 20
"""So many problems are named one by one; more are told as UIDs."""


def text(result: CheckResult, again: Again = ALL) -> Iterator[str]:
    """The verdict, what is wrong and its remedy, what exists only here, what is worth a word."""
    yield from problems(result, again)
    yield from _places(result, again)
    for note in _notes(result):
        yield f"Note: {note}."
    yield from _last_word(result, again)


def problems(result: CheckResult, again: Again = ALL) -> Iterator[str]:
    """The verdict, and every message whose file is not what was archived, with what to do."""
    yield from _verdict(result)
    if result.sealed is not None:
        yield from _seal(result.sealed)
    for doubt in result.doubts:
        yield f"UNSEEN   {doubt}"
    remedies = (
        (True, f"still on the server: {again.command('export', '--refetch')}"),
        (
            False,
            f"no longer on the server: {again.command('copy', '--mend')} takes it from a copy"
            if result.copies
            else "no longer on the server: put the file back from a copy of the archive",
        ),
    )
    for on_server, remedy in remedies:
        some = [problem for problem in result.problems if problem.on_server is on_server]
        yield from named(some)
        if some:
            yield f"  {remedy}"
    for path in few(result.damaged):
        yield f"ALTERED  {path}: it has no record, and is not what its name says"
    if result.damaged:
        yield "  the next export moves it aside, and fetches what the server still has"
    yield from _copy_problems(result, again)


def _seal(sealed: Verdict) -> Iterator[str]:
    """Whether the record is what was sealed, and what became of the messages."""
    records, later = plural(sealed.size, "record"), sealed.recorded - sealed.size
    if sealed.as_sealed:
        told = [f"{sealed.bad:,} of its messages missing or altered"] * bool(sealed.bad)
        told += [f"{sealed.accepted:,} accepted"] * bool(sealed.accepted)
        told += [f"{sealed.erased:,} erased by record"] * bool(sealed.erased) + [f"{later:,} came later"] * (later > 0)
        yield f"SEAL     yes: all {records} are what was sealed{''.join(f'; {each}' for each in told)}"
        return
    if not sealed.gaps:
        have = f"; there are only {sealed.recorded:,}" if later < 0 else ""
        yield f"SEAL     NO: these are not the {records} that were sealed{have}. Is the number as it was written down?"
        yield "  the seal's file can tell what was changed: mailmove check --seal FILE"
        return
    lost = sum(gap.last - gap.first + 1 for gap in sealed.gaps)
    yield f"SEAL     NO: of {records} that were sealed, {lost:,} are not in the journal as they were:"
    for gap in sealed.gaps[:NAMED]:
        numbers = f"{gap.first:,}" if gap.first == gap.last else f"{gap.first:,} to {gap.last:,}"
        beside = [f", {word} {one}" for word, one in (("after", gap.after), ("before", gap.before)) if one]
        yield f"LOST     number {numbers}{''.join(beside)}"
    if len(sealed.gaps) > NAMED:
        yield f"  and {len(sealed.gaps) - NAMED:,} gaps more"
    yield "  put the message files and the journal back from a copy of the archive"


def _seal_json(sealed: Verdict) -> dict[str, Any]:
    return {
        "number": sealed.number,
        "as_sealed": sealed.as_sealed,
        "size": sealed.size,
        "recorded": sealed.recorded,
        "problems": sealed.bad,
        "accepted": sealed.accepted,
        "erased": sealed.erased,
        "lost": [
            {"first": gap.first, "last": gap.last, "after": gap.after or None, "before": gap.before or None}
            for gap in sealed.gaps
        ],
    }


def as_json(result: CheckResult) -> dict[str, Any]:
    """One archive."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "stopped": result.stopped.what if result.stopped else None,
        "quick": result.quick,
        "compared": result.compared,
        "seconds": round(result.seconds, 3),
        "messages": result.messages,
        "octets": result.octets,
        "checked": result.checked,
        "seal": _seal_json(result.sealed) if result.sealed is not None else None,
        "problems": list(map(problem_json, result.problems)),
        "accepted": list(map(problem_json, result.accepted)),
        "erased": result.erased,
        "returned": result.returned,
        "moved": [{"folder": moved.folder, "uid": moved.uid, "path": moved.path} for moved in result.moved],
        "unrecorded": result.unrecorded,
        "damaged": result.damaged,
        "foreign": result.foreign,
        "only_here": list(map(_some_json, result.only_here)),
        "not_archived": list(map(_some_json, result.not_archived)) if result.compared else None,
        "copies": [
            {
                "name": copy.name or None,
                "place": copy.place,
                "id": copy.copy,
                "at": copy.at,
                "messages": copy.messages,
                "erasures_pending": result.pending.get(copy.copy, 0),
            }
            for copy in result.copies
        ],
        "copies_proven": [
            {
                "name": second.target.name or None,
                "place": second.target.path,
                "good": second.good,
                "behind": second.behind,
                "accepted": second.accepted,
                "error": second.failed.what if second.failed else None,
                "faults": [{"folder": fault.folder, "uid": fault.uid, "why": fault.why} for fault in second.faults],
            }
            for second in result.proven
        ],
        "doubts": result.doubts,
        "left_out": [{"name": folder.name, "why": why} for folder, why in result.left_out],
        "notes": result.notes,
    }


def problem_json(problem: Problem) -> dict[str, Any]:
    """One message."""
    return {
        "folder": problem.folder,
        "uid": problem.uid,
        "problem": "missing" if problem.missing else "altered",
        "why": problem.why,
        "on_server": problem.on_server,
        "subject": fields.text(problem.subject),
    }


def _verdict(result: CheckResult) -> Iterator[str]:
    missing = sum(problem.missing for problem in result.problems)
    altered = len(result.problems) - missing
    good = result.checked - len(result.problems) - len(result.accepted)
    what = "Listed" if result.quick else "Re-hashed"
    size = "" if result.quick else f", {format_size(result.octets)}"
    if result.stopped:
        yield f"Interrupted: {plural(result.checked, 'message')} of {result.messages:,} checked, {good:,} good."
    elif not result.problems:
        state = "none is missing" if result.quick else "all are what was archived"
        if result.accepted:
            state = f"{good:,} {'there' if result.quick else 'good'}, {len(result.accepted):,} accepted"
        yield f"{what} {plural(result.messages, 'message')}{size}: {state}. {words.duration(result.seconds)}."
    else:
        counts = ", ".join(
            f"{number:,} {state}"
            for number, state in (
                (good, "there" if result.quick else "good"),
                (altered, "altered"),
                (missing, "missing"),
                (len(result.accepted), "accepted"),
            )
            if number
        )
        yield f"{what} {plural(result.messages, 'message')}{size}: {counts}. {words.duration(result.seconds)}."
    yield f"  {words.path(result.path)}"
    if result.erased:
        yield f"{result.erased:,} erased, by record."


def named(some: Sequence[Problem]) -> Iterator[str]:
    """Messages one by one; of many, their UIDs by folder."""
    if len(some) <= NAMED:
        for problem in some:
            day = f"  {utc(problem.arrival):%Y-%m-%d}" if problem.arrival else ""
            subject = f' "{fields.shown(problem.subject, 50)}"' if problem.subject else ""
            why = f": {problem.why}" if problem.why else ""
            yield f"{_word(problem)}  {visible(problem.folder)} UID {problem.uid}{day}{subject}{why}"
        return
    for (word, folder), group in itertools.groupby(some, lambda problem: (_word(problem), problem.folder)):
        numbers = [problem.uid for problem in group]
        yield f"{word}  {visible(folder)} {plural(len(numbers), 'message')}: {words.uids(numbers)}"


def _word(problem: Problem) -> str:
    return "MISSING" if problem.missing else "ALTERED"


def _places(result: CheckResult, again: Again) -> Iterator[str]:
    """Where messages are: only here, only there."""
    number = sum(len(some.uids) for some in result.only_here)
    if number:
        seen = "" if result.compared else ", as of the last export"
        if result.copies:
            yield f"{number:,} {'is' if number == 1 else 'are'} not on the server any more{seen}."
        else:
            verb = "exists" if number == 1 else "exist"
            yield f"{number:,} {verb} only here{seen}: keep a second copy of this directory."
    elif result.compared and not result.problems and not result.accepted:
        yield "Every message here is on the server, too."
    yield from _copies(result, again)
    if result.compared:
        yield from _table(result.only_here)
        number = sum(len(some.uids) for some in result.not_archived)
        if number:
            yield f"{plural(number, 'message')} on the server not in the archive yet: {again.command('export')}"
            yield from _table(result.not_archived)
        elif not result.doubts:
            yield f"Everything {'that is exported' if result.left_out else 'on the server'} is in the archive."


def _copies(result: CheckResult, again: Again) -> Iterator[str]:
    """In how many places messages lie, as of the last copy to each; and what proving them again came to."""
    held = [copy.messages for copy in result.copies]
    for places, number in in_places(result.messages, held) if held else ():
        verb = "lies" if number == 1 else "lie"
        yield f"{plural(number, 'message')} {verb} {f'in {places} places' if places > 1 else 'only in this archive'}."
    for copy in result.copies:
        named = f"{visible(copy.name)} ({words.path(copy.place)})" if copy.name else words.path(copy.place)
        pending = result.pending.get(copy.copy, 0)
        still = f"; {pending:,} erased here may lie there still: {again.command('copy')}" if pending else ""
        yield f"  {named}  {copy.messages:,} on {copy.at[:10]}{still}"
    for second in result.proven:
        behind = f", {second.behind:,} not copied yet" if second.behind else ""
        behind += f", {second.accepted:,} accepted as missing" if second.accepted else ""
        state = f"{second.good:,} re-hashed and good{behind}" if second.failed is None else "not proven"
        yield f"Copy {_target(second)}: {state}."


def _target(second: Second) -> str:
    return visible(second.target.name) if second.target.name else words.path(second.target.path)


def _copy_problems(result: CheckResult, again: Again) -> Iterator[str]:
    for second in result.proven:
        if second.failed is not None:
            yield f"COPY {_target(second)}: {second.failed}"
        for fault in second.faults[:NAMED]:
            yield f"COPY {_target(second)}  {fault.folder} UID {fault.uid}: {fault.why}"
        if len(second.faults) > NAMED:
            yield f"COPY {_target(second)}: {len(second.faults) - NAMED:,} more"
        if second.faults:
            yield f"  mended from the archive, or the archive from it: {again.command('copy', '--mend')}"


def _table(rows: Sequence[Some]) -> Iterator[str]:
    columns = [Column(cut=8), Column(figures=True), Column(figures=True), Column(below=True)]
    cells = [(visible(row.folder), f"{len(row.uids):,}", _size(row), visible(words.uids(row.uids), 60)) for row in rows]
    yield from table(columns, cells, indent=2)


def _size(some: Some) -> str:
    return format_size(some.octets) if some.octets else ""


def _notes(result: CheckResult) -> Iterator[str]:
    yield from result.notes
    for folder, why in result.left_out:
        if why not in ("excluded", "not chosen"):
            yield f"{folder.shown} is left out: {why}"
    if result.moved:
        verb = "is" if len(result.moved) == 1 else "are"
        yield f"{plural(len(result.moved), 'message')} {verb} whole, but not where mailmove put them: " + ", ".join(
            few(f"{moved.folder} UID {moved.uid} in {os.path.dirname(moved.path)}" for moved in result.moved)
        )
    if result.returned:
        files = plural(len(result.returned), "file")
        yield f"{files} of erased messages were put back ({', '.join(few(result.returned))}): mailmove erase --finish"
    if result.unrecorded:
        yield f"{plural(len(result.unrecorded), 'message file')} not recorded yet; the next export records them"
    if result.foreign:
        names = dict.fromkeys(os.path.basename(path) for path in result.foreign)
        yield f"{plural(len(result.foreign), 'foreign file')} ignored ({', '.join(few(names))})"


def _last_word(result: CheckResult, again: Again) -> Iterator[str]:
    number = len(result.problems) + len(result.damaged)
    if number:
        verb, them = ("needs", "it") if number == 1 else ("need", "them")
        yield f"PROBLEM: {plural(number, 'message')} {verb} you. Prune will not touch {them}."
    elif result.stopped:
        yield "Next: run the same command again."
    elif result.quick:
        yield f"Next: {again.command('check')}     re-hashes every file"
    elif not result.compared:
        yield f"Next: {again.command('check', '--server')}     compares with what the server holds now"


def _some_json(some: Some) -> dict[str, Any]:
    return {"folder": some.folder, "messages": len(some.uids), "uids": ",".join(uid_sets(some.uids))}
