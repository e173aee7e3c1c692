"""Running a job for several accounts: in threads, with progress and Ctrl-C in the main one."""

from __future__ import annotations

import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from mailmove.accounts.config import Account
from mailmove.cancel import Cancel
from mailmove.cli import said
from mailmove.cli.options import Place, Setup, meaning
from mailmove.cli.outcome import Outcome, R
from mailmove.cli.signals import Signals
from mailmove.cli.terminal import say, tell
from mailmove.cli.work import Question, Work
from mailmove.errors import (
    Exit,
    Interrupted,
    LoginRefused,
    MailmoveError,
    most_serious,
)
from mailmove.imap.slots import Slots
from mailmove.jobs.progress import Progress
from mailmove.plan.steps import Came
from mailmove.report.again import Again
from mailmove.report.json import document
from mailmove.report.progress import Meter
from mailmove.safe import few, visible

_TELL_EVERY = 0.1  # seconds; each time wakes the main thread, which costs more than most messages do

_LOOK_UP_EVERY = 1.0  # seconds; a wait that is just beginning when a signal arrives is not interrupted by it


T = TypeVar("T")
R_contra = TypeVar("R_contra", contravariant=True)


class Report(Protocol[R_contra]):
    """How results of one kind are told; a module of :mod:`mailmove.report` is one."""

    def text(self, result: R_contra, again: Again, /) -> Iterable[str]:
        """The whole, line by line, for a person; ``again`` is for commands to copy."""

    def problems(self, result: R_contra, again: Again, /) -> Iterable[str]:
        """What is wrong, line by line: all that ``--quiet`` lets through."""

    def as_json(self, result: R_contra, /) -> dict[str, Any]:
        """The whole, for a program."""


@runtime_checkable
class Remembering(Protocol):
    """A report that tells by itself what is to be remembered."""

    def came(self, result: Any, /) -> Mapping[str, Came]:
        """What it came to, by command."""


@dataclass(frozen=True, slots=True)
class Told:
    """A result as it will be printed. This class is its own :class:`Report`."""

    exit: Exit
    lines: tuple[str, ...] = ()
    json: dict[str, Any] = field(default_factory=dict)
    came: Mapping[str, Came] | None = None
    """What is to be remembered of it, by command."""
    figures: Mapping[str, int] = field(default_factory=dict)
    """What several accounts add up to."""

    def text(self, _: Again, /) -> Iterable[str]:
        """What to print, unless that is JSON."""
        return self.lines

    problems = text

    def as_json(self) -> dict[str, Any]:
        """What to print as JSON."""
        return self.json


Start = Callable[[Work], Generator[Progress, None, R]]


def telling(
    setup: Setup,
    report: Report[R],
    start: Start[R],
    figures: Callable[[R], Mapping[str, int]] = lambda _: {},
    text: Callable[[R, Again], Iterable[str]] | None = None,
) -> Start[Told]:
    """The same job, of whose result only what will be printed is kept: it may hold every message of an account.

    ``figures`` are its numbers that add up with those of other accounts, ``text`` is told instead of the report's.
    """

    def told(work: Work) -> Generator[Progress, None, Told]:
        result = yield from start(work)
        came = report.came(result) if isinstance(report, Remembering) else None
        if came is None:
            what = next(iter(report.problems(result, work.again)), "") if result.exit else ""
            came = {"": Came(result.exit, what, result.exit.name.lower() if result.exit else "")}
        if setup.json:
            return Told(result.exit, json=report.as_json(result), came=came)
        lines = report.problems if setup.quiet else text or report.text
        return Told(result.exit, tuple(lines(result, work.again)), came=came, figures=figures(result))

    return told


