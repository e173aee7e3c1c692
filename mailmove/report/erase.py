"""What is to be erased, or was, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailmove.jobs.erase import EraseResult
from mailmove.mail import fields
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.find import day
from mailmove.report.table import Column, table
from mailmove.safe import visible
from mailmove.units import format_size, plural, short_id

_PLACES = {"archive": "in the archive", "aside": "set aside", "doubted": "doubted"}


def plan(result: EraseResult, _: Again = ALL) -> Iterator[str]:
    """What would be erased, each message of it, where it is, and what of it stays."""
    yield f"To erase from the archive of {visible(result.account)}, for ever:"
    rows = [
        (
            short_id(found.sha256),
            day(found.arrival, found.date),
            fields.sender(found.from_).shown,
            fields.shown(found.subject),
            format_size(found.octets),
        )
        for found in result.messages
    ]
    columns = [Column(), Column(), Column(cut=8), Column(cut=8), Column(figures=True)]
    yield from table(columns, rows, indent=2)
    places = [f"{plural(number, 'file')} {_PLACES[place]}" for place, number in sorted(result.files.items())]
    yield f"{plural(result.copies, 'message')}, counting exact copies: {', '.join(places) or 'no file'}."
    if result.on_server:
        yield f"The server still has {result.on_server:,} and keeps what it has; export fetches none of that again."
    yield "What stays in the journal, for ever: folder, UID, date, size, flags and SHA-256; which tells a message that"
    yield "can be guessed. Copies of this archive that you made yourself are yours to erase."
    if result.seconds:
        yield f"It goes from {', '.join(map(visible, result.seconds))} as well: now, or with the next mailmove copy."
    if result.remembered:
        yield f"Of {plural(result.remembered, 'message')} that only a lost index knew, header fields stay there too."


def question(result: EraseResult) -> str:
    """What is asked after it."""
    return f"Type {result.copies} to erase, Enter to keep everything: "


def agrees(result: EraseResult, answer: str | None) -> bool:
    """Whether this answer is a yes."""
    return (answer or "").strip().replace(",", "") == str(result.copies)


def text(result: EraseResult, again: Again = ALL) -> Iterator[str]:
    """What became of it, and what is next."""
    if result.finished:
        yield f"{plural(result.finished, 'message')}: an erasure that was begun before is ended now."
    if not result.done:
        yield from _pending(result, again)
    if result.done:
        yield f"{plural(result.copies, 'message')} of {visible(result.account)} erased from"
        yield f"  {words.path(result.path)}"
        if followed := [visible(name) for name in result.seconds if name not in result.pending]:
            yield f"and from {', '.join(followed)}."
        if result.on_server:
            yield f"The server still has {result.on_server:,}."
        yield from _pending(result, again)
        yield f"Next: {again.command('check')}"
    elif result.copies:
        yield from plan(result, again)
        if result.declined:
            yield from problems(result, again)
    elif not result.finished:
        yield f"Nothing of that is in the archive of {visible(result.account)}."


def _pending(result: EraseResult, again: Again) -> Iterator[str]:
    for name, why in result.pending.items():
        yield f"PENDING  the copy {visible(name)}: {visible(why, 300)}"
        yield f"  what was erased may lie there still; the next one erases it there: {again.command('copy')}"


def problems(result: EraseResult, again: Again = ALL) -> Iterator[str]:
    """That nobody agreed, or that a copy could not be reached."""
    if not result.declined:
        yield from _pending(result, again)
    if result.declined:
        yield "Nothing was erased. To do so where nobody can answer: --yes"


def as_json(result: EraseResult) -> dict[str, Any]:
    """One archive."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "erased": result.done,
        "run": result.run or None,
        "reason": result.reason or None,
        "messages": result.copies,
        "ids": [found.sha256.hex() for found in result.messages],
        "files": result.files,
        "on_server": result.on_server,
        "finished": result.finished,
        "copies": result.seconds,
        "pending": result.pending,
    }
