"""Whoever opens the archive catches its index up: two processes that do so at once must not take lines in twice."""

from __future__ import annotations

from pathlib import Path

from mailmove.archive import creating
from mailmove.archive.record.records import Record, Run, Trouble
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive

LINES: list[Record] = [
    Run("export", "2026-01-02T03:04:05Z", 0, {}),
    Trouble(b"INBOX", 1, 7, "refused"),
    Run("check", "2026-01-02T03:04:06Z", 0, {}),
]


def opened(tmp_path: Path, *, writable: bool) -> Archive:
    path, memory = str(tmp_path / "mail"), Memory(str(tmp_path / "state"))
    if not creating.exists(path):
        creating.create(path, "me@example.org")
    return Archive.open(path, memory, writable=writable)


def rows(archive: Archive) -> list[tuple[object, ...]]:
    return archive.index._db.execute("SELECT command, at, exit FROM run").fetchall()


EXPECTED = [("export", "2026-01-02T03:04:05Z", 0), ("check", "2026-01-02T03:04:06Z", 0)]


def test_what_a_reader_took_in_the_writer_does_not_take_in_again(tmp_path: Path) -> None:
    with opened(tmp_path, writable=True) as writer:
        before, behind = writer.journal.append(LINES)
        opened(tmp_path, writable=False).close()  # catches up between the journal's line and the index's row
        assert not writer.index.apply(LINES, before, behind, writer._headers_of)
        assert rows(writer) == EXPECTED
        writer.record([Run("audit", "2026-01-02T03:04:07Z", 0, {})])
        assert rows(writer) == [*EXPECTED, ("audit", "2026-01-02T03:04:07Z", 0)]


def test_a_reader_that_comes_second_reads_on_from_there(tmp_path: Path) -> None:
    with opened(tmp_path, writable=True) as writer:
        reader = opened(tmp_path, writable=False)
        start = reader.index.position
        writer.record(LINES)
        assert not reader.index.apply(LINES, start, writer.index.position, reader._headers_of)
        reader._catch_up(reader.index)
        assert rows(reader) == EXPECTED
        reader.close()
