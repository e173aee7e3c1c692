"""Reading message files back and believing nothing: what a file holds is what hashing it now says."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mailmove.archive.files import durable, names
from mailmove.archive.index.messages import Stored
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.tree import Tree
from mailmove.evidence import Evidence, FileSeen, clock, rehashed

_PIECE = 1 << 20

Inode = tuple[int, int]  # device and number
Digest = tuple[int, bytes]  # octets and SHA-256


def digest_of(fd: int) -> Digest:
    """Octets and SHA-256 of an open file, from its beginning.

    :raises OSError: when it cannot be read to its end.
    """
    os.lseek(fd, 0, os.SEEK_SET)
    return _digest_from_here(fd, os.fstat(fd).st_size)


def _digest_from_here(fd: int, size: int) -> Digest:
    digest, octets = hashlib.sha256(), 0
    room = min(size + 1, _PIECE)  # a buffer of the greatest size costs more than most messages
    while piece := os.read(fd, room):
        digest.update(piece)
        octets += len(piece)
    return octets, digest.digest()


def digest_at(directory: int, name: str) -> Digest:
    """The same of a file in an open directory.

    :raises OSError: when it is not a regular file, or cannot be read to its end.
    """
    fd = durable.open_file(name, directory)
    try:
        return digest_of(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Proven:
    """A message file that hashed right a moment ago, open, with the directory it is in. Close it after use."""

    directory: int
    name: str
    fd: int

    def __enter__(self) -> Proven:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
        os.close(self.directory)

    def link(self, to: int, name: str) -> None:
        """Give exactly this file another name.

        :raises OSError: also when the name it was opened by leads to another file by now.
        """
        os.link(self.name, name, src_dir_fd=self.directory, dst_dir_fd=to, follow_symlinks=False)
        if os.stat(name, dir_fd=to, follow_symlinks=False).st_ino != os.fstat(self.fd).st_ino:
            os.unlink(name, dir_fd=to)
            raise OSError(errno.ENOENT, "replaced while it was being linked")


def prove(archive: Tree, stored: Stored) -> Proven | str:
    """Open a message file and re-hash it now; or say in words why it is not what was archived."""
    folder = archive.manifest.find(stored.id.folder, stored.id.uidvalidity)
    if folder is None:
        return "its folder has no directory in the archive"
    try:
        directory = durable.open_below(archive.root, f"{folder.path}/cur")
    except OSError as error:
        return f"its directory cannot be opened: {error.strerror}"
    try:
        name = archive.locate(directory, stored.base, stored.flags)
        if name is None:
            raise _UnprovenError(MISSING)
        fd = durable.open_file(name, directory)
    except (OSError, _UnprovenError) as error:
        os.close(directory)
        return str(error) if isinstance(error, _UnprovenError) else f"its file cannot be opened: {error.strerror}"
    proven = Proven(directory, name, fd)
    try:
        if digest_of(fd) == (stored.base.octets, stored.sha256):
            return proven
        reason = ALTERED
    except OSError as error:
        reason = f"its file cannot be read: {error.strerror}"
    proven.__exit__()
    return reason


class Verdict(NamedTuple):
    """What re-hashing a message file said: ``problem`` is empty when it is what was archived.

    ``name`` is the file's name, None when there is no file; ``evidence`` is there when there is no problem.
    """

    stored: Stored
    name: str | None
    problem: str
    evidence: Evidence | None = None


class Reading(NamedTuple):
    """What hashing a file said, when, and what the file system said of it."""

    digest: Digest
    at: float
    seen: FileSeen


MISSING = "its file is missing"
ALTERED = "its file was altered"


def prove_all(
    archive: Tree, folder: FolderDir, wanted: Iterable[Stored], read: dict[Inode, Reading] | None = None
) -> Iterator[Verdict]:
    """Re-hash message files of one folder now, listing its directory once.

    A file with several names is read once; with the same ``read`` for several folders, once for all of them.
    """
    known = {} if read is None else read
    by_base = {str(stored.base): stored for stored in wanted}
    if not by_base:
        return
    files: dict[str, str] = {}
    for name in archive.listing(folder):
        base = names.split(name)[0]
        if base in by_base:
            files[base] = name
    directory = f"{folder.path}/cur"
    with archive.opened(folder) as fd:
        for base, stored in by_base.items():
            found = files.get(base)
            yield judged(archive, stored, fd, directory, found, known) if found else Verdict(stored, None, MISSING)


def judged(archive: Tree, stored: Stored, fd: int, directory: str, name: str, known: dict[Inode, Reading]) -> Verdict:
    """Re-hash one file of an open directory, and hold it against the record."""
    try:
        reading = read_at(fd, directory, name, known)
    except OSError as error:
        return Verdict(stored, name, f"its file cannot be read: {error.strerror}")
    if reading.digest != (stored.base.octets, stored.sha256):
        return Verdict(stored, name, ALTERED)
    return Verdict(stored, name, "", rehashed(stored.id, archive.identity, stored.sha256, reading.seen, reading.at))


def read_at(fd: int, directory: str, name: str, known: dict[Inode, Reading] | None = None) -> Reading:
    """Hash a file of an open directory; one with several names only once while it is seen to be the same.

    :raises OSError: when it is not a regular file, changes meanwhile, or cannot be read to its end.
    """
    at = clock()
    file = durable.open_file(name, fd)
    try:
        before = os.fstat(file)
        inode = (before.st_dev, before.st_ino)
        seen = file_seen(before, directory, name)
        earlier = known.get(inode) if known is not None and before.st_nlink > 1 else None
        if earlier is not None and earlier.seen[2:] == seen[2:]:
            return earlier._replace(seen=seen)
        digest = _digest_from_here(file, before.st_size)
        if file_seen(os.fstat(file), directory, name) != seen:
            raise OSError(errno.EBUSY, "it changed while it was read")
    finally:
        os.close(file)
    reading = Reading(digest, at, seen)
    if known is not None and before.st_nlink > 1:
        known[inode] = reading
    return reading


def file_seen(status: os.stat_result, directory: str, name: str) -> FileSeen:
    """What stat(2) said of a message file."""
    return FileSeen(
        directory, name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


class _UnprovenError(Exception):
    """Internal: why not, in words."""
