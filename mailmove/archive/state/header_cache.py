"""Header fields of messages that are not archived, kept in the state directory so that they are fetched once.

It is a cache: what is wrong with it costs the time to fetch them again, and nothing else.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

from mailmove.archive.index.headers import Headers
from mailmove.archive.index.index import remove
from mailmove.archive.state import cache
from mailmove.archive.state.memory import Memory

log = logging.getLogger(__name__)

SCHEMA = 1
_TABLES = """
CREATE TABLE folder (id INTEGER PRIMARY KEY, wire BLOB NOT NULL UNIQUE, uidvalidity INTEGER NOT NULL);
CREATE TABLE header (
    folder INTEGER NOT NULL, uid INTEGER NOT NULL, date BLOB, from_ BLOB, list_id BLOB,
    PRIMARY KEY (folder, uid)) WITHOUT ROWID;
"""


class HeaderCache:
    """The Date, From and List-Id of messages of one login, by folder, UIDVALIDITY and UID. Opened when first used."""

    def __init__(self, memory: Memory, login: str) -> None:
        self._memory = memory
        self._login = login
        self._opened: sqlite3.Connection | None = None

    def __enter__(self) -> HeaderCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @cached_property
    def _path(self) -> str:
        return self._memory.of_login("headers", self._login, ".sqlite")

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        """The database, as one transaction; a file that fails is dropped, and whoever used it goes on without."""
        if self._opened is None:
            try:
                self._opened = _open(self._path)
            except sqlite3.DatabaseError as error:
                self._drop(error)
                self._opened = _open("")  # a temporary one, for this run
        try:
            with self._opened:
                yield self._opened
        except sqlite3.DatabaseError as error:
            self._drop(error)

    def _drop(self, error: sqlite3.DatabaseError) -> None:
        log.info("%s is not usable and is made again: %s", self._path, error)
        self._close()
        remove(self._path)

    def read(self, wire: bytes, uidvalidity: int) -> Iterator[tuple[int, Headers]]:
        """UID and fields of every message of a folder that are known."""
        with self._db() as db:
            rows = db.execute(
                "SELECT uid, date, from_, list_id FROM header WHERE folder ="
                " (SELECT id FROM folder WHERE wire = ? AND uidvalidity = ?)",
                (wire, uidvalidity),
            )
            for uid, date, from_, list_id in rows:
                yield uid, Headers(date=date, from_=from_, list_id=list_id)

    def add(self, wire: bytes, uidvalidity: int, found: Iterable[tuple[int, Headers]]) -> None:
        """Keep the fields of more messages; what was known of the folder in another UIDVALIDITY is forgotten."""
        with self._db() as db:
            row = db.execute("SELECT id, uidvalidity FROM folder WHERE wire = ?", (wire,)).fetchone()
            if row is not None and row[1] != uidvalidity:
                db.execute("DELETE FROM header WHERE folder = ?", (row[0],))
                db.execute("DELETE FROM folder WHERE id = ?", (row[0],))
                row = None
            if row is None:
                row = db.execute(
                    "INSERT INTO folder (wire, uidvalidity) VALUES (?, ?) RETURNING id", (wire, uidvalidity)
                ).fetchone()
            db.executemany(
                "INSERT OR REPLACE INTO header VALUES (?, ?, ?, ?, ?)",
                ((row[0], uid, told.date, told.from_, told.list_id) for uid, told in found),
            )

    def forget(self, wire: bytes, uids: Collection[int]) -> None:
        """Drop messages that are not in the folder any more."""
        with self._db() as db:
            db.executemany(
                "DELETE FROM header WHERE folder = (SELECT id FROM folder WHERE wire = ?) AND uid = ?",
                ((wire, uid) for uid in uids),
            )

    def scrub(self) -> None:
        """Leave nothing in the file of what was dropped."""
        with self._db() as db:
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _open(path: str) -> sqlite3.Connection:
    # the last: what is erased is not left on free pages
    pragmas = ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON")
    return cache.opened(path, _TABLES, SCHEMA, *pragmas)
