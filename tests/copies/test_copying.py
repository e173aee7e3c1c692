"""A copy holds what the archive holds, to the octet, with a beginning of its journal, whatever happens on the way."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove.archive.files import disk, durable
from mailmove.archive.lock import Lock, LocksMissing
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.copies import journals, reading
from mailmove.errors import Exit
from mailmove.jobs.copy import run as job
from mailmove.jobs.copy.result import ReadBack
from mailmove.jobs.erase import carry_out, plan
from mailmove.plan.copying import Standing, choose, in_places, standing
from tests.copies.kit import JOURNAL, copied, held, is_beginning, octets
from tests.exported import overwrite, snapshot
from tests.kit import NOW, leftovers, message, sha256
from tests.pruning import Pruner, drained
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]
OLD = NOW - timedelta(days=400)


@pytest.fixture
def server(scripted: Start) -> Scripted:
    """Two folders, one in the other, with twins and flags."""
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 6)), arrival=OLD, flags={"\\Seen"})
    server.store.add("Work/Clients", message(1), *map(message, range(6, 10)), arrival=OLD)
    return server


@pytest.fixture
def pruner(server: Scripted, tmp_path: Path) -> Pruner:
    pruner = Pruner(server.port, "user", tmp_path)
    pruner.export()
    return pruner


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "disk" / "copy"


def test_a_copy_is_the_archive_over_again(pruner: Pruner, to: Path) -> None:
    before = snapshot(pruner.archive)
    done = copied(pruner, to, between=lambda: None)
    assert done.exit is Exit.DONE and (done.new, done.held, done.messages, done.read_back) == (10, 10, 10, 10)
    assert held(to) == held(pruner.archive)
    assert is_beginning(to, pruner.archive)
    assert {path: now for path, now in snapshot(pruner.archive).items() if "cur/" in path} == {
        path: then for path, then in before.items() if "cur/" in path
    }
    with Archive.open(str(to), Memory(str(to.parent / "state")), writable=False) as there:
        assert there.index.count()[0] == 10
    assert not leftovers(to)
    assert all(path.stat().st_mode & 0o777 == 0o400 for path in to.rglob("cur/*"))


def test_only_what_is_new_comes_and_flags_follow(server: Scripted, pruner: Pruner, to: Path) -> None:
    copied(pruner, to)
    kept = snapshot(to)
    server.store.add("INBOX", message(20), arrival=OLD)
    server.store["INBOX"].mails[0].flags |= {"\\Flagged"}
    pruner.export()
    done = copied(pruner, to)
    assert (done.exit, done.new, done.renamed, done.held) == (Exit.DONE, 1, 1, 11)
    assert held(to) == held(pruner.archive)
    same = {path for path, seen in snapshot(to).items() if "/cur/" in path and kept.get(path, (0,))[0] == seen[0]}
    assert len(same) == 9, "what is there already is left as it is"
    again = copied(pruner, to)
    assert (again.new, again.renamed, again.held) == (0, 0, 11)


def test_twins_are_one_file_where_the_disk_can(pruner: Pruner, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(pruner, to)
    twin = next(path for path in to.rglob("cur/*") if path.stat().st_nlink > 1)
    assert twin.stat().st_nlink == 2

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    other = to.with_name("other")
    assert copied(pruner, other).exit is Exit.DONE
    assert octets(other) == octets(to)


def test_what_is_deleted_or_lost_here_stays_there(server: Scripted, pruner: Pruner, to: Path) -> None:
    copied(pruner, to)
    before = held(to)
    next((pruner.archive / "INBOX/cur").iterdir()).unlink()
    done = copied(pruner, to)
    assert done.exit is Exit.DONE and done.held == 10
    assert held(to) == before


@pytest.mark.fault(83)
@pytest.mark.parametrize("harm", ["altered", "missing"])
def test_what_is_not_what_was_archived_is_never_copied_and_named(pruner: Pruner, to: Path, harm: str) -> None:
    victim = next(path for path in (pruner.archive / "INBOX/cur").iterdir() if path.stat().st_nlink == 1)
    overwrite(victim, b"x" * victim.stat().st_size) if harm == "altered" else victim.unlink()
    done = copied(pruner, to)
    assert done.exit is Exit.ARCHIVE and (done.new, done.held) == (9, 9)
    assert [(fault.folder, fault.why) for fault in done.faults] == [
        ("INBOX", f"its file {'was altered' if harm == 'altered' else 'is missing'}")
    ]
    assert not leftovers(to)
    assert is_beginning(to, pruner.archive)
    victim.unlink(missing_ok=True)


@pytest.mark.fault(112)
def test_a_file_that_is_there_without_a_record_is_hashed_and_not_believed(
    server: Scripted, pruner: Pruner, to: Path
) -> None:
    """A crash, or somebody, left it under the name of a message that is new."""
    copied(pruner, to)
    server.store.add("INBOX", message(20), arrival=OLD)
    server.store.add("INBOX", message(21), arrival=OLD)
    pruner.export()
    for path in (path for path in (pruner.archive / "INBOX/cur").iterdir() if "U6," in path.name or "U7," in path.name):
        body = path.read_bytes()
        (to / "INBOX/cur" / path.name).write_bytes(body if "U6," in path.name else body[:-3] + b"X" + body[-2:])
    done = copied(pruner, to)
    assert (done.exit, done.new, done.held) == (Exit.DONE, 1, 12)
    assert held(to) == held(pruner.archive)
    assert [path.name for path in (to / ".mailmove/aside").iterdir()], "what was there is kept aside"


def test_a_file_that_a_mail_program_moved_is_copied_to_its_place(pruner: Pruner, to: Path) -> None:
    file = next((pruner.archive / "INBOX/cur").iterdir())
    expected = held(pruner.archive)
    file.rename(pruner.archive / "Work/Clients/cur" / file.name)
    done = copied(pruner, to)
    assert done.exit is Exit.DONE and held(to) == expected


@pytest.mark.fault(88)
def test_what_was_erased_here_is_erased_there_and_nothing_else(pruner: Pruner, to: Path) -> None:
    copied(pruner, to)
    before = held(to)
    to.rename(away := to.with_name("away"))
    with pruner.opened() as archive:
        wanted = {hashlib.sha256(message(3)).digest()}
        carry_out(drained(plan("box", archive, wanted)), archive, wanted, "asked for")
    away.rename(to)
    done = copied(pruner, to)
    assert (done.exit, done.erased, done.held, done.messages) == (Exit.DONE, 1, 9, 9)
    assert set(before.values()) - set(held(to).values()) == {sha256(message(3))}
    other = to.with_name("other")
    assert copied(pruner, other).exit is Exit.DONE and held(other) == held(to)


# The journals


@pytest.mark.parametrize(
    ("ours", "theirs", "same", "found"),
    [
        (9, 9, 9, Standing.LEVEL),
        (9, 4, 4, Standing.BEHIND),
        (9, 0, 0, Standing.BEHIND),
        (4, 9, 4, Standing.AHEAD),
        (9, 9, 8, Standing.DIVERGED),
        (4, 9, 3, Standing.DIVERGED),
        (9, 4, 3, Standing.DIVERGED),
    ],
)
def test_how_two_journals_stand(ours: int, theirs: int, same: int, found: Standing) -> None:
    assert standing(ours, theirs, same) is found


def test_every_message_has_one_decision() -> None:
    choice = choose("abcdef", {"a": "", "b": "S", "c": "F", "d": ""}, {"b": "", "c": "F", "d": "", "e": "S"}, {"d"})
    assert (choice.new, choice.absent, choice.unsure, choice.renamed) == (["a"], ["f"], ["d"], {"b": "S"})


@pytest.mark.parametrize(
    ("copies", "found"),
    [
        ([], [(1, 10)]),
        ([10], [(2, 10)]),
        ([7], [(2, 7), (1, 3)]),
        ([4, 9], [(3, 4), (2, 5), (1, 1)]),
        ([12], [(2, 10)]),
    ],
)
def test_in_how_many_places(copies: list[int], found: list[tuple[int, int]]) -> None:
    assert in_places(10, copies) == found


@pytest.mark.fault(84)
def test_an_archive_that_was_set_back_does_not_touch_the_better_copy(
    server: Scripted, pruner: Pruner, to: Path, tmp_path: Path
) -> None:
    shutil.copytree(pruner.archive, tmp_path / "backup")
    server.store.add("INBOX", message(20), arrival=OLD)
    pruner.export()
    copied(pruner, to)
    shutil.rmtree(pruner.archive)
    (tmp_path / "backup").rename(pruner.archive)
    shutil.rmtree(tmp_path / "state")  # or opening the archive says so already
    before = snapshot(to)
    with pruner.opened(writable=False):
        pass
    done = copied(pruner, to)
    assert done.exit is Exit.REFUSED and "was set back" in str(done.failed)
    assert {path: seen for path, seen in snapshot(to).items() if not path.endswith("lock")} == {
        path: seen for path, seen in before.items() if not path.endswith("lock")
    }


@pytest.mark.fault(84)
@pytest.mark.parametrize("where", ["here", "there"])
def test_journals_that_have_come_apart_are_refused(pruner: Pruner, to: Path, where: str) -> None:
    copied(pruner, to)
    journal = to / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + (b"" if where == "here" else lines[-2]) + lines[-1][:-3] + b'9"}\n')
    before = held(to)
    done = copied(pruner, to)
    assert done.exit is Exit.REFUSED and "have come apart" in str(done.failed)
    assert held(to) == before


@pytest.mark.fault(84)
def test_another_archives_copy_and_what_is_no_copy_are_refused(
    scripted: Start, pruner: Pruner, to: Path, tmp_path: Path
) -> None:
    copied(pruner, to)
    (tmp_path / "b").mkdir()
    other = Pruner(scripted().port, "other", tmp_path / "b")
    other.export()
    assert "is a copy of another archive" in str(copied(other, to).failed)
    assert "is an archive, and no copy" in str(copied(other, pruner.archive).failed)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.jpg").touch()
    assert "is not empty and no copy" in str(copied(other, tmp_path / "full").failed)
    assert "one inside the other" in str(copied(other, other.archive / "copy").failed)
    assert sorted(path.name for path in (tmp_path / "full").iterdir()) == ["holiday.jpg"]


@pytest.mark.fault(85)
@pytest.mark.parametrize("name", ["", "nas"])
def test_an_empty_mount_point_is_no_copy(pruner: Pruner, to: Path, name: str) -> None:
    copied(pruner, to, name=name)
    to.rename(to.with_name("away"))
    to.mkdir()
    for place in {to, to.with_name("elsewhere") if name else to}:
        done = copied(pruner, place, name=name)
        assert done.exit is Exit.REFUSED and "Is its disk not mounted?" in str(done.failed)
    assert not list(to.iterdir())
    to.rmdir()
    to.with_name("away").rename(to)
    assert copied(pruner, to, name=name).exit is Exit.DONE


def test_the_journal_is_cut_where_it_was_when_copying_began(
    server: Scripted, pruner: Pruner, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an export records meanwhile comes the next time."""
    compare = journals.compare

    def meanwhile(ours: int, theirs: int) -> journals.Compared:
        if not server.store["INBOX"].mails[5:]:
            server.store.add("INBOX", message(20), arrival=OLD)
            pruner.export()
        return compare(ours, theirs)

    monkeypatch.setattr(journals, "compare", meanwhile)
    length = (pruner.archive / JOURNAL).stat().st_size
    assert copied(pruner, to).exit is Exit.DONE
    assert (to / JOURNAL).stat().st_size == length
    assert copied(pruner, to).held == 11
    assert held(to) == held(pruner.archive) and is_beginning(to, pruner.archive)


