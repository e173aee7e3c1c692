"""The search index: which words are in which message, in SQLite (FTS5).

It is derived from the message files, catches up by itself when something is looked for, and deleting it costs only
time. It is the mail in clear: mode 0600, in the state directory. A message is in it once, by its SHA-256, however many
copies the archive has. The text itself is not kept (a contentless table), only where its words are; header fields and
names of attachments are, without case and accents, so that words are found inside longer ones there.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mailmove.archive.files import durable
from mailmove.archive.index import index
from mailmove.errors import ArchiveError
from mailmove.safe import visible

SCHEMA = 2
WORDS = 1
"""Raised when :mod:`mailmove.mail` reads messages differently: what was read otherwise is read again."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE body (
    id INTEGER PRIMARY KEY, key INTEGER NOT NULL, sha256 BLOB NOT NULL, octets INTEGER NOT NULL,
    attachments INTEGER NOT NULL, from_ TEXT NOT NULL, to_ TEXT NOT NULL, subject TEXT NOT NULL, other TEXT NOT NULL,
    filename TEXT NOT NULL, newest INTEGER NOT NULL DEFAULT 0, copies INTEGER NOT NULL DEFAULT 0);
CREATE INDEX body_key ON body (key);
CREATE TABLE copy (body INTEGER, number INTEGER, arrival INTEGER NOT NULL, PRIMARY KEY (body, number))
    WITHOUT ROWID;
CREATE TABLE note (body INTEGER PRIMARY KEY, unread INTEGER NOT NULL, what TEXT NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(text, attachments, content='', columnsize=0, tokenize='ascii');
"""
_MAX_CACHE_KB = 8192
_LOOK = 0.1  # seconds


class Damaged(ArchiveError):
    """What the search index holds is at fault: it is to be made again."""


class Tables:
    """A search index that is open. To be closed, or used as a context."""

    def __init__(self, path: str, of: str) -> None:
        """Open the search index at ``path``, or make it, beside the index at ``of``.

        :raises Damaged: when it cannot be read, or was made by another version.
        :raises ArchiveError: when its disk fails.
        """
        self.path = path
        self._in_use = _locked(f"{path}.lock", fcntl.LOCK_SH)
        try:
            self._open(path, of)
        except BaseException:
            os.close(self._in_use)
            raise

    def _open(self, path: str, of: str) -> None:
        with explained(path):
            with durable.explained(f"opening {visible(path)}"):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
            try:
                self._begin()
                self.db.execute("ATTACH ? AS archive", (of,))
            except BaseException:
                self.db.close()
                raise

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()
        os.close(self._in_use)

    def _begin(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", f"cache_size = -{_MAX_CACHE_KB}"):
            self.db.execute(f"PRAGMA {pragma}")
        version = self._version()
        if version == 0:
            with filling(self.path):
                if self._version() == 0:
                    self.db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA << 8 | WORDS}; COMMIT")
        elif version != SCHEMA << 8 | WORDS:
            raise sqlite3.DatabaseError("made by another version")

    def _version(self) -> int:
        return int(self.db.execute("PRAGMA user_version").fetchone()[0])

    def meta(self, name: str) -> str | None:
        """What was noted under this name."""
        row = self.db.execute("SELECT value FROM main.meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str | int) -> None:
        """Note it."""
        self.db.execute("INSERT OR REPLACE INTO main.meta VALUES (?, ?)", (name, str(value)))


@contextmanager
def filling(path: str) -> Iterator[None]:
    """Wait until no other process is filling the search index at ``path``, and be the one that may."""
    fd = _locked(f"{path}.filling", fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Delete a search index, as soon as nobody uses it: a file that is open must not lose its write-ahead log.

    :raises ArchiveError: when that is not possible.
    """
    fd = _locked(f"{path}.lock", fcntl.LOCK_EX)
    try:
        index.remove(path)
    finally:
        os.close(fd)


def _locked(path: str, how: int) -> int:
    """A descriptor that holds this lock until it is closed."""
    with durable.explained(f"locking {visible(path)}"):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(fd, how | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(_LOOK)
                else:
                    return fd
        except BaseException:
            os.close(fd)
            raise


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn SQLite's errors with the search index at ``path`` into one for the user.

    :raises Damaged: when it is to be made again.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if index.damaged(error):
            raise Damaged(f"the search index {visible(path)} is damaged: {visible(str(error))}") from error
        raise ArchiveError(
            f"the search index {visible(path)}, or the index that is read with it, cannot be used: {error}",
            "Make room there, or make it writable, and run the same command again. The archive itself is as it was.",
        ) from error
