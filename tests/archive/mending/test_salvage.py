"""Mending a journal: every line that reads is kept as it is, also one that this version does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmove.archive import creating
from mailmove.archive.index import recall
from mailmove.archive.mending import salvage
from mailmove.archive.record import journal, records
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError
from mailmove.model import MessageId
from tests.archive.conftest import folder, put
from tests.exported import snapshot

ODD = records.Unknown({"kind": "from the future", "what": ["ever", None]})
MUST = records.Unknown({"kind": "vanishing", "must": True, "needs": "0.3", "uids": "1"})


@pytest.fixture
def lines(path: Path, memory: Memory) -> list[bytes]:
    """The journal of an archive of two messages, and of what this version does not know."""
    creating.create(str(path), "me@example.org")
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
    mended = salvage.mend(str(path), Memory(str(path.parent / "another machine")))
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
    with pytest.raises(ArchiveError, match=r"does not know \(vanishing\)") as error:
        salvage.mend(str(path), memory)
    assert "Install mailmove 0.3, or a later one" in str(error.value)
    assert (file(path).read_bytes(), snapshot(Path(memory.path))) == before


AT = "2026-11-23T10:02:00Z"


@pytest.mark.fault(56)
def test_what_only_the_index_knew_is_recorded_again_and_no_message_counts_as_held(path: Path, memory: Memory) -> None:
    creating.create(str(path), "me@example.org")
    older = file(path).read_bytes()
    others: list[records.Record] = [
        records.Restored(b"INBOX", 7, 8, AT, MessageId(b"Sent \xff", 3, 4), "5f" * 32),
        records.Restored(b"INBOX", 7, 8, AT, MessageId(b"INBOX", 3, 4), "5f" * 32, "you@example.org"),
        records.Restoring(b"INBOX", 7, 8, AT),
        records.PruneBegun("a", AT, b"INBOX", 7, frozenset({1}), frozenset(), frozenset(), "sha256", "yes"),
        records.PruneDone("a", AT, b"INBOX", 7, frozenset({1}), frozenset()),
        records.PruneBegun("b", AT, b"INBOX", 7, frozenset({2}), frozenset(), frozenset(), "sha256", "yes"),
        records.RuleMatched("Kunden", b"INBOX", 7, "F1", AT),
        records.Run("prune", AT, 0, {"deleted": 1, "attended": 1}, "a"),
    ]
    with Archive.open(str(path), memory, writable=True) as archive:
        inbox = folder(archive, "INBOX")
        for uid in (1, 2):
            put(archive, inbox, uid, b"Subject: caf\xe9 %d\r\n\r\n" % uid)
        archive.record(others)
        known, bodies = archive.index.known(b"INBOX", 7), {body.uid: body for body in archive.index.bodies(b"INBOX", 7)}
        before = everything(archive)
    for name in (path / "INBOX/cur").iterdir():
        name.unlink()
    file(path).write_bytes(older)
    assert salvage.mend(str(path), memory).recalled == 10
    with Archive.open(str(path), memory, writable=False) as archive:
        assert everything(archive) == before
        one, two = archive.index.remembered()
        assert (one.uid, one.sha256, one.size) == (1, bodies[1].sha256.hex(), known[1].size)
        assert (one.gone, two.gone) == (AT, None)
        assert one.headers["subject"] == "caf\udce9 1"
        index = archive.index
        assert (index.count(), index.folders(), index.known(b"INBOX", 7)) == ((0, 0), [], {})
        assert (index.current(b"INBOX", 7), index.with_body(bodies[1].sha256)) == ({}, [])
        assert index.known_bodies([bodies[1].sha256]) == set()
        assert index.recalled(b"INBOX", 7, 1, one.sha256) == one
        assert recall.recall(index.path, archive.manifest.uuid, file(path).read_bytes(), []).lines == []


def everything(archive: Archive) -> list[object]:
    """What the index knows beside messages."""
    index = archive.index
    return [
        index.deletions(),
        index.runs(),
        index.rules_matched(),
        index.restoring(b"INBOX"),
        index.restored(b"INBOX", 7),
        index.restored(b"INBOX", 7, "you@example.org"),
    ]
