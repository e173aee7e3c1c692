"""``mailmove copy``."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mailmove.cli import options
from mailmove.errors import ArchiveError, UsageError
from mailmove.safe import few, visible

if TYPE_CHECKING:
    from mailmove.cli.options import Place, Setup
    from mailmove.cli.work import Work
    from mailmove.jobs.copy.result import Copied, CopyResult, Mended, ReadBack, Target
    from mailmove.jobs.progress import Progress


@options.takes("archive", "log_file", *options.OUTPUT)
def copy(
    given: options.Given,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ACCOUNT|DIR]... [TO]",
            help="Archives, none: all; and the directory to copy to, none: those of the configuration.",
            autocompletion=options.account_names,
        ),
    ] = None,
    read_back: Annotated[
        str, typer.Option("--read-back", metavar="HOW", help="all, sample or none of what is new.")
    ] = "all",
    mend: Annotated[
        bool, typer.Option("--mend", help="Hash both first; what is harmed in one place comes from the other.")
    ] = False,
) -> None:
    """Bring a second copy of the archive up to date, on another disk.

    A copy is an archive that only this command writes in: check, find, show and get work on it. Files come first, each
    hashed on the way, then the record of them. Nothing is deleted there but what was erased.
    """
    from mailmove.cli.running import present, run
    from mailmove.jobs.copy.result import ReadBack, Target
    from mailmove.report import copy as report

    if read_back not in (known := [each.value for each in ReadBack]):
        raise UsageError(f"{visible(read_back)!r} is no way to read back", f"Allowed: {', '.join(known)}.")
    asked = ReadBack(read_back)
    setup = given.setup()
    places, to = _places(setup, what or [])

    def start(work: Work) -> Generator[Progress, None, CopyResult]:
        targets = work.copies() if to is None else (Target("", os.path.abspath(os.path.expanduser(to))),)
        return (yield from _copied(work, targets, asked, mend=mend))

    outcomes = run(setup, places, start, login=False)
    raise typer.Exit(present("copy", setup, outcomes, report, remembered=True))


def _copied(
    work: Work, targets: Sequence[Target], asked: ReadBack, *, mend: bool
) -> Generator[Progress, None, CopyResult]:
    """Copy holding no lock on the archive, and then, for a moment, take it to record what was done.

    Mending comes before, and holds it.
    """
    from mailmove.copies.directory import is_copy
    from mailmove.jobs.copy.checking import mend as mending
    from mailmove.jobs.copy.run import copy_all, record

    mended: dict[Target, Mended] = {}
    if mend:
        with work.archive(writable=True) as archive:
            for target in filter(lambda one: is_copy(one.path), targets):
                mended[target] = yield from mending(archive, target, work.cancel)
    with work.archive(writable=False) as archive:
        result = yield from copy_all(work.name, archive, targets, asked, work.cancel)
        for one in result.copies:
            one.mended = mended.get(one.target)
        if archive.mark is not None or not any(one.done for one in result.copies):
            return result
    try:
        with work.archive(writable=True) as archive:
            record(archive, result.copies, asked)
    except ArchiveError as error:
        _note(result.copies, error)
    return result


def _note(copies: list[Copied], error: ArchiveError) -> None:
    for one in copies:
        if one.done:
            one.notes.append(f"the archive could not take a note of it now ({error.what}); the next copy does")


def _places(setup: Setup, what: list[str]) -> tuple[list[Place], str | None]:
    """The archives that are meant, and where to; None: to where the configuration says.

    :raises UsageError: when that is not clear.
    """
    if what and "://" in what[-1] and not what[-1].startswith(("imap://", "imaps://")):
        raise UsageError(
            f"{visible(what[-1])!r} is no directory", "Copies go to directories: name one on another disk."
        )
    to = what[-1] if what and _is_path(what[-1]) else None
    if to is not None and len(what) == 1 and _is_archive_of_account(setup, to):
        to = None
    names = what[:-1] if to is not None else what
    places = setup.readable(names)
    if to is None:
        places = [place for place in places if names or (place.account is not None and place.account.copies)]
        if not places:
            raise UsageError(
                f"no copies are laid down in {visible(setup.config.path)}",
                "Name the directory to copy to, or see help for [account.X.copies]: mailmove help copies.",
            )
    elif len(places) != 1:
        raise UsageError(
            f"{visible(to)} can be a copy of one archive only",
            f"Name its account: {', '.join(few(place.name for place in places))}.",
        )
    return places, to


def _is_path(word: str) -> bool:
    return os.sep in word and "://" not in word


def _is_archive_of_account(setup: Setup, path: str) -> bool:
    return setup.archives([path])[0].account is not None
