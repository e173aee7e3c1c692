"""What an earlier run hashed in a copy counts for a while, where its owner says so, and only while it is unchanged."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailmove.archive.files import disk
from mailmove.archive.state.standing import Standing
from mailmove.cancel import Cancel
from mailmove.copies import directory
from mailmove.errors import Exit
from mailmove.evidence import How
from mailmove.jobs import status
from mailmove.jobs.copy import checking
from mailmove.jobs.copy.result import Target
from mailmove.jobs.history import history as look
from mailmove.jobs.prune.result import PrunePlan, PruneResult
from mailmove.report import history
from mailmove.report import prune as report
from mailmove.units import parse_age
from tests.copies.kit import JOURNAL
from tests.exported import overwrite
from tests.kit import NOW, message
from tests.pruning import Pruner, drained
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]
LATER = timedelta(hours=3)
"""A moment when the copy's files are not as good as new."""
WEEK = parse_age("7d")


@pytest.fixture(autouse=True)
def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy lies on a disk of its own."""
    monkeypatch.setattr(disk, "is_same", lambda one, other: False)


@pytest.fixture
def server(scripted: Start) -> Scripted:
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 5)), arrival=NOW - timedelta(days=400), flags={"\\Seen"})
    return server


@pytest.fixture
def pruner(pruner: Pruner, nas: Path) -> Pruner:
    """An archive, and a copy of it that was proven again after a while."""
    prove(pruner, nas, NOW + LATER)
    return pruner


def prove(pruner: Pruner, nas: Path, at: datetime) -> None:
    with pruner.opened(writable=False) as archive:
        assert drained(checking.check(archive, Target("nas", str(nas), WEEK), Cancel(), at)).good == 4


def prune(pruner: Pruner, nas: Path, after: timedelta = LATER, **options: object) -> PruneResult:
    return pruner(now=NOW, after=after, copies={"nas": nas}, within=WEEK, **options)  # type: ignore[arg-type]


def file(nas: Path, uid: int) -> Path:
    return next(path for path in (nas / "INBOX/cur").iterdir() if f"U{uid}," in path.name)


def relied(result: PruneResult) -> int:
    """How many were not hashed in this run."""
    return sum(one.messages for one in result.plan.relied.values())


def test_what_is_unchanged_counts_and_that_is_said_and_recorded(pruner: Pruner, nas: Path) -> None:
    plans: list[PrunePlan] = []
    result = prune(pruner, nas, after=timedelta(days=2), between=plans.append)
    assert (result.exit, result.gone, relied(result)) == (Exit.DONE, 4, 4)
    there = [other for one in plans[0].evidence for other in one.besides]
    assert {one.how for one in there} == {How.UNCHANGED} and all(one.how is How.REHASHED for one in plans[0].evidence)
    day = f"{NOW + LATER:%Y-%m-%d}"
    assert f"here and at nas; but for 4 at nas, unchanged since they were on {day} or later." in "\n".join(
        report.plan(plans[0])
    )
    assert report.as_json(result)["copies"] == {"nas": {"hashed_before": 4}}
    assert f'"how":"unchanged since {day}T' in (pruner.archive / JOURNAL).read_text()
    with pruner.opened(writable=False) as archive:
        told = list(history.text(drained(look("box", archive, result.run, 0))))
    assert f"each re-hashed in its copies, too: nas (some before that run, unchanged since {day}T" in "\n".join(told)


def altered(nas: Path, _: pytest.MonkeyPatch) -> None:
    data = file(nas, 2).read_bytes()
    times = file(nas, 2).stat()
    overwrite(file(nas, 2), data[:-3] + b"X" + data[-2:])
    os.utime(file(nas, 2), ns=(times.st_atime_ns, times.st_mtime_ns))  # ctime cannot be set


def exchanged(nas: Path, _: pytest.MonkeyPatch) -> None:
    (nas / "other").write_bytes(b"x" * file(nas, 2).stat().st_size)
    (nas / "other").rename(file(nas, 2))


def gone(nas: Path, _: pytest.MonkeyPatch) -> None:
    file(nas, 2).unlink()


@pytest.mark.fault(109)
@pytest.mark.parametrize("when", ["before", "asked"])
@pytest.mark.parametrize("harm", [altered, exchanged, gone])
def test_what_was_touched_since_is_hashed_and_stays(
    server: Scripted,
    pruner: Pruner,
    nas: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path, pytest.MonkeyPatch], object],
    when: str,
) -> None:
    if when == "before":
        harm(nas, monkeypatch)
    result = prune(pruner, nas, between=lambda _: when == "asked" and harm(nas, monkeypatch))
    assert (result.gone, server.store["INBOX"].uids) == (3, [2])
    assert relied(result) == (3 if when == "before" else 4)


def renamed(nas: Path, _: pytest.MonkeyPatch) -> None:
    """Each has another inode's change time then."""
    for path in list((nas / "INBOX/cur").iterdir()):
        path.rename(path.with_name(path.name + "F"))


