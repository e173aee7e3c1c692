"""One writer per archive: a second one is refused, on this machine and on another; a killed one leaves no lock."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailmove.archive.lock import NAME, Lock
from mailmove.archive.memory import Memory
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError

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


@pytest.mark.fault(6)
def test_another_machines_unreleased_lock_is_refused_though_this_system_sees_none(
    directory: int, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_text("otherhost 0123456789abcdef 4711 2026-11-23T10:02:00Z\n")
    with pytest.raises(ArchiveError, match=r"another machine, otherhost, .* since 2026-11-23") as error:
        Lock.acquire(directory, "here")
    assert f"delete here/.mailmove/{NAME}" in error.value.next_step
    (tmp_path / NAME).unlink()
    Lock.acquire(directory, "here").release()


def test_a_lock_that_a_killed_run_of_this_machine_left_is_no_obstacle(directory: int, tmp_path: Path) -> None:
    Lock.acquire(directory, "here").release()
    lock = Lock.acquire(directory, "here")
    note = (tmp_path / NAME).read_text()
    lock.release()
    (tmp_path / NAME).write_text(note)  # as after kill -9
    Lock.acquire(directory, "here").release()


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
