"""What the disk under an archive cannot do, what that means, and that mailmove goes on all the same."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from mailmove import replacing
from mailmove.archive.files import disk, durable, names


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


def has_links(directory: int, name: str) -> bool:
    """Whether a file, ``name`` among them, can have two names here.

    :raises OSError: when the disk fails.
    """
    probe = "link-probe"
    try:
        os.link(name, probe, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        pass  # left by a crash
    except OSError as error:
        if error.errno in durable.NO_LINKS:
            return False
        raise
    os.unlink(probe, dir_fd=directory)
    return True


def separator(directory: int) -> str:
    """Which separator this file system takes: some take no colon, some take it and keep another name."""
    name = names.join("probe", ":", "")
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory))
    except FileExistsError:
        pass
    except OSError:
        return ";"
    taken = name in os.listdir(directory)
    os.unlink(name, dir_fd=directory)
    return ":" if taken else ";"
