"""``mailmove prune``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mailmove.cli import options
from mailmove.cli.options import Place, Setup
from mailmove.cli.terminal import say
from mailmove.errors import UsageError
from mailmove.safe import few, visible

if TYPE_CHECKING:
    from mailmove.archive.store import Archive
    from mailmove.cli.work import Work
    from mailmove.jobs.copy.result import Target
    from mailmove.jobs.prune.copies import Second
    from mailmove.jobs.prune.plan import Options
    from mailmove.plan.policy import Policy

_SWITCHES = re.compile(r"-[nqvy]+")
_UNWATCHED = str.maketrans("", "", "qy")

Age = Annotated[
    str | None, typer.Option("--older-than", metavar="AGE", help="30d, 6w, 3mo, 2y, or a date such as 2024-12-31.")
]


@options.takes("archive", "jobs", *options.CONNECTION, "log_file", *options.OUTPUT)
def prune(
    given: options.Given,
    context: typer.Context,
    accounts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ACCOUNT|URL]...",
            help="Accounts by name, unique prefix or URL; none: see below.",
            autocompletion=options.account_names,
        ),
    ] = None,
    older_than: Age = None,
    archived_for: Annotated[
        str | None, typer.Option("--archived-for", metavar="AGE", help="Only what the archive has held for so long.")
    ] = None,
    down_to: Annotated[
        str | None,
        typer.Option("--down-to", metavar="TARGET", help="80% or 1.5GB: oldest first, only as much as is needed."),
    ] = None,
    age_by: Annotated[
        str | None, typer.Option("--age-by", metavar="DATE", help="arrival (the default), or sent: the Date header.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="WHAT", help="flagged,drafts (the default), unread; or none."),
    ] = None,
    keep_newest: Annotated[
        int | None, typer.Option("--keep-newest", min=0, metavar="N", help="The newest N of each folder stay.")
    ] = None,
    max_delete: Annotated[
        str | None,
        typer.Option(
            "--max-delete", metavar="LIMIT", help="50% or a number: more of a folder needs somebody watching."
        ),
    ] = None,
    copies: Annotated[
        list[str] | None,
        typer.Option("--copies", metavar="NAME", help="Only what this copy of the archive holds as well; or none."),
    ] = None,
    folder: options.Include = None,
    exclude: options.Exclude = None,
    without_archive: Annotated[
        bool, typer.Option("--without-archive", help="Delete also what is in no archive: it is lost for good.")
    ] = False,
    all_accounts: Annotated[
        bool, typer.Option("--all", help="Let an age or target act on all accounts of the configuration.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Only show the plan; download nothing.")] = False,
    yes: options.Yes = False,
) -> None:
    """Let the server go of old mail that the archive provably holds. Shows a plan and asks first.

    Without an age: what the configuration lays down, for every account that has a policy. With an age or a target: the
    accounts that are named, or the only one. What is not in the archive yet is exported first.
    """
    from mailmove.cli import remembering
    from mailmove.cli.running import Told, present, run, telling
    from mailmove.cli.whose import must_be_its_own
    from mailmove.jobs.progress import Progress
    from mailmove.jobs.prune.copies import opened as places_of
    from mailmove.jobs.prune.plan import Options
    from mailmove.jobs.prune.result import PruneResult
    from mailmove.jobs.prune.run import carry_out, decline, must_last, plan
    from mailmove.plan import policy as policies
    from mailmove.report import prune as report
    from mailmove.units import parse_age

    asked = policies.Asked(
        age=parse_age(older_than) if older_than else None,
        archived_for=parse_age(archived_for) if archived_for else None,
        target=policies.parse_target(down_to) if down_to else None,
        folders=tuple(folder or ()),
    )

    def overridden(policy: Policy) -> Policy:
        return replace(
            policy,
            age_by=policies.parse_age_by(age_by) if age_by else policy.age_by,
            keep=policies.parse_keep(keep) if keep else policy.keep,
            keep_newest=policy.keep_newest if keep_newest is None else keep_newest,
            max_delete=policies.parse_max_delete(max_delete) if max_delete else policy.max_delete,
            copies=policies.parse_copies(copies) if copies else policy.copies,
        )

    overridden(policies.Policy())  # what cannot be read is refused before any login
    setup = given.setup()

    def start(work: Work) -> Generator[Progress, None, PruneResult]:
        account = work.account
        since = remembering.in_force(setup, account)
        wanted = Options(
            policy=overridden(account.prune or policies.Policy()),
            asked=asked,
            scope=account.folders,
            left_out=account.exclude,
            include=asked.folders,
            exclude=tuple(exclude or ()),
            limit=account.quota,
            without_archive=without_archive,
            dry_run=dry_run,
            unattended=yes and not setup.interactive,
            by_hand=_by_hand(context.obj.words, "" if accounts or len(places) == 1 else work.name),
        )
        second, now = _copies(work, wanted), datetime.now(UTC)
        with ExitStack() as opened:
            home: Archive | None = None
            seconds: Sequence[Second] = ()
            if work.has_archive or not dry_run:
                home = opened.enter_context(work.archive(writable=not dry_run))
                if wanted.unattended:
                    remembering.must_be_watched_first(setup, account, home, since)
                if wanted.unattended and not account.trust_disk:
                    must_last(home)
                seconds = opened.enter_context(places_of(home, second, now))
            session = opened.enter_context(work.session())
            planned = yield from plan(work.name, session, home, wanted, now, seconds)
            if home is not None and not dry_run:
                must_be_its_own(setup, account, home)
            if home is None or dry_run or not planned.messages or not (yes or setup.interactive):
                return decline(planned, home, None, asked=False)
            answer: str | None = "--yes"
            if not yes:
                answer = work.ask([*report.plan(planned, work.again)], report.question(planned))
                if not report.agrees(planned, answer):
                    return decline(planned, home, answer, asked=True)
            return (
                yield from carry_out(
                    planned,
                    session,
                    home,
                    str(answer).strip(),
                    asked=not yes,
                    limit=wanted.limit,
                    seconds=seconds,
                )
            )

    limited = any((asked.age, asked.archived_for, asked.target))
    places = _places(setup, accounts, limited, everything=all_accounts, nightly=yes and setup.quiet)
    outcomes = run(setup, places, telling(setup, report, start, report.figures))
    raise typer.Exit(present("prune", setup, outcomes, Told, total=report.total, remembered=not dry_run))


def _copies(work: Work, wanted: Options) -> list[Target]:
    """The copies that must hold what goes.

    :raises UsageError: when the account has no such copy.
    """
    known = work.account.copies
    for name in wanted.policy.copies:
        if name not in known:
            raise UsageError(
                f"{visible(work.name)} has no copy {visible(name)!r}",
                f"It has {', '.join(known) or 'none'}; they are named in [account.X.copies].",
            )
    if wanted.policy.copies and wanted.without_archive:
        raise UsageError("copies must hold what goes, and --without-archive wants none", "Add --copies none.")
    return [target for target in work.copies() if target.name in wanted.policy.copies] if wanted.policy.copies else []


def _places(
    setup: Setup, names: Sequence[str] | None, asked: bool, *, everything: bool, nightly: bool = False
) -> list[Place]:
    """The accounts that are meant: nobody prunes three hundred mailboxes by omission.

    ``nightly``: without a policy there is nothing to do for an account, which is no mistake of a line in a crontab.

    :raises UsageError: when it is not clear which.
    """
    if names and everything:
        raise UsageError("--all and names of accounts exclude each other", "Leave one of them out.")
    if asked:
        known = setup.config.accounts
        if not names and not everything and len(known) > 1:
            raise UsageError(
                f"this would act on all {len(known)} accounts",
                f"Name those that are meant ({', '.join(few(account.name for account in known))}), or say --all.",
            )
        return setup.select(names)
    places = setup.select(names)
    lacking = [place for place in places if place.account is None or place.account.prune is None]
    if lacking and not nightly and (names or len(lacking) == len(places)):
        raise UsageError(
            f"no prune policy is laid down for {', '.join(few(place.name for place in lacking))}",
            "Say --older-than 1y, or write one to the configuration; config.example.toml shows how.",
        )
    if lacking and not setup.quiet:
        told = ", ".join(visible(place.name) for place in lacking)
        say(f"Left alone, having no prune policy: {told}")
    return [place for place in places if place not in lacking]


def _by_hand(options: Sequence[str], account: str) -> str:
    """This command for somebody who watches: without what makes it run unattended, and for this account alone."""
    words = ["mailmove", "prune", *([account] if account else [])]
    for word in options:
        if _SWITCHES.fullmatch(word):
            word = word.translate(_UNWATCHED)
        if word not in ("-", "--quiet", "--yes", "--json") and not (account and word == "--all"):
            words.append(word)
    return shlex.join(words)
