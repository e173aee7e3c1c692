"""What the disk under an archive cannot do, what that means, and that mailmove goes on all the same."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from mailmove import replacing
from mailmove.archive.files import disk


def forgets(root: int) -> str | None:
    """Why what is written to an archive may be gone although the disk said that it was safe; None where it is safe.

    :raises OSError: when the disk fails.
    """
    if disk.in_memory(root):
        return "the archive lies in memory (tmpfs): it is gone when this machine stops"
    if not replacing.syncs_names(root):
        return (
            "the archive's disk cannot make the names of files durable (no fsync of directories): a power cut may take "
            "what was archived shortly before"
        )
    return None


def lacks(meta: int) -> Iterator[str]:
    """What is not so on this disk as it should be, and does not endanger mail, for a ``.mailmove`` directory."""
    mode = stat.S_IMODE(os.fstat(meta).st_mode)
    if mode & 0o077:
        yield (
            f"others can look into the archive (its .mailmove has mode {mode:o}): take their rights away; on a disk "
            "without access rights the mount options decide"
        )
