"""What an index knows that the journal does not: the journal was damaged or lost, or an older copy was put back.

Read before the index is made again, so that nothing is forgotten silently. A message becomes
:class:`~mailmove.archive.record.records.Remembered`; what says nothing of octets (runs, deletions, restores, rules) is
recorded again as it was. Flags, labels and what is gone, the next export learns from the server.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from mailmove.archive.index import index
from mailmove.archive.record import jsonline, records
from mailmove.archive.record.journal import Position
from mailmove.archive.record.records import Message, Record, Remembered
from mailmove.model import MessageId
from mailmove.safe import visible
from mailmove.units import timestamp

_HEADERS = ("message-id", "date", "from", "to", "cc", "subject", "list-id")
_MESSAGES = (
    "SELECT f.wire, f.uidvalidity, m.uid, m.internaldate, m.arrival, m.size, m.octets, m.sha256, m.flags, m.verified,"
    " m.gone, m.message_id, m.date, m.from_, m.to_, m.cc, m.subject, m.list_id"
    " FROM message m JOIN folder f ON f.id = m.folder ORDER BY m.id"
)


@dataclass(slots=True)
class Recalled:
    """Records for the journal; ``unread`` says why there may be more that nobody knows of."""

    lines: list[Record]
    unread: str = ""


_KEPT = (
    *("remembered", "accepted", "prune_rule", "sealed", "rule", "copied", "proven_at"),
    *("erased", "erasure_over", "erased_in"),
)
"""Tables whose rows are whole records."""


def position(path: str, uuid: str) -> Position | None:
    """How far the index at ``path`` had read the journal of this archive, whichever version made it; None: unknown."""
    if not os.path.exists(path):
        return None
    try:
        with closing(_opened(path)) as db:
            meta = dict(db.execute("SELECT name, value FROM meta WHERE name IN ('uuid', 'offset', 'crc')"))
            return Position(int(meta["offset"]), int(meta["crc"])) if meta.get("uuid") == uuid else None
    except (KeyError, TypeError, ValueError):
        return None
    except sqlite3.DatabaseError as error:
        if not index.damaged(error):
            raise
        return None


def recall(path: str, uuid: str, content: bytes, recorded: Iterable[Record]) -> Recalled:
    """What the index at ``path`` knows and ``recorded``, what reads of the journal's ``content``, does not say.

    :raises ArchiveError: when the index is on a disk that fails, or in use.
    """
    with index.explained(path):
        if not os.path.exists(path):
            return Recalled([])
        read = position(path, uuid)
        if read is not None and read.offset <= len(content) and zlib.crc32(content[: read.offset]) == read.crc:
            return Recalled([])  # this very journal told it all that it knows
        if read is None:
            return Recalled([], "it is damaged, or of another archive")
        found = Recalled([])
        known = {_key(line) for line in recorded}
        try:
            with closing(_opened(path)) as db:
                for line in _lines(db, timestamp(datetime.now(UTC))):
                    if _key(line) not in known:
                        found.lines.append(line)
        except (TypeError, ValueError) as error:
            found.unread = visible(str(error))
        except sqlite3.DatabaseError as error:
            if not index.damaged(error):
                raise
            found.unread = visible(str(error))
        return found


def _opened(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, timeout=30)


def _key(line: Record) -> int:
    """What makes two records say the same; a hash, as an archive has many."""
    if isinstance(line, Message | Remembered):
        return hash((line.folder, line.uidvalidity, line.uid, line.sha256))
    return hash(jsonline.to_json(line))


def _lines(db: sqlite3.Connection, now: str) -> Iterator[Record]:
    """All that is to be recalled, in an order in which it can be recorded."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    yield from (_remembered(row, now) for row in db.execute(_MESSAGES))
    for table in _KEPT:
        if table in tables:
            yield from (_read(line) for (line,) in db.execute(f"SELECT line FROM {table}"))
    for login, wire, uidvalidity, uid, at, sha256, *source in db.execute(
        "SELECT login, folder, uidvalidity, uid, at, sha256, source_folder, source_uidvalidity, source_uid"
        " FROM restored"
    ):
        yield records.Restored(wire, uidvalidity, uid, at, MessageId(*source), sha256, login or None)
    for login, wire, uidvalidity, uidnext, at in db.execute(
        "SELECT login, folder, uidvalidity, uidnext, at FROM restoring"
    ):
        yield records.Restoring(wire, uidvalidity, uidnext, at, login or None)
    for begun, done in db.execute("SELECT begun, done FROM deletion ORDER BY number"):
        yield _read(begun)
        if done is not None:
            yield _read(done)
    for command, at, code, summary, name in db.execute(
        "SELECT command, at, exit, summary, id FROM run ORDER BY number"
    ):
        yield records.Run(command, at, code, json.loads(summary), name)


def _remembered(row: tuple[Any, ...], now: str) -> Remembered:
    wire, uidvalidity, uid, internaldate, arrival, size, octets, sha256, flags, verified, gone, *found = row
    return Remembered(
        folder=wire,
        uidvalidity=uidvalidity,
        uid=uid,
        internaldate=internaldate,
        arrival=arrival,
        size=size,
        octets=octets,
        sha256=sha256.hex(),
        flags=tuple(flags.split()),
        verified=verified,
        headers={name: jsonline.wire_text(value) for name, value in zip(_HEADERS, found, strict=True) if value},
        gone=gone,
        at=now,
    )


def _read(line: str) -> Record:
    return jsonline.from_json(json.loads(line))
