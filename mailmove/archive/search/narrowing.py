"""Which messages do not hold a text, also not within a word: those that nobody needs to read to know it.

The index has words without case and accents, and nothing of what stands between them. So it can tell for sure where a
text is not; where it is, only the message itself tells.
"""

from __future__ import annotations

from collections.abc import Collection

from mailmove.archive.search.matching import COLUMNS
from mailmove.archive.search.query import HEADERS, Place
from mailmove.archive.search.tables import Tables, explained
from mailmove.mail.words import folded, sought

_TERMS = 400  # words of one query
_MOST = 20_000  # words that a part of a word is looked up in; one that is in more tells nothing


class Narrowing:
    """What one search index can rule out. What it does not know, or not whole, it rules out nowhere."""

    def __init__(self, index: Tables) -> None:
        self._db = index.db
        self._path = index.path

    def without(self, text: str, places: Collection[Place]) -> set[bytes]:
        """SHA-256 of messages that surely do not hold this text, whatever its case, in any of these places.

        :raises ArchiveError: when the search index cannot be read.
        """
        with explained(self._path):
            return self._without(text, places)

    def _without(self, text: str, places: Collection[Place]) -> set[bytes]:
        wanted = folded(text)
        held = [f"instr(d.{COLUMNS[place]}, ?)" for place in places if place in HEADERS]
        values = [wanted] * len(held)
        if len(held) < len(places):
            if not self._hold(sought(text)):
                return set()
            held.append("d.id IN (SELECT number FROM temp.held)")
        rows = self._db.execute(
            f"SELECT d.sha256 FROM body d WHERE NOT ({' OR '.join(held)}) AND d.id NOT IN (SELECT body FROM note)",
            values,
        )
        return {sha256 for (sha256,) in rows}

    def _hold(self, words: list[str]) -> bool:
        """Note the messages in whose text these words may stand one after another; False: it may be any.

        The first may be the end of a longer word, so of several only the others are looked for.
        """
        self._db.execute("DROP TABLE IF EXISTS temp.held")
        self._db.execute("CREATE TEMP TABLE held (number INTEGER PRIMARY KEY)")
        if not words:
            return False
        if len(words) > 1:
            self._note(f'"{" ".join(words[1:])}" *')
            return True
        self._db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, words, row)")
        rows = self._db.execute(
            "SELECT term FROM temp.vocabulary WHERE instr(term, ?) LIMIT ?", (words[0], _MOST + 1)
        ).fetchall()
        if len(rows) > _MOST:
            return False
        for start in range(0, len(rows), _TERMS):
            self._note(" OR ".join(f'"{term}"' for (term,) in rows[start : start + _TERMS]))
        return True

    def _note(self, expression: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO temp.held SELECT rowid FROM words WHERE words MATCH ?", (expression,))
