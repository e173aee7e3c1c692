"""What of a copy was read and hashed, when, and what its disk said of each file then.

It is a cache of this machine: what is wrong with it costs hashing those files again, and nothing else.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mailmove.archive.index.index import remove
from mailmove.archive.mark import index_name
from mailmove.archive.state import cache
from mailmove.archive.state.memory import Memory

log = logging.getLogger(__name__)

SCHEMA = 1
_ROOM = "proofs"
_TABLES = """
CREATE TABLE proven (
    directory BLOB, base TEXT, sha256 BLOB NOT NULL, seen TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (directory, base)) WITHOUT ROWID;
"""


class Proven(NamedTuple):
    """A file was hashed: the ``base`` of its name, its SHA-256, what stat(2) said, and when, in Unix seconds."""

    base: str
    sha256: bytes
    seen: str
    at: int


class Proofs:
    """The files of one copy that were hashed, by directory."""

    def __init__(self, memory: Memory, uuid: str, copy: str) -> None:
        self._path = os.path.join(memory.directory(_ROOM), index_name(uuid, copy))

    def of(self, directory: str, since: int) -> dict[str, Proven]:
        """Those of a directory that were hashed ``since`` then, by base."""
        ask = "SELECT base, sha256, seen, at FROM proven WHERE directory = ? AND at >= ?"
        rows = self._use(lambda db: db.execute(ask, (os.fsencode(directory), since)).fetchall(), [])
        return {row[0]: Proven(*row) for row in rows}

    def note(self, directory: str, found: Iterable[Proven]) -> None:
        """Remember more of them."""
        place = os.fsencode(directory)
        rows = [(place, *one) for one in found]
        self._use(lambda db: db.executemany("INSERT OR REPLACE INTO proven VALUES (?, ?, ?, ?, ?)", rows), None)

    def count(self, since: int) -> int:
        """How many were hashed ``since`` then."""
        ask = "SELECT count(*) FROM proven WHERE at >= ?"
        return int(self._use(lambda db: db.execute(ask, (since,)).fetchone()[0], 0))

    def _use(self, what: Callable[[sqlite3.Connection], Any], otherwise: Any) -> Any:
        """Do something in one transaction; a file that fails is dropped, and nothing is known."""
        try:
            db = cache.opened(self._path, _TABLES, SCHEMA)
            try:
                with db:
                    return what(db)
            finally:
                db.close()
        except sqlite3.DatabaseError as error:
            log.info("%s is not usable and is made again: %s", self._path, error)
            remove(self._path)
            return otherwise


def files(memory: Memory, uuid: str) -> list[str]:
    """Where that is of all copies of an archive."""
    room, begins = memory.directory(_ROOM), index_name(uuid).removesuffix("sqlite")
    return [os.path.join(room, name) for name in os.listdir(room) if name.startswith(begins)]
