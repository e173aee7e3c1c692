"""``mailmove reindex``."""

from __future__ import annotations

from collections.abc import Generator

import typer

from mailmove.cli import options


@options.takes("archive", *options.OUTPUT)
def reindex(
    given: options.Given,
    archives: options.Archives = None,
) -> None:
    """Make an archive's index again; mend what can be mended.

    Of a journal that is damaged or gone, it saves what can be saved. Message files without a record are re-hashed and
    recorded again. Nothing is deleted.
    """
    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.jobs.progress import Progress
    from mailmove.jobs.reindex import ReindexResult
    from mailmove.jobs.reindex import reindex as job
    from mailmove.report import reindex as report

    setup = given.setup()

    def start(work: Work) -> Generator[Progress, None, ReindexResult]:
        salvaged = work.mend()
        with work.archive(writable=True) as opened:
            return (yield from job(work.name, opened, salvaged, work.cancel))

    raise typer.Exit(present("reindex", setup, run(setup, setup.archives(archives), start, login=False), report))
