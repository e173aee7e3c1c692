"""Files and directories below an archive, made, opened and made durable on directory descriptors.

Every path below an archive is opened part by part with O_NOFOLLOW, so no symbolic link planted there is followed; nor
is one by O_EXCL, which makes new files.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailmove import replacing
from mailmove.archive.files import disk
from mailmove.errors import ArchiveError, DiskFull
from mailmove.safe import visible

_DIR_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_RIGHTS = {errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""How one says that it keeps no access rights."""

NO_LINKS = {errno.EMLINK, errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}
"""How a file system, or a file, says that it cannot have another name."""


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn an operating-system error into one that says what was being done.

    :raises ArchiveError: instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise failure(doing, error) from error


def failure(doing: str, error: OSError) -> ArchiveError:
    """The error for an operating-system error while ``doing`` something."""
    if error.errno in _FULL:
        return DiskFull(
            f"no room left on the disk while {doing}",
            "Make room and run the same command again: it goes on where it stopped. Nothing that was saved is lost.",
        )
    reason = error.strerror or str(error)
    if error.errno == errno.ELOOP or error.errno == errno.ENOTDIR:
        reason = f"{reason} (a symbolic link or a file where a directory should be)"
    return ArchiveError(f"{doing} failed: {visible(reason)}")


def is_full(error: BaseException | None) -> bool:
    """Whether this is the error of :func:`failure` for a disk without room."""
    cause = error.__cause__ if isinstance(error, ArchiveError) else None
    return isinstance(cause, OSError) and cause.errno in _FULL


def open_dir(path: str, parent: int | None = None) -> int:
    """Open one directory, which must not be a symbolic link when it lies below ``parent``.

    :raises OSError: as the operating system says.
    """
    if parent is None:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return os.open(path, _DIR_FLAGS, dir_fd=parent)


def make_path(path: str) -> None:
    """Make a directory, and those above it that are missing, private; its name is durable, also if it was there."""
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        make_path(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    fd = open_dir(above)
    try:
        replacing.flush(fd)
    finally:
        os.close(fd)


def open_below(root: int, path: str) -> int:
    """Open a directory below ``root``, no part of the way being a symbolic link."""
    return _walk(root, path, open_dir)


def make_below(root: int, path: str) -> int:
    """Make the directories of ``path`` that are missing, private and durable, and open the last one.

    A killed run may have made those that are there without syncing their names: all names on the way are synced.
    """
    try:
        return open_below(root, path)
    except FileNotFoundError:
        return _walk(root, path, _made)


def _walk(root: int, path: str, step: Callable[[str, int], int]) -> int:
    """Go down part by part from ``root``, whose descriptor stays open; ``step`` opens each part in the one before."""
    fd = os.dup(root)
    for part in path.split("/"):
        above = fd
        try:
            fd = step(part, above)
        finally:
            os.close(above)
    return fd


def _made(name: str, parent: int) -> int:
    new = True
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        new = False
    fd = open_dir(name, parent)
    try:
        if new:
            make_private(fd)  # whatever the umask took away
        replacing.flush(parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_file(name: str, parent: int, flags: int = os.O_RDONLY) -> int:
    """Open a regular file, made private when new; a link, FIFO or device in its place is an error, never waited for."""
    fd = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", name)
    return fd


def make_private(directory: int) -> None:
    """Let nobody else in, where the file system keeps access rights at all.

    :raises OSError: when it does and could not.
    """
    try:
        os.fchmod(directory, 0o700)
    except OSError as error:
        if error.errno not in _NO_RIGHTS:
            raise


class FileSystemSync:
    """Makes everything written to one file system durable at once, where that is possible and can be trusted.

    Write errors are reported since the descriptor was opened. Where ``syncfs`` is not honoured, :meth:`open` gives
    None and files are synced one by one.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._libc = ctypes.CDLL(None, use_errno=True)

    @classmethod
    def open(cls, directory: int) -> FileSystemSync | None:
        """For the file system of ``directory``, from now on: errors of later writes will be reported."""
        if not disk.honours_syncfs(directory):
            return None
        return cls(os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory))

    def sync(self) -> None:
        """Wait until all is on disk.

        :raises OSError: when any write since the last call failed.
        """
        if self._libc.syncfs(self._fd):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self._fd)
