"""The octets of archived messages, and no others: hashed before the first of them goes out.

A small message is read whole, hashed, and these very octets are served. A large one is hashed once and remembered by
what the file system says of its file (device, inode, size, time of last change), so that a partial fetch of 2 GB does
not read all of it each time; each piece is served only if the file is seen to be that one still.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from mailmove.archive.files import durable, names
from mailmove.archive.index.messages import Stored
from mailmove.archive.proof import rehashing
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError
from mailmove.model import folder_text
from mailmove.safe import visible
from mailmove.serving.shelf import Snapshot
from mailmove.units import short_id

SMALL = 1 << 18
PIECE = 1 << 18
_REMEMBERED = 20_000  # files
_SETTLED = 1.0  # seconds since its last change after which another change shows in a file's time


class Mark(NamedTuple):
    """What the file system says of a file: two of these that are equal are of the same octets."""

    device: int
    inode: int
    octets: int
    changed: int


class Octets(Protocol):
    """The octets of a message, as far as its readers ask for them."""

    def __len__(self) -> int: ...

    def __getitem__(self, piece: slice, /) -> bytes:
        """Octets from a place to another; :exc:`~mailmove.errors.ArchiveError` when the file changed meanwhile."""

    def find(self, needle: bytes, start: int, end: int, /) -> int:
        """Where the first of these is between two places; -1: nowhere."""


class Proofs:
    """Which large files hashed right. One for all archives; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Mark, bytes] = OrderedDict()

    def known(self, mark: Mark) -> bytes | None:
        """The SHA-256 of a file that is as it was when it was hashed."""
        with self._lock:
            return self._known.get(mark)

    def add(self, mark: Mark, sha256: bytes) -> None:
        """Remember one."""
        with self._lock:
            self._known[mark] = sha256
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


PROOFS = Proofs()


@contextmanager
def opened(snapshot: Snapshot, stored: Stored) -> Iterator[Octets]:
    """The octets of a message, from whichever of its copies still is what was archived.

    :raises ArchiveError: when none is, naming the message and why; also from what it gives.
    """
    problem = ""
    for copy in _copies(snapshot, stored):
        found = _proven(snapshot.archive, copy)
        if not isinstance(found, str):
            try:
                yield found
            finally:
                if isinstance(found, _Large):
                    found.close()
            return
        problem = problem or found
    raise _damaged(stored, problem)


def _copies(snapshot: Snapshot, stored: Stored) -> Iterator[Stored]:
    """A message, and whatever else has its octets; nobody looks for that before the first turned out to be damaged."""
    yield stored
    yield from (copy for copy in snapshot.copies(stored.sha256) if copy.id != stored.id)


def _proven(archive: Archive, stored: Stored) -> Octets | str:
    """The octets of a message from its file, which hashed right; or why not."""
    folder = archive.manifest.find(stored.id.folder, stored.id.uidvalidity)
    if folder is None:
        return "its folder has no directory in the archive"
    try:
        directory = durable.open_below(archive.root, f"{folder.path}/cur")
        try:
            name = _name(archive, directory, stored)
            fd = durable.open_file(name, directory) if name is not None else -1
        finally:
            os.close(directory)
    except OSError as error:
        return f"its file cannot be opened: {error.strerror}"
    if fd < 0:
        return rehashing.MISSING
    found: Octets | None = None
    try:
        found = _large(fd, stored) if stored.base.octets > SMALL else _small(fd, stored)
    except OSError as error:
        return f"its file cannot be read: {error.strerror}"
    finally:
        if not isinstance(found, _Large):
            os.close(fd)
    return rehashing.ALTERED if found is None else found


def _small(fd: int, stored: Stored) -> Octets | None:
    octets = os.pread(fd, SMALL + 1, 0)
    return octets if hashlib.sha256(octets).digest() == stored.sha256 else None


def _large(fd: int, stored: Stored) -> _Large | None:
    mark = _mark(fd)
    if mark.octets != stored.base.octets:
        return None
    known = PROOFS.known(mark)
    if known is None:
        began = time.time()
        _, known = rehashing.digest_of(fd)
        if _mark(fd) != mark:
            return None
        if began - mark.changed / 1e9 > _SETTLED:
            PROOFS.add(mark, known)
    return _Large(fd, stored, mark) if known == stored.sha256 else None


class _Large:
    """A large file, proven, read piece by piece."""

    def __init__(self, fd: int, stored: Stored, mark: Mark) -> None:
        self._fd = fd
        self._stored = stored
        self._mark = mark

    def close(self) -> None:
        os.close(self._fd)

    def __len__(self) -> int:
        return self._stored.base.octets

    def __getitem__(self, piece: slice, /) -> bytes:
        start, stop, _ = piece.indices(len(self))
        try:
            octets = os.pread(self._fd, max(0, stop - start), start)
        except OSError as error:
            raise _damaged(self._stored, f"its file cannot be read: {error.strerror}") from None
        if _mark(self._fd) != self._mark or len(octets) != max(0, stop - start):
            raise _damaged(self._stored, "its file was changed while it was being read")
        return octets

    def find(self, needle: bytes, start: int, end: int, /) -> int:
        while start < end:
            piece = self[start : min(start + PIECE, end)]
            at = piece.find(needle)
            if at >= 0:
                return start + at
            if len(piece) < PIECE:
                break
            start += PIECE - len(needle) + 1
        return -1


def _mark(fd: int) -> Mark:
    status = os.fstat(fd)
    return Mark(status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns)


class _Names:
    """The names in the directory that was looked through last, for messages whose letters a mail program changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: tuple[int, int, int] | None = None
        self._names: dict[str, str] = {}

    def find(self, directory: int, base: str) -> str | None:
        """The name of the file with this base."""
        status = os.fstat(directory)
        now = (status.st_dev, status.st_ino, status.st_mtime_ns)
        with self._lock:
            if self._of != now:
                with os.scandir(directory) as entries:
                    self._names = {names.split(entry.name)[0]: entry.name for entry in entries}
                self._of = now
            return self._names.get(base)


_NAMES = _Names()


def _name(archive: Archive, directory: int, stored: Stored) -> str | None:
    """The file name of a message, whatever its flags are by now."""
    base = str(stored.base)
    for letters in dict.fromkeys((names.letters_for(stored.flags), "", "S")):
        name = names.join(base, archive.manifest.separator, letters)
        try:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue
        return name
    return _NAMES.find(directory, base)


def _damaged(stored: Stored, problem: str) -> ArchiveError:
    where = f"{visible(folder_text(stored.id.folder))} UID {stored.id.uid}"
    return ArchiveError(
        f"message {short_id(stored.sha256)} ({where}) cannot be served: {problem}",
        "See what is wrong with it: mailmove check",
    )
