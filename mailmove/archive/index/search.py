"""Archived messages for people: by their hash, by the beginning of it, by folder, with all their copies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from mailmove.archive.index.index import explained
from mailmove.archive.index.messages import body_key
from mailmove.model import Copy, Found

_QUERY = 500  # parameters of one query

# A message is on the server as itself, or as what a restore made of it and no export has missed since.
ON_SERVER = """(m.current AND m.gone IS NULL OR EXISTS (
    SELECT 1 FROM restored r WHERE r.login = '' AND r.source_folder = f.wire
    AND r.source_uidvalidity = f.uidvalidity AND r.source_uid = m.uid AND NOT EXISTS (
        SELECT 1 FROM message t JOIN folder g ON g.id = t.folder
        WHERE g.wire = r.folder AND g.uidvalidity = r.uidvalidity AND t.uid = r.uid AND t.gone IS NOT NULL)))"""


class Search:
    """Searches the index of one archive, by a connection of its own."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def found(self, hashes: Iterable[bytes]) -> list[Found]:
        """The messages with these SHA-256, in this order."""
        todo = list(hashes)
        rows_of: dict[bytes, list[tuple[Any, ...]]] = {sha256: [] for sha256 in todo}
        for start in range(0, len(todo), _QUERY):
            some = todo[start : start + _QUERY]
            rows = self._db.execute(
                "SELECT m.sha256, m.arrival, m.octets, m.message_id, m.date, m.from_, m.to_, m.subject,"
                f" f.wire, f.uidvalidity, m.uid, {ON_SERVER} FROM message m JOIN folder f ON f.id = m.folder"
                f" WHERE m.body IN ({','.join('?' * len(some))}) ORDER BY m.arrival DESC, m.id",
                list(map(body_key, some)),
            )
            for row in rows:
                if row[0] in rows_of:
                    rows_of[row[0]].append(row)
        return [_found(rows) for rows in rows_of.values() if rows]

    def of(self, wire: bytes, uidvalidity: int) -> Iterator[tuple[int, Found]]:
        """Every archived message of a folder in one UIDVALIDITY, by UID, each without its other copies."""
        rows = self._db.execute(
            "SELECT m.sha256, m.arrival, m.octets, m.message_id, m.date, m.from_, m.to_, m.subject,"
            f" f.wire, f.uidvalidity, m.uid, {ON_SERVER} FROM message m JOIN folder f ON f.id = m.folder"
            " WHERE f.wire = ? AND f.uidvalidity = ? ORDER BY m.uid",
            (wire, uidvalidity),
        )
        for row in rows:
            found = _found([row])
            yield found.copies[0].uid, found

    def with_prefix(self, digits: str, most: int = 5) -> list[bytes]:
        """SHA-256 of messages that begin with these hexadecimal digits, at least one of them, at most 64.

        :raises ArchiveError: when the index cannot be read; it is named, for several may be open at the same time.
        """
        low = bytes.fromhex(digits.ljust(64, "0"))
        high = bytes.fromhex(digits.ljust(64, "f"))
        with explained(self._path):
            rows = self._db.execute(
                "SELECT DISTINCT sha256 FROM message WHERE body BETWEEN ? AND ? AND sha256 BETWEEN ? AND ? LIMIT ?",
                (body_key(low), body_key(high), low, high, most),
            )
            return [row[0] for row in rows]


def _found(rows: list[tuple[Any, ...]]) -> Found:
    sha256, arrival, octets, message_id, date, from_, to, subject = rows[0][:8]
    copies = tuple(Copy(wire, uidvalidity, uid, bool(on_server)) for *_, wire, uidvalidity, uid, on_server in rows)
    return Found(sha256, arrival, octets, message_id, date, from_, to, subject, copies)
