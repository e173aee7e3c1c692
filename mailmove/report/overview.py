"""Accounts and their archives as this machine knows them, in words and in JSON; and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from mailmove.jobs.overview import LastExport, Overview
from mailmove.model import Security
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.table import Column, table
from mailmove.safe import visible
from mailmove.units import format_size, plural, timestamp

PROTECTION = {Security.TLS: "TLS", Security.STARTTLS: "STARTTLS", Security.NONE: "not encrypted"}

_LATELY = timedelta(days=1)


def text(result: Overview, _: Again = ALL) -> Iterator[str]:
    """One account: where it is, where its archive is, what that holds and since when."""
    account, endpoint = result.configured, result.configured.endpoint
    yield visible(account.name)
    yield f"  server    {visible(endpoint.host)}:{endpoint.port}, {PROTECTION[endpoint.security]}"
    if endpoint.user != account.name:
        yield f"  user      {visible(endpoint.user)}"
    yield f"  archive   {words.path(account.archive)}"
    yield f"            {_holds(result)}"


def together(results: Iterable[Overview], again: Again = ALL) -> Iterator[str]:
    """Several accounts, one line each."""
    rows = []
    for result in results:
        holds = ("-", "-") if result.messages is None else (f"{result.messages:,}", format_size(result.octets or 0))
        last = "no archive yet" if result.messages is None else _exported(result.last)
        rows.append((visible(result.name), visible(result.configured.endpoint.host), *holds, last))
    figures = (Column("messages", figures=True), Column("size", figures=True))
    last_export = Column("last export", below=True)
    yield from table([Column("Account", cut=8), Column("server", cut=8), *figures, last_export], rows)
    yield f"Next: {again.command('account list', 'ACCOUNT')}     tells one in full"


def problems(_: Overview, __: Again = ALL) -> Iterable[str]:
    """None: an archive that cannot be read is an error."""
    return ()


def as_json(result: Overview) -> dict[str, Any]:
    """One account."""
    account, last = result.configured, result.last
    return {
        "account": account.name,
        "exit": int(result.exit),
        "server": {"host": account.endpoint.host, "port": account.endpoint.port},
        "user": account.endpoint.user,
        "security": account.endpoint.security.value,
        "archive": account.archive,
        "messages": result.messages,
        "octets": result.octets,
        "last_export": {"at": timestamp(last.at), "exit": int(last.exit)} if last else None,
    }


def next_step(results: Iterable[Overview]) -> Iterator[str]:
    """A line for each account, then the command to run next."""
    lasts = []
    for result in results:
        yield f"{visible(result.name)}: {_holds(result)}"
        lasts.append(result.last)
    if any(last is None or last.exit for last in lasts):
        yield "Next: mailmove export     bring every message home"
    elif any(last and datetime.now(UTC) - last.at > _LATELY for last in lasts):
        yield "Next: mailmove export     bring home what is new"
    elif lasts:  # otherwise no archive could be read, and the errors say what is next
        yield "Next: mailmove audit     shows how full it is, and what a prune would free"


def without_account(results: Iterable[Overview]) -> Iterator[str]:
    """Archives whose account nobody has set up here, and what can be done with them."""
    for result in results:
        yield f"  {words.path(result.name)}"
        yield f"    {_holds(result)}"
    yield "Without an account it can be read and proved:"
    yield "  mailmove find WORDS     then show, get with the ID that it lists"
    yield "  mailmove check"
    yield "To export, prune and restore again, with the archive that is there:"
    yield "  mailmove account add"


def _holds(result: Overview) -> str:
    if result.messages is None or result.octets is None:
        return "no archive yet"
    held = f"{plural(result.messages, 'message')} ({format_size(result.octets)})"
    return f"{held}, {'last export ' if result.last else ''}{_exported(result.last)}"


def _exported(last: LastExport | None) -> str:
    if last is None:
        return "no export has come to its end yet"
    incomplete = "" if not last.exit else f", incomplete (exit {int(last.exit)})"
    return f"{words.ago(last.ago)}{incomplete}"
