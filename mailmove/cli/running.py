"""Running a job for several accounts: in threads, with progress and Ctrl-C in the main one."""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from mailmove import streams
from mailmove.accounts import credentials
from mailmove.accounts.config import Account
from mailmove.archive.creating import exists
from mailmove.archive.memory import Memory
from mailmove.archive.record import newer, salvage
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.cli.options import Place, Setup
from mailmove.errors import (
    ArchiveError,
    Exit,
    Interrupted,
    LoginRefused,
    MailmoveError,
    RefusedError,
    UsageError,
    most_serious,
)
from mailmove.imap.session import Session
from mailmove.imap.slots import Slots
from mailmove.jobs.progress import Progress
from mailmove.model import Secret
from mailmove.report.again import ALL, Again
from mailmove.report.json import document
from mailmove.report.progress import Meter
from mailmove.safe import visible

log = logging.getLogger(__name__)

_TELL_EVERY = 0.1  # seconds; each time wakes the main thread, which costs more than most messages do

_LOOK_UP_EVERY = 1.0  # seconds; a wait that is just beginning when a signal arrives is not interrupted by it


class Result(Protocol):
    """What a job returns."""

    @property
    def exit(self) -> Exit:
        """Its exit code."""


T = TypeVar("T")
R = TypeVar("R", bound=Result)
R_contra = TypeVar("R_contra", contravariant=True)


class Report(Protocol[R_contra]):
    """How results of one kind are told; a module of :mod:`mailmove.report` is one."""

    def text(self, result: R_contra, again: Again, /) -> Iterable[str]:
        """The whole, line by line, for a person; ``again`` is for commands to copy."""

    def problems(self, result: R_contra, again: Again, /) -> Iterable[str]:
        """What is wrong, line by line: all that ``--quiet`` lets through."""

    def as_json(self, result: R_contra, /) -> dict[str, Any]:
        """The whole, for a program."""


@dataclass(frozen=True, slots=True)
class Told:
    """A result as it will be printed. This class is its own :class:`Report`."""

    exit: Exit
    lines: tuple[str, ...] = ()
    json: dict[str, Any] = field(default_factory=dict)

    def text(self, _: Again, /) -> Iterable[str]:
        """What to print, unless that is JSON."""
        return self.lines

    problems = text

    def as_json(self) -> dict[str, Any]:
        """What to print as JSON."""
        return self.json


@dataclass(frozen=True)
class Question:
    """Something for the person at the terminal; ``answer`` receives the line, or None at the end of input.

    What could not be shown whole is not answered: ``answer`` receives the error.
    """

    text: Sequence[str]
    prompt: str
    answer: queue.SimpleQueue[str | RefusedError | None]

    def put(self) -> None:
        """Ask it.

        :raises KeyboardInterrupt: instead of an answer; then the answer is None.
        """
        answer: str | RefusedError | None = None
        try:
            streams.show("\n".join(self.text) + "\n", sys.stdout)
            streams.show(self.prompt, sys.stderr)
            answer = streams.line()
        except (OSError, ValueError) as error:
            answer = RefusedError(f"the question could not be shown whole: {error}", "Nothing was done. Run it again.")
        finally:
            self.answer.put(answer)


