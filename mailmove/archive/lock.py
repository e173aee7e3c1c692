"""One writer per archive: an operating-system lock, refused where the file system has none.

``flock`` ends with the process, however it ends. The file also names who holds it, because a network file system may
keep the locks of two machines apart.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import platform
from datetime import UTC, datetime

from mailmove.archive import durable
from mailmove.errors import ArchiveError
from mailmove.safe import visible
from mailmove.units import timestamp

NAME = "lock"


class Lock:
    """A lock that is held until :meth:`release`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def acquire(cls, directory: int, shown: str) -> Lock:
        """Take the lock of a ``.mailmove`` directory; ``shown`` is the archive's path for messages.

        :raises ArchiveError: when another run holds it, or locks do not work there.
        """
        with durable.explained(f"locking {shown}"):
            fd = durable.open_file(NAME, directory, os.O_RDWR | os.O_CREAT)
        try:
            cls._lock(fd, shown)
        except BaseException:
            os.close(fd)
            raise
        return cls(fd)

    def release(self) -> None:
        """Let go."""
        try:
            os.ftruncate(self._fd, 0)
        except OSError:
            pass  # the note is for other machines only; this one sees the lock
        os.close(self._fd)

    @staticmethod
    def _lock(fd: int, shown: str) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK):
                raise ArchiveError(
                    f"another mailmove is working on {shown}{_holder(fd)}",
                    "Wait until it has finished, then try again.",
                ) from None
            raise ArchiveError(
                f"the file system of {shown} has no locks ({error.strerror})",
                "Two runs at once could not be told apart. Keep the archive on another file system.",
            ) from error
        holder = os.pread(fd, 500, 0).decode("utf-8", "replace").split()
        if len(holder) == 4 and holder[1] != _machine():
            raise ArchiveError(
                f"another machine, {visible(holder[0])}, has been working on {shown} since {visible(holder[3])}",
                f"If it is not running any more, delete {shown}/.mailmove/{NAME} and try again.",
            )
        note = f"{platform.node() or 'unknown'} {_machine()} {os.getpid()} {timestamp(datetime.now(UTC))}\n"
        with durable.explained(f"locking {shown}"):
            os.ftruncate(fd, 0)
            os.pwrite(fd, note.encode(), 0)


def _holder(fd: int) -> str:
    holder = os.pread(fd, 500, 0).decode("utf-8", "replace").split()
    return f" (on {visible(holder[0])}, process {visible(holder[2])})" if len(holder) == 4 else ""


def _machine() -> str:
    """Something that tells this machine from others, and tells others nothing about it."""
    try:
        with open("/etc/machine-id", "rb") as file:
            secret = file.read()
    except OSError:
        secret = b""
    return hashlib.sha256(b"mailmove lock" + secret + platform.node().encode()).hexdigest()[:16]
