"""Erased messages in the index: what they were called, and nothing of what was in them."""

from __future__ import annotations

from typing import NamedTuple

from mailmove.archive.index.tables import Tables, recorded
from mailmove.archive.record import jsonline, records

SCHEMA = """
CREATE TABLE erased (
    folder INTEGER, uid INTEGER, sha256 TEXT, arrival INTEGER, octets INTEGER NOT NULL, run TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (folder, uid, sha256, arrival)) WITHOUT ROWID;
CREATE TABLE erasure_over (run TEXT PRIMARY KEY, line TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE erased_in (run TEXT, copy TEXT, line TEXT NOT NULL, PRIMARY KEY (run, copy)) WITHOUT ROWID;
"""


class Rest(NamedTuple):
    """What is left of an erased message of a folder; ``arrival`` in Unix seconds, ``octets`` its true length."""

    uid: int
    arrival: int
    sha256: bytes
    octets: int


class Erasures(Tables):
    """What was erased from an archive."""

    def erased(self, wire: bytes, uidvalidity: int) -> set[Rest]:
        """What was erased of a folder."""
        rows = self._db.execute(
            "SELECT uid, arrival, sha256, octets FROM erased WHERE folder = ?", (self._folder(wire, uidvalidity),)
        )
        return {Rest(uid, arrival, bytes.fromhex(sha256), octets) for uid, arrival, sha256, octets in rows}

    def erased_bodies(self) -> set[bytes]:
        """The SHA-256 of all that was erased."""
        return {bytes.fromhex(sha256) for (sha256,) in self._db.execute("SELECT DISTINCT sha256 FROM erased")}

    def count_erased(self) -> int:
        """How many messages were erased."""
        (number,) = self._db.execute("SELECT count(*) FROM erased").fetchone()
        return int(number)

    def erasures(self) -> list[records.Erased]:
        """All that was erased."""
        return self._erased_lines("SELECT line FROM erased ORDER BY folder, uid")

    def unfinished_erasures(self) -> list[records.Erased]:
        """What was to be erased by a run that did not come to its end."""
        return self._erased_lines("SELECT line FROM erased WHERE run NOT IN (SELECT run FROM erasure_over)")

    def runs_that_erased(self) -> set[str]:
        """The runs that erased something."""
        return {run for (run,) in self._db.execute("SELECT DISTINCT run FROM erased")}

    def erased_in(self, copy: str) -> set[str]:
        """Those of them that left nothing in this copy."""
        return {run for (run,) in self._db.execute("SELECT run FROM erased_in WHERE copy = ?", (copy,))}

    def pending(self) -> dict[str, int]:
        """How many erased messages may lie in a copy still, by its UUID."""
        rows = self._db.execute(
            "SELECT copied.copy, count(*) FROM copied, erased WHERE NOT EXISTS"
            " (SELECT 1 FROM erased_in WHERE erased_in.run = erased.run AND erased_in.copy = copied.copy) GROUP BY 1"
        )
        return dict(rows.fetchall())

    def scrub(self) -> None:
        """Leave nothing in the database's files of what was deleted in it."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _erased_lines(self, query: str) -> list[records.Erased]:
        rows = self._db.execute(query).fetchall()
        return [line for (text,) in rows if isinstance(line := recorded(text), records.Erased)]

    def _erased(self, line: records.Erased) -> None:
        folder = self._folder(line.folder, line.uidvalidity)
        sha256 = bytes.fromhex(line.sha256)
        self._forget_found(folder, line.uid, sha256)
        self._db.execute(
            "DELETE FROM label WHERE folder = ?1 AND uid = ?2 AND EXISTS"
            " (SELECT 1 FROM message WHERE folder = ?1 AND uid = ?2 AND sha256 = ?3 AND current)",
            (folder, line.uid, sha256),
        )
        self._db.execute("DELETE FROM message WHERE folder = ? AND uid = ? AND sha256 = ?", (folder, line.uid, sha256))
        for table in ("remembered", "accepted"):
            self._db.execute(
                f"DELETE FROM {table} WHERE folder = ? AND uid = ? AND sha256 = ?", (folder, line.uid, line.sha256)
            )
        self._db.execute("DELETE FROM trouble WHERE folder = ? AND uid = ?", (folder, line.uid))
        row = (folder, line.uid, line.sha256, line.arrival, line.octets, line.run, jsonline.to_json(line))
        self._db.execute("INSERT OR REPLACE INTO erased VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def _forget_found(self, folder: int, uid: int, sha256: bytes) -> None:
        """The words that a search was made by go too, where there has been one."""
        if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'search'").fetchone():
            self._db.execute(
                "DELETE FROM search WHERE id IN (SELECT id FROM message WHERE folder = ? AND uid = ? AND sha256 = ?)",
                (folder, uid, sha256),
            )

    def _erased_in(self, line: records.ErasedIn) -> None:
        row = (line.run, line.copy, jsonline.to_json(line))
        self._db.execute("INSERT OR REPLACE INTO erased_in VALUES (?, ?, ?)", row)

    def _erasure_over(self, line: records.ErasureOver) -> None:
        self._db.execute("INSERT OR REPLACE INTO erasure_over VALUES (?, ?)", (line.run, jsonline.to_json(line)))
