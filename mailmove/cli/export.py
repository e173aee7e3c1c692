"""``mailmove export``."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Annotated

import typer

from mailmove.cli import options


def export(
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
    new_archive: Annotated[
        bool, typer.Option("--new-archive", help="Begin a new archive though another one is remembered.")
    ] = False,
    jobs: options.Jobs = 1,
    config: options.ConfigFile = None,
    tls: options.Tls = None,
    ca_file: options.CaFile = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """Bring every message into the local archive. Changes nothing on the server.

    Run it again at any time: only what is new is fetched, and whatever interrupted the last run, it goes on from there.
    """
    from mailmove.archive.store import Archive
    from mailmove.cancel import Cancel
    from mailmove.cli.running import conclude, run
    from mailmove.config import Account
    from mailmove.jobs.export import Options
    from mailmove.jobs.export import export as job
    from mailmove.jobs.progress import Progress
    from mailmove.jobs.results import ExportResult
    from mailmove.model import Secret
    from mailmove.report import export as report
    from mailmove.report.json import document
    from mailmove.server.session import Session

    setup = options.setup(
        config, quiet=quiet, verbose=verbose, json=json, jobs=jobs, tls=tls, ca_file=ca_file, archive=archive
    )

    def start(account: Account, secret: Secret, cancel: Cancel) -> Generator[Progress, None, ExportResult]:
        wanted = Options(
            include=tuple(folder or account.folders),
            exclude=tuple(exclude or ()) + account.exclude,
            refetch=refetch,
            flags=flags,
        )
        login = account.endpoint.login
        with (
            Archive.for_login(login, account.archive, setup.memory, writable=True, new=new_archive) as opened,
            Session(account.endpoint, secret, cancel) as session,
        ):
            return (yield from job(account.name, session, opened, wanted))

    outcomes = run(setup, setup.select(accounts), start)
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    exit_code = conclude(outcomes, lambda result: result.exit)
    if json:
        failed = [
            {"account": o.account.name, "exit": int(o.exit(lambda r: r.exit)), "error": str(o.error)}
            for o in outcomes
            if o.error
        ]
        print(document("export", exit_code, accounts=[*map(report.as_json, results), *failed]))
    else:
        for result in results:
            if not quiet:
                print("\n".join(report.text(result)))
            elif result.exit:
                print("\n".join(report.problems(result)), file=sys.stderr)
    raise typer.Exit(exit_code)
