"""An archive as somebody looks through it: its folders, and their messages in pages, the newest first."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from mailmove.archive.index.index import explained
from mailmove.archive.index.messages import body_key
from mailmove.archive.index.search import ON_SERVER

_LINE = f"m.sha256, m.arrival, m.octets, m.date, m.from_, m.to_, m.subject, m.flags, {ON_SERVER}"
_FROM = "FROM message m JOIN folder f ON f.id = m.folder"
_UNREAD = r"NOT instr(lower(' ' || flags || ' '), ' \seen ')"


class Line(NamedTuple):
    """A message in a list; ``flags`` are the server's as last seen, header fields as they stand in the message."""

    sha256: bytes
    arrival: int
    octets: int
    date: bytes | None
    from_: bytes | None
    to: bytes | None
    subject: bytes | None
    flags: frozenset[str]
    on_server: bool

    @property
    def unread(self) -> bool:
        """Whether nobody had opened it."""
        return "\\seen" not in self.flags

    @property
    def flagged(self) -> bool:
        """Whether it was marked."""
        return "\\flagged" in self.flags


class Held(NamedTuple):
    """A folder, and how much is archived of it; with ``label`` that of its messages under one of Gmail's labels."""

    wire: bytes
    uidvalidity: int
    messages: int
    octets: int
    unread: int
    label: str = ""


class Browsing:
    """Reads the index of one archive by a connection of its own, which is used as a context, and makes none.

    :raises ArchiveError: from everything, when it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with explained(path):
            self._db = sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, isolation_level=None, timeout=30)

    def __enter__(self) -> Browsing:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def held(self) -> list[Held]:
        """Every folder, and after it those of Gmail's labels that its messages have."""
        found = []
        for key, *folder in self._rows(
            "SELECT f.id, f.wire, f.uidvalidity, c.messages, c.octets, c.unread FROM folder f JOIN (SELECT folder,"
            f" count(*) AS messages, sum(octets) AS octets, sum({_UNREAD}) AS unread FROM message GROUP BY folder) c"
            " ON c.folder = f.id ORDER BY f.id"
        ):
            found.append(Held._make([*folder, ""]))
            found += [
                Held._make([found[-1].wire, found[-1].uidvalidity, *counted, label])
                for label, *counted in self._rows(
                    f"SELECT j.value, count(*), sum(octets), sum({_UNREAD}) FROM label l, json_each(l.labels) j"
                    " JOIN message m ON m.folder = l.folder AND m.uid = l.uid AND m.current"
                    " WHERE l.folder = ? GROUP BY j.value ORDER BY j.value",
                    key,
                )
            ]
        return found

    def order(self, wire: bytes, uidvalidity: int, label: str = "") -> array[int]:
        """The messages of a folder by numbers of this index, the newest first: eight octets for each."""
        where = "folder = (SELECT id FROM folder WHERE wire = ? AND uidvalidity = ?)"
        values: list[object] = [wire, uidvalidity]
        if label:
            where += " AND uid IN (SELECT l.uid FROM label l, json_each(l.labels) j WHERE l.folder = message.folder"
            where += " AND j.value = ?)"
            values.append(label)
        rows = self._rows(f"SELECT id FROM message WHERE {where} ORDER BY arrival DESC, id DESC", *values)
        return array("q", (number for (number,) in rows))

    def lines(self, numbers: Sequence[int]) -> list[Line]:
        """The messages with these numbers, in this order."""
        rows = self._rows(f"SELECT m.id, {_LINE} {_FROM} WHERE m.id IN ({_marks(numbers)})", *numbers)
        found = {number: _line(row) for number, *row in rows}
        return [found[number] for number in numbers if number in found]

    def newest(self, hashes: Iterable[bytes]) -> list[Line]:
        """Of the messages with these SHA-256, in this order, the copy that arrived last."""
        todo = list(hashes)
        rows = self._rows(
            f"SELECT {_LINE} {_FROM} WHERE m.body IN ({_marks(todo)}) ORDER BY m.arrival, m.id", *map(body_key, todo)
        )
        found = {row[0]: _line(row) for row in rows}
        return [found[sha256] for sha256 in todo if sha256 in found]

    def months(self) -> list[tuple[str, int, int]]:
        """Messages and octets of each month in which anything arrived, ``2025-11`` (UTC), the first first."""
        return self._rows(
            "SELECT strftime('%Y-%m', arrival, 'unixepoch'), count(*), sum(octets) FROM message"
            " WHERE arrival BETWEEN 1 AND 253402300799 GROUP BY 1 ORDER BY 1"
        )

    def senders(self) -> list[tuple[bytes | None, int, int]]:
        """From fields as they stand in messages, with how many have them, and octets."""
        return self._rows("SELECT from_, count(*), sum(octets) FROM message GROUP BY from_")

    def verified(self, sha256: bytes) -> str | None:
        """When a message was archived first, as the journal writes times; None: it is not."""
        rows = self._rows("SELECT min(verified) FROM message WHERE body = ? AND sha256 = ?", body_key(sha256), sha256)
        return None if rows[0][0] is None else str(rows[0][0])

    def _rows(self, query: str, *values: object) -> list[Any]:
        with explained(self._path):
            return self._db.execute(query, values).fetchall()


def _line(row: Sequence[Any]) -> Line:
    *first, flags, on_server = row
    return Line._make([*first, frozenset(flags.lower().split()), bool(on_server)])


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
