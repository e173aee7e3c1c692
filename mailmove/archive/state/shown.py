"""Which messages each login of a host was shown: two logins that are shown the same ones open the same mailbox.

A server may ignore as whom it is asked to act, and a template may name one mailbox for many.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from typing import NamedTuple

from mailmove.archive.state.memory import Memory
from mailmove.errors import ArchiveDamaged

ENOUGH = 2
"""Messages that are the same octets under the same UID, and none that is not; a greeting to all is one message."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS shown (
    host TEXT, folder BLOB, uidvalidity INTEGER, uid INTEGER, login TEXT, sha256 BLOB,
    PRIMARY KEY (host, folder, uidvalidity, uid, login)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS shown_login ON shown (login);
"""
_SAME = (
    "SELECT login, sha256 = ? FROM shown WHERE host = ? AND folder = ? AND uidvalidity = ? AND uid = ? AND login != ?"
)


class Sight(NamedTuple):
    """A message on a server, as it came."""

    folder: bytes
    uidvalidity: int
    uid: int
    sha256: bytes


def note(memory: Memory, host: str, login: str, sights: Collection[Sight], others: Iterable[str]) -> list[str]:
    """Note what a login was shown in place of what it was before; gives those of ``others`` that are shown the same.

    :raises ArchiveDamaged: when the note cannot be read or written.
    """
    path = os.path.join(memory.path, "shown.sqlite")
    same: dict[str, list[bool]] = {}
    try:
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
            db.executescript(_SCHEMA)
            db.execute("BEGIN IMMEDIATE")
            for sight in sights:
                where = (sight.sha256, host, sight.folder, sight.uidvalidity, sight.uid, login)
                for other, equal in db.execute(_SAME, where):
                    same.setdefault(other, []).append(bool(equal))
            db.execute("DELETE FROM shown WHERE login = ?", (login,))
            db.executemany("INSERT INTO shown VALUES (?,?,?,?,?,?)", ((host, *s[:3], login, s.sha256) for s in sights))
            db.execute("COMMIT")
    except sqlite3.Error as error:
        raise ArchiveDamaged(
            f"{path} cannot be used: {error}", "It holds no mail. Delete it: the next run notes anew what it is shown."
        ) from error
    return sorted(login for login in others if all(found := same.get(login, [])) and len(found) >= ENOUGH)
