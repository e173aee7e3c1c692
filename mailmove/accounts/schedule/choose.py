"""Which scheduler this machine has."""

from __future__ import annotations

from mailmove.accounts.schedule.cron import Cron
from mailmove.accounts.schedule.job import Scheduler
from mailmove.accounts.schedule.launchd import Launchd
from mailmove.accounts.schedule.systemd import Systemd
from mailmove.errors import LackingError


def scheduler() -> Scheduler:
    """The first that is there: systemd, launchd, cron.

    :raises LackingError: when there is none.
    """
    if Systemd.there():
        return Systemd()
    if Launchd.there():
        return Launchd()
    if Cron.there():
        return Cron()
    raise LackingError(
        "this machine has neither a systemd of yours, nor launchd, nor crontab",
        "Have anything else run this every night: mailmove run -q",
    )
