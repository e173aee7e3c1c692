"""Message files from one place into another, each hashed on the way; none is visible there before it is durable.

``tmp/`` → data durable → ``cur/`` → names durable. While the disk works on one batch the next is written.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple

from mailmove import replacing
from mailmove.archive.files import durable, names
from mailmove.archive.files.syncing import syncer
from mailmove.archive.proof.rehashing import Digest, Inode
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.tree import Tree
from mailmove.archive.writing.incoming import CREATE, OpenFolder
from mailmove.safe import visible

_PIECE = 1 << 18
BATCH_OCTETS = 32 << 20
BATCH_FILES = 1000


class _Waiting(NamedTuple):
    """A whole message in ``tmp``."""

    folder: OpenFolder
    temporary: str
    name: str


class _First(NamedTuple):
    """Where the first of several names of a file was written to, relative to the place; ``digest`` is what it holds."""

    directory: str
    temporary: str
    name: str
    digest: Digest


class Intake:
    """Takes message files into one place, as a context manager: leaving it normally waits until all is durable.

    Every method raises :exc:`~mailmove.errors.ArchiveError` when the disk fails; nothing more can be taken in then.
    """

    def __init__(self, tree: Tree, fence: Callable[[], None]) -> None:
        """``fence`` is asked before anything becomes visible: it raises when another run is at work there."""
        self._tree = tree
        self._fence = fence
        self._saving = f"saving messages in {visible(tree.path)}"
        self._token = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._folder: OpenFolder | None = None
        self._batch: list[_Waiting] = []  # being written
        self._written: list[_Waiting] = []  # in tmp, whole, perhaps not durable
        self._moved: list[_Waiting] = []  # in cur, perhaps not by a durable name
        self._octets = 0
        self._firsts: dict[Inode, _First] = {}
        self._syncer = syncer(tree.root)
        self._syncing: Future[None] | None = None

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._syncer.close()
            for waiting in (self._batch, self._written, self._moved):
                _release(waiting)
            self._leave()

    def enter(self, folder: FolderDir) -> None:
        """The messages that follow go into this folder; what a killed run left in its ``tmp`` is removed."""
        self._leave()
        self._folder = opened = OpenFolder(self._tree.root, folder)
        self._fence()
        opened.clear(self._token)

    def take(self, source: int, name: str, wanted: Digest, arrival: int) -> str:
        """Take in an open message file under this name, if it is what is wanted; else say in words what it is not."""
        folder = self._folder
        assert folder is not None, "enter comes first"
        try:
            status = os.fstat(source)
            inode = (status.st_dev, status.st_ino) if status.st_nlink > 1 else None
            temporary = self._linked(folder, inode, wanted)
            if temporary is None:
                temporary = names.temporary(self._token, next(self._numbers))
                if problem := self._copied(folder, source, temporary, wanted, arrival):
                    return problem
        except OSError as error:
            raise durable.failure(self._saving, error) from error
        if inode is not None:
            self._firsts.setdefault(inode, _First(folder.dir.path, temporary, name, wanted))
        folder.users += 1
        self._batch.append(_Waiting(folder, temporary, name))
        self._octets += wanted[0]
        if len(self._batch) >= BATCH_FILES or self._octets >= BATCH_OCTETS:
            self._step()
        return ""

    def flush(self) -> None:
        """Wait until everything is in its place, durably."""
        while self._batch or self._written or self._moved:
            self._step()

    def _copied(self, folder: OpenFolder, source: int, temporary: str, wanted: Digest, arrival: int) -> str:
        digest, octets, problem = hashlib.sha256(), 0, ""
        fd = os.open(temporary, CREATE, 0o400, dir_fd=folder.tmp)
        try:
            while True:
                try:
                    piece = os.read(source, _PIECE)
                except OSError as error:
                    problem = f"its file cannot be read: {error.strerror}"
                    break
                if not piece:
                    break
                digest.update(piece)
                replacing.write_all(fd, piece)
                octets += len(piece)
            if not problem and (octets, digest.digest()) != wanted:
                problem = "its file was altered"
            if problem:
                os.unlink(temporary, dir_fd=folder.tmp)
            with suppress(OSError, OverflowError):  # a courtesy: the name tells the arrival
                os.utime(fd, (arrival, arrival))
        except BaseException:
            os.close(fd)
            raise
        if problem:
            os.close(fd)
        else:
            self._syncer.close_file(fd)
        return problem

    def _linked(self, folder: OpenFolder, inode: Inode | None, wanted: Digest) -> str | None:
        """Another name in ``tmp`` for a file that came in this run under its other name; None where that cannot be."""
        first = self._firsts.get(inode) if inode is not None else None
        if first is None or first.digest != wanted:
            return None
        temporary = names.temporary(self._token, next(self._numbers))
        for part, name in (("tmp", first.temporary), ("cur", first.name)):
            directory = durable.open_below(self._tree.root, f"{first.directory}/{part}")
            try:
                os.link(name, temporary, src_dir_fd=directory, dst_dir_fd=folder.tmp, follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in durable.NO_LINKS:
                    return None
                raise
            finally:
                os.close(directory)
            return temporary
        return None

    def _step(self) -> None:
        """Wait for the disk; what is durable gets its name, and what was written meanwhile is its next work."""
        if self._syncing is not None:
            with durable.explained(self._saving):
                self._syncing.result()
        self._fence()
        _release(self._moved)
        with durable.explained(self._saving):
            for one in self._written:
                os.rename(one.temporary, one.name, src_dir_fd=one.folder.tmp, dst_dir_fd=one.folder.cur)
        self._moved, self._written, self._batch, self._octets = self._written, self._batch, [], 0
        self._syncing = None
        if self._moved or self._written:
            self._syncing = self._syncer.start({fd for one in self._moved for fd in (one.folder.cur, one.folder.tmp)})

    def _leave(self) -> None:
        if self._folder is not None:
            self._folder.release()
            self._folder = None


def _release(waiting: list[_Waiting]) -> None:
    for one in waiting:
        one.folder.release()
    waiting.clear()
