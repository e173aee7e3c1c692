"""What was done, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailmove.errors import Exit
from mailmove.evidence import How
from mailmove.jobs.history import Deed, Entry, HistoryResult
from mailmove.mail import fields
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.find import day
from mailmove.report.table import Column, table
from mailmove.safe import visible
from mailmove.units import plural, short_id, timestamp, utc

_EXITS = {
    Exit.DONE: "",
    Exit.PARTIAL: "partial",
    Exit.REFUSED: "something was refused",
    Exit.UNREACHABLE: "the server was lost",
    Exit.INTERRUPTED: "interrupted",
    None: "stopped in the middle",
}


def text(result: HistoryResult, again: Again = ALL) -> Iterator[str]:
    """One line for each run, or all about the one that was asked for."""
    yield f"{visible(result.account)}   {words.path(result.path)}"
    if not result.entries:
        yield f"Nothing was done yet. Next: {again.command('export')}"
        return
    columns = (*(Column() for _ in range(3)), Column(below=True), Column())
    runs = [_run(entry) for entry in result.entries]
    if not result.detailed:
        yield from table(columns, runs, indent=2)
    for entry, run in zip(result.entries if result.detailed else (), runs, strict=False):
        yield from table(columns, [run], indent=2)
        if entry.copies:
            yield f"    each re-hashed in its copies, too: {', '.join(_copies(entry))}"
        for deed in entry.deeds:
            yield from _deed(deed)
    if result.detailed:
        back = again.command("restore", "--run", str(result.entries[0].id))
        yield f"Next: {back}     puts it back on the server"
    elif any(entry.id for entry in result.entries):
        one = again.command("history", "RUN")
        yield f"Next: {one}     all that a run deleted; RUN is the number at the end of its line"


def _copies(entry: Entry) -> Iterator[str]:
    for name, how in zip(entry.copies, entry.hows, strict=True):
        yield visible(name) if how == How.REHASHED.value else f"{visible(name)} (some before that run, {visible(how)})"


def problems(_: HistoryResult, __: Again = ALL) -> Iterator[str]:
    """Nothing can be wrong with history."""
    yield from ()


def _run(entry: Entry) -> tuple[str, ...]:
    """When, what, with which result, how it ended, and its number."""
    deleted = entry.summary.get("deleted", sum(len(deed.gone) for deed in entry.deeds))
    told = {
        "export": f"{entry.summary.get('fetched', 0) + entry.summary.get('linked', 0):,} new",
        "prune": f"{deleted:,} deleted on the server",
    }.get(entry.command, ", ".join(f"{number:,} {name}" for name, number in entry.summary.items()))
    how = _EXITS.get(entry.exit, f"exit {entry.exit}")
    if entry.command == "prune" and entry.exit is Exit.REFUSED and entry.id is None:
        how = "declined or refused"
    return f"{entry.at[:16].replace('T', ' ')} UTC", entry.command, told, how, entry.id or ""


def _deed(deed: Deed) -> Iterator[str]:
    proof = "each re-hashed in the archive right before" if deed.proof == "sha256" else "without proof"
    yield f"    {deed.folder.shown} (UIDVALIDITY {deed.uidvalidity}): {plural(len(deed.uids), 'message')}, {proof}"
    yield f"      answer: {visible(deed.answer)}"
    if deed.unarchived:
        yield f"      in no archive, lost for good: {words.uids(deed.unarchived)}"
    if deed.done is None:
        yield f"      begun at {deed.begun}, and not known to be done: {words.uids(deed.uids)}"
    if deed.gone:
        yield f"      gone from the server: {words.uids(deed.gone)}"
    if deed.left:
        yield f"      still there: {words.uids(deed.left)}"
    rows = [
        (str(uid), day(found.arrival, found.date), fields.sender(found.from_).shown, fields.shown(found.subject))
        for uid, found in deed.messages
        if uid in deed.gone or deed.done is None
    ]
    if rows:
        heads = (Column("UID", figures=True), Column("arrived"), Column("from", cut=8), Column("subject", cut=8))
        yield from table(heads, rows, indent=6)


def as_json(result: HistoryResult) -> dict[str, Any]:
    """One archive."""
    return {
        "account": result.account,
        "archive": result.path,
        "runs": [
            {
                "id": entry.id,
                "command": entry.command,
                "at": entry.at,
                "exit": None if entry.exit is None else int(entry.exit),
                "summary": entry.summary,
                "copies": list(entry.copies),
                "copies_how": list(entry.hows),
                "deletions": [_deed_json(deed) for deed in entry.deeds],
            }
            for entry in result.entries
        ],
    }


def _deed_json(deed: Deed) -> dict[str, Any]:
    known = deed.done is not None
    return {
        "folder": deed.folder.name,
        "uidvalidity": deed.uidvalidity,
        "begun": deed.begun,
        "proof": deed.proof,
        "answer": deed.answer,
        "uids": words.uid_set(deed.uids),
        "unarchived": words.uid_set(deed.unarchived),
        "done": deed.done,
        "gone": words.uid_set(deed.gone) if known else None,
        "left": words.uid_set(deed.left) if known else None,
        "messages": [
            {
                "uid": uid,
                "id": short_id(found.sha256),
                "arrived": timestamp(utc(found.arrival)) if found.arrival else None,
                "from": fields.text(found.from_),
                "subject": fields.text(found.subject),
            }
            for uid, found in deed.messages
        ],
    }
