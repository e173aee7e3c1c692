"""``[notify]``: who is told what a run came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailmove.accounts import values
from mailmove.accounts.values import Table
from mailmove.plan.alarms import Thresholds
from mailmove.plan.gauge import parse_percent


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told what a run came to. ``ping`` is a secret: whoever has the URL can silence the switch.

    ``urls`` are Apprise's, and secrets as well: most hold a token.

    ``smtp`` is ``host`` or ``host:port``; empty: sendmail.
    """

    ping: str = field(default="", repr=False)
    command: tuple[str, ...] = ()
    urls: tuple[str, ...] = field(default=(), repr=False)
    mail_to: str = ""
    mail_from: str = ""
    smtp: str = ""
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def tells(self) -> bool:
        """Whether there is anybody who gets notices."""
        return bool(self.command or self.mail_to or self.urls)


def read(table: Table) -> Notify:
    """Read the table.

    :raises UsageError: when anything in it cannot be used.
    """
    notify = Notify(
        ping=table.take("ping", values.url, ""),
        command=table.take("command", values.argv, ()),
        urls=table.take("urls", values.words, ()),
        mail_to=table.take("mail_to", values.word, ""),
        mail_from=table.take("mail_from", values.word, ""),
        smtp=table.take("smtp", values.word, ""),
        thresholds=Thresholds(
            quota=table.take("quota_above", lambda value: parse_percent(values.text(value)), None),
            full_within=table.take("full_within", values.days, None),
            check=table.take("check_older_than", values.days, None),
            copy=table.take("copy_older_than", values.days, None),
        ),
    )
    table.end()
    return notify
