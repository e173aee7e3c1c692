"""Deeds in the index: runs, what they deleted on the server, what they put back there, and what was sealed."""

from __future__ import annotations

import json
from typing import NamedTuple

from mailmove.archive.index.tables import Tables, recorded
from mailmove.archive.record import jsonline, records
from mailmove.model import MessageId

SCHEMA = """
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
CREATE TABLE copied (copy TEXT PRIMARY KEY, line TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE proven_at (run TEXT, copy TEXT, line TEXT NOT NULL, PRIMARY KEY (run, copy)) WITHOUT ROWID;
CREATE INDEX deletion_run ON deletion (run);
CREATE TABLE prune_rule (run TEXT, folder INTEGER, line TEXT NOT NULL, PRIMARY KEY (run, folder)) WITHOUT ROWID;
CREATE TABLE sealed (number INTEGER PRIMARY KEY, line TEXT NOT NULL);
"""


class Deletion(NamedTuple):
    """Messages of one folder that a run deleted on the server; ``done``: what became of them, None while unknown."""

    begun: records.PruneBegun
    done: records.PruneDone | None

    @classmethod
    def read(cls, begun: str, done: str | None) -> Deletion:
        """From the JSON of the two records."""
        first, second = recorded(begun), recorded(done) if done is not None else None
        assert isinstance(first, records.PruneBegun) and isinstance(second, records.PruneDone | None)
        return cls(first, second)


class Deeds(Tables):
    """What was done on this archive, and with it."""

    def runs(self) -> list[records.Run]:
        """Every command that was carried out on this archive, in order."""
        rows = self._db.execute("SELECT command, at, exit, summary, id FROM run ORDER BY number").fetchall()
        return [records.Run(command, at, code, json.loads(summary), name) for command, at, code, summary, name in rows]

    def last_run(self, command: str) -> tuple[str, int] | None:
        """When a command last ran to its end, as the journal writes times, and its exit code."""
        row = self._db.execute("SELECT at, exit FROM run WHERE command = ? ORDER BY number DESC", (command,)).fetchone()
        return (str(row[0]), int(row[1])) if row else None

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

    def restoring(self, wire: bytes, login: str | None = None) -> records.Restoring | None:
        """The restore into a folder that was begun and not ended."""
        row = self._db.execute(
            "SELECT uidvalidity, uidnext, at FROM restoring WHERE folder = ? AND login = ?", (wire, login or "")
        ).fetchone()
        return records.Restoring(wire, row[0], row[1], row[2], login) if row else None

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

    def altered(self, wire: bytes, uidvalidity: int, login: str | None = None) -> dict[int, str]:
        """What the server changed of messages that a restore put there, in words, by UID."""
        rows = self._db.execute(
            "SELECT uid, what FROM altered WHERE folder = ? AND uidvalidity = ? AND login = ?",
            (wire, uidvalidity, login or ""),
        )
        return dict(rows.fetchall())

    def copies(self) -> dict[MessageId, MessageId]:
        """Messages that a restore put into this account, each with the archived message it is a copy of."""
        rows = self._db.execute(
            "SELECT folder, uidvalidity, uid, source_folder, source_uidvalidity, source_uid FROM restored"
            " WHERE login = ''"
        )
        return {MessageId(*row[:3]): MessageId(*row[3:]) for row in rows}

    def copied(self) -> list[records.Copied]:
        """The copies of this archive, each as it was when it was last brought on."""
        rows = self._db.execute("SELECT line FROM copied ORDER BY copy").fetchall()
        return [line for (text,) in rows if isinstance(line := recorded(text), records.Copied)]

    def proven_at(self) -> list[records.ProvenAt]:
        """The copies in which each run of prune has proven what it deleted, too."""
        rows = self._db.execute("SELECT line FROM proven_at ORDER BY run, copy").fetchall()
        return [line for (text,) in rows if isinstance(line := recorded(text), records.ProvenAt)]

    def _proven_at(self, line: records.ProvenAt) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO proven_at VALUES (?, ?, ?)", (line.run, line.copy, jsonline.to_json(line))
        )

    def _copied(self, line: records.Copied) -> None:
        if line.octets or line.messages:
            self._db.execute("INSERT OR REPLACE INTO copied VALUES (?, ?)", (line.copy, jsonline.to_json(line)))
        else:
            self._db.execute("DELETE FROM copied WHERE copy = ?", (line.copy,))

    def prune_rule(self, run: str, wire: bytes, uidvalidity: int) -> str:
        """By which rule a run chose what went of a folder, in words; empty: not recorded."""
        row = self._db.execute(
            "SELECT line FROM prune_rule WHERE run = ? AND folder = ?", (run, self._folder(wire, uidvalidity))
        ).fetchone()
        line = recorded(row[0]) if row else None
        return line.rule if isinstance(line, records.PruneRule) else ""

    def last_seal(self) -> records.Sealed | None:
        """What was sealed last."""
        row = self._db.execute("SELECT line FROM sealed ORDER BY number DESC LIMIT 1").fetchone()
        line = recorded(row[0]) if row else None
        return line if isinstance(line, records.Sealed) else None

    def _sealed(self, line: records.Sealed) -> None:
        self._db.execute("INSERT INTO sealed (line) VALUES (?)", (jsonline.to_json(line),))

    def _ran(self, line: records.Run) -> None:
        self._db.execute(
            "INSERT INTO run (command, at, exit, summary, id) VALUES (?, ?, ?, ?, ?)",
            (line.command, line.at, line.exit, json.dumps(line.summary), line.id),
        )

    def _prune_begun(self, line: records.PruneBegun) -> None:
        row = (line.run, self._folder(line.folder, line.uidvalidity), jsonline.to_json(line))
        self._db.execute("INSERT INTO deletion (run, folder, begun) VALUES (?, ?, ?)", row)

    def _prune_ruled(self, line: records.PruneRule) -> None:
        row = (line.run, self._folder(line.folder, line.uidvalidity), jsonline.to_json(line))
        self._db.execute("INSERT OR REPLACE INTO prune_rule VALUES (?, ?, ?)", row)

    def _prune_done(self, line: records.PruneDone) -> None:
        row = (jsonline.to_json(line), line.run, self._folder(line.folder, line.uidvalidity))
        self._db.execute("UPDATE deletion SET done = ? WHERE run = ? AND folder = ?", row)

    def _restoring(self, line: records.Restoring) -> None:
        key = (line.login or "", line.folder)
        if line.uidnext is None:
            self._db.execute("DELETE FROM restoring WHERE login = ? AND folder = ?", key)
        else:
            row = (*key, line.uidvalidity, line.uidnext, line.at)
            self._db.execute("INSERT OR REPLACE INTO restoring VALUES (?, ?, ?, ?, ?)", row)

    def _restored(self, line: records.Restored) -> None:
        row = (line.login or "", line.folder, line.uidvalidity, line.uid, line.at, *line.source, line.sha256)
        self._db.execute("INSERT OR REPLACE INTO restored VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _altered(self, line: records.Altered) -> None:
        row = (line.login or "", line.folder, line.uidvalidity, line.uid, line.what)
        self._db.execute("INSERT OR REPLACE INTO altered VALUES (?, ?, ?, ?, ?)", row)
