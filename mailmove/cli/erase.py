"""``mailmove erase``."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mailmove.cli import options, searching

if TYPE_CHECKING:
    from mailmove.cli.options import Place, Setup
    from mailmove.jobs.find import Options


@options.takes(*options.SELECTION, *options.OUTPUT)
def erase(
    given: options.Given,
    ids: searching.Ids = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--find", metavar="TEXT", help="Messages with these words in header, text or attachments."),
    ] = None,
    from_: searching.From = None,
    to: searching.To = None,
    subject: searching.Subject = None,
    since: searching.Since = None,
    before: searching.Before = None,
    folder: options.Include = None,
    larger_than: searching.LargerThan = None,
    only_here: searching.OnlyHere = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="End what was begun, and erase again what somebody put back.")
    ] = False,
    reason: options.Reason = "no reason was given",
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Only show what would go.")] = False,
    yes: options.Yes = False,
) -> None:
    """Erase messages from the archive for ever. Shows each of them and asks first.

    --find looks where find does: a message that only quotes a word is found, too. --from, --to, --subject and operators
    such as from:anna or not:draft look in one place.

    Files, index and search go; that they were there, with UID, date and SHA-256, stays in the journal. What was erased
    is not fetched or restored again. Nothing changes on the server.
    """
    from mailmove.archive.search.query import Query
    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.errors import UsageError
    from mailmove.jobs import erase as job
    from mailmove.jobs.erase import EraseResult
    from mailmove.jobs.find import Options
    from mailmove.jobs.progress import Progress
    from mailmove.report import erase as report

    setup = given.setup()
    query = searching.Wanted(
        text=text,
        from_=from_,
        to=to,
        subject=subject,
        folder=folder,
        since=since,
        before=before,
        larger_than=larger_than,
        only_here=only_here,
    ).query()
    is_search = query != Query()
    if sum((bool(ids), is_search, finish)) != 1:
        raise UsageError(
            "erase wants to know which messages, by IDs or by a search",
            f"For example: {setup.again(None).command('erase', '--from', 'anna@example.org')}",
        )
    places = [place for place in setup.readable(given.account) if place.account is None or _has_archive(place)]
    ended = {place: Ended(0, {}) for place in places}
    if not dry_run:
        for place in places:
            ended[place] = _finish(setup, place, again=finish)
    chosen = _hashes(setup, places, given.account, ids or [], Options(query), finish)

    def start(work: Work) -> Generator[Progress, None, EraseResult]:
        hashes = chosen.get(work.place, set())
        with work.archive(writable=not dry_run) as opened:
            planned = yield from job.plan(work.name, opened, hashes)
            planned.finished, planned.pending = ended[work.place]
            if planned.copies and not dry_run:
                asked = setup.interactive and not yes
                answer = work.ask([*report.plan(planned, work.again)], report.question(planned)) if asked else None
                planned.declined = not (yes or report.agrees(planned, answer))
                if not planned.declined:
                    job.carry_out(planned, opened, hashes, reason)
            return planned

    meant = [place for place in places if place in chosen or any(ended[place])] or places
    raise typer.Exit(present("erase", setup, run(setup, meant, start, login=False), report))


def _has_archive(place: Place) -> bool:
    from mailmove.archive.creating import exists

    return exists(place.archive)


class Ended(NamedTuple):
    """So many messages an earlier run had begun to erase; and which copies could not follow, and why."""

    messages: int
    pending: dict[str, str]


def _finish(setup: Setup, place: Place, *, again: bool) -> Ended:
    """End in one archive, and in its copies, what an earlier run began; it is opened to be written only for that."""
    from mailmove.cancel import Cancel
    from mailmove.cli.work import Work
    from mailmove.jobs.erase import finish, follow

    work = Work(place, Cancel(), setup.memory, None)
    with work.archive(writable=False) as opened:
        if not (again or opened.index.unfinished_erasures()):
            return Ended(0, {})
    with work.archive(writable=True) as opened:
        return Ended(finish(opened, again=again), follow(opened))


def _hashes(
    setup: Setup,
    places: Sequence[Place],
    accounts: Sequence[str] | None,
    ids: Sequence[str],
    wanted: Options,
    ended: bool,
) -> dict[Place, set[bytes]]:
    """The SHA-256 of the messages that are meant, by archive."""
    from mailmove.cancel import Cancel
    from mailmove.cli.chosen import chosen, searched
    from mailmove.cli.work import Work

    if ended:
        return {}
    gone: set[str] = set()
    for place in places if ids else ():
        with Work(place, Cancel(), setup.memory, None).archive(writable=False) as opened:
            gone |= {sha256.hex() for sha256 in opened.index.erased_bodies()}
    left = [one for one in ids if not any(sha256.startswith(one.lower()) for sha256 in gone)]
    if ids and not left:
        return {}
    hashes: dict[Place, set[bytes]] = {}
    with chosen(setup, accounts, left) if ids else searched(setup, accounts, wanted) as found:
        for sha256, hits in found.items():
            for hit in hits:
                hashes.setdefault(hit.place, set()).add(sha256)
    return hashes
