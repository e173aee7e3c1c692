"""Taking into the search index what came into the archive since, in portions, each as one transaction."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from mailmove.archive.files import durable
from mailmove.archive.index.messages import Stored, body_key
from mailmove.archive.proof import reading
from mailmove.archive.search import tables
from mailmove.archive.search.tables import Tables
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError
from mailmove.units import format_size

if TYPE_CHECKING:  # what decodes messages is loaded when one is read: most searches read none
    from mailmove.archive.search.readers import Readers
    from mailmove.archive.search.words import Words

MAX_READ = 32 << 20
"""Octets of one message that are read."""

_PORTION = 4000  # messages
_PORTION_OCTETS = 64 << 20
_PIECE = 1 << 20


class Awaited(NamedTuple):
    """How much is to be taken in."""

    messages: int
    octets: int


class Filled(NamedTuple):
    """How much of it was read just now."""

    messages: int
    octets: int


class _New(NamedTuple):
    """A message that is not in the search index yet."""

    number: int
    sha256: bytes
    octets: int


def _awaited(index: Tables) -> Awaited:
    row = index.db.execute(
        "SELECT count(*), coalesce(sum(octets), 0) FROM archive.message WHERE id > ?", (_position(index),)
    ).fetchone()
    return Awaited(*row)


def fill(archive: Archive, index: Tables, go_on: Callable[[], None] = lambda: None) -> Iterator[Awaited | Filled]:
    """Take in all that came since, yielding how much was; messages that could not be read are tried again.

    ``go_on`` raises where that is to be left for another time.
    """
    awaited = _awaited(index)
    if not awaited.messages and not _unread(index):
        return
    yield awaited
    from mailmove.archive.search.readers import Readers

    with tables.filling(index.path), ExitStack() as stack:
        made: list[Readers] = []

        def readers() -> Readers:
            if not made:
                made.append(stack.enter_context(Readers()))
            return made[0]

        filling = _Filling(archive, index, readers)
        filling.again(_unread(index))
        while portion := _portion(index):
            yield from filling.take(portion, go_on)


def _position(index: Tables) -> int:
    """The number of the last message of the archive's index that was taken in; of another index: none."""
    made = index.db.execute("SELECT value FROM archive.meta WHERE name = 'made'").fetchone()
    identity = str(made[0]) if made else ""
    if index.meta("index") != identity:
        return 0
    return int(index.meta("position") or 0)


def _unread(index: Tables) -> list[_New]:
    rows = index.db.execute("SELECT 0, m.sha256, m.octets FROM note n JOIN body m ON m.id = n.body WHERE n.unread")
    return [_New(*row) for row in rows]


def _portion(index: Tables) -> list[tuple[int, bytes, int, int]]:
    """The next messages: number, SHA-256, octets, arrival."""
    rows = index.db.execute(
        "SELECT id, sha256, octets, arrival FROM archive.message WHERE id > ? ORDER BY id LIMIT ?",
        (_position(index), _PORTION),
    )
    portion: list[tuple[int, bytes, int, int]] = []
    octets = 0
    for row in rows:
        portion.append(row)
        octets += row[2]
        if octets > _PORTION_OCTETS:
            break
    rows.close()
    return portion


