"""Databases of the state directory that can be made again: one that is of another version counts as unreadable."""

from __future__ import annotations

import sqlite3


def opened(path: str, tables: str, schema: int, *pragmas: str) -> sqlite3.Connection:
    """Open one, with its tables made where it is new; an empty path: a temporary one.

    :raises sqlite3.DatabaseError: when it cannot be read, or was made by another version.
    """
    db = sqlite3.connect(path, timeout=30)
    try:
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN; {tables} PRAGMA user_version = {schema}; COMMIT")
        elif version != schema:
            raise sqlite3.DatabaseError("made by another version")
    except BaseException:
        db.close()
        raise
    return db
