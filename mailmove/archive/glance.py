"""An archive at a glance, for a shell that completes words: nothing is locked, caught up, written or waited for.

What a run is changing just now, or an index that is behind, may be missing here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

from mailmove.archive import mark
from mailmove.archive.files import durable
from mailmove.archive.mark import index_name
from mailmove.archive.place import META
from mailmove.archive.record import manifest
from mailmove.errors import ArchiveError
from mailmove.model import Folder


def folders(path: str) -> list[str]:
    """The names of its folders, as people type them.

    :raises ArchiveError: when it cannot be read.
    """
    return [Folder(each.wire).name for each in _manifest(path).folders if not each.retired]


def runs(path: str, state: str) -> list[tuple[str, str]]:
    """The runs that can be named, newest first: their IDs, and what each was. ``state`` is the state directory.

    :raises ArchiveError: when it or its index cannot be read.
    """
    index = os.path.join(state, "index", _index_name(path))
    try:
        with closing(sqlite3.connect(f"file:{quote(index)}?mode=ro", uri=True, timeout=0)) as db:
            rows = db.execute("SELECT id, command FROM run WHERE id IS NOT NULL ORDER BY number DESC").fetchall()
    except sqlite3.Error as error:
        raise ArchiveError(f"reading {index}: {error}") from error
    return [(str(name), str(command)) for name, command in rows]


def _manifest(path: str) -> manifest.Manifest:
    with _private(path) as directory:
        return manifest.load(directory, os.path.join(path, META, manifest.NAME))


def _index_name(path: str) -> str:
    with _private(path) as directory:
        copy = mark.load(directory, os.path.join(path, META, mark.NAME))
    return index_name(_manifest(path).uuid, copy.id if copy is not None else "")


@contextmanager
def _private(path: str) -> Iterator[int]:
    private = os.path.join(path, META)
    with durable.explained(f"reading {private}"):
        directory = durable.open_dir(private)
    try:
        yield directory
    finally:
        os.close(directory)
