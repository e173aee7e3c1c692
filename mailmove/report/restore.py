"""What a restore has to do, and what it came to, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailmove.errors import Exit
from mailmove.jobs.restore.result import NotRestored, PutBack, RestoreResult
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.table import Column, table
from mailmove.safe import visible
from mailmove.units import format_size, plural


def text(result: RestoreResult, again: Again = ALL) -> Iterator[str]:
    """The plan, or the verdict and what it rests on, then the next step."""
    if not result.carried_out:
        if not result.asked:
            yield from plan(result)
        if result.declined:
            yield "Nothing was put back."
        return
    if result.failures or result.stopped:
        yield from problems(result, again)
        return
    restored, there = result.total("restored"), result.total("there")
    if not restored:
        yield _nothing(result)
    else:
        octets = format_size(result.total("octets"))
        account = visible(result.account)
        yield f"{plural(restored, 'message')} ({octets}) put back into {account}. {words.duration(result.seconds)}."
        yield from _folders(result, "restored")
        yield "A second look at the server finds each of them" + (f", and {there:,} that it had." if there else ".")
        if back := result.total("read_back"):
            yield f"{plural(back, 'message')} read back, octet for octet what was sent."
    yield from notes(result)


def plan(result: RestoreResult) -> Iterator[str]:
    """What goes where, before it does."""
    planned, there = result.total("planned"), result.total("there")
    account = visible(result.account)
    if planned:
        yield f"To put back into {account}: {plural(planned, 'message')}, {format_size(result.total('planned_octets'))}"
        yield from _folders(result, "planned")
        if there:
            yield f"Already there: {plural(there, 'message')}."
    elif all(failure.there for failure in result.failures):
        yield _nothing(result)
    for folder, message, count, why in _grouped([failure for failure in result.failures if not failure.there]):
        yield f"NOT to be put back: {folder} {message or plural(count, 'message')}: {why}"
    yield from _changed(result)
    yield from notes(result)


def question(result: RestoreResult) -> str:
    """What is asked before it is carried out."""
    return f"Put {plural(result.total('planned'), 'message')} back? [y/N] "


def agrees(answer: str | None) -> bool:
    """Whether an answer is yes."""
    return answer is not None and answer.strip().lower() in ("y", "yes")


def problems(result: RestoreResult, _again: Again = ALL) -> Iterator[str]:
    """Everything that is not back as it was, named."""
    account = visible(result.account)
    if not result.carried_out:
        if result.total("planned"):
            yield f"{account}: nothing was put back: nobody was asked. With --yes it goes ahead."
        else:
            yield _nothing(result)
        yield from _changed(result)
        return
    if result.stopped:
        what = "interrupted" if result.stopped.exit is Exit.INTERRUPTED else str(result.stopped)
        yield f"{account}: the restore stopped early: {what}"
    else:
        yield f"{account}: NOT everything is back:"
    for folder, message, count, why in _grouped(result.failures):
        yield f"  {folder} {message or plural(count, 'message')}: {why}"
    yield from _renamed(result)
    yield from notes(result)
    yield f"{plural(result.total('restored'), 'message')} put back, {result.total('there'):,} there already."
    if result.stopped:
        yield "Next: run the same command again; nothing is put there twice."


def notes(result: RestoreResult) -> Iterator[str]:
    """What is worth a word though nothing is wrong."""
    for note in result.notes:
        yield f"Note: {note}."
    for folder in result.folders:
        if folder.other_date:
            yield f"Note: {folder.folder.shown} does not keep the arrival of {plural(folder.other_date, 'message')}."
        if folder.other_flags:
            yield f"Note: {folder.folder.shown} does not keep all flags of {plural(folder.other_flags, 'message')}."


def as_json(result: RestoreResult) -> dict[str, Any]:
    """One account."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "carried_out": result.carried_out,
        "stopped": result.stopped.what if result.stopped else None,
        "seconds": round(result.seconds, 3),
        "folders": [
            {
                "name": folder.folder.name,
                "from": [source.name for source in folder.sources],
                "new": folder.new,
                "there": folder.there,
                "planned": folder.planned,
                "planned_octets": folder.planned_octets,
                "restored": folder.restored,
                "octets": folder.octets,
                "other_date": folder.other_date,
                "other_flags": folder.other_flags,
                "read_back": folder.read_back,
                "failures": [
                    {"message": f.message, "count": f.count, "why": f.why, "there": f.there} for f in folder.failures
                ],
            }
            for folder in result.folders
        ],
        "unread": list(result.unread),
        "notes": result.notes,
    }


def _renamed(result: RestoreResult) -> Iterator[str]:
    """What to type where a server refused to make a folder: perhaps it does not take the name."""
    refused = [folder for folder in result.folders if folder.other_name]
    if refused:
        yield "Under another name:"
    for folder in refused:
        for source in folder.sources:
            to = ("--to", result.to) if result.to else ()
            words = ("--folder", source.name, "--into", folder.other_name, *to, *result.home)
            yield f"  {ALL.command('restore', *words)}"


def _changed(result: RestoreResult) -> Iterator[str]:
    """What is on the server and not as it was sent."""
    for folder, message, _, why in _grouped([failure for failure in result.failures if failure.there]):
        yield f"NOT as it was: {folder} {message}: {why}"


def _nothing(result: RestoreResult) -> str:
    there = result.total("there")
    return (
        f"Nothing to do: {visible(result.account)} has {'all ' if there > 1 else ''}{plural(there, 'message')} already."
    )


def _folders(result: RestoreResult, what: str) -> Iterator[str]:
    folders = [folder for folder in result.folders if getattr(folder, what)]
    rows = [(folder.folder.shown, f"{getattr(folder, what):,}", _origin(folder)) for folder in folders]
    yield from table([Column(cut=8), Column(figures=True), Column(below=True)], rows, indent=2)


def _origin(folder: PutBack) -> str:
    """Where its messages come from, when that is not a folder of the same name; and whether it is new."""
    others = [source.shown for source in folder.sources if source.wire != folder.folder.wire]
    said = ([f"from {', '.join(others)}"] if others else []) + (["new folder"] if folder.new else [])
    return f"({'; '.join(said)})" if said else ""


def _grouped(failures: list[NotRestored]) -> Iterator[tuple[str, str, int, str]]:
    """Failures of the same folder for the same reason together; the first few messages are named."""
    groups: dict[tuple[str, str], list[NotRestored]] = {}
    for failure in failures:
        groups.setdefault((failure.folder, failure.why), []).append(failure)
    for (folder, why), some in groups.items():
        named = [failure.message for failure in some if failure.message]
        more = f" and {len(named) - 10:,} more" if len(named) > 10 else ""
        yield folder, ", ".join(named[:10]) + more, sum(failure.count for failure in some), why
