"""``mailmove restore``."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from mailmove.cli import options, searching
from mailmove.cli.options import Place, Setup
from mailmove.errors import UsageError
from mailmove.safe import few


@options.takes(*options.SELECTION, *options.CONNECTION, *options.OUTPUT)
def restore(
    given: options.Given,
    ids: searching.Ids = None,
    folder: options.Include = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="What this run of prune deleted; see mailmove history.",
            autocompletion=options.run_names,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every message of the archive.")] = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ACCOUNT|URL",
            help="Into another account than the archive's own.",
            autocompletion=options.account_names,
        ),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(
            "--into",
            metavar="FOLDER",
            help="All into this one folder, each message once.",
            autocompletion=options.folder_names,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Only say what would be put where.")] = False,
    yes: options.Yes = False,
) -> None:
    """Put archived messages back on the server as they were.

    That is with their flags, keywords and the day they arrived. What the server still has is not put there twice, so a
    restore that was interrupted is simply run again. The next prune counts a message's age from its restore.
    """
    from mailmove.cli.running import present
    from mailmove.cli.running import run as carry_out
    from mailmove.cli.work import Work
    from mailmove.jobs.progress import Progress
    from mailmove.jobs.restore.result import RestoreResult
    from mailmove.jobs.restore.run import Options, Restore
    from mailmove.report import restore as report

    setup = given.setup()
    if sum(map(bool, (ids, folder, run, everything))) != 1:
        raise UsageError("restore wants to know what", "Give message IDs, or one of --folder, --run and --all.")
    source, hashes = _chosen(setup, given.account, ids) if ids else (_only(setup, given.account), frozenset())
    target = setup.select([to])[0] if to else source
    if target.account is None:
        raise UsageError("it is not known whose archive this is", "Name the account: --account, or another one: --to")
    wanted = Options(hashes, tuple(folder or ()), run, everything, into, to or "", setup.again(source).options)

    def start(work: Work) -> Generator[Progress, None, RestoreResult]:
        home = replace(work, place=source)
        with home.archive(writable=not dry_run) as opened, work.session() as session:
            job = Restore(work.name, session, opened, wanted)
            planned = job.result
            if dry_run or not (planned.total("planned") or job.unfinished):
                return planned
            if planned.total("planned") and not yes:
                planned.asked = setup.interactive
                answer = work.ask([*report.plan(planned)], report.question(planned)) if planned.asked else None
                planned.declined = not report.agrees(answer)
            return planned if planned.declined else (yield from job.run())

    raise typer.Exit(present("restore", setup, carry_out(setup, [target], start), report))


def _chosen(setup: Setup, accounts: Sequence[str] | None, ids: Sequence[str]) -> tuple[Place, frozenset[bytes]]:
    """The messages with these IDs, and the one archive that has them all."""
    from mailmove.cli.chosen import chosen

    with chosen(setup, accounts, ids) as found:
        places = [{hit.place for hit in hits} for hits in found.values()]
    together = set.intersection(*places)
    if len(together) != 1:
        names = ", ".join(few(sorted(place.name for place in set.union(*places))))
        raise UsageError(f"these messages are in the archives of {names}", "Name one archive: --account NAME")
    return together.pop(), frozenset(found)


def _only(setup: Setup, accounts: Sequence[str] | None) -> Place:
    places = setup.readable(accounts)
    if len(places) != 1:
        names = ", ".join(few(place.name for place in places))
        raise UsageError(f"there are several accounts: {names}", "Name the one whose archive is meant: --account NAME")
    return places[0]
