"""Which archive belongs to which login is remembered: a lost, empty, swapped or foreign one is never used silently."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailmove.archive import creating
from mailmove.archive.record import journal, manifest
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError, Exit
from tests.archive.conftest import LOGIN, folder, put


def use(path: Path, memory: Memory, login: str = LOGIN, *, new: bool = False) -> None:
    """Open the archive of a login for writing, as an export does."""
    with Archive.for_login(login, str(path), memory, writable=True, new=new) as archive:
        put(archive, folder(archive, "INBOX"), 1, b"Subject: x\r\n\r\nx\r\n")


@pytest.mark.fault(5)
@pytest.mark.loss(9, 10)
@pytest.mark.parametrize("state", ["missing", "emptied"])
def test_a_remembered_archive_that_is_not_there_is_no_reason_for_a_new_one(
    path: Path, memory: Memory, state: str
) -> None:
    use(path, memory)
    shutil.rmtree(path)
    if state == "emptied":  # the mount point of a disk that is not mounted
        path.mkdir()
    for writable in (True, False):
        with pytest.raises(ArchiveError, match="is not at") as error:
            Archive.for_login(LOGIN, str(path), memory, writable=writable)
        assert error.value.exit is Exit.ARCHIVE
    assert not path.exists() or list(path.iterdir()) == []
    use(path, memory, new=True)


@pytest.mark.fault(5)
def test_another_path_does_not_make_a_second_archive_either(path: Path, memory: Memory, tmp_path: Path) -> None:
    use(path, memory)
    path.rename(tmp_path / "moved")
    with pytest.raises(ArchiveError, match=f"is not at .*elsewhere, last seen at {path}"):
        use(tmp_path / "elsewhere", memory)
    use(tmp_path / "moved", memory)  # the archive itself, found where it is now
    assert memory.recall(LOGIN).keys() == {str(tmp_path / "moved")}


@pytest.mark.fault(5)
def test_another_archive_of_the_same_login_in_its_place_is_refused(path: Path, memory: Memory, tmp_path: Path) -> None:
    use(path, memory)
    path.rename(tmp_path / "first")
    use(path, Memory(str(tmp_path / "another machine")))
    with pytest.raises(ArchiveError, match="holds another archive"):
        use(path, memory)


@pytest.mark.fault(45)
@pytest.mark.loss(22, 30)
def test_a_changed_login_never_mixes_two_mailboxes(path: Path, memory: Memory) -> None:
    use(path, memory)
    before = sorted(path.rglob("*"))
    with pytest.raises(ArchiveError, match=r"is the archive of me@example\.org, not of you@example\.org"):
        use(path, memory, "you@example.org")
    assert sorted(path.rglob("*")) == before


@pytest.mark.fault(5)
def test_a_directory_with_other_files_is_not_taken(path: Path, memory: Memory) -> None:
    path.mkdir()
    (path / "letter.txt").write_text("mine")
    with pytest.raises(ArchiveError, match="not empty and not a mailmove archive"):
        use(path, memory)
    assert [file.name for file in path.iterdir()] == ["letter.txt"]


@pytest.mark.fault(5)
def test_an_archive_without_its_archive_toml_is_not_begun_anew(path: Path, memory: Memory, tmp_path: Path) -> None:
    use(path, memory)
    (path / ".mailmove" / "archive.toml").unlink()
    for remembering in (memory, Memory(str(tmp_path / "another machine"))):
        with pytest.raises(ArchiveError):
            use(path, remembering)


@pytest.mark.fault(5)
def test_a_record_without_archive_toml_and_folders_is_not_begun_anew(
    path: Path, memory: Memory, tmp_path: Path
) -> None:
    use(path, memory)
    meta = path / ".mailmove"
    (meta / "archive.toml").unlink()
    for directory in path.iterdir():
        if directory != meta:
            shutil.rmtree(directory)
    record = meta / "journal.jsonl"
    record.write_bytes(record.read_bytes() * 2)  # as after a run: more than the line that begins it
    before = record.read_bytes()
    with pytest.raises(ArchiveError, match=r"has lost its .mailmove/archive.toml"):
        use(path, Memory(str(tmp_path / "another machine")))
    assert record.read_bytes() == before


def test_who_only_reads_makes_no_archive(path: Path, memory: Memory) -> None:
    with pytest.raises(ArchiveError, match="has no archive yet"):
        Archive.for_login(LOGIN, str(path), memory, writable=False)
    assert not path.exists()


@pytest.mark.fault(8)
@pytest.mark.parametrize("change", ["PRAGMA user_version = 99", "UPDATE meta SET value = 'u' WHERE name = 'uuid'"])
def test_an_index_of_another_version_or_archive_is_made_again(path: Path, memory: Memory, change: str) -> None:
    use(path, memory)
    (index,) = Path(memory.directory("index")).glob("*.sqlite")
    with contextlib.closing(sqlite3.connect(index)) as db, db:
        db.execute("DELETE FROM message")
        db.execute(change)
    with Archive.open(str(path), memory, writable=False) as archive:
        assert "made again from the journal" in archive.notes[0]
        assert archive.index.known(b"INBOX", 7).keys() == {1}


@pytest.mark.fault(5)
@pytest.mark.loss(11)
@pytest.mark.parametrize("content", ["", "{", "[]", '{"archives": 7}', "\0" * 50])
def test_a_damaged_note_is_no_empty_note(path: Path, memory: Memory, content: str) -> None:
    use(path, memory)
    (note,) = Path(memory.path, "archives").iterdir()
    note.write_text(content)
    with pytest.raises(ArchiveError, match="is damaged"):
        use(path, memory)


def test_a_crash_while_an_archive_is_made_leaves_a_whole_one_or_none(path: Path, memory: Memory) -> None:
    meta = path / ".mailmove"
    meta.mkdir(parents=True)
    (meta / "journal.jsonl").write_bytes(journal.encode(manifest.beginning("u")))  # killed before archive.toml
    assert not creating.exists(str(path))
    use(path, memory)


def test_several_accounts_note_an_arrival_at_once(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "state"))
    together = threading.Barrier(8)

    def note(start: int) -> None:
        together.wait()
        for seconds in range(start, start + 25):
            memory.note_arrival(1_700_000_000 + seconds)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(note, start) for start in range(8)]:
            done.result()
    assert 1_700_000_024 <= (memory.newest_arrival() or 0) <= 1_700_000_031
