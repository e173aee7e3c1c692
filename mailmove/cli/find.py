"""``mailmove find``."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Annotated

import typer

from mailmove.cli import options, searching


@options.takes(*options.SELECTION, *options.OUTPUT)
def find(
    given: options.Given,
    text: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARCHIVE] [TEXT]...",
            help="Words, phrases, operators such as from:anna; all must be there. A path of an archive: look there.",
        ),
    ] = None,
    from_: searching.From = None,
    to: searching.To = None,
    subject: searching.Subject = None,
    since: searching.Since = None,
    before: searching.Before = None,
    folder: options.Include = None,
    larger_than: searching.LargerThan = None,
    only_here: searching.OnlyHere = False,
    in_: searching.In = None,
    without: searching.Not = None,
    context: Annotated[bool, typer.Option("--context", help="What stands around the words, below each line.")] = False,
    body: Annotated[  # noqa: ARG001 - what it asked for is always done now
        bool, typer.Option("--body", help="No longer needed: text is always looked into.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="The newest N; 0: all.")] = 50,
) -> None:
    """Find archived messages, newest first. Needs no server.

    Words are looked for in header fields, text, and attachments and their names: by how they begin, in header fields
    and names anywhere. Case and accents do not matter; TEXT with spaces is a phrase. Operators: from: to: subject:
    filename: has:attachment before: after: larger: in:FOLDER is:flagged is:unread is:only-here not:

    The ID that is listed is what get, show and restore take; its first digits are enough while they mean one message.
    """
    from contextlib import ExitStack

    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.jobs.find import FindResult, Options, keep_newest, newest
    from mailmove.jobs.find import find as job
    from mailmove.jobs.progress import Progress
    from mailmove.report import find as report
    from mailmove.report.again import Again

    setup = given.setup()
    directories = [word for word in text or () if options.names_archive(word)]
    text = [word for word in text or () if word not in directories]
    query = searching.Wanted(
        text, from_, to, subject, without, in_, folder, since, before, larger_than, only_here
    ).query()
    wanted = Options(query, limit, where=setup.json, context=context)

    def start(work: Work) -> Generator[Progress, None, FindResult]:
        with ExitStack() as own:
            archive = own.enter_context(work.archive(writable=False))
            result = yield from job(work.name, archive, wanted, own, work.cancel)
            if not limit:  # what was found is read while it is printed
                until.enter_context(own.pop_all())
            return result

    def together(results: Sequence[FindResult], again: Again) -> Iterator[str]:
        return report.together(results, newest(results), again)

    with ExitStack() as until:
        outcomes = run(setup, setup.readable([*(given.account or ()), *directories]), start, login=False)
        if limit:
            keep_newest([outcome.result for outcome in outcomes if outcome.result is not None], limit)
        raise typer.Exit(present("find", setup, outcomes, report, together=together))
