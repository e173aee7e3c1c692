"""The index: what the journal says, in SQLite, so that nothing has to be read twice.

It is derived: it keeps how far it has read the journal, catches up by itself, and deleting it costs only time. It lives
in the state directory, never on the archive's disk.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mailmove.archive.files import durable
from mailmove.archive.files.names import Base
from mailmove.archive.index.headers import Headers
from mailmove.archive.record import records
from mailmove.archive.record.journal import Position
from mailmove.archive.record.newer import Newer
from mailmove.archive.record.records import Record
from mailmove.errors import ArchiveError
from mailmove.model import MessageId
from mailmove.safe import visible

SCHEMA = 9
_MAX_CACHE_KB = 4096
_CHECKPOINT = 8000  # pages of write-ahead log; hashes scatter, and later writes to a page replace earlier ones

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE folder (
    id INTEGER PRIMARY KEY, wire BLOB NOT NULL, uidvalidity INTEGER NOT NULL,
    complete INTEGER NOT NULL DEFAULT 0, uidnext INTEGER, messages INTEGER, highestmodseq INTEGER,
    UNIQUE (wire, uidvalidity));
CREATE TABLE message (
    id INTEGER PRIMARY KEY, folder INTEGER NOT NULL, uid INTEGER NOT NULL, current INTEGER NOT NULL DEFAULT 1,
    gone TEXT, arrival INTEGER NOT NULL, internaldate TEXT, size INTEGER, octets INTEGER NOT NULL, sha256 BLOB NOT NULL,
    body INTEGER NOT NULL, flags TEXT NOT NULL, verified TEXT NOT NULL, object_id TEXT,
    message_id BLOB, date BLOB, from_ BLOB, to_ BLOB, cc BLOB, subject BLOB, list_id BLOB);
CREATE UNIQUE INDEX message_uid ON message (folder, uid) WHERE current;
CREATE INDEX message_body ON message (body);
CREATE INDEX message_object ON message (object_id) WHERE object_id IS NOT NULL;
CREATE TABLE trouble (folder INTEGER, uid INTEGER, why TEXT NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID;
CREATE TABLE taken (
    folder INTEGER, uid INTEGER, sha256 BLOB NOT NULL, PRIMARY KEY (folder, uid, sha256)) WITHOUT ROWID;
CREATE TABLE label (folder INTEGER, uid INTEGER, labels TEXT NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID;
CREATE TABLE restoring (
    login TEXT, folder BLOB, uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (login, folder)) WITHOUT ROWID;
CREATE TABLE restored (
    login TEXT, folder BLOB, uidvalidity INTEGER, uid INTEGER, at TEXT NOT NULL,
    source_folder BLOB NOT NULL, source_uidvalidity INTEGER NOT NULL, source_uid INTEGER NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (login, folder, uidvalidity, uid)) WITHOUT ROWID;
CREATE TABLE altered (
    login TEXT, folder BLOB, uidvalidity INTEGER, uid INTEGER, what TEXT NOT NULL,
    PRIMARY KEY (login, folder, uidvalidity, uid)) WITHOUT ROWID;
CREATE INDEX restored_source ON restored (source_folder, source_uidvalidity, source_uid);
CREATE TABLE run (
    number INTEGER PRIMARY KEY, command TEXT NOT NULL, at TEXT NOT NULL, exit INTEGER NOT NULL, summary TEXT NOT NULL,
    id TEXT);
CREATE TABLE deletion (
    number INTEGER PRIMARY KEY, run TEXT NOT NULL, folder INTEGER NOT NULL, begun TEXT NOT NULL, done TEXT);
CREATE INDEX deletion_run ON deletion (run);
CREATE TABLE remembered (
    folder INTEGER, uid INTEGER, sha256 TEXT, line TEXT NOT NULL, PRIMARY KEY (folder, uid, sha256)) WITHOUT ROWID;
CREATE TABLE rule (
    number INTEGER PRIMARY KEY, rule TEXT NOT NULL, folder INTEGER NOT NULL, line TEXT NOT NULL, UNIQUE (rule, folder));
"""

