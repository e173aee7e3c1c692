"""Finding archived messages by what their headers say.

The text of the headers, decoded and without case and accents, is kept beside the index in the same derived database:
what is new there is added at the first search after it, so an export pays nothing for it. A search looks through all
of it for the words as they stand, inside longer words too (``rechnung`` finds ``Stromrechnung``), which an index of
words could not; 100,000 messages take about 0.1 s.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from mailmove.archive.index.index import explained
from mailmove.archive.index.messages import body_key
from mailmove.mail import fields
from mailmove.model import Copy, Found

_TABLE = """CREATE TABLE IF NOT EXISTS search (
    id INTEGER PRIMARY KEY, from_ TEXT NOT NULL, to_ TEXT NOT NULL, subject TEXT NOT NULL)"""
_PORTION = 5000  # messages of one transaction
_QUERY = 500  # parameters of one query

# A message is on the server as itself, or as what a restore made of it and no export has missed since.
_ON_SERVER = """(m.current AND m.gone IS NULL OR EXISTS (
    SELECT 1 FROM restored r WHERE r.login = '' AND r.source_folder = f.wire
    AND r.source_uidvalidity = f.uidvalidity AND r.source_uid = m.uid AND NOT EXISTS (
        SELECT 1 FROM message t JOIN folder g ON g.id = t.folder
        WHERE g.wire = r.folder AND g.uidvalidity = r.uidvalidity AND t.uid = r.uid AND t.gone IS NOT NULL)))"""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. Every word of ``words`` must occur in From, To, Cc or Subject, the others in their field;
    they are given as :func:`folded` makes them.

    ``since`` and ``before`` bound the arrival, in Unix seconds, ``folders`` are wire names, ``larger`` is in octets;
    ``only_here``: no copy is on the server, as of the last look.
    """

    words: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    since: int | None = None
    before: int | None = None
    folders: frozenset[bytes] | None = None
    larger: int | None = None
    only_here: bool = False


class Match(NamedTuple):
    """A message that is looked for, and how many exact copies of it are."""

    sha256: bytes
    octets: int
    copies: int


class Search:
    """Searches the index of one archive, by a connection of its own."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def fill(self) -> Iterator[int]:
        """Take in the headers of messages that are new, yielding how many were."""
        self._db.execute(_TABLE)
        while True:
            self._db.execute("BEGIN IMMEDIATE")
            rows = self._db.execute(
                "SELECT id, from_, to_, cc, subject FROM message"
                " WHERE id > (SELECT coalesce(max(id), 0) FROM search) ORDER BY id LIMIT ?",
                (_PORTION,),
            ).fetchall()
            self._db.executemany(
                "INSERT INTO search VALUES (?, ?, ?, ?)",
                [
                    (number, _plain(from_), f"{_plain(to)}\n{_plain(cc)}", _plain(subject))
                    for number, from_, to, cc, subject in rows
                ],
            )
            self._db.execute("COMMIT")
            if not rows:
                return
            yield len(rows)

    def matching(self, query: Query) -> list[Match]:
        """Every message that is looked for, newest first, exact copies as one."""
        where, values = _conditions(query)
        rows = self._db.execute(
            "SELECT m.sha256, m.octets, count(*), max(m.arrival) AS newest"
            " FROM message m JOIN folder f ON f.id = m.folder"
            f" JOIN search s ON s.id = m.id WHERE {' AND '.join(where)} GROUP BY m.sha256"
            " ORDER BY newest DESC, m.sha256",
            values,
        )
        return [Match(sha256, octets, copies) for sha256, octets, copies, _ in rows]

    def text(self, sha256: bytes) -> str:
        """What :attr:`Query.words` are looked for in."""
        rows = self._db.execute(
            "SELECT s.from_, s.to_, s.subject FROM message m JOIN search s ON s.id = m.id"
            " WHERE m.body = ? AND m.sha256 = ? LIMIT 1",
            (body_key(sha256), sha256),
        )
        return "\n".join(rows.fetchone() or ())

    def found(self, hashes: Iterable[bytes]) -> list[Found]:
        """The messages with these SHA-256, in this order."""
        todo = list(hashes)
        rows_of: dict[bytes, list[tuple[Any, ...]]] = {sha256: [] for sha256 in todo}
        for start in range(0, len(todo), _QUERY):
            some = todo[start : start + _QUERY]
            rows = self._db.execute(
                "SELECT m.sha256, m.arrival, m.octets, m.message_id, m.date, m.from_, m.to_, m.subject,"
                f" f.wire, f.uidvalidity, m.uid, {_ON_SERVER} FROM message m JOIN folder f ON f.id = m.folder"
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
            f" f.wire, f.uidvalidity, m.uid, {_ON_SERVER} FROM message m JOIN folder f ON f.id = m.folder"
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


def folded(text: str) -> str:
    """A text without what a search ignores: case and accents."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


@lru_cache(maxsize=8192)
def _plain(raw: bytes | None) -> str:
    return folded(fields.text(raw))


def _conditions(query: Query) -> tuple[list[str], list[object]]:
    where: list[str] = ["1"]
    values: list[object] = []
    for word in query.words:
        where.append("(instr(s.subject, ?) OR instr(s.from_, ?) OR instr(s.to_, ?))")
        values += [word] * 3
    for column, words in (("from_", query.from_), ("to_", query.to), ("subject", query.subject)):
        for word in words:
            where.append(f"instr(s.{column}, ?)")
            values.append(word)
    for condition, bound in (
        ("m.arrival >= ?", query.since),
        ("m.arrival < ?", query.before),
        ("m.octets > ?", query.larger),
    ):
        if bound is not None:
            where.append(condition)
            values.append(bound)
    if query.folders is not None:
        where.append(f"f.wire IN ({','.join('?' * len(query.folders))})")
        values += sorted(query.folders)
    if query.only_here:
        where.append(
            f"m.sha256 NOT IN (SELECT m.sha256 FROM message m JOIN folder f ON f.id = m.folder WHERE {_ON_SERVER})"
        )
    return where, values


def _found(rows: list[tuple[Any, ...]]) -> Found:
    sha256, arrival, octets, message_id, date, from_, to, subject = rows[0][:8]
    copies = tuple(Copy(wire, uidvalidity, uid, bool(on_server)) for *_, wire, uidvalidity, uid, on_server in rows)
    return Found(sha256, arrival, octets, message_id, date, from_, to, subject, copies)
