"""``mailmove schedule``."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mailmove.cli import options
from mailmove.errors import Exit, RefusedError, UsageError
from mailmove.safe import visible

if TYPE_CHECKING:
    from mailmove.accounts.config import Account
    from mailmove.accounts.schedule.job import Job, Scheduler
    from mailmove.archive.state.standing import Standing
    from mailmove.cli.options import Setup

ACTIONS = ("show", "install", "remove")


@options.takes(*options.OUTPUT)
def schedule(
    given: options.Given,
    action: Annotated[
        str, typer.Argument(metavar="[show|install|remove]", help="What to do: show what is scheduled, or change it.")
    ] = "show",
    at: Annotated[str, typer.Option("--at", metavar="HH:MM", help="The local time of day.")] = "03:15",
    prune: Annotated[
        bool, typer.Option("--prune", help="Agree that each account is pruned by its policy while nobody watches.")
    ] = False,
) -> None:
    """Run mailmove every night, by systemd, launchd or cron.

    What runs is mailmove run -q, for all accounts of the configuration. Installing it again changes it, removing it
    takes back what was agreed to by --prune.
    """
    from mailmove.accounts.schedule.choose import scheduler
    from mailmove.accounts.schedule.job import time_of_day
    from mailmove.report.json import document

    if action not in ACTIONS:
        raise UsageError(f"{visible(action)!r} is nothing to do with a schedule", f"Say one of {', '.join(ACTIONS)}.")
    hour, minute = time_of_day(at)
    setup = given.setup()
    chosen = scheduler()
    told: list[str] = []
    if action == "install":
        told = _install(setup, chosen, _job(setup, hour, minute), prune=prune)
    elif action == "remove":
        told = _remove(setup, chosen)
    else:
        told = _show(chosen)
    if setup.json:
        print(document("schedule", Exit.DONE, scheduler=chosen.name, installed=chosen.installed()))
    elif not setup.quiet or action == "show":
        print("\n".join(told))


def _job(setup: Setup, hour: int, minute: int) -> Job:
    from mailmove.accounts.schedule.job import Job
    from mailmove.cli.unattended import places, program

    words = options.meaning(config=setup.config_file)
    return Job((*program(), "run", "-q", *words), hour, minute, places())


def _install(setup: Setup, chosen: Scheduler, job: Job, *, prune: bool) -> list[str]:
    if not setup.config.accounts:
        raise UsageError(f"there is no account yet in {visible(setup.config.path)}", options.NO_ACCOUNT)
    agreed = _agree(setup) if prune else []
    chosen.install(job)
    _note(setup, agreed)
    command = visible(shlex.join(job.command), 1000)
    told = [f"Every day at {job.hour:02}:{job.minute:02}, by {chosen.name}: {command}", *chosen.remarks()]
    if any(account.prune for account in setup.config.accounts) and not prune:
        told.append(
            "It prunes an account once you have watched a prune of it. For all: mailmove schedule install --prune"
        )
    return [*told, "Next: mailmove account test --unattended     sees whether it can log in without you"]


def _agree(setup: Setup) -> list[Account]:
    """Ask whether all accounts with a policy are pruned by it while nobody watches; gives these accounts.

    :raises RefusedError: when it is no, or nobody can answer.
    """
    from mailmove.cli import terminal
    from mailmove.report.account import policy

    accounts = [account for account in setup.config.accounts if account.prune is not None]
    if not accounts:
        raise UsageError("no account has a prune policy", "Write one to the configuration: mailmove help configuration")
    if not terminal.attended():
        raise RefusedError("--prune needs somebody at a terminal who agrees", "Without it nothing is pruned.")
    for account in accounts:
        terminal.say(f"{visible(account.name)}: {policy(account)}")
    if not terminal.confirm("Delete that on the server every night, once it is proven to be archived?"):
        raise RefusedError("nothing was scheduled, because nobody agreed", "Without --prune nothing is pruned.")
    return accounts


def _note(setup: Setup, accounts: Sequence[Account]) -> None:
    """Note that somebody agreed for these accounts."""
    from mailmove.archive.state import standing
    from mailmove.cli import remembering

    now, config = int(time.time()), os.path.abspath(setup.config.path)

    def agreed(name: str, noted: Standing) -> Standing:
        return replace(noted, name=name, config=config, consent=now)

    for account in accounts:
        remembering.in_force(setup, account)
        standing.change(setup.memory, account.endpoint.login, partial(agreed, account.name))


def _remove(setup: Setup, chosen: Scheduler) -> list[str]:
    from mailmove.archive.state import standing

    was = chosen.remove()
    for account in setup.config.accounts:
        standing.change(setup.memory, account.endpoint.login, lambda noted: replace(noted, consent=None))
    return [f"Removed from {chosen.name}." if was else f"Nothing was scheduled by {chosen.name}."]


def _show(chosen: Scheduler) -> list[str]:
    installed = chosen.installed()
    if installed is None:
        return [f"Nothing is scheduled by {chosen.name}.", "Next: mailmove schedule install     every night at 03:15"]
    return [installed.rstrip(), "", *chosen.remarks()]
