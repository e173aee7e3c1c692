"""Archives made without a server, by the same code that an export uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailmove.archive import creating
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.archive.writing.writer import Writer
from mailmove.model import Folder, Listed

LOGIN = "me@example.org"


def put(archive: Archive, folder: FolderDir, uid: int, octets: bytes, arrival: int = 1_600_000_000) -> Path:
    """Archive one message; returns its file."""
    with Writer(archive) as writer:
        writer.enter(folder)
        incoming = writer.begin()
        incoming.write(octets)
        writer.keep(incoming, Listed(uid, arrival, len(octets), frozenset()), None)
    return next(path for path in Path(archive.path, folder.path, "cur").iterdir() if f"U{uid}," in path.name)


def folder(archive: Archive, name: str, uidvalidity: int = 7) -> FolderDir:
    """A folder of the archive, made if it is new."""
    wire = name.encode()
    archive.prepare([(Folder(wire), uidvalidity)])
    return archive.folder(wire, uidvalidity)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(str(tmp_path / "state"))


@pytest.fixture
def archive(path: Path, memory: Memory) -> Iterator[Archive]:
    """An empty archive, open for writing."""
    creating.create(str(path), LOGIN)
    with Archive.open(str(path), memory, writable=True) as opened:
        yield opened
