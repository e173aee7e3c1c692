"""What runs of commands came to, remembered from one to the next."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from mailmove.accounts.config import Account
from mailmove.archive.state import standing
from mailmove.archive.state.standing import Attempt, Gauged, Standing
from mailmove.archive.store import Archive
from mailmove.cli import terminal
from mailmove.cli.options import Place, Setup
from mailmove.cli.outcome import Outcome
from mailmove.errors import ArchiveError, Exit, MailmoveError, RefusedError
from mailmove.plan.steps import Came
from mailmove.safe import visible
from mailmove.units import timestamp, utc

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
            terminal.say(f"{visible(place.name)}: what this run came to cannot be noted: {error}")
            return Exit.ARCHIVE
    return Exit.DONE


def in_force(setup: Setup, account: Account) -> int:
    """Since when an account's server and policy are what they are, in Unix seconds; 0 where all of it is its own.

    Who changes a template changes many accounts, so that each must be watched anew once.

    :raises ArchiveError: when what was noted cannot be read or written.
    """
    if not account.inherits or account.prune is None:
        return 0
    endpoint, now = account.endpoint, int(time.time())
    told = (
        endpoint.host,
        endpoint.port,
        endpoint.user,
        endpoint.auth_user,
        account.folders,
        account.exclude,
        asdict(account.prune),
    )
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=_canonical).encode()).hexdigest()

    def noted(before: Standing) -> Standing:
        return before if before.policy == digest else replace(before, policy=digest, policy_since=now)

    return standing.change(setup.memory, endpoint.login, noted).policy_since


def scheduled(setup: Setup, account: Account, since: int) -> str:
    """By what somebody agreed, not before ``since``, that an account is pruned while nobody watches; empty: nobody did.

    :raises ArchiveError: when what was noted cannot be read.
    """
    consent = standing.read(setup.memory, account.endpoint.login).consent
    return f"schedule install --prune at {timestamp(utc(consent))}" if consent is not None and consent >= since else ""


def must_be_watched_first(setup: Setup, account: Account, archive: Archive, since: int) -> None:
    """See that somebody has watched a prune by what this account shares with others, or agreed to it for all.

    :raises RefusedError: when nobody has.
    """
    from mailmove.jobs.run.run import attended  # late: it brings all that a run does

    if since and not scheduled(setup, account, since) and not attended(archive, since):
        raise RefusedError(
            "nobody has watched a prune yet by what this account shares with others (a template), as it is now",
            "Watch it once: mailmove prune     or agree for all: mailmove schedule install --prune",
        )


def _canonical(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)


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
