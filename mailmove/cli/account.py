"""``mailmove account``: which accounts there are, and whether they work."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated

import typer

from mailmove.cli import options

app = typer.Typer(help="List accounts and test their logins.", no_args_is_help=True)


@app.command("list")
def list_accounts(
    accounts: options.Accounts = None,
    config: options.ConfigFile = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """List accounts, their archives and last exports.

    No server is asked.
    """
    from mailmove.cli.looking import look
    from mailmove.cli.running import present
    from mailmove.report import overview as report

    setup = options.setup(config, quiet=quiet, verbose=verbose, json=json)
    raise typer.Exit(present("account list", setup, look(setup, setup.select(accounts)), report))


@app.command("test")
def test_accounts(
    accounts: options.Accounts = None,
    unattended: Annotated[
        bool,
        typer.Option("--unattended", help="Test as cron will run it, and print the line for the crontab."),
    ] = False,
    jobs: options.Jobs = 1,
    config: options.ConfigFile = None,
    tls: options.Tls = None,
    ca_file: options.CaFile = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """Log in and show server, folders, quota and what the server can. Changes nothing."""
    from mailmove.cli.running import Work, present, run
    from mailmove.jobs.login_test import LoginTest, login_test
    from mailmove.jobs.progress import Progress
    from mailmove.report import login_test as report

    if unattended:
        from mailmove.cli import unattended as cron

        common = cron.options(accounts, config=config, tls=tls, ca_file=ca_file)
        raise typer.Exit(cron.test(common, jobs=jobs, json=json, quiet=quiet, verbose=verbose))
    setup = options.setup(config, quiet=quiet, verbose=verbose, json=json, jobs=jobs, tls=tls, ca_file=ca_file)

    def start(work: Work) -> Generator[Progress, None, LoginTest]:
        with work.session() as session:
            return (yield from login_test(work.name, session))

    raise typer.Exit(present("account test", setup, run(setup, setup.select(accounts), start), report))
