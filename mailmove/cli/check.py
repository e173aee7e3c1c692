"""``mailmove check``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated

import typer

from mailmove.cli import options
from mailmove.errors import UsageError


@options.takes("archive", "jobs", *options.CONNECTION, "log_file", *options.OUTPUT)
def check(
    given: options.Given,
    archives: options.Archives = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only list the files; hash none.")] = False,
    server: Annotated[bool, typer.Option("--server", help="Compare with what the server holds now.")] = False,
    copies: Annotated[
        bool, typer.Option("--copies", help="Prove the copies that the configuration names as well.")
    ] = False,
    seal: Annotated[
        str, typer.Option("--seal", metavar="FILE|NUMBER", help="Hold this seal against the archive as well.")
    ] = "",
) -> None:
    """Prove that every archived message is still there unaltered. Changes nothing.

    Every file is read and hashed again. What is missing or altered is named, and the exit code is 7.
    """
    from mailmove.cli.running import Told, present, run, telling
    from mailmove.cli.work import Work
    from mailmove.jobs.check import CheckResult, Options
    from mailmove.jobs.check import check as job
    from mailmove.jobs.progress import Progress
    from mailmove.jobs.seal import read
    from mailmove.report import check as report

    setup = given.setup()
    places = setup.archives(archives)
    if seal and len(places) > 1:
        raise UsageError("a seal is of one archive", "Name the one that is meant.")
    sealed = read(seal) if seal else None

    def start(work: Work) -> Generator[Progress, None, CheckResult]:
        wanted = Options(quick, copies=work.copies() if copies else (), seal=sealed)
        if server:
            wanted = replace(wanted, include=tuple(work.account.folders), exclude=tuple(work.account.exclude))
        with work.archive(writable=False) as opened, work.session() if server else nullcontext() as session:
            return (yield from job(work.name, opened, session, work.cancel, wanted))

    outcomes = run(setup, places, telling(setup, report, start), login=server)
    raise typer.Exit(present("check", setup, outcomes, Told, remembered=not quick))
