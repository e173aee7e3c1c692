"""Waiting for the disk without waiting: files and names are made durable in the background."""

from __future__ import annotations

import os
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from mailmove import replacing
from mailmove.archive.files import durable

_THREADS = 4


class Syncer(Protocol):
    """Makes files, and the names in directories, durable."""

    def close_file(self, fd: int) -> None:
        """All of a file is written: close it. It is durable once a :meth:`start` after this is done."""

    def start(self, directories: Collection[int]) -> Future[None]:
        """Make every closed file durable, and the names in these directories.

        Its result raises OSError when the system could not write something.
        """

    def close(self) -> None:
        """Wait for what is under way, and let go of everything."""


def syncer(archive: int) -> Syncer:
    """The fastest that can be trusted on the file system of an archive."""
    whole = durable.FileSystemSync.open(archive)
    return _Whole(whole) if whole is not None else _Piecemeal()


class _Whole:
    """One call for everything; see :class:`mailmove.archive.files.durable.FileSystemSync`."""

    def __init__(self, sync: durable.FileSystemSync) -> None:
        self._sync = sync
        self._pool = ThreadPoolExecutor(1, "sync")

    def close_file(self, fd: int) -> None:
        os.close(fd)

    def start(self, directories: Collection[int]) -> Future[None]:
        return self._pool.submit(self._sync.sync)

    def close(self) -> None:
        self._pool.shutdown()
        self._sync.close()


class _Piecemeal:
    """Every file and directory by itself, several at the same time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "sync")
        self._files: list[Future[None]] = []

    def close_file(self, fd: int) -> None:
        self._files.append(self._pool.submit(_flush_and_close, fd))

    def start(self, directories: Collection[int]) -> Future[None]:
        files, self._files = self._files, []
        return self._pool.submit(self._finish, files, [os.dup(fd) for fd in directories])

    def close(self) -> None:
        self._pool.shutdown()

    @staticmethod
    def _finish(files: list[Future[None]], directories: list[int]) -> None:
        try:
            for file in files:
                file.result()
            for fd in directories:
                replacing.flush(fd)
        finally:
            for fd in directories:
                os.close(fd)


def _flush_and_close(fd: int) -> None:
    try:
        replacing.flush(fd)
    finally:
        os.close(fd)