@dataclass(frozen=True)
class Work:
    """One account's share of a run: what its job is opened with."""

    place: Place
    cancel: Cancel
    _memory: Memory
    _secret: Secret | None
    _slots: Slots = field(default_factory=Slots)
    _told: queue.SimpleQueue[tuple[Place, Any]] = field(default_factory=queue.SimpleQueue)
    again: Again = ALL

    @property
    def name(self) -> str:
        """How the account, or the archive without one, is called."""
        return self.place.name

    @property
    def account(self) -> Account:
        """The account.

        :raises UsageError: when only an archive directory was named.
        """
        if self.place.account is None:
            raise UsageError(f"{visible(self.place.name)} names an archive, not an account", "Name its account or URL.")
        return self.place.account

    def tell(self, news: Sequence[Progress]) -> None:
        """Let whoever watches know."""
        self._told.put((self.place, news))

    def ask(self, text: Sequence[str], prompt: str) -> str | None:
        """Show a text at the terminal and wait for an answer; None at the end of input.

        :raises Interrupted: when the answer is Ctrl-C.
        :raises RefusedError: when not all of it could be shown.
        """
        question = Question(text, prompt, queue.SimpleQueue())
        self._told.put((self.place, question))
        answer = question.answer.get()
        self.cancel.check()
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    @property
    def has_secret(self) -> bool:
        """Whether the account's secret is known already."""
        return self._secret is not None

    def session(self) -> Session:
        """A login at the account's server, connecting when first used."""
        assert self._secret is not None, "run(..., login=True) comes first"
        return Session(self.account.endpoint, self._secret, self.cancel, self._slots)

    @property
    def has_archive(self) -> bool:
        """Whether there is an archive, or there was one and is none any more, which must not be taken for none.

        One that the same login has elsewhere, by another ``--archive``, does not count.

        :raises ArchiveError: when something else is in its place.
        """
        path = os.path.abspath(self.place.archive)
        if exists(path):
            return True
        remembered = self._memory.recall(self.account.endpoint.login)
        return path in remembered or bool(remembered and not any(map(exists, remembered)))

    def archive(self, *, writable: bool, new: bool = False) -> Archive:
        """The archive; with ``writable`` it is locked, and made if the account never had one.

        :raises ArchiveError: when it cannot be used.
        """
        opened = self._archive(writable=writable, new=new)
        if opened.newer and log.isEnabledFor(logging.WARNING):
            print(f"{visible(self.name)}: {newer.note(opened.newer, opened.path)}", file=sys.stderr)
        return opened

    def _archive(self, *, writable: bool, new: bool) -> Archive:
        if self.place.account is None:
            return Archive.open(self.place.archive, self._memory, writable=writable)
        if not writable and not self.has_archive:
            raise ArchiveError(f"{visible(self.name)} has no archive yet", f"Run: {self.again.command('export')}")
        login = self.account.endpoint.login
        return Archive.for_login(login, self.place.archive, self._memory, writable=writable, new=new)

    def mend(self) -> salvage.Salvaged:
        """Make the archive one that can be opened; see :func:`mailmove.archive.record.salvage.mend`."""
        return salvage.mend(self.place.archive, self._memory)

    @contextmanager
    def archive_and_session(self, *, new: bool = False) -> Iterator[tuple[Archive, Session]]:
        """The archive, locked, and a login.

        An archive that cannot be used stops this before the login; one that there is not yet is made only after it, so
        that a mistyped host or user leaves none.
        """
        with self.session() as session:
            if not self.has_archive:
                _ = session.wire
            with self.archive(writable=True, new=new) as archive:
                yield archive, session


