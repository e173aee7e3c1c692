"""What an export came to, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mailmove.errors import Exit
from mailmove.jobs.export.result import ExportResult, Failure
from mailmove.plan.steps import Came
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.safe import visible
from mailmove.units import format_size, plural


def text(result: ExportResult, again: Again = ALL) -> Iterator[str]:
    """The verdict, then what it rests on, then the next step."""
    account = visible(result.account)
    listed, archived = result.total("listed"), result.total("archived")
    if result.failures or result.stopped:
        yield from problems(result, again)
        yield f"{plural(archived, 'message')} that the server lists are safe in"
        yield f"  {words.path(result.path)}"
        if not result.stopped:
            yield "Next: run the same command again; what is safe is not fetched twice."
        return
    fetched, linked, vanished = result.total("fetched"), result.total("linked"), result.total("vanished")
    folders = plural(len(result.folders), "folder")
    yield f"All {plural(archived, 'message')} in {folders} of {account} are in"
    yield f"  {words.path(result.path)}"
    if vanished:
        yield f"{plural(vanished, 'message')} vanished from the server before they could be fetched."
    if fetched or linked:
        took = f"{fetched:,} new ({format_size(result.total('octets'))})"
        if linked:
            took += f", {linked:,} known already and linked"
        yield f"{took}, each saved, hashed and compared with a second look. {words.duration(result.seconds)}."
    elif listed:
        yield "Nothing new since the last export."
    if result.arrived:
        yield f"{plural(result.arrived, 'message')} arrived meanwhile: the next export takes them."
    yield from notes(result)
    yield "Nothing changed on the server."
    if fetched:
        yield f"Next: {again.command('find', 'invoice')}     reads one back"


def one_of_several(result: ExportResult, again: Again = ALL) -> Iterator[str]:
    """The same in a line, unless something is to be said of it."""
    if result.failures or result.stopped:
        yield from text(result, again)
        return
    new = result.total("fetched") + result.total("linked")
    came = f"{new:,} new ({format_size(result.total('octets'))})" if new else "nothing new"
    yield f"{visible(result.account)}: all {plural(result.total('archived'), 'message')} archived, {came}"
    yield from notes(result)


def problems(result: ExportResult, again: Again = ALL) -> Iterator[str]:
    """Everything that is not in the archive, named."""
    account = visible(result.account)
    if result.stopped:
        what = "interrupted" if result.stopped.exit is Exit.INTERRUPTED else str(result.stopped)
        yield f"{account}: the export stopped early: {what}"
    else:
        yield f"{account}: NOT everything on the server is in the archive:"
    for folder, numbers, why in grouped(result.failures):
        yield f"  {folder} {words.uids(numbers)}: {why}" if numbers else f"  {folder}: {why}"
    doubted = next((f"{failure.folder}:{failure.uid}" for failure in result.failures if failure.doubted), None)
    if doubted is not None:
        yield f"  What came instead: {again.command('show', doubted)}"
        yield f"  If that is the message: {again.command('export', '--take', doubted)}"
    yield from notes(result)


def came(result: ExportResult) -> dict[str, Came]:
    """What it came to; that a folder is numbered anew is news."""
    what = next(iter(problems(result)), "") if result.exit else ""
    kind = result.exit.name.lower() if result.exit else ""
    news = tuple(f"{one.folder.shown}: {one.renumbered}" for one in result.folders if one.renumbered)
    return {"export": Came(result.exit, what, kind, news=news)}


def figures(result: ExportResult) -> dict[str, int]:
    """What several accounts add up to."""
    new = result.total("fetched") + result.total("linked")
    return {
        "whole": not (result.failures or result.stopped),
        "archived": result.total("archived"),
        "new": new,
        "octets": result.total("octets"),
    }


def total(several: Sequence[Mapping[str, int]], accounts: int) -> Iterator[str]:
    """All accounts together, those included of which nothing is told here."""
    archived, new, octets, whole = (sum(one[key] for one in several) for key in ("archived", "new", "octets", "whole"))
    yield f"Together {plural(archived, 'message')}, {new:,} of them new ({format_size(octets)})."
    yield f"{whole:,} of {accounts:,} accounts are all in their archives. Nothing changed on the server."


def notes(result: ExportResult) -> Iterator[str]:
    """What is worth a word though nothing is wrong."""
    for note in result.notes:
        yield f"Note: {note}."
    for folder in result.folders:
        for note in folder.notes:
            yield f"Note: {folder.folder.shown} {note}."
    for left, why in result.left_out:
        if why not in ("excluded", "not chosen"):
            yield f"Note: {left.shown} is left out: {why}."


def grouped(failures: Iterable[Failure]) -> Iterator[tuple[str, list[int], str]]:
    """Failures of the same folder for the same reason together; no UIDs where it concerns the folder."""
    groups: dict[tuple[str, str, bool], list[int]] = {}
    for failure in failures:
        groups.setdefault((failure.folder, failure.why, bool(failure.uid)), []).append(failure.uid)
    for (folder, why, with_uids), numbers in groups.items():
        yield folder, numbers if with_uids else [], why


def as_json(result: ExportResult) -> dict[str, Any]:
    """One account."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "stopped": result.stopped.what if result.stopped else None,
        "seconds": round(result.seconds, 3),
        "arrived_meanwhile": result.arrived,
        "compared": result.compared,
        "folders": [
            {
                "name": folder.folder.name,
                "listed": folder.listed,
                "archived": folder.archived,
                "fetched": folder.fetched,
                "linked": folder.linked,
                "accepted": folder.accepted,
                "erased": folder.erased,
                "vanished": folder.vanished,
                "octets": folder.octets,
                "failures": [{"uid": f.uid or None, "why": f.why, "doubted": f.doubted} for f in folder.failures],
                "notes": folder.notes,
            }
            for folder in result.folders
        ],
        "left_out": [{"name": folder.name, "why": why} for folder, why in result.left_out],
        "unread": list(result.unread),
        "notes": result.notes,
    }
