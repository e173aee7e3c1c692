"""What the archive knows of the dates of messages on the server."""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.archive.index.index import Index
from mailmove.mail import fields
from mailmove.plan.retention import Dates
from mailmove.units import parse_timestamp


def known_dates(
    index: Index, wire: bytes, uidvalidity: int, uids: Iterable[int], *, sent: bool, archived: bool
) -> Dates:
    """When archived messages of a folder were sent and verified, as far as that is wanted, and when any were restored.

    ``uids`` are those on the server: where a restore was cut short, whatever has come since it began may be its. With
    ``sent`` or ``archived``, every message that is archived is in :attr:`~mailmove.plan.retention.Dates.archived`.
    """
    sent_at: dict[int, int] = {}
    archived_at: dict[int, int] = {}
    for uid, date, verified in index.dates(wire, uidvalidity) if sent or archived else ():
        archived_at[uid] = _seconds(verified)
        if sent and (seconds := fields.sent(date)) is not None:
            sent_at[uid] = seconds
    restored_at = {uid: _seconds(back.at) for uid, back in index.restored(wire, uidvalidity).items()}
    begun = index.restoring(wire)
    if begun is not None and begun.uidvalidity == uidvalidity and begun.uidnext is not None:
        restored_at.update(dict.fromkeys((uid for uid in uids if uid >= begun.uidnext), _seconds(begun.at)))
    return Dates(sent_at, archived_at, restored_at)


def _seconds(text: str) -> int:
    return int(parse_timestamp(text).timestamp())
