"""What runs of commands came to, remembered from one to the next."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mailmove.archive.state import standing
from mailmove.archive.state.standing import Attempt, Gauged, Standing
from mailmove.cli.options import Place, Setup
from mailmove.cli.outcome import Outcome
from mailmove.errors import ArchiveError, Exit, MailmoveError
from mailmove.plan.steps import Came
from mailmove.safe import visible

_AS = {"run": "export"}
"""A run that cannot even begin is an export that failed."""


def remember(command: str, setup: Setup, outcomes: Iterable[Outcome[Any]]) -> Exit:
    """Note what a command came to for each account; gives an exit code of its own, after saying what failed."""
    now = int(time.time())
    for outcome in outcomes:
        came = _came(command, outcome)
        if outcome.place.account is None or not came:
            continue
        place, login = outcome.place, outcome.place.account.endpoint.login
        try:
            standing.change(setup.memory, login, partial(_after, setup, place, came, now))
        except ArchiveError as error:
            print(f"{visible(place.name)}: what this run came to cannot be noted: {error}", file=sys.stderr)
            return Exit.ARCHIVE
    return Exit.DONE


def _came(command: str, outcome: Outcome[Any]) -> dict[str, Came]:
    name = _AS.get(command, command)
    if isinstance(outcome.error, MailmoveError):
        came: Mapping[str, Came] = {name: Came(outcome.error.exit, outcome.error.what, outcome.error.kind)}
    elif outcome.result is None:
        return {}
    else:
        told = getattr(outcome.result, "came", None)
        came = {name: Came(outcome.exit)} if told is None else told
    return {step or name: one for step, one in came.items() if one.exit is not Exit.INTERRUPTED}


def _after(setup: Setup, place: Place, came: Mapping[str, Came], now: int, before: Standing) -> Standing:
    attempts = dict(before.attempts)
    gauge = before.gauge
    for step, one in came.items():
        attempts[step] = attempts.get(step, Attempt(0)).then(now, int(one.exit), one.what, one.kind)
        if one.gauge is not None:
            gauge = Gauged(now, *one.gauge)
    happened = {event: None for one in came.values() for event in one.news} if setup.config.notify.tells else {}
    after = replace(before, attempts=attempts, gauge=gauge, news=tuple(dict.fromkeys(before.news) | happened))
    if place.url:
        return replace(after, name=before.name or place.name)
    return replace(after, name=place.name, config=os.path.abspath(setup.config.path))
