"""``mailmove audit``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from mailmove.cli import options


@options.takes("archive", "jobs", *options.CONNECTION, "log_file", *options.OUTPUT)
def audit(
    given: options.Given,
    accounts: options.Accounts = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the quota and the sizes of folders.")] = False,
    folder: options.Include = None,
    exclude: options.Exclude = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="WHAT", help="The largest groups as well: sender, list or year.")
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, max=10_000, metavar="N", help="So many folders and groups, and biggest messages."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Only what pruning by this age would free.")
    ] = None,
    age_by: Annotated[
        str | None, typer.Option("--age-by", metavar="DATE", help="Which date tells the age: arrival, or sent.")
    ] = None,
    fail_above: Annotated[
        str | None, typer.Option("--fail-above", metavar="PERCENT", help="Exit 4 when any quota is fuller, as in 90%.")
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write it as one page to keep or to mail as well.")
    ] = None,
    exact: Annotated[bool, typer.Option("--bytes", help="Sizes in octets.")] = False,
) -> None:
    """See where the quota goes, when it is full, what pruning frees. Changes nothing.

    Several accounts come in one table, the one that fills up first at the top; name one to see all of it.
    """
    from mailmove.archive.state.audits import Audits
    from mailmove.archive.state.header_cache import HeaderCache
    from mailmove.cli.auditing import must_be_writable, write
    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.errors import ArchiveError, Exit, UsageError
    from mailmove.jobs.audit.result import AuditResult
    from mailmove.jobs.audit.run import State
    from mailmove.jobs.audit.run import audit as job
    from mailmove.jobs.audit.survey import AGES, Options
    from mailmove.jobs.progress import Progress
    from mailmove.plan.gauge import parse_percent
    from mailmove.plan.groups import By, parse_by
    from mailmove.plan.policy import Policy, parse_age_by
    from mailmove.report.audit import Report
    from mailmove.units import parse_age

    if quick and (by or top or older_than or age_by or html):
        raise UsageError("--quick looks at no messages", "Leave out --by, --top, --older-than, --age-by and --html.")
    chosen = (parse_by(by),) if by else ()
    if html is not None:
        must_be_writable(html)
        chosen = tuple(dict.fromkeys((*chosen, By.SENDER, By.LIST)))
    asked = Options(
        include=tuple(folder or ()),
        exclude=tuple(exclude or ()),
        quick=quick,
        by=chosen,
        top=top or (10 if html else None),
        ages=(parse_age(older_than),) if older_than else AGES,
        age_by=parse_age_by(age_by) if age_by else None,
        fail_above=parse_percent(fail_above) if fail_above else None,
    )
    setup = given.setup()
    narrowed = [word for name in asked.include for word in ("--folder", name)]
    narrowed += [word for name in asked.exclude for word in ("--exclude", name)]
    now = datetime.now(UTC)

    def start(work: Work) -> Generator[Progress, None, AuditResult]:
        account, memory = work.account, setup.memory
        wanted = replace(
            asked,
            again=(*setup.again(work.place).words, *narrowed),
            scope=account.folders,
            left_out=account.exclude,
            policy=account.prune or Policy(),
            quota=account.quota,
        )
        unusable = ""
        with ExitStack() as opened:
            held = None
            try:
                if not quick and work.has_archive:
                    held = opened.enter_context(work.archive(writable=False))
            except ArchiveError as error:
                unusable = str(error)
            login = account.endpoint.login
            state = State(Audits(memory, login), opened.enter_context(HeaderCache(memory, login)))
            session = opened.enter_context(work.session())
            result = yield from job(work.name, session, held, state, wanted, now)
        if unusable:
            result.problems.append(unusable)
            result.trouble = Exit.ARCHIVE
        return result

    outcomes = run(setup, setup.select(accounts), start)
    if html is not None:
        write(html, setup, outcomes, now)
        if not setup.json:  # what was asked for is told, and the rest is on the page
            for outcome in outcomes:
                if outcome.result is not None:
                    outcome.result.tops = outcome.result.tops[: 1 if by else 0]
                    outcome.result.biggest = outcome.result.biggest if top else ()
                    outcome.result.limit = top
    report = Report(exact=exact)
    raise typer.Exit(present("audit", setup, outcomes, report, together=None if accounts else report.together))