Start = Callable[[Work], Generator[Progress, None, R]]


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one account: a result, an error for the user, or a bug."""

    place: Place
    result: R | None = None
    error: BaseException | None = None

    @property
    def exit(self) -> Exit:
        """Its exit code: the result's own or the error's."""
        if self.error is not None:
            return self.error.exit if isinstance(self.error, MailmoveError) else Exit.BUG
        return Exit.BUG if self.result is None else self.result.exit


def telling(setup: Setup, report: Report[R], start: Start[R]) -> Start[Told]:
    """The same job, of whose result only what will be printed is kept: it may hold every message of an account."""

    def told(work: Work) -> Generator[Progress, None, Told]:
        result = yield from start(work)
        if setup.json:
            return Told(result.exit, json=report.as_json(result))
        lines = report.problems if setup.quiet else report.text
        return Told(result.exit, tuple(lines(result, work.again)))

    return told


def run(setup: Setup, places: Sequence[Place], start: Start[R], *, login: bool = True) -> list[Outcome[R]]:
    """Run a job for each account, some at the same time; one that fails does not stop the others.

    Without ``login`` no credentials are looked for and no job may open a session. What may have to be asked for at the
    terminal is asked for first, in order; every other secret is found in its account's own turn.
    """
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
            told.put((share.place, _attempt(share, begin)))

    with _Signals(cancel) as signals, Meter(shown=setup.progress) as meter:
        for place in places:
            try:
                with signals.break_off():
                    asked = login and place.account is not None and credentials.may_ask(place.account, alone=alone)
                    secret = credentials.resolve(place.account, alone=alone) if asked and place.account else None
            except MailmoveError as error:
                outcomes[place] = Outcome(place, error=error)
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
                    meter.show(visible(place.name), progress)
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
) -> Exit:
    """Print what a command came to, for all its accounts, and return the exit code of the whole run.

    ``together`` tells several results at once, where that is not one after the other.
    """
    exit_code = conclude(outcomes)
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    if setup.json:
        failed = [{"account": o.place.name, "exit": int(o.exit), "error": str(o.error)} for o in outcomes if o.error]
        print(document(command, exit_code, accounts=[*map(report.as_json, results), *failed]))
        return exit_code
    if together is not None and len(results) > 1 and not setup.quiet:
        print("\n".join(together(results, setup.again())))
        return exit_code
    for outcome in outcomes:
        result, again = outcome.result, setup.again(outcome.place)
        if result is not None and not setup.quiet:
            print("\n".join(report.text(result, again)))
        elif result is not None and result.exit:
            print("\n".join(report.problems(result, again)), file=sys.stderr)
    return exit_code


def conclude(outcomes: Sequence[Outcome[R]]) -> Exit:
    """Print on standard error what failed, and return the exit code of the whole run."""
    for outcome in outcomes:
        if isinstance(outcome.error, MailmoveError):
            print(f"{visible(outcome.place.name)}: {outcome.error}", file=sys.stderr)
        elif outcome.error is not None:
            raise outcome.error
    failed = [visible(outcome.place.name) for outcome in outcomes if outcome.exit]
    if len(outcomes) > 1 and failed:
        print(f"{len(failed)} of {len(outcomes)} accounts need attention: {', '.join(failed)}", file=sys.stderr)
    return most_serious(outcome.exit for outcome in outcomes)


def _attempt(share: Work, start: Start[R]) -> Outcome[R]:
    try:
        share.cancel.check()
        job = start(share)
        news: list[Progress] = []
        due = 0.0
        while True:
            try:
                news.append(next(job))
            except StopIteration as done:
                share.tell(news)
                return Outcome(share.place, result=done.value)
            if time.monotonic() >= due:
                share.tell(news)
                news, due = [], time.monotonic() + _TELL_EVERY
    except Interrupted:
        return Outcome(share.place, error=Interrupted("interrupted before anything was done"))
    except LoginRefused as error:
        return Outcome(share.place, error=in_provider_terms(error, share.account).bare())
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


def in_provider_terms(error: LoginRefused, account: Account) -> LoginRefused:
    """The error with what this account's provider wants of a login, where mailmove knows that."""
    from mailmove.accounts.discovery import providers

    provider = providers.of_login(account.endpoint.host, account.endpoint.user)
    if provider is None:
        return error
    return LoginRefused(error.what, f"{provider.needs}\n  Then: mailmove account password {visible(account.name)}")


class _Signals:
    """Ctrl-C, SIGTERM and SIGHUP: they stop the jobs where stopping is safe, the second time at once.

    They never interrupt this thread anywhere but in :meth:`break_off`, so that no news of a job gets lost. What is to
    be ignored, as SIGHUP is under nohup, stays ignored.
    """

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel
        self._breaks_off = False

    def __enter__(self) -> Self:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._stop) for number in heeded}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def break_off(self) -> Iterator[None]:
        """Here they raise KeyboardInterrupt: somebody may be asked something, and does not answer."""
        self._breaks_off = True
        try:
            yield
        finally:
            self._breaks_off = False

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._cancel.asked:
            os._exit(Exit.INTERRUPTED)  # everything durable is durable
        if self._breaks_off:
            raise KeyboardInterrupt
        self._cancel.set()
