"""A look at accounts and their archives that asks no server."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import nullcontext

from mailmove.cli.options import Place, Setup
from mailmove.cli.outcome import Outcome
from mailmove.cli.running import run
from mailmove.cli.work import Work
from mailmove.jobs.overview import Overview, overview
from mailmove.jobs.progress import Progress


def look(setup: Setup, places: Sequence[Place]) -> list[Outcome[Overview]]:
    """What this machine knows of each account."""
    return run(setup, places, _start, login=False)


def _start(work: Work) -> Generator[Progress, None, Overview]:
    account = work.place.account
    with work.archive(writable=False) if account is None or work.has_archive else nullcontext() as archive:
        return (yield from overview(work.name, account, archive))
