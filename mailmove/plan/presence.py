"""What of a folder is on the server, what in the archive, and what in both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailmove.model import Listed
from mailmove.plan.sync import Archived, same_message


@dataclass(frozen=True, slots=True)
class Presence:
    """UIDs of one folder in one UIDVALIDITY.

    ``both``: the server lists just the message that is archived. ``server_only``: it lists one that is not archived,
    or that announces another size or arrival than the one archived under its UID.
    """

    both: frozenset[int]
    server_only: frozenset[int]


def presence(listing: Iterable[Listed], archived: Mapping[int, Archived]) -> Presence:
    """Hold a listing against what is archived of the folder in the same UIDVALIDITY."""
    both: set[int] = set()
    server_only: set[int] = set()
    for message in listing:
        record = archived.get(message.uid)
        held = record is not None and same_message(message, record)
        (both if held else server_only).add(message.uid)
    return Presence(frozenset(both), frozenset(server_only))
