"""``mailmove status``."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mailmove.cli import options
from mailmove.cli.options import Place, Setup
from mailmove.cli.terminal import tell
from mailmove.errors import ArchiveError, LackingError, MailmoveError, UsageError, most_serious

if TYPE_CHECKING:
    from mailmove.jobs.status import Status

UNKNOWN = 3
"""How a Nagios plugin says that it cannot tell."""


@options.takes(*options.OUTPUT)
def status(
    given: options.Given,
    accounts: options.Accounts = None,
    fail_if_older: Annotated[
        str | None,
        typer.Option("--fail-if-older", metavar="AGE", help="Be a Nagios plugin: 2 when an export is older, as in 2d."),
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", metavar="FILE", help="Write metrics for the node exporter to FILE.")
    ] = None,
) -> None:
    """Show how each account stands, what is wrong and what mends it.

    Asks no server. Accounts that were there before and are missing from the configuration are named as well.
    """
    try:
        limit = _limit(fail_if_older) if fail_if_older else None
        setup = given.setup()
        found = look(setup, accounts)
        if prometheus:
            _write(os.path.expanduser(prometheus), [result for result, _ in found])
    except MailmoveError as error:
        if fail_if_older is None:
            raise
        print(f"MAILMOVE UNKNOWN - {error.what}".replace("|", "_"))
        raise typer.Exit(UNKNOWN) from None
    raise typer.Exit(_tell(setup, found, limit))


def look(setup: Setup, names: Sequence[str] | None) -> list[tuple[Status, Place | None]]:
    """How each account stands, and without names those that are missing too.

    :raises ArchiveError: when what was noted of one cannot be read.
    """
    from mailmove.archive.state import standing
    from mailmove.cli.running import run
    from mailmove.cli.work import Work
    from mailmove.jobs.progress import Progress
    from mailmove.jobs.status import Status
    from mailmove.jobs.status import status as job

    now = datetime.now(UTC)
    noted = standing.every(setup.memory)

    def start(work: Work) -> Generator[Progress, None, Status]:
        account = work.account
        known = standing.read(setup.memory, account.endpoint.login)
        with ExitStack() as opened:
            archive = None
            try:
                archive = opened.enter_context(work.archive(writable=False)) if work.has_archive else None
            except ArchiveError as error:
                return (yield from job(work.name, error.bare(), known, now, policy=account.prune is not None))
            copies = work.copies() if account.copies else ()
            return (yield from job(work.name, archive, known, now, policy=account.prune is not None, copies=copies))

    places = setup.select(names) if names or setup.config.accounts else []
    found: list[tuple[Status, Place | None]] = []
    for outcome in run(setup, places, start, login=False):
        if outcome.error is not None:
            raise outcome.error
        if outcome.result is not None:
            found.append((outcome.result, outcome.place))
    here = {account.endpoint.login for account in setup.config.accounts}
    config = os.path.abspath(setup.config.path)
    gone = [one for one in noted if not names and one.config == config and one.login not in here]
    return found + [(Status(one.name, now, one.attempts, one.gauge, missing=True), None) for one in gone]


def _limit(text: str) -> timedelta:
    from mailmove.units import parse_age

    age = parse_age(text)
    if age.on is not None:
        raise UsageError(f"{text!r} is a day, not an age", "Write it as in 2d.")
    now = datetime.now(UTC)
    return now - age.cutoff(now)


def _tell(setup: Setup, found: Sequence[tuple[Status, Place | None]], limit: timedelta | None) -> int:
    from mailmove.report import status as report
    from mailmove.report.json import document

    results = [result for result, _ in found]
    exit_code = most_serious(result.exit for result in results)
    if setup.json:
        print(document("status", exit_code, accounts=[*map(report.as_json, results)]))
    if limit is not None:
        code, line = report.nagios(results, limit)
        if not setup.json:
            print(line)
        return code
    agains = [setup.again(place) for _, place in found]
    if setup.quiet and not setup.json:
        for result, again in zip(results, agains, strict=True):
            tell(report.problems(result, again))
    elif not setup.json and not results:
        print(f"There is no account yet.\n{options.NO_ACCOUNT}")
    elif not setup.json:
        tell(report.together(results, agains))
    return exit_code


def _write(path: str, results: Sequence[Status]) -> None:
    from mailmove.archive.files.durable import explained
    from mailmove.replacing import replace_file
    from mailmove.report import status as report

    try:
        text = report.prometheus(results)
    except ImportError:
        raise LackingError(
            "--prometheus needs prometheus-client", "Install it: pip install 'mailmove[metrics]'"
        ) from None
    with explained(f"writing {path}"):
        replace_file(path, text, 0o644)
