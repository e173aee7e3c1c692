"""Message files and their record, brought back together: after a crash, a restore, or a mail program's work."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmove.archive import surveying
from mailmove.archive.mending.adoption import adopt, set_aside
from mailmove.archive.proof import strays
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.errors import Exit
from mailmove.jobs.check import CheckResult, Options, check
from mailmove.model import Listed
from tests.archive.conftest import LOGIN, folder, put

TEXT = b"Subject: x\r\n\r\nx\r\n"


def checked(archive: Archive) -> CheckResult:
    job = check("box", archive, None, Cancel(), Options())
    while True:
        try:
            next(job)
        except StopIteration as done:
            assert isinstance(done.value, CheckResult)
            return done.value


def without_record(archive: Archive, uid: int, octets: bytes = TEXT, *, name: str = "INBOX") -> Path:
    """A message file that a killed run had put in its place before the record was written."""
    where = folder(archive, name)
    before = archive.index.current(where.wire, where.uidvalidity)
    assert uid not in before
    path = put(archive, where, uid, octets)
    archive.index._db.execute("DELETE FROM message WHERE uid = ?", (uid,))
    return path


@pytest.mark.fault(1)
def test_a_whole_file_is_recorded_with_what_the_listing_tells(archive: Archive) -> None:
    path = without_record(archive, 5)
    where = folder(archive, "INBOX")
    listed = Listed(5, 1_600_000_000, 99, frozenset({"\\Seen", "$x"}), "Eabc")
    adopted = adopt(archive, where, surveying.survey(archive, where).unrecorded, {5: listed})
    assert (adopted.recorded, adopted.aside) == (1, ())
    known = archive.index.known(where.wire, where.uidvalidity)[5]
    assert (known.arrival, known.size, known.flags) == (1_600_000_000, 99, frozenset({"\\Seen", "$x"}))
    assert path.exists()
    assert surveying.survey(archive, where).unrecorded == ()


@pytest.mark.fault(1)
def test_a_torn_file_is_moved_aside_never_recorded_never_deleted(archive: Archive) -> None:
    path = without_record(archive, 5)
    path.chmod(0o600)
    path.write_bytes(TEXT[:-1])
    where = folder(archive, "INBOX")
    adopted = adopt(archive, where, surveying.survey(archive, where).unrecorded, {})
    assert adopted.recorded == 0
    assert Path(archive.path, adopted.aside[0]).read_bytes() == TEXT[:-1]
    assert archive.index.known(where.wire, where.uidvalidity) == {}


def test_files_put_aside_in_the_same_second_do_not_replace_each_other(archive: Archive) -> None:
    for number in range(3):
        Path(archive.path, "same").write_text(str(number))
        set_aside(archive, archive.root, "same")
    assert sorted(path.read_text() for path in Path(archive.path, ".mailmove/aside").iterdir()) == ["0", "1", "2"]


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def link(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.fault(9, 59)
@pytest.mark.parametrize("make", [fifo, unix_socket, link, Path.mkdir])
def test_what_is_named_like_a_message_and_is_no_file_is_moved_aside(
    archive: Archive, make: Callable[[Path], None]
) -> None:
    """Never waited for, never followed, and what lies beside it is adopted."""
    path, whole = without_record(archive, 5), without_record(archive, 6)
    path.unlink()
    make(path)
    where = folder(archive, "INBOX")
    adopted = adopt(archive, where, surveying.survey(archive, where).unrecorded, {})
    assert (adopted.recorded, len(adopted.aside)) == (1, 1)
    assert os.path.lexists(Path(archive.path, adopted.aside[0]))
    assert [file for file in path.parent.iterdir() if ",H=" in file.name] == [whole]


def test_one_file_stands_for_every_message_of_its_octets(archive: Archive) -> None:
    first = put(archive, folder(archive, "A"), 1, TEXT)
    second = put(archive, folder(archive, "B"), 1, TEXT)
    first.rename(first.parent.parent / "new" / "1600.M1.host")
    second.unlink()
    missing = [stored for name in "AB" for stored in archive.index.stored(name.encode(), 7)]
    found = strays.find_moved(archive, missing)
    assert {stored.id.folder: path for stored, path in found.items()} == dict.fromkeys(
        (b"A", b"B"), "A/new/1600.M1.host"
    )


@pytest.mark.fault(16)
def test_a_found_file_does_not_stand_for_another_message_of_its_uid(archive: Archive) -> None:
    """The UID came to mean another message; both are archived, both lost, and only one of the files turns up."""
    where = folder(archive, "INBOX")
    first = put(archive, where, 1, TEXT)
    first.rename(first.parent.parent / "new" / first.name)
    put(archive, where, 1, b"Subject: y\r\n\r\ny\r\n", 1_700_000_000).unlink()
    result = checked(archive)
    assert [(moved.uid, moved.path) for moved in result.moved] == [(1, f"INBOX/new/{first.name}")]
    assert [(problem.uid, problem.subject) for problem in result.problems] == [(1, b"y")]


def test_the_remedy_for_a_message_whose_uid_means_another_by_now_is_not_the_server(archive: Archive) -> None:
    where = folder(archive, "INBOX")
    put(archive, where, 1, TEXT).unlink()
    put(archive, where, 1, b"Subject: y\r\n\r\ny\r\n", 1_700_000_000)
    assert [(problem.subject, problem.on_server) for problem in checked(archive).problems] == [(b"x", False)]


@pytest.mark.fault(9)
def test_check_names_a_fifo_without_a_record_and_goes_on(archive: Archive) -> None:
    put(archive, folder(archive, "INBOX"), 1, TEXT)
    path = without_record(archive, 5)
    path.unlink()
    os.mkfifo(path)
    result = checked(archive)
    assert (result.checked, result.damaged) == (1, [f"INBOX/cur/{path.name}"])


def test_what_is_in_no_maildir_is_not_found(archive: Archive) -> None:
    path = put(archive, folder(archive, "INBOX"), 1, TEXT)
    path.rename(Path(archive.path, path.name))
    assert checked(archive).exit is Exit.ARCHIVE


@pytest.mark.fault(49)
@pytest.mark.parametrize("arrival", [-3_000_000_000, -1, 0, 1, 2**31, 253_402_300_799])
def test_any_arrival_survives_a_copy_and_a_lost_journal(
    archive: Archive, memory: Memory, tmp_path: Path, arrival: int
) -> None:
    put(archive, folder(archive, "INBOX"), 1, TEXT, arrival)
    copy = tmp_path / "copy"
    shutil.copytree(archive.path, copy, copy_function=shutil.copyfile)  # neither times nor modes
    for path in copy.rglob("*"):
        os.utime(path, (0, 0))
    with Archive.open(str(copy), Memory(str(tmp_path / "another machine")), writable=False) as copied:
        assert checked(copied).exit is Exit.DONE
        assert [stored.base.arrival for stored in copied.index.stored(b"INBOX", 7)] == [arrival]


def test_ctrl_c_ends_a_check_with_what_it_found_so_far(archive: Archive) -> None:
    where = folder(archive, "INBOX")
    put(archive, where, 1, b"1" * (1 << 20))
    put(archive, where, 2, b"2" * (1 << 20))
    cancel = Cancel()
    job = check("box", archive, None, cancel, Options())
    next(job)  # what lies ahead
    next(job)  # the first message
    cancel.set()
    with pytest.raises(StopIteration) as done:
        while True:
            next(job)
    result = done.value.value
    assert (result.exit, result.checked, result.problems) == (Exit.INTERRUPTED, 1, [])


def test_a_folder_that_archive_toml_does_not_name_is_not_forgotten(archive: Archive, memory: Memory) -> None:
    """An older archive.toml was put back: the record still knows the messages, and check still counts them."""
    older = Path(archive.path, ".mailmove/archive.toml")
    before = older.read_bytes()
    put(archive, folder(archive, "Later"), 1, TEXT)
    older.write_bytes(before)
    with Archive.open(archive.path, memory, writable=False) as opened:
        result = checked(opened)
        assert (result.messages, result.checked) == (1, 1)
        assert [(moved.folder, moved.uid) for moved in result.moved] == [("Later", 1)]
        Path(archive.path, result.moved[0].path).unlink()
        assert checked(opened).exit is Exit.ARCHIVE
    assert archive.manifest.login == LOGIN
