"""Which archived messages may be stand-ins: nobody doubted them yet when they were archived."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from mailmove.archive.files import durable
from mailmove.archive.index.messages import Stored
from mailmove.archive.store import Archive
from mailmove.evidence import Evidence
from mailmove.plan import standin
from mailmove.safe import visible


def doubts(
    archive: Archive, proven: Iterable[tuple[Stored, Evidence]], announced: Mapping[int, int | None]
) -> dict[int, str]:
    """Why messages of one folder whose files hashed right may not be what was announced, by UID.

    ``announced`` are their sizes as announced, by UID. What somebody took for the message after a look is none.

    :raises ArchiveError: when a file cannot be read any more.
    """
    proven = list(proven)
    if not proven:
        return {}
    folder, uidvalidity, _ = proven[0][0].id
    unnamed = archive.index.unnamed(folder, uidvalidity)
    taken = archive.index.taken(folder, uidvalidity)
    found = {}
    for stored, evidence in proven:
        uid, octets = stored.id.uid, stored.base.octets
        if (announced[uid] == octets and uid not in unnamed) or stored.sha256 in taken.get(uid, ()):
            continue
        if why := standin.doubt(announced[uid], octets, _head(archive, evidence)):
            found[uid] = why
    return found


def _head(archive: Archive, evidence: Evidence) -> bytes:
    """The beginning of a message file."""
    assert evidence.seen is not None, "it is evidence of a file"
    path, name = evidence.seen.directory, evidence.seen.name
    with durable.explained(f"reading {visible(os.path.join(archive.path, path, name))}"):
        directory = durable.open_below(archive.root, path)
        try:
            fd = durable.open_file(name, directory)
            try:
                return os.pread(fd, standin.HEAD, 0)
            finally:
                os.close(fd)
        finally:
            os.close(directory)
