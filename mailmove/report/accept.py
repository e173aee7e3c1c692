"""What is accepted to be missing, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailmove.jobs.accept import AcceptResult
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.check import named, problem_json
from mailmove.safe import visible
from mailmove.units import plural


def plan(result: AcceptResult, again: Again = ALL) -> Iterator[str]:
    """What would be accepted, named, and what that means."""
    yield f"{visible(result.account)}   {words.path(result.path)}"
    yield from named(result.missing)
    if there := sum(problem.on_server for problem in result.missing):
        yield f"  {there:,} of them on the server still: {again.command('export', '--refetch')} would fetch what it has"
    yield "Check is quiet about them then. It proves nothing: prune goes on keeping what it cannot read and hash."


def question(result: AcceptResult) -> str:
    """What is asked after it."""
    return f"Accept that {plural(len(result.missing), 'message')} {_verb(result)} missing? [y/N] "


def agrees(answer: str | None) -> bool:
    """Whether this answer is a yes."""
    return (answer or "").strip().lower() in {"y", "yes"}


def text(result: AcceptResult, again: Again = ALL) -> Iterator[str]:
    """What became of it, and what is next."""
    if not result.missing:
        more = f" but what is accepted ({result.before:,})" if result.before else ""
        yield f"Nothing is missing in the archive of {visible(result.account)}{more}."
    elif result.done:
        yield f"{plural(len(result.missing), 'message')} accepted as missing: {visible(result.reason, 200)}"
        yield f"Next: {again.command('check')}"
    else:
        yield from problems(result, again)


def problems(result: AcceptResult, again: Again = ALL) -> Iterator[str]:
    """That nobody agreed."""
    if result.declined:
        yield from plan(result, again)
        yield "Nothing was accepted. To do so where nobody can answer: --yes"


def as_json(result: AcceptResult) -> dict[str, Any]:
    """One archive."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "accepted": result.done,
        "before": result.before,
        "reason": result.reason or None,
        "missing": list(map(problem_json, result.missing)),
    }


def _verb(result: AcceptResult) -> str:
    return "is" if len(result.missing) == 1 else "are"
