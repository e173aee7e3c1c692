"""Octets that may not be the message they were sent as: kept beside the mail, never among it.

A file of a Maildir would be taken for a message by every mail program, and by the next reindex. So these lie in
``.mailmove/doubted``, named by folder, UIDVALIDITY and UID, and by the SHA-256 of what they hold. The record of such a
message is :class:`~mailmove.archive.record.records.Trouble`: it was not delivered.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from mailmove.archive.files import durable
from mailmove.archive.place import META
from mailmove.archive.proof import rehashing
from mailmove.archive.store import Archive
from mailmove.archive.writing.incoming import Incoming
from mailmove.errors import ArchiveError
from mailmove.model import MessageId
from mailmove.safe import visible

NAME = "doubted"


class Doubted(NamedTuple):
    """A file of doubted octets; ``path`` is relative to the archive."""

    path: str
    octets: int
    sha256: bytes


def keep(archive: Archive, incoming: Incoming, message: MessageId) -> None:
    """Put what was received aside, durably.

    :raises ArchiveError: when the disk fails.
    """
    name = f"{stem(message)},H={incoming.sha256.hex()[:32]}"
    with durable.explained(f"writing to {visible(os.path.join(archive.path, META, NAME))}"):
        to = durable.make_below(archive.root, f"{META}/{NAME}")
        try:
            incoming.set_apart(name, to)
        finally:
            os.close(to)


def newest(archive: Archive, message: MessageId) -> Doubted | None:
    """What the server sent last in the place of a message, where that is doubted.

    :raises ArchiveError: when it cannot be read.
    """
    with durable.explained(f"reading {visible(os.path.join(archive.path, META, NAME))}"):
        try:
            directory = durable.open_below(archive.root, f"{META}/{NAME}")
        except FileNotFoundError:
            return None
        try:
            wanted = stem(message)
            files = [entry for entry in os.scandir(directory) if entry.name.partition(",")[0] == wanted]
            if not files:
                return None
            name = max(files, key=lambda entry: entry.stat(follow_symlinks=False).st_mtime_ns).name
            octets, sha256 = rehashing.digest_at(directory, name)
        finally:
            os.close(directory)
    return Doubted(f"{META}/{NAME}/{name}", octets, sha256)


def content(archive: Archive, found: Doubted) -> bytes:
    """The octets of a doubted message.

    :raises ArchiveError: when they cannot be read, or are not what they were.
    """
    path, name = os.path.split(found.path)
    with durable.explained(f"reading {visible(os.path.join(archive.path, found.path))}"):
        directory = durable.open_below(archive.root, path)
        try:
            with open(durable.open_file(name, directory), "rb") as file:
                read = file.read()
        finally:
            os.close(directory)
    if hashlib.sha256(read).digest() != found.sha256:
        raise ArchiveError(f"{visible(os.path.join(archive.path, found.path))} changed while it was read", "Try again.")
    return read


def stem(message: MessageId) -> str:
    """How the names of all begin that came in the place of a message."""
    return f"{hashlib.sha256(message.folder).hexdigest()[:16]}.V{message.uidvalidity}U{message.uid}"
