"""Reading from the disk itself what was written a moment ago, and not from the memory that it was written to."""

from __future__ import annotations

import os

from mailmove.archive.files import durable
from mailmove.archive.proof.rehashing import Digest, digest_of


def read_back(directory: int, name: str) -> tuple[Digest | None, bool]:
    """Octets and SHA-256 of a file whose octets are durable, None where it cannot be read; and whether by memory.

    The system is asked to let go of what it holds of the file; where it cannot be asked, the disk may not be read.
    """
    try:
        fd = durable.open_file(name, directory)
        try:
            cached = not _let_go(fd)
            return digest_of(fd), cached
        finally:
            os.close(fd)
    except OSError:
        return None, False


def _let_go(fd: int) -> bool:
    if not hasattr(os, "posix_fadvise"):  # macOS
        return False
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return True
