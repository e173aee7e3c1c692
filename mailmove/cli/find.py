"""``mailmove find``."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated

import typer

from mailmove.cli import options, searching


@options.takes(*options.SELECTION, *options.OUTPUT)
def find(
    given: options.Given,
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Words in From, To, Cc or Subject; all must be there."),
    ] = None,
    from_: searching.From = None,
    to: searching.To = None,
    subject: searching.Subject = None,
    since: searching.Since = None,
    before: searching.Before = None,
    folder: options.Include = None,
    larger_than: searching.LargerThan = None,
    only_here: searching.OnlyHere = False,
    body: Annotated[
        bool, typer.Option("--body", help="Look for TEXT in the text of messages as well; reads the files.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="The newest N; 0: all.")] = 50,
) -> None:
    """Find archived messages, newest first. Needs no server.

    Case and accents do not matter, and a word may stand inside a longer one. The ID that is listed is what get, show
    and restore take; its first digits are enough while they mean one message.
    """
    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.jobs.find import FindResult, Options, keep_newest
    from mailmove.jobs.find import find as job
    from mailmove.jobs.progress import Progress
    from mailmove.report import find as report

    setup = given.setup()
    query = searching.query(text, from_, to, subject, since, before, larger_than, only_here)
    wanted = Options(query, tuple(folder or ()), body, limit)

    def start(work: Work) -> Generator[Progress, None, FindResult]:
        with work.archive(writable=False) as opened:
            return (yield from job(work.name, opened, wanted))

    outcomes = run(setup, setup.readable(given.account), start, login=False)
    if limit:
        keep_newest([outcome.result for outcome in outcomes if outcome.result is not None], limit)
    raise typer.Exit(present("find", setup, outcomes, report))
