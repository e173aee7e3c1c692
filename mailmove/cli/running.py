"""Running a job for several accounts: in threads, with progress and Ctrl-C in the main one."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Generic, TypeVar

from mailmove import credentials
from mailmove.cancel import Cancel
from mailmove.cli.options import Setup
from mailmove.config import Account
from mailmove.errors import Exit, Interrupted, MailmoveError, most_serious
from mailmove.jobs.progress import Progress
from mailmove.model import Secret
from mailmove.report.progress import Meter
from mailmove.safe import visible

R = TypeVar("R")

Start = Callable[[Account, Secret, Cancel], Generator[Progress, None, R]]


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one account: a result, an error for the user, or a bug."""

    account: Account
    result: R | None = None
    error: BaseException | None = None

    def exit(self, of: Callable[[R], Exit]) -> Exit:
        """Its exit code, by the result's own or by the error's."""
        if self.error is not None:
            return self.error.exit if isinstance(self.error, MailmoveError) else Exit.BUG
        return Exit.BUG if self.result is None else of(self.result)


def run(setup: Setup, accounts: Sequence[Account], start: Start[R]) -> list[Outcome[R]]:
    """Run a job for each account, some at the same time; one that fails does not stop the others."""
    cancel = Cancel()
    told: queue.SimpleQueue[tuple[Account, Progress | Outcome[R]]] = queue.SimpleQueue()
    places = threading.Semaphore(setup.jobs)
    outcomes: dict[str, Outcome[R]] = {}

    def work(account: Account, secret: Secret) -> None:
        with places:
            told.put((account, _attempt(account, secret, start, cancel, told)))

    with _signals(), Meter(shown=setup.progress) as meter:
        waiting = 0
        for account in accounts:
            try:
                secret = credentials.resolve(account, alone=len(accounts) == 1)
            except MailmoveError as error:
                outcomes[account.name] = Outcome(account, error=error)
                continue
            threading.Thread(target=work, args=(account, secret), daemon=True).start()
            waiting += 1
        while waiting:
            try:
                account, news = told.get()
            except KeyboardInterrupt:
                if cancel.asked:
                    os._exit(Exit.INTERRUPTED)  # asked twice: everything durable is durable
                cancel.set()
                continue
            if isinstance(news, Outcome):
                outcomes[account.name] = news
                waiting -= 1
            else:
                meter.show(visible(account.name), news)
    return [outcomes[account.name] for account in accounts]


def conclude(outcomes: Sequence[Outcome[R]], of: Callable[[R], Exit]) -> Exit:
    """Print what failed, and return the exit code of the whole run."""
    codes = [outcome.exit(of) for outcome in outcomes]
    for outcome in outcomes:
        if isinstance(outcome.error, MailmoveError):
            print(f"{visible(outcome.account.name)}: {outcome.error}", file=sys.stderr)
        elif outcome.error is not None:
            raise outcome.error
    failed = [visible(o.account.name) for o, code in zip(outcomes, codes, strict=True) if code]
    if len(outcomes) > 1 and failed:
        print(f"{len(failed)} of {len(outcomes)} accounts need attention: {', '.join(failed)}", file=sys.stderr)
    return most_serious(codes)


def _attempt(
    account: Account,
    secret: Secret,
    start: Start[R],
    cancel: Cancel,
    told: queue.SimpleQueue[tuple[Account, Progress | Outcome[R]]],
) -> Outcome[R]:
    try:
        cancel.check()
        job = start(account, secret, cancel)
        while True:
            try:
                told.put((account, next(job)))
            except StopIteration as done:
                return Outcome(account, result=done.value)
    except Interrupted:
        return Outcome(account, error=Interrupted("interrupted before anything was done"))
    except BaseException as error:  # noqa: BLE001 - reported by the main thread
        return Outcome(account, error=error)


class _signals:  # noqa: N801
    """SIGTERM and SIGHUP as Ctrl-C."""

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
