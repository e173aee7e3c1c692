"""Which messages are looked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from mailmove.archive.index.search import ON_SERVER
from mailmove.archive.search.query import EVERYWHERE, HEADERS, Mark, Place, Query, Term
from mailmove.archive.search.tables import Tables
from mailmove.mail.words import folded, sought

COLUMNS: dict[Place, str] = {
    "from": "from_", "to": "to_", "subject": "subject", "other": "other", "filename": "filename",
    "text": "text", "attachments": "attachments",
}  # fmt: skip
"""What the places are called in the tables."""
_OF_COPY: dict[Mark, str] = {
    "flagged": r"instr(lower(' ' || m.flags || ' '), ' \flagged ')",
    "unread": r"NOT instr(lower(' ' || m.flags || ' '), ' \seen ')",
}
_OF_MESSAGE: dict[Mark, str] = {
    "attachment": "d.attachments > 0",
    "only-here": "d.id NOT IN (SELECT c.body FROM copy c JOIN archive.message m ON m.id = c.number"
    f" JOIN archive.folder f ON f.id = m.folder WHERE {ON_SERVER})",
}

_JOINED = "JOIN copy c ON c.body = d.id"


class Match(NamedTuple):
    """A message that is looked for: its number in the search index, and its newest arrival in Unix seconds."""

    number: int
    sha256: bytes
    arrival: int


class Counted(NamedTuple):
    """How many messages were found, and how many copies of them are."""

    messages: int
    copies: int


class Note(NamedTuple):
    """What of a message could not be read; ``unread``: its file, so nothing."""

    sha256: bytes
    unread: bool
    what: str


class Matching:
    """What one query finds, kept in the order that it is asked for."""

    def __init__(
        self, index: Tables, query: Query, folders: Collection[bytes] | None = None, outside: Collection[bytes] = ()
    ) -> None:
        """Look for it. ``folders`` are wire names: of those that a copy must be in, and of those where none may be."""
        self._db = index.db
        self._where: list[str] = []
        self._values: list[object] = []
        self._query = query
        for term in query.terms:
            self._term(term)
        copies = self._copies(folders, outside)
        where = " AND ".join(self._where) or "1"
        self._db.execute("DROP TABLE IF EXISTS temp.hit")
        if copies:
            found = f"max(c.arrival) AS newest, count(*) AS copies FROM body d {copies} WHERE {where} GROUP BY d.id"
        else:
            found = f"d.newest, d.copies FROM body d WHERE d.copies AND {where}"
        self._db.execute(f"CREATE TEMP TABLE hit AS SELECT d.id AS body, {found}", self._values)

    def counted(self) -> Counted:
        """How much it is."""
        row = self._db.execute("SELECT count(*), coalesce(sum(copies), 0) FROM temp.hit").fetchone()
        return Counted(*row)

    def newest(self, limit: int = 0, skip: int = 0) -> Iterator[Match]:
        """The messages, newest first; 0: all of them. ``skip`` are those that are told already."""
        rows = self._db.execute(
            "SELECT h.body, d.sha256, h.newest FROM"
            " (SELECT * FROM temp.hit ORDER BY newest DESC, body DESC LIMIT ? OFFSET ?) h"
            " CROSS JOIN body d ON d.id = h.body",
            (limit or -1, skip),
        )
        yield from map(Match._make, rows)

    def notes(self) -> Iterator[Note]:
        """What could not be read of messages that were not found."""
        rows = self._db.execute(
            "SELECT d.sha256, n.unread, n.what FROM note n JOIN body d ON d.id = n.body"
            " WHERE n.body NOT IN (SELECT body FROM temp.hit) ORDER BY n.body"
        )
        for sha256, unread, what in rows:
            yield Note(sha256, bool(unread), what)

    def where(self, matches: Collection[Match]) -> dict[int, list[Place]]:
        """In which places of these messages words of the query are."""
        found: dict[int, list[Place]] = {match.number: [] for match in matches}
        terms = [term for term in self._query.terms if not term.excluded]
        for place in EVERYWHERE:
            hit: set[int] = set()
            for term in terms:
                if place in term.places:
                    hit |= self._in(place, term, found)
            for number in hit:
                found[number].append(place)
        return found

    def _in(self, place: Place, term: Term, numbers: Collection[int]) -> set[int]:
        if place in HEADERS:
            wanted = folded(term.text)
            rows = self._db.execute(
                f"SELECT id FROM body WHERE instr({COLUMNS[place]}, ?)"
                f" AND id IN ({','.join(map(str, numbers))})", (wanted,)
            )  # fmt: skip
        else:
            expression = _expression(term.text, (place,))
            if not expression:
                return set()
            some = ",".join(map(str, numbers))
            rows = self._db.execute(
                f"SELECT rowid FROM words WHERE words MATCH ? AND +rowid IN ({some})", (expression,)
            )  # without the sign, it is asked anew for each number
        return {row[0] for row in rows}

    def _term(self, term: Term) -> None:
        wanted, values = folded(term.text), list[object]()
        parts = [f"instr(d.{COLUMNS[place]}, ?)" for place in term.places if place in HEADERS]
        values += [wanted] * len(parts)
        texts = tuple(place for place in term.places if place not in HEADERS)
        if texts and (expression := _expression(term.text, texts)):
            parts.append("d.id IN (SELECT rowid FROM words WHERE words MATCH ?)")
            values.append(expression)
        self._where.append(f"{'NOT ' if term.excluded else ''}({' OR '.join(parts) or '0'})")
        self._values += values

    def _copies(self, folders: Collection[bytes] | None, outside: Collection[bytes]) -> str:
        """What is asked of copies; returns the tables that are joined for it, nothing where none is asked about."""
        query = self._query
        asked = [_OF_COPY[mark] for mark in query.marks if mark in _OF_COPY]
        for condition, bound in (("c.arrival >= ?", query.since), ("c.arrival < ?", query.before)):
            if bound is not None:
                self._ask(condition, bound)
        if query.larger is not None:
            self._ask("d.octets > ?", query.larger)
        for mark in query.marks:
            if mark in _OF_MESSAGE:
                self._ask(_OF_MESSAGE[mark])
        for mark in query.unmarked:
            self._ask(f"NOT ({_OF_MESSAGE[mark]})" if mark in _OF_MESSAGE else f"NOT {_some_copy(_OF_COPY[mark])}")
        if outside:
            self._ask(f"NOT {_some_copy(f'f.wire IN {_marks(outside)}')}", *outside)
        if folders is not None:
            self._ask(f"f.wire IN {_marks(folders)}", *folders)
        for condition in asked:
            self._ask(condition)
        if asked or folders is not None:
            return f"{_JOINED} JOIN archive.message m ON m.id = c.number JOIN archive.folder f ON f.id = m.folder"
        return _JOINED if query.since is not None or query.before is not None else ""

    def _ask(self, condition: str, *values: object) -> None:
        self._where.append(condition)
        self._values += values


def _some_copy(condition: str) -> str:
    return (
        "d.id IN (SELECT o.body FROM copy o JOIN archive.message m ON m.id = o.number"
        f" JOIN archive.folder f ON f.id = m.folder WHERE {condition})"
    )


def _marks(values: Collection[bytes]) -> str:
    return f"({','.join('?' * len(values))})"


def _expression(text: str, places: tuple[Place, ...]) -> str:
    """What FTS5 is asked; empty where a text has no words. Words have no quotation marks in them."""
    found = sought(text)
    columns = "" if len(places) == 2 else f"{{{COLUMNS[places[0]]}}} : "
    return f'{columns}"{" ".join(found)}" *' if found else ""