# Disks


@pytest.mark.fault(86)
def test_a_disk_that_gives_back_something_else_is_told_and_the_message_comes_again(
    pruner: Pruner, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    sound = reading.read_back

    def rotten(directory: int, name: str) -> tuple[tuple[int, bytes] | None, bool]:
        seen.append(name)
        return (None, False) if len(seen) == 3 else sound(directory, name)

    monkeypatch.setattr(reading, "read_back", rotten)
    done = copied(pruner, to)
    assert done.exit is Exit.ARCHIVE and (done.held, len(done.faults)) == (9, 1)
    assert len(list((to / ".mailmove/aside").iterdir())) == 1
    monkeypatch.undo()
    assert copied(pruner, to).held == 10
    assert held(to) == held(pruner.archive)


@pytest.mark.parametrize(("asked", "number"), [(ReadBack.ALL, 10), (ReadBack.NONE, 0), (ReadBack.SAMPLE, 4)])
def test_what_is_read_back_is_what_was_asked_for(
    pruner: Pruner, to: Path, monkeypatch: pytest.MonkeyPatch, asked: ReadBack, number: int
) -> None:
    monkeypatch.setattr(job, "_SAMPLE", 2)
    found = copied(pruner, to, asked=asked)
    assert found.read_back == number if asked is not ReadBack.SAMPLE else 0 < found.read_back < 10
    assert not found.cached


@pytest.mark.fault(86)
@pytest.mark.parametrize("call", ["write", "rename", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_in_the_middle_leaves_what_can_go_on(
    pruner: Pruner, to: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    sound, count = getattr(os, call), 0
    monkeypatch.setattr(disk, "honours_syncfs", lambda fd: False)
    copied(pruner, to.with_name("other"))

    def failing(*arguments: object, **keys: object) -> object:
        nonlocal count
        count += 1
        if count > 12:
            raise OSError(number, os.strerror(number))
        return sound(*arguments, **keys)

    with monkeypatch.context() as broken:
        broken.setattr(os, call, failing)
        done = copied(pruner, to)
        assert done.failed is not None and not done.done, done
    assert "room" in str(done.failed) or number != errno.ENOSPC
    done = copied(pruner, to)
    assert done.exit is Exit.DONE and held(to) == held(pruner.archive) and is_beginning(to, pruner.archive)
    assert not leftovers(to)


@pytest.mark.fault(86)
def test_a_disk_that_is_taken_away_in_the_middle_is_not_believed(
    pruner: Pruner, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def taken(directory: int, name: str) -> object:
        to.rename(to.with_name("away"))
        to.mkdir()
        return sound(directory, name)

    sound = reading.read_back
    monkeypatch.setattr(
        reading, "read_back", lambda *a: (monkeypatch.setattr(reading, "read_back", sound), taken(*a))[1]
    )
    done = copied(pruner, to)
    assert done.exit is Exit.ARCHIVE and "another directory is there now" in str(done.failed)
    assert not list(to.iterdir())


@pytest.mark.fault(87)
def test_a_weak_disk_is_used_as_it_is(pruner: Pruner, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No colon, no links, no locks, no rights, short names, no fsync of directories: exFAT, SMB, eCryptfs."""
    longest = "Progetti/" + "ü" * 60
    pruner.export()
    sound_open, sound_fsync = os.open, os.fsync

    def no_colon(path: str | bytes, *arguments: object, **keys: object) -> int:
        if isinstance(path, str) and ":2," in path and "dir_fd" in keys and _is_below(keys["dir_fd"], to):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return sound_open(path, *arguments, **keys)  # type: ignore[arg-type]

    def no_locks(directory: int, shown: str) -> Lock:
        if str(to) in shown:
            raise LocksMissing("none")
        return acquire(directory, shown)

    def no_names(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sound_fsync(fd)

    acquire = Lock.acquire
    monkeypatch.setattr(Lock, "acquire", no_locks)
    monkeypatch.setattr(os, "open", no_colon)
    monkeypatch.setattr(os, "fsync", no_names)
    monkeypatch.setattr(disk, "honours_syncfs", lambda fd: False)
    monkeypatch.setattr(disk, "longest_name", lambda fd: 143)
    monkeypatch.setattr(durable, "make_private", lambda fd: None)
    done = copied(pruner, to)
    assert done.exit is Exit.DONE, done.failed
    assert any("no locks" in note for note in done.notes)
    assert all(";2," in path.name for path in to.rglob("cur/*")) and longest
    assert held(to) == held(pruner.archive)


def _is_below(fd: object, place: Path) -> bool:
    return os.readlink(f"/proc/self/fd/{fd}").startswith(str(place))
