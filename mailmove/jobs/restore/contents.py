"""What messages of the selected folder are, asked of the server: nothing that it says of them elsewhere is believed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing

from mailmove.archive.index import headers
from mailmove.errors import CommandRefused
from mailmove.imap import scan
from mailmove.imap.bodies import bodies
from mailmove.imap.wire import Wire


def octets(wire: Wire, uid: int) -> bytes:
    """A message; empty when it is gone by now."""
    content = b""
    with closing(bodies(wire, [uid])) as arriving:
        for body in arriving:
            pieces = b"".join(map(bytes, body.pieces()))
            told = body.told()
            if told is not None and told.listed.uid == uid:
                content = pieces
    return content


def message_ids(wire: Wire, uids: Collection[int]) -> Iterator[tuple[int, bytes | None]]:
    """UID and Message-ID of messages.

    :raises CommandRefused: when one of them is not told: it may be one that would be put there a second time.
    """
    for uid, block in scan.fields(wire, uids, b"MESSAGE-ID"):
        if isinstance(block, CommandRefused):
            raise block
        yield uid, headers.scan(block).message_id
