"""Messages that the command line names by their IDs, in whichever archive they are."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from mailmove.archive.index.search import Search
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.cli.options import Place, Setup
from mailmove.cli.work import Work
from mailmove.errors import ArchiveMissing, UsageError
from mailmove.jobs.find import FindResult, Options, find
from mailmove.report import find as report
from mailmove.safe import few, visible
from mailmove.units import short_id

_ID = re.compile(r"[0-9a-f]{4,64}")


def existing(setup: Setup, archives: Sequence[str] | None) -> list[Place]:
    """The archives that are meant; accounts that have none yet are left out unless they are named.

    :raises ArchiveError: when there is none.
    """
    places = setup.readable(archives)
    if archives or setup.archive:
        return places
    found = [place for place in places if Work(place, Cancel(), setup.memory, None).has_archive]
    if not found:
        raise ArchiveMissing("there is no archive yet", f"Run: {setup.again().command('export')}")
    return found


class Chosen(NamedTuple):
    """A message, and an archive that has it."""

    place: Place
    archive: Archive
    sha256: bytes


@contextmanager
def chosen(setup: Setup, accounts: Sequence[str] | None, ids: Sequence[str]) -> Iterator[dict[bytes, list[Chosen]]]:
    """The messages with these IDs, by SHA-256, each with all the open archives that have it.

    :raises UsageError: when an ID is not one, is unknown, or could be several messages.
    :raises ArchiveError: when there is no archive, or one cannot be read.
    """
    with _opened(setup, accounts) as opened:
        places = setup.readable(accounts)
        again = setup.again(places[0] if len(places) == 1 else None)
        found: dict[bytes, list[Chosen]] = {}
        for wanted in ids:
            hits = _hits(wanted, opened, f"IDs are listed by: {again.command('find')}")
            found[hits[0].sha256] = hits
        yield found


@contextmanager
def searched(setup: Setup, accounts: Sequence[str] | None, wanted: Options) -> Iterator[dict[bytes, list[Chosen]]]:
    """The messages that a search finds, by SHA-256, newest first in each archive. What could not be looked into is said
    on standard error.

    :raises UsageError: when a folder is named that none of the archives has.
    :raises ArchiveError: when there is no archive, or one cannot be read.
    """
    with _opened(setup, accounts) as opened, ExitStack() as until:
        found: dict[bytes, list[Chosen]] = {}
        unknown: list[UsageError] = []
        for place, archive, _ in opened:
            try:
                result = _finished(find(place.name, archive, wanted, until))
            except UsageError as error:  # of several archives, one may not have the folder
                unknown.append(error)
                continue
            for line in report.problems(result, setup.again(place)):  # what is wanted may be there, too
                print(f"{visible(place.name)}: {line}", file=sys.stderr)
            for hit in result.messages:
                found.setdefault(hit.found.sha256, []).append(Chosen(place, archive, hit.found.sha256))
        if len(unknown) == len(opened):
            raise unknown[0]
        yield found


def _finished(job: Generator[object, None, FindResult]) -> FindResult:
    while True:
        try:
            next(job)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


@contextmanager
def _opened(setup: Setup, accounts: Sequence[str] | None) -> Iterator[list[tuple[Place, Archive, Search]]]:
    """The archives that are meant, open to be read.

    :raises ArchiveError: when there is none, or one cannot be read.
    """
    with ExitStack() as stack:
        opened: list[tuple[Place, Archive, Search]] = []
        places = setup.readable(accounts)
        again = setup.again(places[0] if len(places) == 1 else None)
        for place in places:
            work = Work(place, Cancel(), setup.memory, None, again=again)
            if place.account is None or work.has_archive:
                archive = stack.enter_context(work.archive(writable=False))
                opened.append((place, archive, stack.enter_context(Search(archive.index.path))))
        if not opened:
            raise ArchiveMissing("there is no archive yet", f"Run: {again.command('export')}")
        yield opened


@contextmanager
def only(setup: Setup, accounts: Sequence[str] | None) -> Iterator[tuple[Place, Archive]]:
    """The one archive that is meant, to be read.

    :raises UsageError: when several could be.
    :raises ArchiveError: when there is none, or it cannot be read.
    """
    places = setup.readable(accounts)
    if len(places) != 1:
        names = ", ".join(few(place.name for place in places))
        raise UsageError(f"there are several accounts: {names}", "Name the one that is meant: --account NAME")
    work = Work(places[0], Cancel(), setup.memory, None, again=setup.again(places[0]))
    with work.archive(writable=False) as archive:
        yield places[0], archive


def _hits(wanted: str, opened: Sequence[tuple[Place, Archive, Search]], listed: str) -> list[Chosen]:
    digits = wanted.lower()
    if not _ID.fullmatch(digits):
        raise UsageError(f"{visible(wanted)!r} is not the ID of a message", listed)
    hits = [
        Chosen(place, archive, sha256) for place, archive, search in opened for sha256 in search.with_prefix(digits)
    ]
    hashes = sorted({hit.sha256 for hit in hits})
    if not hashes:
        raise UsageError(f"no archived message has the ID {digits}", listed)
    if len(hashes) > 1:
        raise UsageError(f"the ID {digits} could be {', '.join(few(map(short_id, hashes)))}", "Write more of it.")
    return hits