def run(setup: Setup, places: Sequence[Place], start: Start[R], *, login: bool = True) -> list[Outcome[R]]:
    """Run a job for each account, some at the same time; one that fails does not stop the others.

    Without ``login`` no credentials are looked for and no job may open a session. What may have to be asked for at the
    terminal is asked for first, in order; every other secret is found in its account's own turn.
    """
    if login:
        from mailmove.accounts import credentials

    alone = len(places) == 1
    cancel = Cancel()
    told: queue.SimpleQueue[tuple[Place, Sequence[Progress] | Question | Outcome[R]]] = queue.SimpleQueue()
    shares: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
    slots = Slots(_connections)
    outcomes: dict[Place, Outcome[R]] = {}

    def begin(share: Work) -> Generator[Progress, None, R]:
        account = share.place.account
        if not login or account is None or share.has_secret:
            return start(share)
        return start(replace(share, _secret=credentials.resolve(account, alone=alone, cancel=cancel)))

    def work() -> None:
        for share in iter(shares.get, None):
            threading.current_thread().name = visible(share.name)  # in front of what -v logs
            outcome = _attempt(share, begin, setup)
            said.ended(outcome.exit, getattr(outcome.result, "lines", ()), outcome.error)
            told.put((share.place, outcome))

    with Signals(cancel) as signals, Meter(len(places), shown=setup.progress) as meter:
        for place in places:
            try:
                with signals.break_off():
                    asked = login and place.account is not None and credentials.may_ask(place.account, alone=alone)
                    secret = credentials.resolve(place.account, alone=alone) if asked and place.account else None
            except MailmoveError as error:
                outcomes[place] = Outcome(place, error=error)
                meter.done(place.name)
            else:
                shares.put(Work(place, cancel, setup.memory, secret, slots, told, setup.again(place)))
        waiting = shares.qsize()
        for _ in range(min(setup.jobs, waiting)):
            shares.put(None)
            threading.Thread(target=work, daemon=True).start()
        while waiting:
            try:
                place, news = told.get(timeout=_LOOK_UP_EVERY)
            except queue.Empty:
                continue
            if isinstance(news, Outcome):
                outcomes[place] = news
                waiting -= 1
                meter.done(place.name)
            elif isinstance(news, Question):
                meter.clear()
                try:
                    with signals.break_off():
                        news.put()
                except KeyboardInterrupt:
                    cancel.set()
                    news.answer.put(None)  # where it came between the answer and handing it over
            else:
                for progress in news:
                    meter.show(place.name, progress)
    return [outcomes[place] for place in places]


def _connections(host: str) -> int:
    """How many connections to a host may be open: what its provider allows, where the table knows it."""
    from mailmove.accounts.discovery import providers

    return next((provider.connections for provider in providers.table() if provider.host == host), sys.maxsize)


def present(
    command: str,
    setup: Setup,
    outcomes: Sequence[Outcome[R]],
    report: Report[R],
    *,
    together: Callable[[Sequence[R], Again], Iterable[str]] | None = None,
    total: Callable[[Sequence[Mapping[str, int]], int], Iterable[str]] | None = None,
    remembered: bool = False,
) -> Exit:
    """Print what a command came to, for all its accounts, and return the exit code of the whole run.

    ``together`` tells several results at once, where that is not one after the other; else ``total`` ends them, told
    the figures of each and how many accounts there are. ``remembered``: what it came to is noted for
    ``mailmove status``; that this fails changes nothing of the report.
    """
    exit_code = _told(outcomes)
    if remembered:
        from mailmove.cli import remembering

        exit_code = most_serious((exit_code, remembering.remember(command, setup, outcomes)))
    if setup.config.left_out:
        exit_code = most_serious((exit_code, Exit.PARTIAL))
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    if setup.json:
        failed = [o.as_json() for o in outcomes if o.error]
        print(document(command, exit_code, accounts=[*map(report.as_json, results), *failed]))
    elif together is not None and len(results) > 1 and not setup.quiet:
        tell(together(results, setup.again()))
    else:
        _one_after_the_other(setup, outcomes, report)
        if total is not None and len(outcomes) > 1 and not setup.quiet:
            tell(total([result.figures for result in results if isinstance(result, Told)], len(outcomes)))
    _attention(outcomes)
    return exit_code


def _one_after_the_other(setup: Setup, outcomes: Sequence[Outcome[R]], report: Report[R]) -> None:
    for outcome in outcomes:
        result, again = outcome.result, setup.again(outcome.place)
        if result is not None and not setup.quiet:
            tell(report.text(result, again))
        elif result is not None and result.exit:
            tell(report.problems(result, again), sys.stderr)


