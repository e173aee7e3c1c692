"""``mailmove run``."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from typing import Annotated

import typer

from mailmove.cli import options


@options.takes("jobs", *options.CONNECTION, "log_file", *options.OUTPUT)
def run(
    given: options.Given,
    accounts: options.Accounts = None,
    fail_above: Annotated[
        str | None, typer.Option("--fail-above", metavar="PERCENT", help="Exit 4 when any quota is fuller, as in 90%.")
    ] = None,
) -> None:
    """Do all that is due: export, copy, prune by policy, see the quota.

    One login for each account. It prunes an account only by its policy, and only once somebody has watched a prune of
    it and agreed, or answered to schedule install --prune; until then it shows the plan and ends with 8. A step
    that fails stops only what is not safe without it.
    """
    from mailmove.archive.state.audits import Audits
    from mailmove.archive.state.header_cache import HeaderCache
    from mailmove.archive.store import Archive
    from mailmove.cli import remembering, running
    from mailmove.cli.notifying import Telling
    from mailmove.cli.whose import must_be_its_own
    from mailmove.cli.work import Work
    from mailmove.errors import LoginRefused
    from mailmove.jobs.audit.run import State
    from mailmove.jobs.audit.survey import Options as AuditOptions
    from mailmove.jobs.copy.result import CopyResult, ReadBack
    from mailmove.jobs.copy.run import copy_all
    from mailmove.jobs.export.run import Options as ExportOptions
    from mailmove.jobs.progress import Progress
    from mailmove.jobs.prune.plan import Options as PruneOptions
    from mailmove.jobs.run.result import RunResult
    from mailmove.jobs.run.run import Wanted
    from mailmove.jobs.run.run import run as job
    from mailmove.plan.gauge import parse_percent
    from mailmove.report import run as report

    threshold = parse_percent(fail_above) if fail_above else None
    setup = given.setup()

    def wanted(work: Work) -> Wanted:
        account = work.account
        scope, left_out = account.folders, account.exclude
        needed = account.prune.copies if account.prune is not None else ()
        return Wanted(
            ExportOptions(include=scope, exclude=left_out),
            AuditOptions(scope=scope, left_out=left_out, quota=account.quota, quick=True, fail_above=threshold),
            None
            if account.prune is None
            else PruneOptions(
                policy=account.prune,
                scope=scope,
                left_out=left_out,
                limit=account.quota,
                unattended=True,
                by_hand=work.again.command("prune"),
            ),
            copy=copies_of(work) if account.copies else None,
            second=tuple(one for one in work.copies() if one.name in needed) if needed else (),
            trust_disk=account.trust_disk,
            own=partial(must_be_its_own, setup, account),
        )

    def copies_of(work: Work) -> Callable[[Archive], Generator[Progress, None, CopyResult]]:
        return lambda archive: copy_all(work.name, archive, work.copies(), ReadBack.ALL, work.cancel)

    def start(work: Work) -> Generator[Progress, None, RunResult]:
        login = work.account.endpoint.login
        since = remembering.in_force(setup, work.account)
        agreed = remembering.scheduled(setup, work.account, since)
        with ExitStack() as opened:
            archive, session = opened.enter_context(work.archive_and_session())
            state = State(Audits(setup.memory, login), opened.enter_context(HeaderCache(setup.memory, login)))
            result = yield from job(work.name, session, archive, state, wanted(work), agreed, since)
        for step, error in result.failed.items():
            if isinstance(error, LoginRefused):
                result.failed[step] = running.in_provider_terms(error, work.account)
        return result

    places = setup.select(accounts)
    telling = Telling(setup, whole=not accounts)
    telling.begin()
    outcomes = running.run(setup, places, running.telling(setup, report, start))
    exit_code = running.present("run", setup, outcomes, running.Told, remembered=True)
    raise typer.Exit(telling.end(outcomes, exit_code))
