"""What a search found, as a table and in JSON."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import islice, tee
from typing import TYPE_CHECKING, Any

from mailmove.jobs.find import FindResult, Hit
from mailmove.mail import fields
from mailmove.model import Found, folder_text
from mailmove.report.again import ALL, Again
from mailmove.report.table import Column, streamed
from mailmove.safe import few, visible
from mailmove.units import format_size, plural, short_id, timestamp, utc

if TYPE_CHECKING:
    from mailmove.jobs.context import Context

_WIDEST = 300  # characters of what stands around a match


def text(result: FindResult, again: Again = ALL) -> Iterator[str]:
    """How many there are, a table of them, newest first, and what to do with one."""
    yield _head(visible(result.account), [result])
    first = yield from _table((result, hit) for hit in result.messages)
    yield from problems(result, again)
    yield from _next(first, again)


def together(
    results: Sequence[FindResult], hits: Iterator[tuple[FindResult, Hit]], again: Again = ALL
) -> Iterator[str]:
    """What several archives have, as one list."""
    holding = sum(result.found > 0 for result in results)
    yield _head(f"{holding:,} of {plural(len(results), 'archive')}", results)
    first = yield from _table(hits, accounts=True)
    for result in results:
        yield from (f"{visible(result.account)}: {line}" for line in problems(result, again))
    yield from _next(first, again)


def _next(message: Found | None, again: Again) -> Iterator[str]:
    if message:
        yield f"Next: {again.command('show', short_id(message.sha256))}     get, restore work alike"


def _head(where: str, results: Sequence[FindResult]) -> str:
    found, copies = sum(result.found for result in results), sum(result.copies for result in results)
    if copies != found:
        where += f" ({copies:,} with exact copies)"
    limit = max(result.limit for result in results)
    if not found:
        return f"{where}: nothing found."
    more = f", the newest {limit:,} (--limit 0: all):" if 0 < limit < found else ""
    return f"{where}: {plural(found, 'message')} found{more}"


def problems(result: FindResult, again: Again = ALL) -> Iterator[str]:
    """Messages that could not be looked into."""
    yield from (f"Note: {visible(note)}" for note in result.notes)
    if result.unread:
        yield f"PROBLEM: {plural(len(result.unread), 'message')} could not be read and may hold the words as well:"
        for what in few(result.unread):
            yield f"  {what}"
        yield f"Next: {again.command('check')}"
    if result.partly:
        yield "Not looked through to the end:"
        yield from (f"  {visible(what)}" for what in few(result.partly))


def as_json(result: FindResult) -> dict[str, Any]:
    """One account."""
    return {
        "account": result.account,
        "exit": int(result.exit),
        "found": result.found,
        "found_copies": result.copies,
        "searched_all": True,
        "messages": [
            _message(hit.found) | {"match": list(hit.places)} | _context(hit.context) for hit in result.messages
        ],
        "unread": result.unread,
        "partly_read": result.partly,
        "notes": result.notes,
    }


def folders(message: Found) -> list[str]:
    """The folders of a message's copies, each once, safe for a terminal."""
    return list(dict.fromkeys(visible(folder_text(copy.folder)) for copy in message.copies))


def day(arrival: int, date: bytes | None, how: str = "%Y-%m-%d") -> str:
    """When a message arrived, in local time; where the server told none, when it says it was sent."""
    moment = arrival or fields.sent(date)
    return utc(moment).astimezone().strftime(how) if moment else "-"


def _table(hits: Iterator[tuple[FindResult, Hit]], *, accounts: bool = False) -> Generator[str, None, Found | None]:
    """The messages, of which the first is returned."""
    account = [Column("account", cut=8)] if accounts else []
    texts = (Column("from", cut=8), Column("subject", cut=24), Column("folder", cut=8, spare=3))
    columns = [
        Column("ID"),
        Column("arrived"),
        *account,
        *texts,
        Column("size", figures=True, spare=1),
        Column(spare=2),
    ]
    rows, messages = tee(hits)
    lines = streamed(columns, (_row(result, hit.found, accounts=accounts) for result, hit in rows))
    first = None
    yield from islice(lines, 1)  # the heads
    for line, (_, hit) in zip(lines, messages, strict=True):
        first = first or hit.found
        yield line
        if hit.context:
            yield f"    {_one_line(hit.context.before + hit.context.after)}"
    return first


def _row(result: FindResult, message: Found, *, accounts: bool) -> list[str]:
    return [
        short_id(message.sha256),
        day(message.arrival, message.date),
        *([visible(result.account)] if accounts else []),
        _who(message, result.login),
        fields.shown(message.subject),
        ", ".join(folders(message)),
        format_size(message.octets),
        "on the server" if message.on_server else "only here",
    ]


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()), _WIDEST)


def _context(around: Context | None) -> dict[str, Any]:
    return {"context": f"{around.before}{around.after}"} if around else {}


def _who(message: Found, login: str) -> str:
    """The other one: who wrote it, or, where the account's owner did, to whom."""
    sender = fields.sender(message.from_)
    if sender.address and login.lower().startswith(sender.address + "@"):
        return f"to {fields.sender(message.to).shown}"
    return sender.shown


def _message(message: Found) -> dict[str, Any]:
    return {
        "id": short_id(message.sha256),
        "sha256": message.sha256.hex(),
        "arrived": timestamp(utc(message.arrival)) if message.arrival else None,
        "date": fields.text(message.date) or None,
        "from": fields.text(message.from_),
        "to": fields.text(message.to),
        "subject": fields.text(message.subject),
        "message_id": fields.text(message.message_id) or None,
        "octets": message.octets,
        "on_server": message.on_server,
        "copies": [
            {
                "folder": folder_text(copy.folder),
                "uidvalidity": copy.uidvalidity,
                "uid": copy.uid,
                "on_server": copy.on_server,
            }
            for copy in message.copies
        ],
    }