_INSERT = (
    "INSERT INTO message (folder, uid, arrival, internaldate, size, octets, sha256, body, flags, verified, object_id,"
    " message_id, date, from_, to_, cc, subject, list_id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_QUERY = 500  # parameters of one query
_KINDS = " ".join(sorted(records.KINDS))
"""What was read so far: an index of a mailmove that knew other kinds has skipped some."""

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


class Deletion(NamedTuple):
    """Messages of one folder that a run deleted on the server; ``done``: what became of them, None while unknown."""

    begun: records.PruneBegun
    done: records.PruneDone | None

    @classmethod
    def read(cls, begun: str, done: str | None) -> Deletion:
        """From the JSON of the two records."""
        first, second = _record(begun), _record(done) if done is not None else None
        assert isinstance(first, records.PruneBegun) and isinstance(second, records.PruneDone | None)
        return cls(first, second)


class Body(NamedTuple):
    """The octets of an archived message; not ``current``: its UID stands for another message by now."""

    uid: int
    current: bool
    octets: int
    sha256: bytes


class Index:
    """The index of one archive."""

    def __init__(self, path: str, uuid: str) -> None:
        """Open or make it.

        :raises sqlite3.DatabaseError: when it is damaged or of another archive or version: remove it and read the
            journal again; or when its disk fails. :func:`damaged` tells which.
        """
        self.path = path
        self._lock = threading.RLock()  # messages are committed in a thread of their own
        self._open(path, uuid)
        self._folders: dict[tuple[bytes, int], int] = {
            (wire, uidvalidity): number
            for number, wire, uidvalidity in self._db.execute("SELECT id, wire, uidvalidity FROM folder")
        }
        self._flag_sets: dict[str, frozenset[str]] = {}

    def _open(self, path: str, uuid: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(f"PRAGMA cache_size = -{_MAX_CACHE_KB}")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT")
                self._set_meta("uuid", uuid)
                self._set_meta("kinds", _KINDS)
            elif version != SCHEMA or self._meta("uuid") != uuid or self._meta("kinds") != _KINDS:
                raise sqlite3.DatabaseError("made by another version or for another archive")
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    @property
    def position(self) -> Position:
        """How far the journal was read."""
        return Position(int(self._meta("offset") or 0), int(self._meta("crc") or 0))

    def apply(self, lines: Iterable[Record], start: Position, end: Position, headers_of: HeadersOf) -> bool:
        """Take in the records of the journal from ``start`` to ``end``, in one transaction.

        False, and nothing is taken in, when another process has read on from ``start`` meanwhile: catch up from
        :attr:`position` then.
        """
        with self._lock:
            return self._apply(lines, start, end, headers_of)

    def _apply(self, lines: Iterable[Record], start: Position, end: Position, headers_of: HeadersOf) -> bool:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self.position != start:
                self._db.execute("ROLLBACK")
                return False
            batch: list[records.Message] = []
            for line in lines:
                if isinstance(line, records.Message):
                    batch.append(line)
                else:
                    self._messages(batch, headers_of)
                    batch = []
                    self._other(line)
            self._messages(batch, headers_of)
            self._set_meta("offset", end.offset)
            self._set_meta("crc", end.crc)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite rolls back by itself when the disk fails
                self._db.execute("ROLLBACK")
            self._folders = {}
            raise
        return True

    def folders(self) -> list[tuple[bytes, int]]:
        """Wire name and UIDVALIDITY of every folder that something is archived of."""
        rows = self._db.execute(
            "SELECT wire, uidvalidity FROM folder f"
            " WHERE EXISTS (SELECT 1 FROM message WHERE folder = f.id) ORDER BY id"
        )
        return rows.fetchall()

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

    def stored(self, wire: bytes, uidvalidity: int) -> Iterator[Stored]:
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

    def with_body(self, sha256: bytes) -> list[Stored]:
        """Messages whose octets have this hash."""
        return self._find("m.body = ? AND m.sha256 = ?", body_key(sha256), sha256)

    def entries(self, wire: bytes, uidvalidity: int) -> Iterator[Entry]:
        """Every message of a folder, superseded ones included."""
        return self._entries("f.wire = ? AND f.uidvalidity = ?", wire, uidvalidity)

    def entries_with(self, sha256: bytes) -> Iterator[Entry]:
        """Every message whose octets have this hash."""
        return self._entries("m.body = ? AND m.sha256 = ?", body_key(sha256), sha256)

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

    def copies(self) -> dict[MessageId, MessageId]:
        """Messages that a restore put into this account, each with the archived message it is a copy of."""
        rows = self._db.execute(
            "SELECT folder, uidvalidity, uid, source_folder, source_uidvalidity, source_uid FROM restored"
            " WHERE login = ''"
        )
        return {MessageId(*row[:3]): MessageId(*row[3:]) for row in rows}

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

    def complete(self, wire: bytes, uidvalidity: int) -> records.Complete | None:
        """The state in which everything of a folder was archived, if that was so at the last look."""
        row = self._db.execute(
            "SELECT uidnext, messages, highestmodseq FROM folder WHERE wire = ? AND uidvalidity = ? AND complete",
            (wire, uidvalidity),
        ).fetchone()
        return records.Complete(wire, uidvalidity, *row) if row else None

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

    def unnamed(self, wire: bytes, uidvalidity: int) -> set[int]:
        """UIDs of a folder whose messages have no Message-ID."""
        return {uid for uid, name in self._rows("uid, message_id", wire, uidvalidity) if name is None}

    def labels(self, wire: bytes, uidvalidity: int) -> dict[int, tuple[str, ...]]:
        """The Gmail labels of messages that are archived once."""
        rows = self._db.execute("SELECT uid, labels FROM label WHERE folder = ?", (self._folder(wire, uidvalidity),))
        return {uid: tuple(json.loads(labels)) for uid, labels in rows}

    def restoring(self, wire: bytes, login: str | None = None) -> records.Restoring | None:
        """The restore into a folder that was begun and not ended."""
        row = self._db.execute(
            "SELECT uidvalidity, uidnext, at FROM restoring WHERE folder = ? AND login = ?", (wire, login or "")
        ).fetchone()
        return records.Restoring(wire, row[0], row[1], row[2], login) if row else None

    def altered(self, wire: bytes, uidvalidity: int, login: str | None = None) -> dict[int, str]:
        """What the server changed of messages that a restore put there, in words, by UID."""
        rows = self._db.execute(
            "SELECT uid, what FROM altered WHERE folder = ? AND uidvalidity = ? AND login = ?",
            (wire, uidvalidity, login or ""),
        )
        return dict(rows.fetchall())

    def restored(self, wire: bytes, uidvalidity: int, login: str | None = None) -> dict[int, records.Restored]:
        """Messages on the server that a restore put there, by UID: each one's age counts from ``at``."""
        rows = self._db.execute(
            "SELECT uid, at, source_folder, source_uidvalidity, source_uid, sha256 FROM restored"
            " WHERE folder = ? AND uidvalidity = ? AND login = ?",
            (wire, uidvalidity, login or ""),
        )
        return {
            uid: records.Restored(wire, uidvalidity, uid, at, MessageId(*source), sha256, login)
            for uid, at, *source, sha256 in rows
        }

    def runs(self) -> list[records.Run]:
        """Every command that was carried out on this archive, in order."""
        rows = self._db.execute("SELECT command, at, exit, summary, id FROM run ORDER BY number").fetchall()
        return [records.Run(command, at, code, json.loads(summary), name) for command, at, code, summary, name in rows]

    def deletions(self, run: str | None = None) -> list[Deletion]:
        """What runs, or this one, deleted on the server or began to, in order; one for each folder of a run."""
        rows = self._db.execute(
            f"SELECT begun, done FROM deletion {'WHERE run = ?' if run is not None else ''} ORDER BY number",
            () if run is None else (run,),
        ).fetchall()
        return [Deletion.read(begun, done) for begun, done in rows]

    def unfinished(self) -> list[Deletion]:
        """Deletions that were begun, and whose end nobody has recorded."""
        rows = self._db.execute("SELECT begun FROM deletion WHERE done IS NULL ORDER BY number").fetchall()
        return [Deletion.read(begun, None) for (begun,) in rows]

    def remembered(self) -> list[records.Remembered]:
        """Messages that nothing but a lost index knew, and that have not come back."""
        rows = self._db.execute("SELECT line FROM remembered ORDER BY folder, uid, sha256")
        return [line for (text,) in rows if isinstance(line := _record(text), records.Remembered)]

    def recalled(self, wire: bytes, uidvalidity: int, uid: int, sha256: str) -> records.Remembered | None:
        """What is remembered of one message."""
        row = self._db.execute(
            "SELECT line FROM remembered WHERE folder = ? AND uid = ? AND sha256 = ?",
            (self._folder(wire, uidvalidity), uid, sha256),
        ).fetchone()
        line = _record(row[0]) if row else None
        return line if isinstance(line, records.Remembered) else None

    def rules_matched(self) -> list[records.RuleMatched]:
        """The folders that each rule has ever matched, each as at the last time; the latest comes last."""
        rows = self._db.execute("SELECT line FROM rule ORDER BY number")
        return [line for (text,) in rows if isinstance(line := _record(text), records.RuleMatched)]

    def newer(self) -> list[Newer]:
        """What the journal holds that must not be ignored, and that this version does not know."""
        return [Newer(*each) for each in json.loads(self._meta("newer") or "[]")]

    def count(self) -> tuple[int, int]:
        """Messages in the archive and the sum of their octets."""
        row = self._db.execute("SELECT count(*), coalesce(sum(octets), 0) FROM message").fetchone()
        return int(row[0]), int(row[1])

    def last_run(self, command: str) -> tuple[str, int] | None:
        """When a command last ran to its end, as the journal writes times, and its exit code."""
        row = self._db.execute("SELECT at, exit FROM run WHERE command = ? ORDER BY number DESC", (command,)).fetchone()
        return (str(row[0]), int(row[1])) if row else None

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
            f" JOIN folder f ON f.id = m.folder WHERE {where} LIMIT 8",
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
        if not rows:
            return
        self._db.execute("SAVEPOINT messages")
        try:
            self._db.executemany(_INSERT, rows)
        except sqlite3.IntegrityError:
            self._db.execute("ROLLBACK TO messages")
            self._replace(rows)
        self._db.execute("RELEASE messages")
        if self._db.execute("SELECT 1 FROM trouble").fetchone():
            self._db.executemany("DELETE FROM trouble WHERE folder = ? AND uid = ?", [row[:2] for row in rows])
        if self._db.execute("SELECT 1 FROM remembered").fetchone():
            self._db.executemany(
                "DELETE FROM remembered WHERE folder = ? AND uid = ? AND sha256 = ?",
                [(row[0], row[1], row[6].hex()) for row in rows],
            )

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

    def _other(self, line: Record) -> None:
        execute = self._db.execute
        if isinstance(line, records.Flags):
            where = (self._folder(line.folder, line.uidvalidity), line.uid)
            execute(
                "UPDATE message SET flags = ? WHERE folder = ? AND uid = ? AND current", (" ".join(line.flags), *where)
            )
        elif isinstance(line, records.Gone | records.Present):
            gone = line.at if isinstance(line, records.Gone) else None
            folder = self._folder(line.folder, line.uidvalidity)
            self._db.executemany(
                "UPDATE message SET gone = ? WHERE folder = ? AND uid = ? AND current",
                [(gone, folder, uid) for uid in line.uids],
            )
            self._db.executemany("DELETE FROM trouble WHERE folder = ? AND uid = ?", [(folder, u) for u in line.uids])
        elif isinstance(line, records.Complete):
            execute(
                "UPDATE folder SET complete = 1, uidnext = ?, messages = ?, highestmodseq = ? WHERE id = ?",
                (line.uidnext, line.messages, line.highestmodseq, self._folder(line.folder, line.uidvalidity)),
            )
        elif isinstance(line, records.Trouble):
            folder = self._folder(line.folder, line.uidvalidity)
            execute("INSERT OR REPLACE INTO trouble VALUES (?, ?, ?)", (folder, line.uid, line.why))
        elif isinstance(line, records.Taken):
            folder = self._folder(line.folder, line.uidvalidity)
            execute("INSERT OR IGNORE INTO taken VALUES (?, ?, ?)", (folder, line.uid, bytes.fromhex(line.sha256)))
        elif isinstance(line, records.Labels):
            folder = self._folder(line.folder, line.uidvalidity)
            execute("INSERT OR REPLACE INTO label VALUES (?, ?, ?)", (folder, line.uid, json.dumps(line.labels)))
        elif isinstance(line, records.Restoring):
            key = (line.login or "", line.folder)
            if line.uidnext is None:
                execute("DELETE FROM restoring WHERE login = ? AND folder = ?", key)
            else:
                values = (*key, line.uidvalidity, line.uidnext, line.at)
                execute("INSERT OR REPLACE INTO restoring VALUES (?, ?, ?, ?, ?)", values)
        elif isinstance(line, records.Restored):
            row = (line.login or "", line.folder, line.uidvalidity, line.uid, line.at, *line.source, line.sha256)
            execute("INSERT OR REPLACE INTO restored VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        elif isinstance(line, records.Altered):
            change = (line.login or "", line.folder, line.uidvalidity, line.uid, line.what)
            execute("INSERT OR REPLACE INTO altered VALUES (?, ?, ?, ?, ?)", change)
        elif isinstance(line, records.PruneBegun):
            folder = self._folder(line.folder, line.uidvalidity)
            execute(
                "INSERT INTO deletion (run, folder, begun) VALUES (?, ?, ?)", (line.run, folder, records.to_json(line))
            )
        elif isinstance(line, records.PruneDone):
            folder = self._folder(line.folder, line.uidvalidity)
            execute(
                "UPDATE deletion SET done = ? WHERE run = ? AND folder = ?", (records.to_json(line), line.run, folder)
            )
            self._other(records.Gone(line.folder, line.uidvalidity, line.uids, line.at))
        elif isinstance(line, records.Run):
            execute(
                "INSERT INTO run (command, at, exit, summary, id) VALUES (?, ?, ?, ?, ?)",
                (line.command, line.at, line.exit, json.dumps(line.summary), line.id),
            )

        elif isinstance(line, records.Remembered):
            held = (self._folder(line.folder, line.uidvalidity), line.uid, line.sha256)
            execute(
                "INSERT OR REPLACE INTO remembered SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS"
                " (SELECT 1 FROM message WHERE folder = ?1 AND uid = ?2 AND sha256 = ?5)",
                (*held, records.to_json(line), bytes.fromhex(line.sha256)),
            )
        elif isinstance(line, records.RuleMatched):
            execute(
                "INSERT OR REPLACE INTO rule (rule, folder, line) VALUES (?, ?, ?)",
                (line.rule, self._folder(line.folder, line.uidvalidity), records.to_json(line)),
            )
        elif isinstance(line, records.Unknown) and line.must:
            self._set_meta("newer", json.dumps(sorted({*self.newer(), Newer(line.kind, line.needs)})))

    def _folder(self, wire: bytes, uidvalidity: int) -> int:
        number = self._folders.get((wire, uidvalidity))
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO folder (wire, uidvalidity) VALUES (?, ?)", (wire, uidvalidity))
            row = self._db.execute(
                "SELECT id FROM folder WHERE wire = ? AND uidvalidity = ?", (wire, uidvalidity)
            ).fetchone()
            number = self._folders[wire, uidvalidity] = int(row[0])
        return number

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

    def _meta(self, name: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, name: str, value: str | int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _record(text: str) -> Record:
    return records.from_json(json.loads(text))


def body_key(sha256: bytes) -> int:
    """The beginning of a hash as SQLite's integer: an index over these costs half of one over whole hashes."""
    return int.from_bytes(sha256[:8], "big", signed=True)


def remove(path: str) -> None:
    """Delete an index; it can be made again from the journal.

    :raises ArchiveError: when that is not possible.
    """
    for suffix in ("", "-wal", "-shm"):
        with durable.explained(f"removing {path}{suffix}"):
            try:
                os.unlink(path + suffix)
            except FileNotFoundError:
                pass


def damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether what an index holds is at fault, not its disk: only then may it be made again."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # the rest of it is detail
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn SQLite's errors with the index at ``path`` into one for the user."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise failure(path, error) from error


def failure(path: str, error: sqlite3.DatabaseError) -> ArchiveError:
    """The error for one of SQLite's."""
    if damaged(error):
        return ArchiveError(
            f"the index {visible(path)} is damaged: {visible(str(error))}",
            "Delete it and run the same command again: it is made from the journal. The archive itself is as it was.",
        )
    return ArchiveError(
        f"the index {visible(path)} cannot be used: {error}",
        "Make room there, or make it writable, and run the same command again. The archive itself is as it was.",
    )
