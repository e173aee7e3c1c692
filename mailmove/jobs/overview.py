"""Overview: what this machine knows of an account, without asking its server."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailmove.accounts.config import Account
from mailmove.archive.store import Archive
from mailmove.errors import Exit
from mailmove.jobs.progress import Progress
from mailmove.units import parse_timestamp


@dataclass(frozen=True, slots=True)
class LastExport:
    """The last export that ran to its end, and how long ago that was."""

    at: datetime
    ago: timedelta
    exit: Exit


@dataclass(frozen=True, slots=True)
class Overview:
    """An account and its archive; ``messages`` and ``octets`` are None while there is no archive.

    ``account`` is None for an archive whose account is not configured; ``name`` is then its directory.
    """

    name: str
    account: Account | None
    messages: int | None = None
    octets: int | None = None
    last: LastExport | None = None

    exit = Exit.DONE

    @property
    def configured(self) -> Account:
        """The account, of what is no mere archive."""
        assert self.account is not None
        return self.account


def overview(name: str, account: Account | None, archive: Archive | None) -> Generator[Progress, None, Overview]:
    """Look at one archive.

    :raises ArchiveError: when it cannot be read.
    """
    yield from ()
    if archive is None:
        return Overview(name, account)
    messages, octets = archive.index.count()
    run = archive.index.last_run("export")
    if run is None:
        return Overview(name, account, messages, octets)
    at = parse_timestamp(run[0])
    return Overview(name, account, messages, octets, LastExport(at, datetime.now(UTC) - at, Exit(run[1])))
