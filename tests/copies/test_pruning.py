"""Prune with a copy: what goes is proven there too, in this run, and seen there again just before it goes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove.archive.files import disk
from mailmove.copies.directory import Copy
from mailmove.errors import ArchiveError, Exit, RefusedError
from mailmove.evidence import FileSeen, clock, rehashed
from mailmove.imap import pace
from mailmove.jobs.certificate import certificate
from mailmove.jobs.history import history as look
from mailmove.jobs.prune.result import PrunePlan, PruneResult
from mailmove.model import MessageId
from mailmove.report import certificate as certifying
from mailmove.report import history
from mailmove.report import prune as report
from tests.copies.kit import JOURNAL, copied
from tests.exported import overwrite
from tests.kit import NOW, message
from tests.pruning import Pruner, drained
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]
OLD = NOW - timedelta(days=400)


@pytest.fixture(autouse=True)
def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copies lie on disks of their own."""
    monkeypatch.setattr(disk, "is_same", lambda one, other: False)


@pytest.fixture
def server(scripted: Start) -> Scripted:
    """Three old messages in each of two folders."""
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 4)), arrival=OLD, flags={"\\Seen"})
    server.store.add("Work", *map(message, range(4, 7)), arrival=OLD, flags={"\\Seen"})
    return server


def said(result: PruneResult) -> str:
    return "\n".join([*report.text(result), *report.problems(result)])


def left(server: Scripted) -> dict[str, list[int]]:
    return {name.decode(): box.uids for name, box in server.store.folders.items() if box.uids}


def test_what_both_places_hold_goes_and_the_journal_says_where(server: Scripted, pruner: Pruner, nas: Path) -> None:
    result = pruner(copies={"nas": nas})
    assert (result.exit, result.gone, left(server)) == (Exit.DONE, 6, {})
    assert "re-hashed just now, here and at nas" in said(result) and "The only copy" not in said(result)
    journal = (pruner.archive / JOURNAL).read_text()
    assert journal.count('"kind":"proven-at"') == 1 and '"name":"nas","how":"sha256"' in journal
    with pruner.opened(writable=False) as archive:
        told = list(history.text(drained(look("box", archive, result.run, 0))))
        made = drained(certificate("box", archive, str(result.run)))
    assert "    each re-hashed in its copies, too: nas" in told
    (second,) = made.copies
    assert (second.name, second.path, second.proof) == ("nas", str(nas), "sha256")
    files = certifying.files(made)
    there = json.loads(files[f"certificate-{result.run}.json"])["copies"]
    assert there == [dataclasses.asdict(second)]
    assert f"<td>nas</td><td>{nas}</td>".encode() in files[f"certificate-{result.run}.html"]
    assert copied(pruner, nas).exit is Exit.DONE, "copying goes on"


@pytest.mark.fault(83)
def test_a_stale_copy_keeps_what_it_lacks(server: Scripted, pruner: Pruner, nas: Path) -> None:
    server.store.add("INBOX", message(20), arrival=OLD, flags={"\\Seen"})
    result = pruner(copies={"nas": nas})
    assert (result.exit, result.gone, left(server)) == (Exit.PARTIAL, 6, {"INBOX": [4]})
    assert "it is not in the copy nas yet: mailmove copy brings it there" in said(result)
    assert copied(pruner, nas).exit is Exit.DONE
    assert pruner(copies={"nas": nas}).gone == 1


@pytest.mark.fault(83)
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone", "exchanged"])
def test_harm_in_the_copy_keeps_that_message(server: Scripted, pruner: Pruner, nas: Path, harm: str) -> None:
    victim = next(path for path in (nas / "INBOX/cur").iterdir() if "U2," in path.name)
    data = victim.read_bytes()
    if harm == "gone":
        victim.unlink()
    else:
        other = next(path for path in (nas / "INBOX/cur").iterdir() if "U1," in path.name).read_bytes()
        overwrite(victim, {"flipped": data[:-3] + b"X" + data[-2:], "cut": data[:-1], "exchanged": other}[harm])
    result = pruner(copies={"nas": nas})
    assert (result.exit, result.gone, left(server)) == (Exit.PARTIAL, 5, {"INBOX": [2]})
    assert "the copy nas" in said(result)


def gone(pruner: Pruner, nas: Path) -> None:
    shutil.rmtree(nas)


def empty_mount_point(pruner: Pruner, nas: Path) -> None:
    shutil.rmtree(nas)
    nas.mkdir()


def swapped(pruner: Pruner, nas: Path) -> None:
    """Another archive's copy hangs there now."""
    path = nas / ".mailmove/archive.toml"
    uuid = path.read_text().split('uuid = "')[1][:36]
    for name in ("archive.toml", "copy.toml"):
        file = nas / ".mailmove" / name
        file.write_text(file.read_text().replace(uuid, "0" * 36))


