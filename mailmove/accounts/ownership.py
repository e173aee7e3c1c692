"""Who else can write to a file: whoever can, decides what is done in its owner's name."""

from __future__ import annotations

import grp
import os
import pwd
import stat


def writable_by_others(path: str) -> str | None:
    """The part of the way to a file, or the file, that somebody else than this user and root can write to; else None.

    Looked at are the file, the directory that names it, and every directory above: whoever can write to one of them
    can put another file in its place, except where only owners may rename (the sticky bit). A group counts as others
    unless it is the owner's own: of the owner's name, with no other member.

    :raises OSError: when something on the way cannot be looked at.
    """
    real = os.path.realpath(path)
    for looked_at in dict.fromkeys([real, *_above(real), *_above(os.path.abspath(path))]):
        status = os.stat(looked_at)
        protected = looked_at != real and status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.geteuid()) or (_others_write(status) and not protected):
            return looked_at
    return None


def _above(path: str) -> list[str]:
    above = os.path.dirname(path)
    return [above] if above == path or above == os.path.dirname(above) else [above, *_above(above)]


def _others_write(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _own_group(status)


def _own_group(status: os.stat_result) -> bool:
    try:
        owner, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return group.gr_name == owner and set(group.gr_mem) <= {owner}