def conclude(outcomes: Sequence[Outcome[R]]) -> Exit:
    """Print on standard error what failed, and return the exit code of the whole run."""
    exit_code = _told(outcomes)
    _attention(outcomes)
    return exit_code


def _told(outcomes: Sequence[Outcome[R]]) -> Exit:
    for outcome in outcomes:
        if outcome.error is not None and not isinstance(outcome.error, MailmoveError):
            raise outcome.error
    for line in failures((o.place.name, o.place.account, o.error) for o in outcomes if o.error is not None):
        say(line)
    return most_serious(outcome.exit for outcome in outcomes)


def _attention(outcomes: Sequence[Outcome[R]]) -> None:
    """The last line of all, where a long report does not hide it."""
    failed = [visible(outcome.place.name) for outcome in outcomes if outcome.exit]
    if len(outcomes) > 1 and failed:
        sys.stdout.flush()
        say(f"{len(failed)} of {len(outcomes)} accounts need attention: {', '.join(failed)}")


def failures(failed: Iterable[tuple[str, Account | None, BaseException]]) -> Iterator[str]:
    """What went wrong with which accounts: told once for all accounts of one host that fail in the same way."""
    alike: dict[tuple[str, str], list[str]] = {}
    told: dict[tuple[str, str], str] = {}
    for name, account, error in failed:
        host, text = (account.endpoint.host, str(error)) if account else (name, str(error))
        for own in (name, account.endpoint.user) if account else ():
            text = re.sub(rf"(?<![\w.@-]){re.escape(visible(own))}(?![\w@-])", "ACCOUNT", text)
        alike.setdefault((host, text), []).append(name)
        told.setdefault((host, text), str(error))
    for (host, text), names in alike.items():
        if len(names) == 1:
            yield f"{visible(names[0])}: {told[host, text]}"
        else:
            what, _, next_step = re.sub(rf"^{re.escape(host)}(:\d+)?:? ", "", text).partition("\n")
            what = what.replace("ACCOUNT", "each")
            shown = f"{len(names):,} accounts at {visible(host)}: {what.rstrip('.')}: {', '.join(few(names, 3))}"
            yield f"{shown}\n{next_step}" if next_step else shown


def _attempt(share: Work, start: Start[R], setup: Setup) -> Outcome[R]:
    try:
        share.cancel.check()
        job = start(share)
        due = 0.0
        while True:
            try:
                share.untold.append(next(job))
            except StopIteration as done:
                share.tell()
                return Outcome(share.place, result=done.value)
            if time.monotonic() >= due:
                share.tell()
                due = time.monotonic() + _TELL_EVERY
    except Interrupted:
        return Outcome(share.place, error=Interrupted("interrupted before anything was done"))
    except LoginRefused as error:
        return Outcome(
            share.place, error=in_provider_terms(error, share.account, _another_password(share.place, setup)).bare()
        )
    except MailmoveError as error:
        return Outcome(share.place, error=error.bare())
    except BaseException as error:  # noqa: BLE001 - reported by the main thread
        return Outcome(share.place, error=error)


def finish(job: Generator[Progress, None, T]) -> T:
    """Run a job to its end here and now, unwatched."""
    while True:
        try:
            next(job)
        except StopIteration as done:
            return cast(T, done.value)


def in_provider_terms(error: LoginRefused, account: Account, then: str = "") -> LoginRefused:
    """The error with what this account's provider wants of a login, where mailmove knows that, and what to do then."""
    from mailmove.accounts.discovery import providers

    provider = providers.of_login(account.endpoint.host, account.endpoint.user)
    needs = provider.needs if provider else error.next_step
    return LoginRefused(error.what, f"{needs} Then: {then}" if then else needs)


def _another_password(place: Place, setup: Setup) -> str:
    """The command that gives an account another password; none where that is no account's, or a program tells it."""
    account = place.account
    if account is None or place.url or account.password_command or account.token_command:
        return ""
    return Again(account.name, tuple(meaning(config=setup.config_file))).command("account password")
