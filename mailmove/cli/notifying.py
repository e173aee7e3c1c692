"""Telling what a run came to: the dead man's switch, and notices of what is wrong, each once until it changes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mailmove.accounts.telling import Notify
from mailmove.archive.state import standing
from mailmove.archive.state.standing import Standing
from mailmove.cli import terminal
from mailmove.cli.options import Place, Setup
from mailmove.cli.outcome import Outcome
from mailmove.cli.said import said
from mailmove.errors import ArchiveError, Exit, MailmoveError
from mailmove.notify import message, ping
from mailmove.notify.ping import Signal
from mailmove.plan import alarms
from mailmove.plan.alarms import Facts, Failing
from mailmove.safe import visible


class Telling:
    """What is told of one run. What cannot be told is a warning: mail is at home all the same."""

    def __init__(self, setup: Setup, *, whole: bool) -> None:
        """``whole``: the run is for all accounts; the switch watches no other."""
        self._setup = setup
        self._notify: Notify = setup.config.notify
        self._whole = whole
        self._run = str(uuid.uuid4())

    def begin(self) -> None:
        """The run begins."""
        self._ping(Signal.START)

    def end(self, outcomes: Sequence[Outcome[Any]], exit_code: Exit) -> Exit:
        """The run is over; gives its exit code, which is another one where what was told cannot be read."""
        try:
            self._notices([outcome.place for outcome in outcomes])
        except ArchiveError as error:
            terminal.say(f"mailmove: {error}")
            exit_code = Exit.ARCHIVE
        failed = sum(bool(outcome.exit) for outcome in outcomes)
        counts = f"accounts {len(outcomes)}, failed {failed}, exit code {int(exit_code)}"
        self._ping(Signal.FAIL if exit_code else Signal.SUCCESS, counts)
        return exit_code

    def _ping(self, signal: Signal, counts: str = "") -> None:
        if self._notify.ping and self._whole:
            _warned(partial(ping.ping, self._notify.ping, signal, self._run, counts))

    def _notices(self, places: Sequence[Place]) -> None:
        """Tell what nobody was told yet, and note it once it is told."""
        if not self._notify.tells:
            return
        now, memory = int(time.time()), self._setup.memory
        lines: list[str] = []
        after: dict[str, Callable[[Standing], Standing]] = {}
        for place in places:
            if place.account is None:
                continue
            login = place.account.endpoint.login
            known = standing.read(memory, login)
            found = alarms.alarms(facts(known, now), self._notify.thresholds)
            lines += [f"{visible(place.name)}: {text}" for text in [*alarms.news(found, known.told), *known.news]]
            after[login] = partial(_told, found, known.news)
        if lines and not self._tell(lines):
            return
        for login, changed in after.items():
            standing.change(memory, login, changed)

    def _tell(self, lines: Sequence[str]) -> bool:
        """Tell everybody; gives whether at least one of them heard it."""
        notify, text = self._notify, "\n".join([*lines, "", "All of it: mailmove status", ""])
        subject = f"mailmove: {len(lines)} new"
        ways: list[Callable[[], None]] = []
        if notify.command:
            ways.append(partial(message.run, notify.command, text))
        if notify.urls:
            ways.append(partial(message.send, notify.urls, subject, text))
        if notify.mail_to:
            server, sender = notify.smtp, notify.mail_from
            ways.append(partial(message.mail, notify.mail_to, subject, text, server=server, sender=sender))
        return sum(map(_warned, ways)) > 0


def facts(known: Standing, now: int) -> Facts:
    """What is noted of an account, as alarms want it."""
    failing = tuple(
        Failing(command, one.kind or "partial", now - one.since)
        for command, one in known.attempts.items()
        if one.since is not None
    )
    gauge = known.gauge
    percent = gauge.used * 100 / gauge.limit if gauge is not None and gauge.limit else None
    full_in = gauge.full - now if gauge is not None and gauge.full is not None else None
    ages = {command: None if one.good is None else now - one.good for command, one in known.attempts.items()}
    return Facts(failing, percent, full_in, {"check": None, **ages})


def _told(found: dict[str, str], news: Sequence[str], noted: Standing) -> Standing:
    """What is noted once all this was told; what happened meanwhile, in another run, was not."""
    return replace(noted, told=found, news=tuple(one for one in noted.news if one not in news))


def _warned(tell: Callable[[], None]) -> bool:
    try:
        tell()
    except MailmoveError as error:
        said.warning("%s", error)
        terminal.say(f"mailmove: warning: {error}")
        return False
    return True
