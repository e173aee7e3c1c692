"""Mending a journal: every line that reads is kept as it is, also one that this version does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmove.archive import journal, records, salvage, store
from mailmove.archive.memory import Memory
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError
from tests.archive.conftest import folder, put
from tests.exported import snapshot

ODD = records.Unknown({"kind": "from the future", "what": ["ever", None]})
MUST = records.Unknown({"kind": "erased", "must": True, "needs": "0.3", "uids": "1"})


@pytest.fixture
def lines(path: Path, memory: Memory) -> list[bytes]:
    """The journal of an archive of two messages, and of what this version does not know."""
    store.create(str(path), "me@example.org")
    with Archive.open(str(path), memory, writable=True) as archive:
        inbox = folder(archive, "INBOX")
        put(archive, inbox, 1, b"one")
        archive.record([ODD, records.Complete(b"INBOX", 7, 2, 1, None)])
        put(archive, inbox, 2, b"two")
    return file(path).read_bytes().splitlines(keepends=True)


def file(path: Path) -> Path:
    return path / ".mailmove" / journal.NAME


def test_a_whole_journal_stays_as_it_is(path: Path, memory: Memory, lines: list[bytes]) -> None:
    assert salvage.mend(str(path), memory).whole
    assert file(path).read_bytes() == b"".join(lines)


def test_every_line_that_reads_is_kept_but_no_state(path: Path, memory: Memory, lines: list[bytes]) -> None:
    damaged = b"".join([lines[0], lines[1].replace(b"INBOX", b"inbox"), *lines[2:], b'{"kind":"unfin'])
    file(path).write_bytes(damaged)
    mended = salvage.mend(str(path), memory)
    assert mended.lost == 1
    assert file(path).read_bytes() == b"".join([lines[0], lines[2], lines[4]])
    assert (path / mended.aside).read_bytes() == damaged


@pytest.mark.fault(66)
@pytest.mark.parametrize("damaged", [False, True])
def test_nothing_is_mended_that_a_newer_mailmove_must_mend(
    path: Path, memory: Memory, lines: list[bytes], damaged: bool
) -> None:
    first = lines[1].replace(b"INBOX", b"inbox") if damaged else lines[1]
    file(path).write_bytes(b"".join([lines[0], first, journal.encode(MUST), *lines[2:]]))
    before = file(path).read_bytes(), snapshot(Path(memory.path))
    with pytest.raises(ArchiveError, match=r"does not know \(erased\)") as error:
        salvage.mend(str(path), memory)
    assert "Install mailmove 0.3, or a later one" in str(error.value)
    assert (file(path).read_bytes(), snapshot(Path(memory.path))) == before
