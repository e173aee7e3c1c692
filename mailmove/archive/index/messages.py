"""Messages in the index: what is archived of each UID, and what there is of a body."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from mailmove.archive.files.names import Base
from mailmove.archive.index.headers import Headers
from mailmove.archive.index.tables import Tables
from mailmove.archive.record import records
from mailmove.model import MessageId

SCHEMA = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY, folder INTEGER NOT NULL, uid INTEGER NOT NULL, current INTEGER NOT NULL DEFAULT 1,
    gone TEXT, arrival INTEGER NOT NULL, internaldate TEXT, size INTEGER, octets INTEGER NOT NULL, sha256 BLOB NOT NULL,
    body INTEGER NOT NULL, flags TEXT NOT NULL, verified TEXT NOT NULL, object_id TEXT,
    message_id BLOB, date BLOB, from_ BLOB, to_ BLOB, cc BLOB, subject BLOB, list_id BLOB);
CREATE UNIQUE INDEX message_uid ON message (folder, uid) WHERE current;
CREATE INDEX message_body ON message (body);
CREATE INDEX message_object ON message (object_id) WHERE object_id IS NOT NULL;
CREATE TABLE label (folder INTEGER, uid INTEGER, labels TEXT NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID;
"""

_INSERT = (
    "INSERT INTO message (folder, uid, arrival, internaldate, size, octets, sha256, body, flags, verified, object_id,"
    " message_id, date, from_, to_, cc, subject, list_id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_QUERY = 500  # parameters of one query

HeadersOf = Callable[[records.Message], Headers]


class Known(NamedTuple):
    """What the archive knows of a message on the server.

    ``size`` is as announced, or the true length where nothing was announced or the record of it is lost; ``gone``: it
    was not on the server at the last look.
    """

    arrival: int
    size: int
    flags: frozenset[str]
    gone: bool


class Stored(NamedTuple):
    """A message in the archive, enough to find its file; ``flags`` are the server's, as last seen."""

    id: MessageId
    base: Base
    sha256: bytes
    flags: frozenset[str]


class Entry(NamedTuple):
    """A message in the archive, with all it takes to put it back as it was.

    ``size`` is RFC822.SIZE as announced, or its true length where that is not known. ``internaldate`` is as the server
    sent it, None where only ``arrival`` is known. ``current``: its UID was not seen with another message since.
    """

    stored: Stored
    current: bool
    gone: bool
    size: int
    internaldate: str | None
    message_id: bytes | None

    @property
    def arrival(self) -> int:
        """INTERNALDATE in Unix seconds, 0 for none."""
        return self.stored.base.arrival

    @property
    def flags(self) -> frozenset[str]:
        """The server's flags as last seen."""
        return self.stored.flags


class Body(NamedTuple):
    """The octets of an archived message; not ``current``: its UID stands for another message by now."""

    uid: int
    current: bool
    octets: int
    sha256: bytes


class Row(NamedTuple):
    """A message of a folder as it is served; ``flags`` are the server's as last seen, separated by spaces.

    ``internaldate`` is as the server sent it, None where only ``arrival`` is known. Not ``current``: its UID stands for
    another message by now.
    """

    uid: int
    octets: int
    arrival: int
    internaldate: str | None
    flags: str
    sha256: bytes
    current: bool


class Messages(Tables):
    """The messages of an archive."""

    def known(self, wire: bytes, uidvalidity: int) -> dict[int, Known]:
        """What is archived of a folder, by UID."""
        rows = self._rows("uid, arrival, coalesce(size, octets), flags, gone IS NOT NULL", wire, uidvalidity)
        return {uid: Known(arrival, size, self._flags(flags), bool(gone)) for uid, arrival, size, flags, gone in rows}

    def last_uid(self, wire: bytes, uidvalidity: int) -> int:
        """The highest UID that is archived of a folder; 0 for none."""
        (last,) = self._db.execute(
            "SELECT max(uid) FROM message WHERE folder = ? AND current", (self._folder(wire, uidvalidity),)
        ).fetchone()
        return int(last or 0)

    def present(self, wire: bytes, uidvalidity: int) -> int:
        """How many messages of a folder are archived that were on the server at the last look."""
        row = self._db.execute(
            "SELECT count(*) FROM message WHERE folder = ? AND current AND gone IS NULL",
            (self._folder(wire, uidvalidity),),
        ).fetchone()
        return int(row[0])

    def bases(self, wire: bytes, uidvalidity: int) -> Iterator[str]:
        """The base of every message file that a folder should have, superseded ones included."""
        with self._lock:
            rows = self._db.execute(
                "SELECT arrival || '.V' || ? || 'U' || uid || ',S=' || octets || ',H='"
                " || lower(substr(hex(sha256), 1, 32)) FROM message WHERE folder = ?",
                (uidvalidity, self._folder(wire, uidvalidity)),
            )
            for (base,) in rows:
                yield base

    def _files(self, wire: bytes, uidvalidity: int) -> Iterator[Stored]:
        """The same in full."""
        with self._lock:
            rows = self._db.execute(
                "SELECT uid, arrival, octets, sha256, flags FROM message WHERE folder = ?",
                (self._folder(wire, uidvalidity),),
            )
            for row in rows:
                yield self._stored(wire, uidvalidity, *row)

    def current(self, wire: bytes, uidvalidity: int, uids: Collection[int] | None = None) -> dict[int, Stored]:
        """What each UID of a folder, or each of these, stands for in the archive."""
        rows = self._rows("uid, arrival, octets, sha256, flags", wire, uidvalidity, uids)
        return {row[0]: self._stored(wire, uidvalidity, *row) for row in rows}

    def bodies(self, wire: bytes, uidvalidity: int) -> Iterator[Body]:
        """The body of every message of a folder, superseded ones included."""
        rows = self._db.execute(
            "SELECT uid, current, octets, sha256 FROM message WHERE folder = ?", (self._folder(wire, uidvalidity),)
        )
        yield from map(Body._make, rows)

    def rows(self, wire: bytes, uidvalidity: int) -> Iterator[Row]:
        """Every message of a folder, superseded ones included, in the order of UIDs."""
        with self._lock:
            rows = self._db.execute(
                "SELECT uid, octets, arrival, internaldate, flags, sha256, current FROM message WHERE folder = ?"
                " ORDER BY uid, id",
                (self._folder(wire, uidvalidity),),
            )
            yield from map(Row._make, rows)

    def lasting(self, wire: bytes, uidvalidity: int, below: int) -> tuple[int, int]:
        """How many messages of a folder its UIDs below this stand for, and how many others there are."""
        with self._lock:
            row = self._db.execute(
                "SELECT count(*), coalesce(sum(current AND uid BETWEEN 1 AND ?), 0) FROM message WHERE folder = ?",
                (below - 1, self._folder(wire, uidvalidity)),
            ).fetchone()
        return int(row[1]), int(row[0]) - int(row[1])

    def ends(self, wire: bytes, uidvalidity: int, most: int) -> dict[int, bytes]:
        """The SHA-256 by UID of the first and last messages of a folder that were on the server at the last look."""
        folder = self._folder(wire, uidvalidity)
        found: dict[int, bytes] = {}
        for order in ("", "DESC"):
            query = (
                f"SELECT uid, sha256 FROM message WHERE folder = ? AND current AND gone IS NULL ORDER BY uid {order}"
            )
            found.update(self._db.execute(f"{query} LIMIT {most}", (folder,)))
        return found

    def headers(self, stored: Stored) -> Headers:
        """The header fields of a message, as they were when it was archived."""
        row = self._db.execute(
            "SELECT message_id, date, from_, to_, cc, subject, list_id FROM message"
            " WHERE folder = ? AND uid = ? AND sha256 = ?",
            (self._folder(stored.id.folder, stored.id.uidvalidity), stored.id.uid, stored.sha256),
        ).fetchone()
        return Headers(*row) if row else Headers()

    def dates(
        self, wire: bytes, uidvalidity: int, uids: Collection[int] | None = None
    ) -> Iterator[tuple[int, bytes | None, str]]:
        """Of what is archived of a folder, or of these: UID, Date header as it stands there, and when verified."""
        return self._rows("uid, date, verified", wire, uidvalidity, uids)

    def days(self) -> list[int]:
        """The days on which archived messages arrived, counted from 1970 (UTC)."""
        rows = self._db.execute("SELECT DISTINCT arrival / 86400 FROM message WHERE arrival > 0")
        return [int(day) for (day,) in rows]

    def folder_headers(self, wire: bytes, uidvalidity: int) -> Iterator[tuple[int, Headers]]:
        """UID and header fields of every archived message of a folder."""
        rows = self._rows("uid, message_id, date, from_, to_, cc, subject, list_id", wire, uidvalidity)
        return ((uid, Headers(*found)) for uid, *found in rows)

    def unnamed(self, wire: bytes, uidvalidity: int) -> set[int]:
        """UIDs of a folder whose messages have no Message-ID."""
        return {uid for uid, name in self._rows("uid, message_id", wire, uidvalidity) if name is None}

    def with_body(self, sha256: bytes) -> list[Stored]:
        """Messages whose octets have this hash."""
        return self._find("m.body = ? AND m.sha256 = ?", body_key(sha256), sha256)

    def entries(self, wire: bytes, uidvalidity: int) -> Iterator[Entry]:
        """Every message of a folder, superseded ones included."""
        return self._entries("f.wire = ? AND f.uidvalidity = ?", wire, uidvalidity)

    def entries_with(self, sha256: bytes) -> Iterator[Entry]:
        """Every message whose octets have this hash."""
        return self._entries("m.body = ? AND m.sha256 = ?", body_key(sha256), sha256)

    def known_bodies(self, hashes: Collection[bytes]) -> set[bytes]:
        """Which of these SHA-256 the archive holds."""
        known: set[bytes] = set()
        todo = list(hashes)
        for start in range(0, len(todo), _QUERY):
            some = todo[start : start + _QUERY]
            query = f"SELECT DISTINCT sha256 FROM message WHERE body IN ({','.join('?' * len(some))})"
            known.update(row[0] for row in self._db.execute(query, list(map(body_key, some))))
        return known.intersection(todo)

    def with_object(self, object_id: str, size: int | None) -> list[Stored]:
        """Messages that the server says have the same body, with the same announced size."""
        return self._find("m.object_id = ? AND m.size IS ?", object_id, size)

    def elsewhere(self, wire: bytes, base: Base, sha256: bytes) -> bool:
        """Whether a message of just this base is recorded in another folder; UIDVALIDITYs of folders may be equal."""
        where = "m.body = ? AND m.sha256 = ? AND m.uid = ? AND m.arrival = ? AND f.uidvalidity = ? AND f.wire <> ?"
        return bool(self._find(where, body_key(sha256), sha256, base.uid, base.arrival, base.uidvalidity, wire))

    def labels(self, wire: bytes, uidvalidity: int) -> dict[int, tuple[str, ...]]:
        """The Gmail labels of messages that are archived once."""
        rows = self._db.execute("SELECT uid, labels FROM label WHERE folder = ?", (self._folder(wire, uidvalidity),))
        return {uid: tuple(json.loads(labels)) for uid, labels in rows}

    def _entries(self, where: str, *values: object) -> Iterator[Entry]:
        with self._lock:
            rows = self._db.execute(
                "SELECT m.current, m.gone IS NOT NULL, coalesce(m.size, m.octets), m.internaldate, m.message_id,"
                " f.wire, f.uidvalidity, m.uid, m.arrival, m.octets, m.sha256, m.flags"
                f" FROM message m JOIN folder f ON f.id = m.folder WHERE {where} ORDER BY m.id",
                values,
            )
            for current, gone, size, internaldate, message_id, *stored in rows:
                yield Entry(self._stored(*stored), bool(current), bool(gone), size, internaldate, message_id)

    def _rows(self, columns: str, wire: bytes, uidvalidity: int, uids: Collection[int] | None = None) -> Iterator[Any]:
        """Columns, ``uid`` first, of what each UID of a folder, or each of these, stands for."""
        first, last = (0, sys.maxsize) if uids is None else (min(uids, default=1), max(uids, default=0))
        with self._lock:
            rows = self._db.execute(
                f"SELECT {columns} FROM message WHERE folder = ? AND uid BETWEEN ? AND ? AND current",
                (self._folder(wire, uidvalidity), first, last),
            )
            for row in rows:
                if uids is None or row[0] in uids:
                    yield row

    def _find(self, where: str, *values: object) -> list[Stored]:
        rows = self._db.execute(
            "SELECT f.wire, f.uidvalidity, m.uid, m.arrival, m.octets, m.sha256, m.flags FROM message m"
            f" JOIN folder f ON f.id = m.folder WHERE {where}"
            " ORDER BY m.uid DESC LIMIT 8",  # of messages that were replaced, the latest has the file
            values,
        )
        return [self._stored(*row) for row in rows]

    def _messages(self, batch: list[records.Message], headers_of: HeadersOf) -> None:
        rows = []
        for line in batch:
            sha256 = bytes.fromhex(line.sha256)
            rows.append(
                (
                    self._folder(line.folder, line.uidvalidity),
                    line.uid,
                    line.arrival,
                    line.internaldate,
                    line.size,
                    line.octets,
                    sha256,
                    body_key(sha256),
                    " ".join(line.flags),
                    line.verified,
                    line.object_id,
                    *headers_of(line),
                )
            )
        self._db.execute("SAVEPOINT messages")
        try:
            self._db.executemany(_INSERT, rows)
        except sqlite3.IntegrityError:
            self._db.execute("ROLLBACK TO messages")
            self._replace(rows)
        self._db.execute("RELEASE messages")

    def _replace(self, rows: list[tuple[Any, ...]]) -> None:
        """Insert messages some of whose UIDs are recorded already."""
        # The same UID with another body or arrival is another file: the one of before stays, no longer as this UID.
        self._db.executemany(
            "UPDATE message SET current = 0 WHERE folder = ? AND uid = ? AND current AND (sha256 <> ? OR arrival <> ?)",
            [(row[0], row[1], row[6], row[2]) for row in rows],
        )
        self._db.executemany(
            _INSERT + " ON CONFLICT (folder, uid) WHERE current DO UPDATE SET size = excluded.size,"
            " internaldate = coalesce(excluded.internaldate, internaldate), flags = excluded.flags,"
            " verified = excluded.verified, object_id = excluded.object_id, gone = NULL",
            rows,
        )

    def _flags_changed(self, line: records.Flags) -> None:
        where = (self._folder(line.folder, line.uidvalidity), line.uid)
        self._db.execute(
            "UPDATE message SET flags = ? WHERE folder = ? AND uid = ? AND current", (" ".join(line.flags), *where)
        )

    def _looked_for(self, line: records.Gone | records.Present | records.PruneDone) -> None:
        gone = None if isinstance(line, records.Present) else line.at
        folder = self._folder(line.folder, line.uidvalidity)
        self._db.executemany(
            "UPDATE message SET gone = ? WHERE folder = ? AND uid = ? AND current",
            [(gone, folder, uid) for uid in line.uids],
        )

    def _labelled(self, line: records.Labels) -> None:
        folder = self._folder(line.folder, line.uidvalidity)
        self._db.execute("INSERT OR REPLACE INTO label VALUES (?, ?, ?)", (folder, line.uid, json.dumps(line.labels)))

    def _flags(self, text: str) -> frozenset[str]:
        found = self._flag_sets.get(text)
        if found is None:
            found = self._flag_sets[text] = frozenset(text.split())
        return found

    def _stored(
        self, wire: bytes, uidvalidity: int, uid: int, arrival: int, octets: int, sha256: bytes, flags: str
    ) -> Stored:
        base = Base(arrival, uidvalidity, uid, octets, sha256.hex()[:32])
        return Stored(MessageId(wire, uidvalidity, uid), base, sha256, self._flags(flags))


def body_key(sha256: bytes) -> int:
    """The beginning of a hash as SQLite's integer: an index over these costs half of one over whole hashes."""
    return int.from_bytes(sha256[:8], "big", signed=True)
