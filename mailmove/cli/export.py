"""``mailmove export``."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Annotated

import typer

from mailmove.cli import options
from mailmove.errors import UsageError


@options.takes("jobs", *options.CONNECTION, "log_file", *options.OUTPUT)
def export(
    given: options.Given,
    accounts: options.Accounts = None,
    folder: options.Include = None,
    exclude: options.Exclude = None,
    archive: options.ArchiveDir = None,
    refetch: Annotated[
        bool, typer.Option("--refetch", help="Fetch messages again whose file is missing or altered.")
    ] = False,
    flags: Annotated[
        bool, typer.Option("--flags", help="Compare flags in every folder; only needed without CONDSTORE.")
    ] = False,
    take: Annotated[
        list[str] | None,
        typer.Option(
            "--take",
            metavar="FOLDER:UID",
            help="What came of this message was doubted and looked at: it is the message. May be repeated.",
        ),
    ] = None,
    new_archive: Annotated[
        bool, typer.Option("--new-archive", help="Begin a new archive though another one is remembered.")
    ] = False,
) -> None:
    """Bring every message into the local archive. Changes nothing on the server.

    Run it again at any time: only what is new is fetched, and whatever interrupted the last run, it goes on from there.
    """
    from mailmove.cli.running import Told, present, run, telling
    from mailmove.cli.whose import must_be_its_own
    from mailmove.cli.work import Work
    from mailmove.jobs.export.result import ExportResult
    from mailmove.jobs.export.run import Options
    from mailmove.jobs.export.run import export as job
    from mailmove.jobs.progress import Progress
    from mailmove.report import export as report

    setup = replace(given, archive=archive).setup(new_archive=new_archive)
    places = setup.select(accounts)
    if take and len(places) != 1:
        raise UsageError("--take means a message of one account", "Name it: mailmove export ACCOUNT --take FOLDER:UID")

    def start(work: Work) -> Generator[Progress, None, ExportResult]:
        wanted = Options(
            include=tuple(folder or work.account.folders),
            exclude=tuple(exclude or ()) + work.account.exclude,
            refetch=refetch,
            flags=flags,
            take=tuple(take or ()),
        )
        with work.archive_and_session(new=new_archive) as (opened, session):
            result = yield from job(work.name, session, opened, wanted)
            must_be_its_own(setup, work.account, opened)
            return result

    text = report.text if len(places) == 1 else report.one_of_several
    outcomes = run(setup, places, telling(setup, report, start, report.figures, text))
    remembered = not (folder or exclude)
    raise typer.Exit(present("export", setup, outcomes, Told, total=report.total, remembered=remembered))
