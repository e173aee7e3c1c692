"""What the tables of an index have in common: one connection, and a number for each folder."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import Any

from mailmove.archive.record import jsonline, records

_MAX_CACHE_KB = 4096
_CHECKPOINT = 8000  # pages of write-ahead log; hashes scatter, and later writes to a page replace earlier ones

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE folder (
    id INTEGER PRIMARY KEY, wire BLOB NOT NULL, uidvalidity INTEGER NOT NULL,
    complete INTEGER NOT NULL DEFAULT 0, uidnext INTEGER, messages INTEGER, highestmodseq INTEGER,
    UNIQUE (wire, uidvalidity));
"""


class Tables:
    """An SQLite database, open; the classes that inherit each read and write some of its tables."""

    def __init__(self, path: str) -> None:
        """Open it, or make an empty one.

        :raises sqlite3.DatabaseError: when it is damaged, or its disk fails.
        """
        self.path = path
        self._lock = threading.RLock()  # messages are committed in a thread of their own
        self._folders: dict[tuple[bytes, int], int] = {}
        self._flag_sets: dict[str, frozenset[str]] = {}
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA secure_delete = ON")  # what is erased is not left on free pages
            self._db.execute(f"PRAGMA cache_size = -{_MAX_CACHE_KB}")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def _folder(self, wire: bytes, uidvalidity: int) -> int:
        number = self._folders.get((wire, uidvalidity))
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO folder (wire, uidvalidity) VALUES (?, ?)", (wire, uidvalidity))
            row = self._db.execute(
                "SELECT id FROM folder WHERE wire = ? AND uidvalidity = ?", (wire, uidvalidity)
            ).fetchone()
            number = self._folders[wire, uidvalidity] = int(row[0])
        return number

    def _meta(self, name: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, name: str, value: str | int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def recorded(text: str) -> records.Record:
    """A record that a table keeps as the journal has it."""
    return jsonline.from_json(json.loads(text))
