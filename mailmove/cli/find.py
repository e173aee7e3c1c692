"""``mailmove find``."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Annotated

import typer

from mailmove.cli import options


def find(
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Words in From, To, Cc or Subject; all must be there."),
    ] = None,
    from_: Annotated[list[str] | None, typer.Option("--from", metavar="TEXT", help="Words in From.")] = None,
    to: Annotated[list[str] | None, typer.Option("--to", metavar="TEXT", help="Words in To or Cc.")] = None,
    subject: Annotated[list[str] | None, typer.Option("--subject", metavar="TEXT", help="Words in Subject.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE|AGE", help="Arrived on that day or later: 2024-12-31, 30d, 2y."),
    ] = None,
    before: Annotated[str | None, typer.Option("--before", metavar="DATE|AGE", help="Arrived before that.")] = None,
    folder: options.Include = None,
    larger_than: Annotated[
        str | None, typer.Option("--larger-than", metavar="SIZE", help="Larger than, such as 5MB.")
    ] = None,
    only_here: Annotated[
        bool, typer.Option("--only-here", help="Only what the server did not have any more at the last look.")
    ] = False,
    body: Annotated[
        bool, typer.Option("--body", help="Look for TEXT in the text of messages as well; reads the files.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="The newest N; 0: all.")] = 50,
    account: options.InAccounts = None,
    archive: options.ArchiveDir = None,
    config: options.ConfigFile = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """Find archived messages, newest first. Needs no server.

    Case and accents do not matter, and a word may stand inside a longer one. The ID that is listed is what get, show
    and restore take; its first digits are enough while they mean one message.
    """
    from mailmove.archive.search import Query, folded
    from mailmove.cli.running import Work, present, run
    from mailmove.jobs.find import FindResult, Options
    from mailmove.jobs.find import find as job
    from mailmove.jobs.progress import Progress
    from mailmove.report import find as report
    from mailmove.streams import typed
    from mailmove.units import parse_age, parse_size

    def words(given: list[str] | None) -> tuple[str, ...]:
        return tuple(folded(word) for each in given or () for word in typed(each).split())

    def moment(given: str | None) -> int | None:
        return int(parse_age(given).cutoff(datetime.now(UTC)).timestamp()) if given else None

    setup = options.setup(config, quiet=quiet, verbose=verbose, json=json, archive=archive)
    query = Query(
        words=words(text),
        from_=words(from_),
        to=words(to),
        subject=words(subject),
        since=moment(since),
        before=moment(before),
        larger=parse_size(larger_than) if larger_than else None,
        only_here=only_here,
    )
    wanted = Options(query, tuple(folder or ()), body, limit)

    def start(work: Work) -> Generator[Progress, None, FindResult]:
        with work.archive(writable=False) as opened:
            return (yield from job(work.name, opened, wanted))

    raise typer.Exit(present("find", setup, run(setup, setup.readable(account), start, login=False), report))
