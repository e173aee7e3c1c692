"""Files and directories: no link is followed, no FIFO waited for, nothing half-written, nothing for others to read."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailmove import replacing
from mailmove.archive import creating
from mailmove.archive.files import disk, durable, names, syncing
from mailmove.archive.proof import reading, rehashing
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.archive.writing.writer import Writer
from mailmove.errors import ArchiveError, RefusedError
from tests.archive.conftest import LOGIN, folder, put


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.mark.fault(9)
def test_no_link_on_the_way_is_followed(root: int, tmp_path: Path) -> None:
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    os.close(durable.open_below(root, "real/below"))
    for path in ("link", "link/below"):
        with pytest.raises(OSError, match=r".+") as error:
            durable.open_below(root, path)
        assert "symbolic link" in str(durable.failure("opening it", error.value))
        with pytest.raises(OSError, match=r".+"):
            durable.make_below(root, f"{path}/new")
    assert os.listdir(tmp_path / "real" / "below") == []


@pytest.mark.fault(9)
@pytest.mark.parametrize("kind", ["fifo", "link", "directory"])
def test_only_regular_files_are_messages(root: int, tmp_path: Path, kind: str) -> None:
    (tmp_path / "target").write_bytes(b"x")
    path = tmp_path / "file"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("target")
    else:
        path.mkdir()
    with pytest.raises(OSError, match=r".+"):
        durable.open_file("file", root)


def test_a_file_is_replaced_whole_and_what_a_crash_left_is_cleared(root: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / ".file.new").write_bytes(b"half of the ne")
    replacing.replace_below(root, "file", b"the new one")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"the new one"}


@pytest.mark.fault(9)
@pytest.mark.parametrize("where", ["INBOX", "INBOX/cur", "INBOX/tmp", ".mailmove"])
def test_a_planted_link_makes_the_archive_refuse(path: Path, memory: Memory, tmp_path: Path, where: str) -> None:
    creating.create(str(path), LOGIN)
    with Archive.open(str(path), memory, writable=True) as archive:
        put(archive, folder(archive, "INBOX"), 1, b"Subject: x\r\n\r\nx\r\n")
    target = tmp_path / "target"
    (path / where).rename(target)
    (path / where).symlink_to(target)
    before = sorted(target.rglob("*"))
    with pytest.raises(ArchiveError, match="symbolic link"):
        Archive.open(str(path), memory, writable=True).close()
    assert sorted(target.rglob("*")) == before


@pytest.mark.fault(9)
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_that_was_there_first_is_never_written_to(archive: Archive, tmp_path: Path, kind: str) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    where = folder(archive, "INBOX")
    with Writer(archive) as writer:
        writer.enter(where)
        planted = Path(archive.path, "INBOX", "tmp", names.temporary(writer._token, 1))
        if kind == "file":
            planted.hardlink_to(tmp_path / "target")
        else:
            planted.symlink_to(tmp_path / "target")
        with pytest.raises(ArchiveError, match="exists"):
            writer.begin()
    assert (tmp_path / "target").read_bytes() == b"mine"


@pytest.mark.fault(9)
def test_the_archive_of_another_user_is_refused(path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    creating.create(str(path), LOGIN)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    for writable in (False, True):
        with pytest.raises(RefusedError, match="another user"):
            Archive.open(str(path), memory, writable=writable).close()
    made = path.with_name("made by somebody else")
    made.mkdir()
    with pytest.raises(RefusedError, match="another user"):
        creating.create(str(made), LOGIN)
    assert not os.listdir(made)


@pytest.mark.fault(4)
def test_what_cannot_be_made_durable_is_told(root: int) -> None:
    """Nothing written to a pipe can be synced, nor anything by a descriptor that is closed."""
    reading, writing = os.pipe()
    syncer = syncing._Piecemeal()
    syncer.close_file(writing)
    with pytest.raises(OSError, match=r".+"):
        syncer.start([]).result()
    with pytest.raises(OSError, match=r".+"):
        syncer.start([reading]).result()
    syncer.close()
    os.close(reading)
    with pytest.raises(OSError, match=r".+"):
        durable.FileSystemSync(-1).sync()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
def test_nobody_else_can_read_whatever_the_umask(path: Path, memory: Memory, umask: int) -> None:
    before = os.umask(umask)
    try:
        creating.create(str(path), LOGIN)
        with Archive.open(str(path), memory, writable=True) as archive:
            file = put(archive, folder(archive, "A/B"), 1, b"Subject: x\r\n\r\nx\r\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o400
    for found in (path, *path.rglob("*")):
        mode = stat.S_IMODE(found.stat().st_mode)
        assert mode == 0o700 if found.is_dir() else mode & ~0o600 == 0, f"{found}: {mode:o}"


def test_leftovers_of_a_killed_run_are_removed_and_nothing_else(archive: Archive) -> None:
    where = folder(archive, "INBOX")
    tmp = Path(archive.path, "INBOX", "tmp")
    for name in ("mailmove-0123abcd-7", "1700000000.R1.host", "mailmove-0123abcd-7.mine"):
        (tmp / name).write_bytes(b"x")
    with Writer(archive) as writer:
        writer.enter(where)
    assert sorted(path.name for path in tmp.iterdir()) == ["1700000000.R1.host", "mailmove-0123abcd-7.mine"]


def test_a_proven_file_that_was_replaced_meanwhile_is_not_linked(archive: Archive) -> None:
    where = folder(archive, "INBOX")
    file = put(archive, where, 1, b"Subject: x\r\n\r\nx\r\n")
    (stored,) = archive.index.stored(where.wire, where.uidvalidity)
    proven = rehashing.prove(archive, stored)
    assert not isinstance(proven, str)
    with proven:
        file.unlink()
        file.write_bytes(b"another")
        with archive.opened(where, "tmp") as tmp, pytest.raises(OSError, match="replaced"):
            proven.link(tmp, "twin")
        assert os.listdir(Path(archive.path, "INBOX", "tmp")) == []


def test_a_file_that_changes_while_it_is_read_never_comes_out_whole(archive: Archive) -> None:
    where = folder(archive, "INBOX")
    file = put(archive, where, 1, b"Subject: x\r\n\r\nx\r\n")
    stored = list(archive.index.stored(where.wire, where.uidvalidity))
    with reading.open_copy(archive, stored) as proven:
        file.chmod(0o600)
        file.write_bytes(b"Subject: x\r\n\r\ny\r\n")
        arriving = reading.pieces(proven, stored[0].sha256)
        with pytest.raises(ArchiveError, match="was changed while it was being read"):
            next(arriving)


def test_a_long_file_is_read_to_its_end(archive: Archive) -> None:
    where = folder(archive, "INBOX")
    put(archive, where, 1, b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 200_000)
    stored = archive.index.stored(where.wire, where.uidvalidity)
    assert [verdict.problem for verdict in rehashing.prove_all(archive, where, stored)] == [""]


def test_only_names_of_one_file_are_read_once(archive: Archive) -> None:
    """Twins that are two files: what one of them holds proves nothing of the other."""
    where = folder(archive, "INBOX")
    first, second, third, fourth = (put(archive, where, uid, b"Subject: x\r\n\r\nx\r\n") for uid in range(1, 5))
    for path in (third, fourth):
        path.unlink()
    third.write_bytes(b"Subject: x\r\n\r\ny\r\n")
    fourth.hardlink_to(third)
    assert first.stat().st_nlink == second.stat().st_nlink == third.stat().st_nlink == 2
    stored = archive.index.stored(where.wire, where.uidvalidity)
    verdicts = rehashing.prove_all(archive, where, sorted(stored, key=lambda one: one.id.uid))
    assert [verdict.problem for verdict in verdicts] == ["", "", rehashing.ALTERED, rehashing.ALTERED]


EXT4, NFS, FUSE, UNKNOWN = 0xEF53, 0x6969, 0x65735546, 0x12345678


@pytest.mark.parametrize(
    ("kind", "kernel", "whole"),
    [(EXT4, "6.1.0", True), (EXT4, "5.8", True), (EXT4, "5.7.19", False), (EXT4, "odd", False)]
    + [(kind, "6.1.0", False) for kind in (NFS, FUSE, UNKNOWN, 0)],
)
def test_one_sync_for_all_is_trusted_only_where_it_is_known_to_tell_errors(
    root: int, monkeypatch: pytest.MonkeyPatch, kind: int, kernel: str, whole: bool
) -> None:
    monkeypatch.setattr(disk, "_type", lambda fd: kind)
    monkeypatch.setattr(platform, "release", lambda: kernel)
    syncer = syncing.syncer(root)
    syncer.close()
    assert isinstance(syncer, syncing._Whole if whole else syncing._Piecemeal)


def test_elsewhere_every_file_and_every_directory_is_synced_before_its_record(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_type", lambda fd: NFS)
    synced: list[int] = []
    flush = replacing.flush

    def noted(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        flush(fd)

    recorded: list[set[int]] = []
    record = archive.record

    def at_record(*lines: Any) -> None:
        recorded.append(set(synced))
        record(*lines)

    where = folder(archive, "INBOX")
    monkeypatch.setattr(replacing, "flush", noted)
    monkeypatch.setattr(archive, "record", at_record)
    file = put(archive, where, 1, b"Subject: x\r\n\r\nx\r\n")
    assert {file.stat().st_ino, file.parent.stat().st_ino} <= recorded[-1]


@pytest.mark.parametrize(
    ("kind", "shared", "memory"),
    [(EXT4, False, False), (0x01021994, False, True), (0x858458F6, False, True), (0x794C7630, False, False)]
    + [(kind, True, False) for kind in (NFS, FUSE, 0xFF534D42, 0x786F4256, UNKNOWN, 0)],
)
def test_a_disk_is_local_only_where_that_is_known(
    root: int, monkeypatch: pytest.MonkeyPatch, kind: int, shared: bool, memory: bool
) -> None:
    monkeypatch.setattr(disk, "_type", lambda fd: kind)
    assert (disk.is_shared(root), disk.in_memory(root)) == (shared, memory)


def test_the_system_tells_what_a_disk_is(root: int) -> None:
    known = subprocess.run(["stat", "-f", "-c", "%t %l", f"/proc/self/fd/{root}"], pass_fds=[root], capture_output=True)
    kind, longest = known.stdout.split()
    assert (disk._type(root), disk.longest_name(root)) == (int(kind, 16), min(int(longest), 255))


def test_what_the_system_takes_only_in_pieces_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    replacing.write_all(fd, b"all of it, whole")
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == b"all of it, whole"
