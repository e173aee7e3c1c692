"""The index: what the journal says, in SQLite, so that nothing has to be read twice.

It is derived: it keeps how far it has read the journal, catches up by itself, and deleting it costs only time. It lives
in the state directory, never on the archive's disk. Each of its classes has its tables, and says what becomes of a
record there; :data:`_TAKES` says which records those are.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from mailmove.archive.files import durable
from mailmove.archive.index import deeds, erased, folders, lacking, messages, tables
from mailmove.archive.index.deeds import Deeds
from mailmove.archive.index.erased import Erasures
from mailmove.archive.index.folders import Folders
from mailmove.archive.index.messages import HeadersOf
from mailmove.archive.index.replaced import Replaced
from mailmove.archive.record import records
from mailmove.archive.record.journal import Position
from mailmove.archive.record.newer import Newer
from mailmove.archive.record.records import Record
from mailmove.errors import ArchiveDamaged, ArchiveError
from mailmove.safe import visible

SCHEMA = 12
_TABLES = "".join(module.SCHEMA for module in (tables, folders, messages, lacking, deeds, erased))
_KINDS = " ".join(sorted(records.KINDS))
"""What was read so far: an index of a mailmove that knew other kinds has skipped some."""


class Index(Replaced, Folders, Deeds, Erasures):
    """The index of one archive."""

    def __init__(self, path: str, uuid: str) -> None:
        """Open or make it.

        :raises sqlite3.DatabaseError: when it is damaged or of another archive or version: remove it and read the
            journal again; or when its disk fails. :func:`damaged` tells which.
        """
        super().__init__(path)
        try:
            self._must_be_of(uuid)
            for number, wire, uidvalidity in self._db.execute("SELECT id, wire, uidvalidity FROM folder"):
                self._folders[wire, uidvalidity] = number
        except BaseException:
            self._db.close()
            raise

    def _must_be_of(self, uuid: str) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT")
            self._set_meta("uuid", uuid)
            self._set_meta("kinds", _KINDS)
            self._set_meta("made", secrets.token_hex(8))  # numbers of messages mean something in this index only
        elif version != SCHEMA or self._meta("uuid") != uuid or self._meta("kinds") != _KINDS:
            raise sqlite3.DatabaseError("made by another version or for another archive")

    @property
    def position(self) -> Position:
        """How far the journal was read."""
        return Position(int(self._meta("offset") or 0), int(self._meta("crc") or 0))

    def newer(self) -> list[Newer]:
        """What the journal holds that must not be ignored, and that this version does not know."""
        return [Newer(*each) for each in json.loads(self._meta("newer") or "[]")]

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
                    self._add(batch, headers_of)
                    batch = []
                    self._take(line)
            self._add(batch, headers_of)
            self._set_meta("offset", end.offset)
            self._set_meta("crc", end.crc)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite rolls back by itself when the disk fails
                self._db.execute("ROLLBACK")
            self._folders = {}
            raise
        return True

    def _add(self, batch: list[records.Message], headers_of: HeadersOf) -> None:
        if batch:
            self._messages(batch, headers_of)
            self._arrived(batch)

    def _take(self, line: Record) -> None:
        for take in _TAKES[type(line)]:
            take(self, line)

    def _unknown(self, line: records.Unknown) -> None:
        if line.must:
            self._set_meta("newer", json.dumps(sorted({*self.newer(), Newer(line.kind, line.needs)})))


_TAKES: dict[type, tuple[Callable[[Any, Any], None], ...]] = {
    records.Beginning: (),
    records.Flags: (Index._flags_changed,),
    records.Labels: (Index._labelled,),
    records.Gone: (Index._looked_for, Index._cleared),
    records.Present: (Index._looked_for, Index._cleared),
    records.Complete: (Index._completed,),
    records.Trouble: (Index._troubled,),
    records.Taken: (Index._taken,),
    records.Restoring: (Index._restoring,),
    records.Restored: (Index._restored,),
    records.Altered: (Index._altered,),
    records.PruneBegun: (Index._prune_begun,),
    records.PruneDone: (Index._prune_done, Index._looked_for, Index._cleared),
    records.PruneRule: (Index._prune_ruled,),
    records.Remembered: (Index._remembered,),
    records.Accepted: (Index._accepted,),
    records.Sealed: (Index._sealed,),
    records.Erased: (Index._erased,),
    records.ErasureOver: (Index._erasure_over,),
    records.ErasedIn: (Index._erased_in,),
    records.RuleMatched: (Index._matched,),
    records.Copied: (Index._copied,),
    records.ProvenAt: (Index._proven_at,),
    records.Run: (Index._ran,),
    records.Unknown: (Index._unknown,),
}
"""What becomes of each kind of record but messages, which are added in batches."""


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


def damage(path: str, error: BaseException) -> ArchiveDamaged:
    """The error for an index that cannot be read."""
    return ArchiveDamaged(
        f"the index {visible(path)} is damaged: {visible(str(error))}",
        "Delete it and run the same command again: it is made from the journal. The archive itself is as it was.",
    )


def failure(path: str, error: sqlite3.DatabaseError) -> ArchiveError:
    """The error for one of SQLite's."""
    if damaged(error):
        return damage(path, error)
    return ArchiveError(
        f"the index {visible(path)} cannot be used: {error}",
        "Make room there, or make it writable, and run the same command again. The archive itself is as it was.",
    )
