"""``mailmove history``."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Sequence
from typing import Annotated

import typer

from mailmove.cli import options

_RUN = re.compile(r"\d{8}-\d{6}(-\d+)?|\d+")


@options.takes("archive", *options.OUTPUT)
def history(
    given: options.Given,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ACCOUNT|DIR]... [RUN]",
            help="Archives, none: all; and a run, to see all that it did.",
            autocompletion=options.accounts_and_runs,
        ),
    ] = None,
    certificate: Annotated[
        str, typer.Option("--certificate", metavar="DIR", help="Write a certificate of this run there.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="The last N runs; 0: all.")] = 30,
) -> None:
    """Show every run, and all that a run deleted. Needs no server."""
    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.errors import UsageError
    from mailmove.jobs.history import HistoryResult
    from mailmove.jobs.history import history as job
    from mailmove.jobs.progress import Progress
    from mailmove.report import history as report

    setup = given.setup()
    accounts = setup.config.accounts
    runs = [word for word in what or () if _RUN.fullmatch(word) and not any(a.name.startswith(word) for a in accounts)]
    if len(runs) > 1:
        raise UsageError("one run at a time", "Name one of them.")
    wanted = runs[0] if runs else None
    places = setup.archives([word for word in what or () if word not in runs])
    if certificate:
        if wanted is None:
            raise UsageError("a certificate is of one run", "Name it: mailmove history RUN --certificate DIR")
        raise typer.Exit(_certify(setup, places, wanted, certificate))

    def start(work: Work) -> Generator[Progress, None, HistoryResult]:
        with work.archive(writable=False) as opened:
            return (yield from job(work.name, opened, wanted, limit))

    outcomes = run(setup, places, start, login=False)
    if any(outcome.result is not None for outcome in outcomes):  # a run is one account's; the others need not know it
        outcomes = [outcome for outcome in outcomes if not isinstance(outcome.error, UsageError)]
    raise typer.Exit(present("history", setup, outcomes, report))


def _certify(setup: options.Setup, places: Sequence[options.Place], wanted: str, directory: str) -> int:
    from dataclasses import replace

    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.errors import UsageError
    from mailmove.jobs.certificate import Certificate, certificate, write
    from mailmove.jobs.progress import Progress
    from mailmove.report import certificate as report
    from mailmove.safe import few

    def start(work: Work) -> Generator[Progress, None, Certificate]:
        with work.archive(writable=False) as opened:
            return (yield from certificate(work.name, opened, wanted))

    outcomes = run(setup, places, start, login=False)
    made = [outcome for outcome in outcomes if outcome.result is not None]
    if len(made) > 1:
        names = ", ".join(few(outcome.place.name for outcome in made))
        raise UsageError(f"{names} have a run of this name each", "Name the account as well.")
    if made and made[0].result is not None:
        files = report.files(made[0].result)
        write(directory, files)
        paths = tuple(os.path.join(os.path.abspath(os.path.expanduser(directory)), name) for name in files)
        outcomes = [replace(made[0], result=replace(made[0].result, files=paths))]
    return present("history", setup, outcomes, report)
