"""Messages that the archive lacks, in the index: not delivered, known to nothing but an index that was lost, or
missing and accepted so.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.archive.index.tables import Tables, recorded
from mailmove.archive.record import jsonline, records

SCHEMA = """
CREATE TABLE trouble (folder INTEGER, uid INTEGER, why TEXT NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID;
CREATE TABLE taken (
    folder INTEGER, uid INTEGER, sha256 BLOB NOT NULL, PRIMARY KEY (folder, uid, sha256)) WITHOUT ROWID;
CREATE TABLE remembered (
    folder INTEGER, uid INTEGER, sha256 TEXT, line TEXT NOT NULL, PRIMARY KEY (folder, uid, sha256)) WITHOUT ROWID;
CREATE TABLE accepted (
    folder INTEGER, uid INTEGER, sha256 TEXT, line TEXT NOT NULL, PRIMARY KEY (folder, uid, sha256)) WITHOUT ROWID;
"""


class Lacking(Tables):
    """What the archive does not hold of messages that it knows of."""

    def troubles(self, wire: bytes, uidvalidity: int) -> dict[int, str]:
        """Messages of a folder that the server did not deliver, and why."""
        rows = self._db.execute("SELECT uid, why FROM trouble WHERE folder = ?", (self._folder(wire, uidvalidity),))
        return dict(rows.fetchall())

    def taken(self, wire: bytes, uidvalidity: int) -> dict[int, set[bytes]]:
        """By UID of a folder, the SHA-256 of octets that somebody took for the message after a look."""
        found: dict[int, set[bytes]] = {}
        folder = self._folder(wire, uidvalidity)
        for uid, sha256 in self._db.execute("SELECT uid, sha256 FROM taken WHERE folder = ?", (folder,)):
            found.setdefault(uid, set()).add(sha256)
        return found

    def remembered(self) -> list[records.Remembered]:
        """Messages that nothing but a lost index knew, and that have not come back."""
        rows = self._db.execute("SELECT line FROM remembered ORDER BY folder, uid, sha256")
        return [line for (text,) in rows if isinstance(line := recorded(text), records.Remembered)]

    def recalled(self, wire: bytes, uidvalidity: int, uid: int, sha256: str) -> records.Remembered | None:
        """What is remembered of one message."""
        row = self._db.execute(
            "SELECT line FROM remembered WHERE folder = ? AND uid = ? AND sha256 = ?",
            (self._folder(wire, uidvalidity), uid, sha256),
        ).fetchone()
        line = recorded(row[0]) if row else None
        return line if isinstance(line, records.Remembered) else None

    def accepted(self, wire: bytes, uidvalidity: int) -> set[tuple[int, bytes]]:
        """UID and SHA-256 of messages of a folder that somebody accepts to be missing."""
        rows = self._db.execute("SELECT uid, sha256 FROM accepted WHERE folder = ?", (self._folder(wire, uidvalidity),))
        return {(uid, bytes.fromhex(sha256)) for uid, sha256 in rows}

    def _arrived(self, lines: Iterable[records.Message]) -> None:
        """These are lacking no longer."""
        found = [(self._folder(line.folder, line.uidvalidity), line.uid, line.sha256) for line in lines]
        if self._db.execute("SELECT 1 FROM trouble").fetchone():
            self._db.executemany("DELETE FROM trouble WHERE folder = ? AND uid = ?", [row[:2] for row in found])
        for table in ("remembered", "accepted"):
            if self._db.execute(f"SELECT 1 FROM {table}").fetchone():
                self._db.executemany(f"DELETE FROM {table} WHERE folder = ? AND uid = ? AND sha256 = ?", found)

    def _cleared(self, line: records.Gone | records.Present | records.PruneDone) -> None:
        folder = self._folder(line.folder, line.uidvalidity)
        self._db.executemany("DELETE FROM trouble WHERE folder = ? AND uid = ?", [(folder, u) for u in line.uids])

    def _troubled(self, line: records.Trouble) -> None:
        folder = self._folder(line.folder, line.uidvalidity)
        self._db.execute("INSERT OR REPLACE INTO trouble VALUES (?, ?, ?)", (folder, line.uid, line.why))

    def _taken(self, line: records.Taken) -> None:
        row = (self._folder(line.folder, line.uidvalidity), line.uid, bytes.fromhex(line.sha256))
        self._db.execute("INSERT OR IGNORE INTO taken VALUES (?, ?, ?)", row)

    def _accepted(self, line: records.Accepted) -> None:
        row = (self._folder(line.folder, line.uidvalidity), line.uid, line.sha256, jsonline.to_json(line))
        self._db.execute("INSERT OR REPLACE INTO accepted VALUES (?, ?, ?, ?)", row)

    def _remembered(self, line: records.Remembered) -> None:
        held = (self._folder(line.folder, line.uidvalidity), line.uid, line.sha256)
        self._db.execute(
            "INSERT OR REPLACE INTO remembered SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS"
            " (SELECT 1 FROM message WHERE folder = ?1 AND uid = ?2 AND sha256 = ?5)",
            (*held, jsonline.to_json(line), bytes.fromhex(line.sha256)),
        )
