"""What the file system under an archive is: where its bytes go, who else can write there, and what it can do.

Told by ``f_type`` of fstatfs(2), whose numbers are in that manual page and in Linux's ``magic.h``; by mount flags and
name on macOS.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

NAME_MAX = 255
"""What file systems allow mostly; FAT counts other units, and tells more."""

_MEMORY = {0x01021994: "tmpfs", 0x858458F6: "ramfs"}
_SYNCFS_HONOURED = {0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs", 0xF2F52010: "f2fs", 0x01021994: "tmpfs"}
_STABLE_INODES = {*_SYNCFS_HONOURED, 0x6969, 0x2FC12FC1, 0x52654973, 0x3153464A}  # and NFS, ZFS, reiserfs, jfs
_LOCAL = {
    **_MEMORY,
    **_SYNCFS_HONOURED,
    0x2FC12FC1: "zfs",
    0xCA451A4E: "bcachefs",
    0x794C7630: "overlayfs",
    0xF15F: "ecryptfs",
    0x3434: "nilfs2",
    0x3153464A: "jfs",
    0x52654973: "reiserfs",
    0x24051905: "ubifs",
    0x72B6: "jffs2",
    0x4D44: "fat",
    0x2011BAB0: "exfat",
    0x7366746E: "ntfs3",
    0x482B: "hfs+",
    0x9660: "iso9660",
    0x15013346: "udf",
    0x73717368: "squashfs",
    0xE0F5E1E2: "erofs",
}
"""File systems that one machine alone writes to. FUSE is none of them: what is behind it is not told."""

_ROOM = 4096  # more than any statfs structure
_MACOS_FLAGS, _MACOS_NAME, _MNT_LOCAL = 64, slice(72, 88), 0x1000  # struct statfs with 64-bit inodes


def is_shared(fd: int) -> bool:
    """Whether other machines may write to the file system of an open file: NFS, SMB and whatever is not known."""
    if sys.platform == "darwin":
        return not int.from_bytes(_statfs(fd)[_MACOS_FLAGS : _MACOS_FLAGS + 4], sys.byteorder) & _MNT_LOCAL
    return _type(fd) not in _LOCAL


def is_same(one: int, other: int) -> bool:
    """Whether two open files lie on the same disk, so that what takes one takes the other."""
    return os.fstat(one).st_dev == os.fstat(other).st_dev


def in_memory(fd: int) -> bool:
    """Whether what is written there is gone after a restart."""
    if sys.platform == "darwin":
        return _statfs(fd)[_MACOS_NAME].rstrip(b"\0") == b"tmpfs"
    return _type(fd) in _MEMORY


def has_stable_inodes(fd: int) -> bool:
    """Whether an inode's number names one file on this file system, also after it was mounted again.

    Those in user space, SMB and FAT may give a number to another file; what is not known counts as one of them.
    """
    return sys.platform == "linux" and _type(fd) in _STABLE_INODES


def honours_syncfs(fd: int) -> bool:
    """Whether one syncfs(2) there makes everything durable, and tells when it could not.

    It reports write errors on Linux 5.8 and newer, and only some file systems are known to honour it.
    """
    return sys.platform == "linux" and _kernel() >= (5, 8) and _type(fd) in _SYNCFS_HONOURED


def longest_name(fd: int) -> int:
    """How many octets a name in this directory may have: 255 mostly, 143 on eCryptfs."""
    try:
        return min(os.fpathconf(fd, "PC_NAME_MAX"), NAME_MAX)
    except OSError:
        return NAME_MAX


def _kernel() -> tuple[int, ...]:
    parts = platform.release().split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def _type(fd: int) -> int:
    """``f_type``, the first word of Linux's structure; 0 where there is none."""
    return ctypes.c_long.from_buffer_copy(_statfs(fd)).value & 0xFFFFFFFF if sys.platform == "linux" else 0


def _statfs(fd: int) -> bytes:
    """The structure that fstatfs(2) fills; zeros when it fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(_ROOM)
    fstatfs = getattr(libc, "fstatfs$INODE64", libc.fstatfs)
    return room.raw if fstatfs(fd, room) == 0 else bytes(_ROOM)