class _Filling:
    def __init__(self, archive: Archive, index: Tables, readers: Callable[[], Readers]) -> None:
        self._archive = archive
        self._index = index
        self._db = index.db
        self._readers = readers
        self._files = Files(archive)

    def take(self, portion: list[tuple[int, bytes, int, int]], go_on: Callable[[], None]) -> Iterator[Filled]:
        """Take in a portion, all of it or nothing."""
        known = self._known([sha256 for _, sha256, _, _ in portion])
        new: dict[bytes, _New] = {}
        for _, sha256, octets, _ in portion:
            if sha256 not in known:
                new.setdefault(sha256, _New(0, sha256, octets))
        last = int(self._db.execute("SELECT coalesce(max(id), 0) FROM body").fetchone()[0])
        numbered = [each._replace(number=number) for number, each in enumerate(new.values(), last + 1)]
        known |= {each.sha256: each.number for each in numbered}
        with _transaction(self._db):
            if _position(self._index) == 0:
                self._begin()
            for taken in self._read(numbered):
                go_on()
                yield Filled(1, taken)
            self._db.executemany(
                "INSERT OR REPLACE INTO copy VALUES (?, ?, ?)",
                [(known[sha256], number, arrival) for number, sha256, _, arrival in portion],
            )
            self._count({known[sha256] for _, sha256, _, _ in portion})
            self._index.set_meta("position", portion[-1][0])
        yield Filled(
            len(portion) - len(numbered), sum(row[2] for row in portion) - sum(each.octets for each in numbered)
        )

    def again(self, unread: list[_New]) -> None:
        """Look once more for messages that could not be read, where their files should be."""
        found = [(each, octets) for each in unread if isinstance(octets := self._files.quick(each.sha256), bytes)]
        if not found:
            return
        known = self._known([each.sha256 for each, _ in found])
        with _transaction(self._db):
            for each, words in self._readers().read(found):
                number = known[each.sha256]
                self._db.execute("DELETE FROM body WHERE id = ?", (number,))
                self._db.execute("DELETE FROM note WHERE body = ?", (number,))
                self._insert(each._replace(number=number), words)
            self._count(known.values())

    def _count(self, numbers: Iterable[int]) -> None:
        """Note of messages how many copies they have, and when the newest arrived: a search asks that of thousands."""
        self._db.executemany(
            "UPDATE body SET (newest, copies) = (SELECT coalesce(max(arrival), 0), count(*) FROM copy WHERE body = id)"
            " WHERE id = ?",
            [(number,) for number in numbers],
        )

    def _begin(self) -> None:
        """Of an archive whose index was made anew, the messages are known, but not by their numbers there."""
        made = self._db.execute("SELECT value FROM archive.meta WHERE name = 'made'").fetchone()
        self._db.execute("DELETE FROM copy")
        self._db.execute("UPDATE body SET newest = 0, copies = 0")
        self._index.set_meta("index", made[0] if made else "")

    def _known(self, hashes: list[bytes]) -> dict[bytes, int]:
        query = "SELECT sha256, id FROM body WHERE key = ?"
        known = dict(row for sha256 in hashes for row in self._db.execute(query, (body_key(sha256),)))
        return {sha256: known[sha256] for sha256 in hashes if sha256 in known}

    def _read(self, new: list[_New]) -> Iterator[int]:
        """Read messages and take them in; yields their octets."""
        if not new:
            return
        for each, words in self._readers().read(self._opened(new)):
            self._insert(each, words)
            yield each.octets

    def _opened(self, new: Iterable[_New]) -> Iterator[tuple[_New, bytes]]:
        for each in new:
            try:
                yield each, self._files.octets(each.sha256)
            except ArchiveError as error:
                from mailmove.archive.search.words import headers_only

                self._insert(each, headers_only(self._headers(each.sha256)), unread=error.what)

    def _headers(self, sha256: bytes) -> tuple[bytes | None, ...]:
        row: tuple[bytes | None, ...] | None = self._db.execute(
            "SELECT from_, to_, cc, subject, list_id FROM archive.message WHERE body = ? AND sha256 = ? LIMIT 1",
            (body_key(sha256), sha256),
        ).fetchone()
        return row or (None,) * 5

    def _insert(self, each: _New, words: Words, unread: str = "") -> None:
        self._db.execute(
            "INSERT INTO body VALUES (?,?,?,?,?,?,?,?,?,?,0,0)",
            (each.number, body_key(each.sha256), each.sha256, each.octets, *words[:6]),
        )
        if words.text or words.attached:
            self._db.execute(
                "INSERT INTO words (rowid, text, attachments) VALUES (?, ?, ?)",
                (each.number, words.text, words.attached),
            )
        left_out = [f"what comes after its first {format_size(MAX_READ)}"] if each.octets > MAX_READ else []
        if note := unread or "\n".join([words.note, *left_out]).strip("\n"):
            self._db.execute("INSERT INTO note VALUES (?, ?, ?)", (each.number, bool(unread), note))


class Files:
    """Reads messages from their files, each only if it is what was archived."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def octets(self, sha256: bytes) -> bytes:
        """The beginning of a message, at most :data:`MAX_READ`.

        :raises ArchiveError: when no copy of it is what was archived.
        """
        found = self.quick(sha256)
        if isinstance(found, bytes):
            return found
        content = bytearray()
        with reading.open_copy(self._archive, self._archive.index.with_body(sha256)) as proven:
            for piece in reading.pieces(proven, sha256):
                content += piece[: MAX_READ - len(content)]
        return bytes(content)

    def quick(self, sha256: bytes) -> bytes | None:
        """The same, if the file is where it should be."""
        for stored in self._archive.index.with_body(sha256):
            try:
                if (content := self._content(stored)) is not None:
                    return content
            except OSError:
                continue
        return None

    def _content(self, stored: Stored) -> bytes | None:
        folder = self._archive.manifest.find(stored.id.folder, stored.id.uidvalidity)
        if folder is None:
            return None
        directory = durable.open_below(self._archive.root, f"{folder.path}/cur")
        try:
            name = self._archive.locate(directory, stored.base, stored.flags)
            fd = durable.open_file(name, directory) if name else -1
        finally:
            os.close(directory)
        if fd < 0:
            return None
        try:
            return _verified(fd, stored.sha256)
        finally:
            os.close(fd)


def _verified(fd: int, sha256: bytes) -> bytes | None:
    """The beginning of a file whose whole has this hash."""
    digest = hashlib.sha256()
    pieces: list[bytes] = []
    held = 0
    room = min(os.fstat(fd).st_size + 1, MAX_READ)  # what is kept is read at once: joining it would hold it twice
    while piece := os.read(fd, room):
        digest.update(piece)
        if held < MAX_READ:
            pieces.append(piece[: MAX_READ - held])
            held += len(piece)
        room = min(room, _PIECE)
    if digest.digest() != sha256:
        return None
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _transaction:  # noqa: N801 - read as a statement
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN")

    def __exit__(self, kind: object, *_: object) -> None:
        if self._db.in_transaction:
            self._db.execute("COMMIT" if kind is None else "ROLLBACK")