def without_locks(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "_lock", lambda fd, shown: None)


def numbered_anew(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "has_stable_inodes", lambda fd: False)


def forgotten(nas: Path, _: pytest.MonkeyPatch) -> None:
    for path in (nas.parent / "state/proofs").iterdir():
        path.unlink()


def damaged(nas: Path, _: pytest.MonkeyPatch) -> None:
    for path in (nas.parent / "state/proofs").iterdir():
        path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)


@pytest.mark.fault(109)
@pytest.mark.parametrize("doubt", [renamed, without_locks, numbered_anew, forgotten, damaged])
def test_where_nothing_is_known_of_a_file_it_is_hashed(
    pruner: Pruner, nas: Path, monkeypatch: pytest.MonkeyPatch, doubt: Callable[[Path, pytest.MonkeyPatch], object]
) -> None:
    doubt(nas, monkeypatch)
    result = prune(pruner, nas)
    assert (result.gone, relied(result)) == (4, 0)
    said = [note for note in result.plan.notes if "all of it is hashed anew, since its disk" in note]
    assert len(said) == (doubt in (without_locks, numbered_anew))


@pytest.mark.fault(109)
@pytest.mark.parametrize(
    ("after", "counts"),
    [
        (timedelta(days=7) + LATER - timedelta(seconds=2), True),
        (timedelta(days=7) + LATER, False),
        (LATER - timedelta(seconds=2), False),  # the clock was set back since
    ],
)
def test_a_proof_counts_for_its_time_and_not_longer(pruner: Pruner, nas: Path, after: timedelta, counts: bool) -> None:
    result = prune(pruner, nas, after=after, dry_run=True)
    assert (result.plan.messages, relied(result)) == (4, 4 if counts else 0)


def test_what_a_prune_hashes_is_known_to_the_next(pruner: Pruner, nas: Path) -> None:
    forgotten(nas, pytest.MonkeyPatch())
    assert relied(prune(pruner, nas, agree=False)) == 0
    assert relied(prune(pruner, nas)) == 4


@pytest.mark.fault(109)
def test_what_was_written_just_before_is_not_known_by_that(pruner: Pruner, nas: Path) -> None:
    forgotten(nas, pytest.MonkeyPatch())
    prove(pruner, nas, NOW - timedelta(seconds=1))
    assert relied(prune(pruner, nas)) == 0


def test_a_copy_of_which_nothing_is_said_is_hashed_and_nothing_remembered(pruner: Pruner, nas: Path) -> None:
    result = pruner(now=NOW, after=LATER, copies={"nas": nas})
    assert (result.gone, relied(result)) == (4, 0)
    assert '"how":"sha256"' in (pruner.archive / JOURNAL).read_text()


def test_status_tells_how_much_is_proven(pruner: Pruner, nas: Path) -> None:
    noted, copies = Standing("box"), [Target("nas", str(nas), WEEK), Target("stick", "/x", WEEK)]
    for days, proven in ((1, 4), (8, 0)):
        with pruner.opened(writable=False) as archive:
            found = drained(
                status.status("box", archive, noted, NOW + timedelta(days=days), policy=False, copies=copies)
            )
        assert found.proven == {"nas": status.Fresh("7d", 4, proven)}
