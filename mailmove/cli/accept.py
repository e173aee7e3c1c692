"""``mailmove accept``."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated

import typer

from mailmove.cli import options


@options.takes(*options.SELECTION, *options.OUTPUT)
def accept(
    given: options.Given,
    messages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID|FOLDER:UID]...", help="Messages that are missing, as find or check names them."),
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="All that is missing.")] = False,
    reason: options.Reason = "no reason was given",
    yes: options.Yes = False,
) -> None:
    """Accept that messages are missing, on purpose or for good.

    Check is quiet about them then, and says how many they are; once a file is back its message is good again. Nothing
    is deleted, and prune takes none of them for proven.
    """
    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.errors import UsageError
    from mailmove.jobs.accept import AcceptResult, carry_out, plan
    from mailmove.jobs.progress import Progress
    from mailmove.report import accept as report
    from mailmove.safe import few
    from mailmove.streams import typed

    setup = given.setup()
    if bool(messages) == missing:
        raise UsageError("accept wants to know what", "Name messages as check does, such as INBOX:7, or say --missing.")
    places = setup.readable(given.account)
    if messages and len(places) > 1:
        names = ", ".join(few(place.name for place in places))
        raise UsageError(f"there are several archives: {names}", "Name the one that is meant: --account NAME")

    def start(work: Work) -> Generator[Progress, None, AcceptResult]:
        with work.archive(writable=True) as opened:
            planned = yield from plan(work.name, opened, work.cancel, list(map(typed, messages or ())))
            if planned.missing:
                asked = setup.interactive and not yes
                answer = work.ask([*report.plan(planned, work.again)], report.question(planned)) if asked else None
                planned.declined = not (yes or report.agrees(answer))
                if not planned.declined:
                    carry_out(planned, opened, reason)
            return planned

    raise typer.Exit(present("accept", setup, run(setup, places, start, login=False), report))
