"""What a search found, as a table and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailmove.jobs.find import FindResult
from mailmove.mail import fields
from mailmove.model import Found, folder_text
from mailmove.report.again import ALL, Again
from mailmove.report.table import Column, table
from mailmove.safe import few, visible
from mailmove.units import format_size, plural, short_id, timestamp, utc

_WIDEST = 300  # characters of what stands around a match


def text(result: FindResult, again: Again = ALL) -> Iterator[str]:
    """How many there are, a table of them, newest first, and what to do with one."""
    account, shown = visible(result.account), len(result.messages)
    if result.copies != result.found:
        account += f" ({result.copies:,} with exact copies)"
    if not result.found:
        yield f"{account}: nothing found."
    elif not shown:
        yield f"{account}: {plural(result.found, 'message')} found, all of them older than those shown of others"
    elif shown < result.found:
        yield f"{account}: {plural(result.found, 'message')} found, the newest {shown:,}:"
    else:
        yield f"{account}: {plural(shown, 'message')} found"
    yield from _table(result)
    if shown < result.found:
        yield "For more of them: --limit 0"
    yield from problems(result, again)
    if result.messages:
        yield f"Next: {again.command('show', short_id(result.messages[0].sha256))}     get, restore work alike"


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
            _message(message) | {"match": result.where.get(message.sha256, [])} | _context(result, message)
            for message in result.messages
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


def _table(result: FindResult) -> Iterator[str]:
    rows = [
        (
            short_id(message.sha256),
            day(message.arrival, message.date),
            _who(message, result.login),
            fields.shown(message.subject),
            ", ".join(folders(message)),
            format_size(message.octets),
            "on the server" if message.on_server else "only here",
        )
        for message in result.messages
    ]
    if rows:
        columns = [Column("ID"), Column("arrived"), *(Column(head, cut=True) for head in ("from", "subject", "folder"))]
        head, *lines = table([*columns, Column("size", figures=True), Column()], rows)
        yield head
        for line, message in zip(lines, result.messages, strict=True):
            yield line
            if around := result.contexts.get(message.sha256):
                yield f"    {_one_line(around.before + around.after)}"


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()), _WIDEST)


def _context(result: FindResult, message: Found) -> dict[str, Any]:
    around = result.contexts.get(message.sha256)
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
