"""Where an archive is: its directory and its ``.mailmove``, opened before anything in them is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from mailmove.archive import mark
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


def enter(
    path: str, *, writable: bool, copying: bool = False, lock: Callable[[int, str], Lock | None] = Lock.acquire
) -> Place:
    """Open an archive's directory, before anything in it is read; writing takes its lock.

    Into a copy only ``copying`` may write. ``lock`` takes the lock of an open ``.mailmove``, where there is one.

    :raises ArchiveError: when there is no archive, or another run is writing to it.
    :raises RefusedError: when it is a copy.
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
                raise ArchiveMissing(
                    f"{visible(path)} is not a mailmove archive", "Name the directory that holds .mailmove."
                ) from None
        if writable and not copying:
            _refuse_copy(meta, path)
        return Place(path, root, meta, lock(meta, path) if writable else None)
    except BaseException:
        for fd in (meta, root):
            if fd >= 0:
                os.close(fd)
        raise


def _refuse_copy(meta: int, path: str) -> None:
    if mark.load(meta, os.path.join(path, META, mark.NAME)) is not None:
        raise RefusedError(
            f"{visible(path)} is a copy of an archive: only mailmove copy writes there",
            f"To make it the archive of its account: mailmove account rebind ACCOUNT --archive {visible(path)}",
        )


def check_owner(fd: int, path: str) -> None:
    """See to it that an open directory is this user's.

    :raises RefusedError: when it is another's.
    """
    if os.geteuid() not in (0, os.fstat(fd).st_uid):
        raise RefusedError(f"{visible(path)} belongs to another user of this machine", "Run mailmove as that user.")
