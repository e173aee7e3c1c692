"""Messages named by folder and UID: what the archive has of them, doubted or not, for a look and for a yes after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from mailmove.archive.index.messages import Stored
from mailmove.archive.record import records
from mailmove.archive.store import Archive
from mailmove.archive.writing import doubted
from mailmove.archive.writing.doubted import Doubted
from mailmove.errors import UsageError
from mailmove.model import MessageId, folder_text
from mailmove.safe import visible
from mailmove.units import timestamp

_NAMED = re.compile(r"(.+):(\d{1,10}(?:,\d{1,10})*)", re.ASCII | re.DOTALL)


class Named(NamedTuple):
    """A message of an archive: what came in its place, or what is archived; and why that is doubted, where it is."""

    id: MessageId
    came: Doubted | None
    stored: Stored | None
    doubt: str

    @property
    def sha256(self) -> bytes:
        """Of the octets that :attr:`came`, else of those that are archived."""
        if self.came is not None:
            return self.came.sha256
        assert self.stored is not None, "one of them is there"
        return self.stored.sha256


def named(archive: Archive, text: str) -> list[Named]:
    """The messages that ``FOLDER:UID`` means; several UIDs are written in a row, as in ``INBOX:2,7``.

    :raises UsageError: when it is not written so, or the archive has nothing of one of them.
    """
    folder, uids = _parsed(text)
    for directory in archive.manifest.folders:
        if not directory.retired and folder_text(directory.wire) == folder:
            return [_look(archive, MessageId(directory.wire, directory.uidvalidity, uid)) for uid in uids]
    raise UsageError(f"the archive has no folder {visible(folder)}", "Folders are named as mailmove audit shows them.")


def taken(archive: Archive, texts: Iterable[str]) -> Iterator[records.Taken]:
    """The records that what is there of these messages is what they are.

    :raises UsageError: as :func:`named`.
    """
    now = timestamp(datetime.now(UTC))
    for text in texts:
        for one in named(archive, text):
            yield records.Taken(*one.id, one.sha256.hex(), now)


def _parsed(text: str) -> tuple[str, list[int]]:
    found = _NAMED.fullmatch(text)
    if not found:
        raise UsageError(f"{visible(text)!r} names no message", "Write FOLDER:UID, as in INBOX:2.")
    return found[1], [int(uid) for uid in found[2].split(",")]


def _look(archive: Archive, message: MessageId) -> Named:
    folder, uidvalidity, uid = message
    doubt = archive.index.troubles(folder, uidvalidity).get(uid, "")
    came = doubted.newest(archive, message) if doubt else None
    stored = archive.index.current(folder, uidvalidity, [uid]).get(uid)
    if came is None and stored is None:
        raise UsageError(
            f"nothing has come of {visible(folder_text(folder))} UID {uid}",
            "What is doubted is named by: mailmove export",
        )
    return Named(message, came, stored, doubt)
