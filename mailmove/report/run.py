"""What a run came to, step by step, in words and in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mailmove.errors import MailmoveError
from mailmove.jobs.audit.result import AuditResult
from mailmove.jobs.export.result import ExportResult
from mailmove.jobs.prune.result import PruneResult
from mailmove.jobs.run.result import RunResult
from mailmove.plan.steps import Came, Step
from mailmove.report import audit, copy, export, prune, words
from mailmove.report.again import ALL, Again
from mailmove.safe import visible
from mailmove.units import format_size, plural, timestamp

_AUDIT = audit.Report()


def text(result: RunResult, again: Again = ALL) -> Iterator[str]:
    """A line for each step, then what needs somebody."""
    yield visible(result.account)
    if result.export is not None and not result.export.exit:
        yield f"  exported  {_exported(result.export)}"
    if result.copy is not None and not result.copy.exit:
        yield from (f"  copied    {line}" for line in copy.lines(result.copy))
    if result.prune is not None and not result.unagreed and not result.prune.exit:
        yield f"  pruned    {_pruned(result.prune, again)}"
    if result.audit is not None:
        yield f"  quota     {full(result.audit)}"
    yield from _steps(result, again, quiet=False)


def problems(result: RunResult, again: Again = ALL) -> Iterator[str]:
    """What went wrong, by step, what was not done for it, and a plan that nobody has agreed to."""
    yield from _steps(result, again, quiet=True)


def _steps(result: RunResult, again: Again, *, quiet: bool) -> Iterator[str]:
    if result.export is not None and result.export.exit:
        yield from export.problems(result.export, again)
    if result.copy is not None and result.copy.exit:
        yield from copy.problems(result.copy, again)
    if result.prune is not None and result.unagreed:
        yield from _unagreed(result.prune, again)
    elif result.prune is not None and result.prune.exit:
        yield from prune.problems(result.prune, again)
    if result.audit is not None and result.audit.exit:
        yield from _AUDIT.problems(result.audit, again)
    for step, error in result.failed.items():
        yield f"{visible(result.account)}: {step.value}: {error}"
    for step, why in result.held.items():
        yield f"{visible(result.account)}: no {step.value}, because {why}"
    if not quiet and result.exit:
        yield f"Next: {again.command('run')}     goes on from here"


def _unagreed(result: PruneResult, again: Again) -> Iterator[str]:
    yield from prune.plan(result.plan, again)
    account = visible(result.plan.account)
    yield f"{account}: nothing was deleted: nobody has agreed yet that its policy is followed"
    yield f"  Watch it once: {again.command('prune')}     from then on a run prunes by itself"


def came(result: RunResult) -> dict[str, Came]:
    """What each step that was taken came to."""
    told: dict[Step, Callable[[Any], Iterator[str]]] = {
        Step.COPY: copy.problems,
        Step.PRUNE: prune.problems,
        Step.AUDIT: _AUDIT.problems,
    }
    noted: dict[str, Came] = {}
    for step, code in result.steps.items():
        error, outcome = result.failed.get(step), getattr(result, step.value)
        if error is not None:
            noted[step.value] = Came(code, error.what, error.kind)
        elif isinstance(outcome, ExportResult):
            noted.update(export.came(outcome))
        elif step is Step.PRUNE and result.unagreed:
            noted[step.value] = Came(code, "nobody has agreed yet that its policy is followed", "not-agreed")
        else:
            what = next(iter(told[step](outcome)), "") if code and step in told else ""
            noted[step.value] = Came(code, what, code.name.lower() if code else "", _gauge(outcome))
    return noted


def _gauge(outcome: object) -> tuple[int, int | None, int | None] | None:
    if not isinstance(outcome, AuditResult):
        return None
    tightest, seen = outcome.quota.tightest, outcome.forecast
    return tightest.used, tightest.limit, int(seen.full.timestamp()) if seen is not None and seen.full else None


def full(result: AuditResult) -> str:
    """``61 %, full in about 200 days``."""
    gauge, seen = result.quota.tightest, result.forecast
    told = words.percent(gauge.percent) if gauge.percent is not None else f"{format_size(gauge.used)}, no limit known"
    if seen is None or seen.full is None or not gauge.limit:
        return told
    return f"{told}, full in about {plural(max(0, (seen.full - result.at).days), 'day')}"


def _exported(result: ExportResult) -> str:
    new = result.total("fetched") + result.total("linked")
    took = f"{new:,} new ({format_size(result.total('octets'))})" if new else "nothing new"
    return f"{took}; all {plural(result.total('archived'), 'message')} are in {words.path(result.path)}"


def _pruned(result: PruneResult, again: Again) -> str:
    if not result.gone:
        return "nothing to delete"
    undo = f". Undo: {again.command('restore', '--run', result.run)}" if result.run else ""
    return f"{plural(result.gone, 'message')} ({format_size(result.freed)}) deleted{undo}"


def as_json(result: RunResult) -> dict[str, Any]:
    """One account: each step as the command of its name tells it."""
    parts: dict[Step, dict[str, Any]] = {}
    if result.export is not None:
        parts[Step.EXPORT] = export.as_json(result.export)
    if result.copy is not None:
        parts[Step.COPY] = copy.as_json(result.copy)
    if result.prune is not None:
        parts[Step.PRUNE] = prune.as_json(result.prune)
    if result.audit is not None:
        parts[Step.AUDIT] = _AUDIT.as_json(result.audit)
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "at": timestamp(result.at),
        "agreed_by": result.consent or None,
        "steps": {step.value: _step(step, result, parts) for step in Step},
    }


def _step(step: Step, result: RunResult, parts: dict[Step, dict[str, Any]]) -> dict[str, Any] | None:
    if step in result.failed:
        return _error(result.failed[step])
    if step in result.held:
        return {"exit": None, "held": result.held[step]}
    return {**parts[step], "exit": int(result.steps[step])} if step in parts else None


def _error(error: MailmoveError) -> dict[str, Any]:
    return {"exit": int(error.exit), "error": str(error), "kind": error.kind}
