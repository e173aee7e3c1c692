"""How full a mailbox is, before a prune and after it."""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.imap import quota
from mailmove.imap.session import Session
from mailmove.model import Seen
from mailmove.plan import gauge


def measure(session: Session, views: Iterable[Seen], limit: int | None) -> gauge.Quota | None:
    """How full the mailbox is; None when nobody says. ``limit``: as configured, in octets."""
    statuses = [(view.folder, view.status) for view in views if view.status is not None]
    roots = session.ask(lambda: quota.roots(session.wire, [folder for folder, _ in statuses]))
    sizes = [status.size for _, status in statuses]
    found = gauge.quota(roots, sum(size or 0 for size in sizes), limit)
    return None if None in sizes and found.tightest.source is not gauge.Source.SERVER else found