def set_back(pruner: Pruner, nas: Path) -> None:
    """The archive is an older one: the copy knows more."""
    with (nas / JOURNAL).open("ab") as file:
        lines = (pruner.archive / JOURNAL).read_bytes()[(nas / JOURNAL).stat().st_size :]
        file.write(lines + b"{}\n")


def diverged(pruner: Pruner, nas: Path) -> None:
    path = nas / JOURNAL
    path.write_bytes(path.read_bytes()[:-5] + b"0000\n")


def promoted(pruner: Pruner, nas: Path) -> None:
    (nas / ".mailmove/copy.toml").unlink()


@pytest.mark.fault(85)
@pytest.mark.parametrize("harm", [gone, empty_mount_point, swapped, set_back, diverged, promoted])
def test_a_copy_that_cannot_be_asked_keeps_everything(
    server: Scripted, pruner: Pruner, nas: Path, harm: Callable[[Pruner, Path], object]
) -> None:
    harm(pruner, nas)
    with pytest.raises(RefusedError, match="the copy nas, which must hold what goes, cannot be asked") as error:
        pruner(copies={"nas": nas})
    assert error.value.exit is Exit.REFUSED
    assert left(server) == {"INBOX": [1, 2, 3], "Work": [1, 2, 3]}


@pytest.mark.fault(85)
def test_the_archives_own_disk_is_no_second_place(
    server: Scripted, pruner: Pruner, nas: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(RefusedError, match="lies on the same disk as the archive"):
        pruner(copies={"nas": nas})
    assert len(left(server)) == 2


@pytest.mark.fault(83)
@pytest.mark.parametrize("when", ["asked", "portion"])
@pytest.mark.parametrize("harm", [gone, empty_mount_point, swapped, promoted, set_back])
def test_a_copy_that_is_taken_away_stops_it(
    server: Scripted,
    pruner: Pruner,
    nas: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Pruner, Path], object],
    when: str,
) -> None:
    """While the question is open, or between two portions."""
    monkeypatch.setattr(pace, "FIRST_PORTION", 2)
    monkeypatch.setattr(pace, "MAX_PORTION", 2)

    def after(talk: Conversation, command: Command) -> None:
        talk.answer(command)
        harm(pruner, nas)

    if when == "portion":
        server.on("UID EXPUNGE", after, nth=1)
    result = pruner(copies={"nas": nas}, between=lambda _: when == "asked" and harm(pruner, nas))
    assert (result.exit, result.gone) == (Exit.ARCHIVE, 0 if when == "asked" else 2)
    assert "the copy at" in said(result) and "is not the one that was opened" in said(result)


@pytest.mark.fault(83)
@pytest.mark.parametrize("harm", ["altered", "unlinked", "renamed"])
def test_a_file_of_the_copy_that_is_touched_while_the_question_is_open(
    server: Scripted, pruner: Pruner, nas: Path, harm: str
) -> None:
    victim = next(path for path in (nas / "INBOX/cur").iterdir() if "U2," in path.name)

    def touch(_: PrunePlan) -> None:
        if harm == "altered":
            overwrite(victim, b"x" * victim.stat().st_size)
        elif harm == "unlinked":
            victim.unlink()
        else:
            victim.rename(victim.with_name(victim.name + "F"))

    result = pruner(copies={"nas": nas}, between=touch)
    if harm == "renamed":
        assert (result.gone, left(server)) == (6, {})
    else:
        assert (result.gone, left(server)) == (5, {"INBOX": [2]})
        assert "in the copy nas: its file" in said(result)


def test_two_copies_must_both_hold_it(server: Scripted, pruner: Pruner, nas: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    assert copied(pruner, stick, name="stick").exit is Exit.DONE
    next((stick / "Work/cur").iterdir()).unlink()
    next((nas / "INBOX/cur").iterdir()).unlink()
    result = pruner(copies={"nas": nas, "stick": stick})
    assert result.gone == 4 and {name: len(uids) for name, uids in left(server).items()} == {"INBOX": 1, "Work": 1}


def test_the_copy_is_locked_from_before_the_question(pruner: Pruner, nas: Path) -> None:
    tried: list[bool] = []

    def another(_: PrunePlan) -> None:
        with pytest.raises(ArchiveError, match="another mailmove is working"):
            Copy.open(str(nas))
        tried.append(True)

    assert pruner(copies={"nas": nas}, between=another).gone == 6
    assert tried
    Copy.open(str(nas)).close()


def test_evidence_counts_only_with_that_of_every_place() -> None:
    one, other = MessageId(b"INBOX", 7, 1), MessageId(b"INBOX", 7, 2)
    seen, now = FileSeen("INBOX/cur", "x", 1, 2, 3, 4, 5), clock()
    here, there = rehashed(one, "a", b"1", seen, now), rehashed(one, "b", b"1", seen, now - 900)
    assert here.proves(one, now)
    assert replace(here, besides=(here,)).proves(one, now)
    assert not replace(here, besides=(there,)).proves(one, now), "too old"
    assert not replace(here, besides=(rehashed(other, "b", b"1", seen, now),)).proves(one, now)
