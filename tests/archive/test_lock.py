"""One writer per archive: a second one is refused, on this machine and on another; a killed one leaves no lock."""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailmove.archive import creating
from mailmove.archive import lock as lock_module
from mailmove.archive.files import disk
from mailmove.archive.lock import LEASE, NAME, Lock
from mailmove.archive.place import META
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.archive.writing.writer import Writer
from mailmove.errors import ArchiveError
from mailmove.model import Listed
from tests.archive.conftest import LOGIN, folder, put

HOLDER = """
import os, sys
from mailmove.archive.lock import Lock
lock = Lock.acquire(os.open(sys.argv[1], os.O_RDONLY), "there")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path: Path) -> int:
    return os.open(tmp_path, os.O_RDONLY)


@pytest.mark.fault(6)
def test_a_second_run_is_refused_and_told_who_holds_it(directory: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ArchiveError, match=f"another mailmove is working on here .*process {holder.pid}"):
            Lock.acquire(directory, "here")
        holder.kill()
    Lock.acquire(directory, "here").release()  # the system let go of it
    assert (tmp_path / NAME).read_bytes() == b""


STRANGER = "otherhost 0123456789abcdef 4711 2026-11-23T10:02:00Z\n"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is shared, and keeps the locks of its machines to themselves."""
    monkeypatch.setattr(disk, "is_shared", lambda fd: True)
    monkeypatch.setattr(fcntl, "flock", lambda fd, how: None)


def aged(path: Path, seconds: float) -> None:
    """As if the holder's heart had beaten for the last time so long ago."""
    os.utime(path / NAME, (time.time() - seconds,) * 2)


@pytest.mark.fault(65)
def test_on_a_disk_of_this_machine_the_systems_lock_alone_decides(directory: int, tmp_path: Path) -> None:
    """A container has a new name each time."""
    (tmp_path / NAME).write_text(STRANGER)
    Lock.acquire(directory, "here").release()
    assert (tmp_path / NAME).read_bytes() == b""


@pytest.mark.fault(6, 65)
@pytest.mark.usefixtures("shared")
def test_on_a_shared_disk_another_machines_heartbeat_is_respected_as_long_as_its_lease(
    directory: int, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_text(STRANGER)
    for seconds, minutes in ((-3600, 10), (0, 10), (LEASE - 100, 2)):
        aged(tmp_path, seconds)
        with pytest.raises(ArchiveError, match=r"another machine, otherhost, .* since 2026-11-23") as error:
            Lock.acquire(directory, "here")
        assert f"again in {minutes} minutes, or delete here/.mailmove/{NAME}" in error.value.next_step
        assert os.listdir(tmp_path) == [NAME]
    aged(tmp_path, LEASE)
    lock = Lock.acquire(directory, "here")
    lock.must_hold()
    lock.release()


@pytest.mark.fault(65)
@pytest.mark.usefixtures("shared")
def test_the_file_servers_clock_tells_the_age_of_a_heartbeat(
    directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).write_text(STRANGER)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with pytest.raises(ArchiveError, match="another machine"):
        Lock.acquire(directory, "here")
    monkeypatch.setattr(lock_module, "_now", lambda directory: time.time() + LEASE)
    with pytest.raises(ArchiveError, match="another machine"):
        Lock.acquire(directory, "here")


@pytest.mark.fault(65)
@pytest.mark.usefixtures("shared")
def test_the_heart_beats_ten_times_a_lease(directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: queue.Queue[float] = queue.Queue()
    beats: queue.Queue[bool] = queue.Queue()

    class Turns:
        def wait(self, seconds: float) -> bool:
            waits.put(seconds)
            return beats.get()

        def set(self) -> None:
            beats.put(True)

    monkeypatch.setattr(lock_module, "Event", Turns)
    lock = Lock.acquire(directory, "here")
    monkeypatch.undo()
    assert waits.get() * 10 <= LEASE
    aged(tmp_path, 10 * LEASE)
    beats.put(False)
    waits.get()
    assert time.time() - (tmp_path / NAME).stat().st_mtime < LEASE
    lock.release()


def test_a_lock_that_a_killed_run_of_this_machine_left_is_no_obstacle(
    directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a shared disk: the system's lock would tell if that run were alive."""
    lock = Lock.acquire(directory, "here")
    note = (tmp_path / NAME).read_text()
    lock.release()
    (tmp_path / NAME).write_text(note)  # as after kill -9
    monkeypatch.setattr(disk, "is_shared", lambda fd: True)
    Lock.acquire(directory, "here").release()


@pytest.mark.fault(65)
@pytest.mark.usefixtures("shared")
def test_a_run_that_was_taken_over_writes_nothing_more(
    path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asleep, and another machine did what there was to do."""
    creating.create(str(path), LOGIN)
    archive = Archive.open(str(path), memory, writable=True)
    where = folder(archive, "INBOX")
    put(archive, where, 1, b"Subject: 1\r\n\r\n1\r\n")
    writer = Writer(archive)
    writer.enter(where)
    incoming = writer.begin()
    incoming.write(b"Subject: 2\r\n\r\n2\r\n")
    writer.keep(incoming, Listed(2, 0, None, frozenset()), None)
    with monkeypatch.context() as there:
        there.setattr(lock_module, "_machine", lambda: "another")
        with pytest.raises(ArchiveError, match="another machine"):
            Archive.open(str(path), memory, writable=True)
        aged(path / META, LEASE)
        other = Archive.open(str(path), memory, writable=True)
    put(other, where, 2, b"Subject: 2\r\n\r\n2\r\n")
    journal = (path / META / "journal.jsonl").read_bytes()
    for deed in (
        writer.flush,
        archive.must_hold,
        lambda: folder(archive, "New"),
        lambda: writer.enter(where),
        lambda: archive.rebind("me@new"),
    ):
        with pytest.raises(ArchiveError, match=r"another mailmove .* has taken .* over"):
            deed()
    with pytest.raises(ArchiveError, match="has taken"), writer:
        pass
    assert (path / META / "journal.jsonl").read_bytes() == journal
    note = (path / META / NAME).read_bytes()
    archive.close()
    assert (path / META / NAME).read_bytes() == note, "the note of the other stays"
    other.must_hold()
    other.close()


@pytest.mark.fault(65)
def test_a_lock_that_somebody_deleted_is_not_held(archive: Archive, path: Path, memory: Memory) -> None:
    archive.must_hold()
    (path / META / NAME).unlink()
    with pytest.raises(ArchiveError, match="is not there any more"):
        archive.must_hold()
    with Archive.open(str(path), memory, writable=True) as other:
        with pytest.raises(ArchiveError, match="has taken"):
            archive.must_hold()
        other.must_hold()


def test_a_file_system_without_locks_is_refused(directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(ArchiveError, match="has no locks"):
        Lock.acquire(directory, "here")


@pytest.mark.fault(9)
def test_a_link_in_its_place_is_not_followed(directory: int, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep me")
    (tmp_path / NAME).symlink_to("precious")
    with pytest.raises(ArchiveError):
        Lock.acquire(directory, "here")
    assert (tmp_path / "precious").read_text() == "keep me"


@pytest.mark.fault(6)
def test_reading_needs_no_lock(archive: Archive, memory: Memory) -> None:
    with pytest.raises(ArchiveError, match="another mailmove is working"):
        Archive.open(archive.path, memory, writable=True)
    Archive.open(archive.path, memory, writable=False).close()
