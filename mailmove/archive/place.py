"""Where an archive is: its directory and its ``.mailmove``, opened before anything in them is read."""

from __future__ import annotations

import os
from typing import NamedTuple

from mailmove.archive.files import durable
from mailmove.archive.lock import Lock
from mailmove.errors import ArchiveMissing, RefusedError
from mailmove.safe import visible

META = ".mailmove"


class Place(NamedTuple):
    """An archive's directory and its ``.mailmove``, open, with the lock of whoever may write."""

    path: str
    root: int
    meta: int
    lock: Lock | None

    def shown(self, name: str) -> str:
        """The path of a file in ``.mailmove``, for messages."""
        return os.path.join(self.path, META, name)

    def leave(self) -> None:
        """Let go of it."""
        if self.lock is not None:
            self.lock.release()
        os.close(self.meta)
        os.close(self.root)


def enter(path: str, *, writable: bool) -> Place:
    """Open an archive's directory, before anything in it is read; writing takes its lock.

    :raises ArchiveError: when there is no archive, or another run is writing to it.
    """
    path = os.path.abspath(os.path.expanduser(path))
    with durable.explained(f"opening {visible(path)}"):
        root = durable.open_dir(path)
    meta = -1
    try:
        check_owner(root, path)
        with durable.explained(f"opening {visible(path)}"):
            try:
                meta = durable.open_dir(META, root)
            except FileNotFoundError:
                raise ArchiveMissing(f"{visible(path)} is not a mailmove archive") from None
        return Place(path, root, meta, Lock.acquire(meta, path) if writable else None)
    except BaseException:
        for fd in (meta, root):
            if fd >= 0:
                os.close(fd)
        raise


def check_owner(fd: int, path: str) -> None:
    """See to it that an open directory is this user's.

    :raises RefusedError: when it is another's.
    """
    if os.geteuid() not in (0, os.fstat(fd).st_uid):
        raise RefusedError(f"{visible(path)} belongs to another user of this machine", "Run mailmove as that user.")
