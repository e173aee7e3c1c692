"""Replacing a file so that a power cut leaves the old one or the new one, whole; and what makes a write durable."""

from __future__ import annotations

import errno
import os
import stat
import sys

_F_FULLFSYNC = 51  # macOS: fsync alone leaves data in the drive's cache

_NO_SYNC = {
    *(errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EISDIR, errno.EPERM, errno.EACCES),
}
"""How a file system says that it cannot make a directory durable: vboxsf and others in user space."""


def replace_file(path: str, content: bytes, mode: int = 0o600) -> None:
    """Put a whole new file, private unless ``mode`` says otherwise, in place of ``path``, in a directory that is there.

    :raises OSError: as the operating system says.
    """
    above, name = os.path.split(path)
    directory = os.open(above or os.curdir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        replace_below(directory, name, content, mode)
    finally:
        os.close(directory)


def replace_below(parent: int, name: str, content: bytes, mode: int = 0o600) -> None:
    """The same in an open directory: temporary file, fsync, rename, fsync of the directory."""
    temporary = f".{name}.new"
    try:
        os.unlink(temporary, dir_fd=parent)  # left behind by a crash
    except FileNotFoundError:
        pass
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=parent)
    try:
        if mode != 0o600:
            os.fchmod(fd, mode)  # the umask would take of it what others need
        write_all(fd, content)
        flush(fd)
    finally:
        os.close(fd)
    os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    flush(parent)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every octet, however many writes that takes."""
    written = os.write(fd, data)
    if written != len(data):
        view = memoryview(data)
        while written < len(view):
            written += os.write(fd, view[written:])


def flush(fd: int) -> None:
    """Make a file's or directory's content durable; a directory's where the file system can: :func:`syncs_names`.

    :raises OSError: when the system could not write all of it.
    """
    try:
        _sync(fd)
    except OSError as error:
        if error.errno not in _NO_SYNC or not stat.S_ISDIR(os.fstat(fd).st_mode):
            raise


def syncs_names(directory: int) -> bool:
    """Whether the file system can make the names in a directory durable.

    :raises OSError: when it can and could not.
    """
    try:
        _sync(directory)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
        return False
    return True


def _sync(fd: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, _F_FULLFSYNC)
    else:
        os.fsync(fd)
