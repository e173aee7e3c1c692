"""Run: bring mail home, into its copies, let the server go of what the policy says, and look at the quota.

It does nothing that the commands of these names would not do, with one login and one lock of the archive.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mailmove.archive.store import Archive
from mailmove.errors import MailmoveError
from mailmove.imap.session import Session
from mailmove.jobs.audit.run import State, audit
from mailmove.jobs.audit.survey import Options as AuditOptions
from mailmove.jobs.copy.result import Target
from mailmove.jobs.export.run import Options as ExportOptions
from mailmove.jobs.export.run import export
from mailmove.jobs.progress import Progress
from mailmove.jobs.prune.copies import opened
from mailmove.jobs.prune.plan import Options as PruneOptions
from mailmove.jobs.prune.result import PruneResult
from mailmove.jobs.prune.run import carry_out, decline, must_last, plan
from mailmove.jobs.run.result import RunResult
from mailmove.plan.steps import Step, held
from mailmove.units import parse_timestamp

log = logging.getLogger(__name__)

ANSWER = "mailmove run"
"""What the journal keeps as the answer to a plan that a run carries out."""

Job = Generator[Progress, None, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What each step is asked for; ``prune`` is None without a policy, ``copy`` without copies.

    ``second``: the copies that the policy needs.
    ``trust_disk``: a disk that forgets is proof all the same.
    """

    export: ExportOptions
    audit: AuditOptions
    prune: PruneOptions | None = None
    copy: Callable[[Archive], Job] | None = None
    second: tuple[Target, ...] = ()
    trust_disk: bool = False
    own: Callable[[Archive], None] | None = None
    """Raises where what was exported is another account's."""


def run(
    account: str, session: Session, archive: Archive, state: State, wanted: Wanted, agreed: str, since: int = 0
) -> Generator[Progress, None, RunResult]:
    """Take the steps for one account; ``agreed``: by what somebody agreed to prunes that nobody watches.

    ``since``: the Unix second before which nobody could agree to this policy.

    What goes wrong is in the result, and stops only what is not safe without it.
    """
    now = datetime.now(UTC)
    result = RunResult(account, archive.path, now, agreed or attended(archive, since))
    copy, prune = wanted.copy, wanted.prune
    jobs: dict[Step, Callable[[], Job]] = {Step.EXPORT: lambda: export(account, session, archive, wanted.export)}
    if copy is not None:
        jobs[Step.COPY] = lambda: copy(archive)
    if prune is not None:
        jobs[Step.PRUNE] = lambda: _prune(result, session, archive, prune, wanted)
    jobs[Step.AUDIT] = lambda: audit(account, session, archive, state, wanted.audit, datetime.now(UTC))
    for step, job in jobs.items():
        if why := held(step, result.steps, needs_copy=bool(wanted.second)):
            result.held[step] = why
            continue
        log.info("%s", step.value)
        try:
            setattr(result, step.value, (yield from job()))
            if step is Step.EXPORT and wanted.own is not None:
                wanted.own(archive)
        except MailmoveError as error:
            result.failed[step] = error.bare()
    return result


def attended(archive: Archive, since: int = 0) -> str:
    """When somebody last watched a prune of this archive and agreed to it, in words; empty: nobody did since then."""
    runs = [run for run in archive.index.runs() if run.command == "prune" and run.summary.get("attended")]
    dates = [run.at for run in runs if parse_timestamp(run.at).timestamp() >= since]
    return f"a prune that was watched at {dates[-1]}" if dates else ""


def _prune(
    result: RunResult, session: Session, archive: Archive, options: PruneOptions, given: Wanted
) -> Generator[Progress, None, PruneResult]:
    """Carry the plan out where somebody has agreed to that, or only make it."""
    if not given.trust_disk:
        must_last(archive)
    wanted = replace(options, dry_run=not result.consent)
    now = datetime.now(UTC)
    with opened(archive, given.second, now) as seconds:
        planned = yield from plan(result.account, session, archive, wanted, now, seconds)
        if not result.consent or not planned.messages:
            return decline(planned, archive, None, asked=False)
        answer = f"{ANSWER}, after {result.consent}"
        deed = carry_out(planned, session, archive, answer, asked=False, limit=options.limit, seconds=seconds)
        return (yield from deed)
