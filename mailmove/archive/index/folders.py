"""Folders in the index: which there are, what is complete, and which a rule has matched."""

from __future__ import annotations

from mailmove.archive.index.tables import Tables, recorded
from mailmove.archive.record import jsonline, records

SCHEMA = """
CREATE TABLE rule (
    number INTEGER PRIMARY KEY, rule TEXT NOT NULL, folder INTEGER NOT NULL, line TEXT NOT NULL, UNIQUE (rule, folder));
"""


class Folders(Tables):
    """The folders of an archive, each in the UIDVALIDITYs that it had."""

    def folders(self) -> list[tuple[bytes, int]]:
        """Wire name and UIDVALIDITY of every folder that something is archived of."""
        rows = self._db.execute(
            "SELECT wire, uidvalidity FROM folder f"
            " WHERE EXISTS (SELECT 1 FROM message WHERE folder = f.id) ORDER BY id"
        )
        return rows.fetchall()

    def complete(self, wire: bytes, uidvalidity: int) -> records.Complete | None:
        """The state in which everything of a folder was archived, if that was so at the last look."""
        row = self._db.execute(
            "SELECT uidnext, messages, highestmodseq FROM folder WHERE wire = ? AND uidvalidity = ? AND complete",
            (wire, uidvalidity),
        ).fetchone()
        return records.Complete(wire, uidvalidity, *row) if row else None

    def rules_matched(self) -> list[records.RuleMatched]:
        """The folders that each rule has ever matched, each as at the last time; the latest comes last."""
        rows = self._db.execute("SELECT line FROM rule ORDER BY number")
        return [line for (text,) in rows if isinstance(line := recorded(text), records.RuleMatched)]

    def _completed(self, line: records.Complete) -> None:
        self._db.execute(
            "UPDATE folder SET complete = 1, uidnext = ?, messages = ?, highestmodseq = ? WHERE id = ?",
            (line.uidnext, line.messages, line.highestmodseq, self._folder(line.folder, line.uidvalidity)),
        )

    def _matched(self, line: records.RuleMatched) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO rule (rule, folder, line) VALUES (?, ?, ?)",
            (line.rule, self._folder(line.folder, line.uidvalidity), jsonline.to_json(line)),
        )
