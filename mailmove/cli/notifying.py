"""Telling what a run came to: the dead man's switch, and notices of what is wrong, each once until it changes."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from mailmove.accounts.config import Notify
from mailmove.archive.state import standing
from mailmove.archive.state.standing import Standing
from mailmove.cli.options import Place, Setup
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

    def end(self, places: Sequence[Place], exit_code: Exit) -> Exit:
        """The run is over; gives its exit code, which is another one where what was told cannot be read."""
        try:
            self._notices(places)
        except ArchiveError as error:
            print(f"mailmove: {error}", file=sys.stderr)
            exit_code = Exit.ARCHIVE
        counts = f"accounts {len(places)}, exit code {int(exit_code)}"
        self._ping(Signal.FAIL if exit_code else Signal.SUCCESS, counts)
        return exit_code

    def _ping(self, signal: Signal, counts: str = "") -> None:
        if self._notify.ping and self._whole:
            _warned(partial(ping.ping, self._notify.ping, signal, self._run, counts))

    def _notices(self, places: Sequence[Place]) -> None:
        """Tell what nobody was told yet, and note it once it is told."""
        now, memory = int(time.time()), self._setup.memory
        lines: list[str] = []
        seen: dict[str, dict[str, str]] = {}
        for place in places:
            if place.account is None or not self._notify.tells:
                continue
            login = place.account.endpoint.login
            known = standing.read(memory, login)
            seen[login] = alarms.alarms(facts(known, now), self._notify.thresholds)
            lines += [f"{visible(place.name)}: {text}" for text in alarms.news(seen[login], known.told)]
        if lines and not self._tell(lines):
            return
        for login, found in seen.items():
            standing.change(memory, login, lambda noted, told=found: replace(noted, told=told))  # type: ignore[misc]

    def _tell(self, lines: Sequence[str]) -> bool:
        notify, text = self._notify, "\n".join([*lines, "", "All of it: mailmove status", ""])
        ways: list[Callable[[], None]] = []
        if notify.command:
            ways.append(partial(message.run, notify.command, text))
        if notify.mail_to:
            subject = f"mailmove: {len(lines)} new"
            send = partial(message.mail, notify.mail_to, subject, text, server=notify.smtp, sender=notify.mail_from)
            ways.append(send)
        return sum(map(_warned, ways)) > 0  # all of them are tried


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


def _warned(tell: Callable[[], None]) -> bool:
    try:
        tell()
    except MailmoveError as error:
        print(f"mailmove: warning: {error}", file=sys.stderr)
        return False
    return True
