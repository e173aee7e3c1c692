"""How accounts stand, in words, in JSON, and for Nagios and Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from mailmove.jobs.status import Attempt, Status
from mailmove.report import words
from mailmove.report.again import Again
from mailmove.report.table import Column, table
from mailmove.safe import few, visible
from mailmove.units import plural, timestamp, utc

COMMANDS = {"export": "exported", "copy": "copied", "prune": "pruned", "check": "checked"}
DAY = 86_400

_MENDS = {
    "login-refused": "account password",
    "no-secret": "account password",
    "unreachable": "account test",
    "busy": "run",
    "locked": "run",
    "damaged": "check",
    "not-agreed": "prune",
    "threshold": "audit",
}
"""What to run, by the kind of what went wrong; otherwise the command that failed."""


def together(results: Sequence[Status], agains: Sequence[Again]) -> Iterator[str]:
    """All accounts in one table, and below it what is wrong, since when, and the command that mends it."""
    rows = [_row(result) for result in results if not result.missing]
    heads = [Column("Account", cut=8), *map(Column, COMMANDS.values()), Column("quota", below=True)]
    if rows:
        yield from table(heads, rows)
    for result, again in zip(results, agains, strict=True):
        yield from (f"  {line}" for line in problems(result, again))
        yield from (f"  {line}" for line in _proven(result, again))
    need = sum(not result.well for result in results)
    if need:
        yield f"{need} of {plural(len(results), 'account')} {'needs' if need == 1 else 'need'} you."
    else:
        yield f"All is well with {plural(len(results), 'account')}."


def problems(result: Status, again: Again) -> Iterator[str]:
    """What is wrong with one account, a line each, with what mends it."""
    name = visible(result.account)
    if result.missing:
        yield f"{name}: it is not in the configuration any more, and was never removed: nothing is done for it"
        return
    if result.unusable is not None:
        yield f"{name}: {result.unusable.what}{_then(result.unusable.next_step)}"
    for command, attempt in result.failing.items():
        if attempt.since is not None:
            mend = _MENDS.get(attempt.kind, command)
            what = attempt.what.rstrip(":") or f"{command} ended with exit code {attempt.exit}"
            what = what.removeprefix(f"{name}: ")
            yield f"{name}: {what}, since {_day(attempt.since)}: {again.command(mend)}"
    for copy, number in result.pending.items():
        what = f"{plural(number, 'message')} erased here may lie in the copy {visible(copy)} still"
        yield f"{name}: {what}: {again.command('copy')}"
    if result.unusable is None and "export" not in result.attempts:
        yield f"{name}: nothing is exported yet: {again.command('export')}"


def _proven(result: Status, again: Again) -> Iterator[str]:
    """How much prune needs not hash again in the copies where that counts for a while."""
    for name, fresh in result.proven.items():
        copy = f"{visible(result.account)}: in the copy {visible(name)} {fresh.proven:,} of {fresh.held:,}"
        more = f"; the rest by {again.command('check', '--copies')}" if fresh.proven < fresh.held else ""
        yield f"{copy} are proven within {fresh.within}{more}"


def _then(next_step: str) -> str:
    return f". {next_step}" if next_step else ""


def _row(result: Status) -> list[str]:
    cells = []
    for command in COMMANDS:
        if (command == "prune" and not result.policy and command not in result.attempts) or (
            command == "copy" and command not in result.attempts
        ):
            cells.append("-")
        else:
            age = result.age(command)
            told = "never" if age is None else words.ago(timedelta(seconds=age))
            cells.append(told.upper() if command in result.failing else told)
    return [visible(result.account), *cells, _quota(result)]


def _quota(result: Status) -> str:
    gauge = result.gauge
    if gauge is None or not gauge.limit:
        return "-"
    told = words.percent(gauge.used * 100 / gauge.limit)
    if gauge.full is None:
        return told
    days = max(0, gauge.full - int(result.now.timestamp())) // DAY
    return f"{told}, full in about {plural(days, 'day')}"


def _day(seconds: int) -> str:
    return f"{utc(seconds).astimezone():%Y-%m-%d}"


def as_json(result: Status) -> dict[str, Any]:
    """One account."""
    gauge = result.gauge
    return {
        "account": result.account,
        "exit": int(result.exit),
        "well": result.well,
        "missing": result.missing,
        "archive_problem": result.unusable.what if result.unusable else None,
        "kind": result.unusable.kind if result.unusable else None,
        "messages": result.messages,
        "octets": result.octets,
        "quota": {"at": _moment(gauge.at), "used": gauge.used, "limit": gauge.limit, "full": _moment(gauge.full)}
        if gauge
        else None,
        "erasures_pending": dict(result.pending),
        "copies": {
            name: {"proven_within": fresh.within, "messages": fresh.held, "proven": fresh.proven}
            for name, fresh in result.proven.items()
        },
        **{command: _attempt(result.attempts.get(command)) for command in COMMANDS},
    }


def _attempt(attempt: Attempt | None) -> dict[str, Any] | None:
    if attempt is None:
        return None
    return {
        "at": _moment(attempt.at),
        "exit": attempt.exit,
        "last_good": _moment(attempt.good),
        "failing_since": _moment(attempt.since),
        "what": attempt.what or None,
        "kind": attempt.kind or None,
    }


def _moment(seconds: int | None) -> str | None:
    return None if seconds is None else timestamp(utc(seconds))


def nagios(results: Sequence[Status], limit: timedelta) -> tuple[int, str]:
    """The exit code and the line of a Nagios plugin: 2 where an export is older, 1 where anything else is wrong."""
    late = [
        result.account
        for result in results
        if not result.missing and ((age := result.age("export")) is None or age > limit.total_seconds())
    ]
    wrong = [result.account for result in results if not result.well and result.account not in late]
    if late:
        return 2, f"MAILMOVE CRITICAL - no export within {_span(limit)}: {_names(late)}"
    if wrong:
        return 1, f"MAILMOVE WARNING - {_names(wrong)}: see mailmove status"
    return 0, f"MAILMOVE OK - {plural(len(results), 'account')} exported within {_span(limit)}"


def _span(limit: timedelta) -> str:
    return plural(limit.days, "day")


def _names(names: Iterable[str]) -> str:
    return ", ".join(few(names)).replace("|", "_")  # the bar begins performance data


def prometheus(results: Sequence[Status]) -> bytes:
    """The text format of Prometheus, for the node exporter's textfile collector.

    :raises ImportError: without prometheus-client.
    """
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    by_command = ["account", "command"]

    def gauge(name: str, what: str, labels: Sequence[str] = ("account",)) -> Gauge:
        return Gauge(f"mailmove_{name}", what, labels, registry=registry)

    good = gauge("last_success_timestamp_seconds", "When a command last came to a good end.", by_command)
    last = gauge("last_run_timestamp_seconds", "When a command last ran.", by_command)
    failed = gauge("last_run_failed", "Whether its last run failed.", by_command)
    well = gauge("account_well", "Whether the account needs nobody.")
    messages = gauge("archive_messages", "Messages in the archive.")
    octets = gauge("archive_size_bytes", "Size of the messages in the archive.")
    used = gauge("quota_used_bytes", "What the tightest quota had used when last seen.")
    limit = gauge("quota_limit_bytes", "The limit of that quota.")
    for result in results:
        name = visible(result.account)
        well.labels(name).set(result.well)
        for command, attempt in result.attempts.items():
            last.labels(name, command).set(attempt.at)
            failed.labels(name, command).set(attempt.since is not None)
            if attempt.good is not None:
                good.labels(name, command).set(attempt.good)
        if result.messages is not None and result.octets is not None:
            messages.labels(name).set(result.messages)
            octets.labels(name).set(result.octets)
        if result.gauge is not None:
            used.labels(name).set(result.gauge.used)
            if result.gauge.limit:
                limit.labels(name).set(result.gauge.limit)
    return generate_latest(registry)
