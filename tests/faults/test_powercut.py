"""The power goes at any moment: what is recorded is there, and what was deleted on the server is there too."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove.archive.record import journal, records
from mailmove.units import parse_uid_set
from tests.kit import NOW, Program, archived, by_uid, hashes, message, sha256, total
from tests.powercut import Recording, Tree, disks, record, replay
from tests.servers.scripted import Scripted
from tests.tracing import LONG, Step, failing_at, traced

Start = Callable[..., Scripted]
OLD = NOW - timedelta(days=400)


def recorded(disk: Tree) -> dict[tuple[str, int], tuple[str, str]]:
    """What the journal on a disk says is archived: folder and UID, with the base of the file's name and its hash."""
    found = {}
    for line in disk.get("box/.mailmove/journal.jsonl", b"").split(b"\n"):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if told["kind"] == "message":
            base = f"{told['arrival']}.V{told['uidvalidity']}U{told['uid']},S={told['octets']},H={told['sha256'][:32]}"
            found[told["folder"], told["uid"]] = (base, told["sha256"])
    return found


def safe(disk: Tree) -> set[tuple[str, int]]:
    """The messages of the journal that are really there."""
    messages = {Path(path): data for path, data in disk.items()}
    files = {(at.name.partition(":")[0], sha256(data)) for at, data in messages.items() if at.parent.name == "cur"}
    return {key for key, value in recorded(disk).items() if value in files}


def deleted(recording: Recording) -> list[tuple[int, set[tuple[str, int]]]]:
    """From which moment which messages were asked to be deleted."""
    folder, found = "", []
    for moment, sent in recording.said:
        for line in sent.decode("latin-1").splitlines():
            if selected := re.match(r'\S+ (?:SELECT|EXAMINE) "?([^"]*)"?', line):
                folder = selected[1]
            elif marked := re.match(r"\S+ UID STORE (\S+) \+FLAGS.*Deleted", line):
                found.append((moment, {(folder, uid) for uid in parse_uid_set(marked[1])}))
    return found


def prove(recording: Recording, tries: int) -> int:
    """Hold every disk against the rule; returns how many there were."""
    gone = deleted(recording)
    count = 0
    for moment, disk in disks(recording, tries, seed=7):
        count += 1
        manifest = disk.get("box/.mailmove/archive.toml")
        assert manifest is None or "uuid" in tomllib.loads(manifest.decode()), f"moment {moment}: half a file"
        there = safe(disk)
        assert recorded(disk).keys() <= there, f"moment {moment}: recorded and not there"
        for since, messages in gone:
            if since <= moment:
                assert messages <= there, f"moment {moment}: deleted on the server, and not there"
    return count


@pytest.fixture
def server(scripted: Start) -> Scripted:
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 5)), message(1), arrival=OLD, flags={"\\Seen"})
    server.store.add("A/B", message(6), message(1), arrival=OLD, flags={"\\Seen"})
    return server


@pytest.fixture
def archive(server: Scripted, mailmove: Program) -> Path:
    """Where the account's archive will be, alone in a directory that is recorded."""
    archive = mailmove.home / "disk/box"
    mailmove.account(server, archive=str(archive))
    archive.parent.mkdir()
    return archive


@pytest.mark.fault(3)
@pytest.mark.loss(17)
@pytest.mark.parametrize("piecemeal", [False, True])
def test_what_the_journal_says_is_on_the_disk(
    server: Scripted, mailmove: Program, archive: Path, piecemeal: bool
) -> None:
    """Also where the file system is not one that is known to honour syncfs."""
    recording = record(mailmove, archive.parent, "export", piecemeal=piecemeal)
    assert len(safe(replay(recording, recording.moments, lambda: 0.0))) == 7, "at the end all of it is durable"
    assert prove(recording, 40 if LONG else 3) > 100


@pytest.mark.fault(3)
@pytest.mark.loss(17, 36)
def test_what_prune_deletes_is_on_the_disk(server: Scripted, mailmove: Program, archive: Path) -> None:
    recording = record(mailmove, archive.parent, "prune", "--older-than", "30d", "--yes", "--max-delete", "100%")
    assert server.store["INBOX"].mails == [] == server.store["A/B"].mails
    assert sum(len(messages) for _, messages in deleted(recording)) == 7
    assert prove(recording, 40 if LONG else 3) > 100


@pytest.mark.fault(3)
def test_a_uidvalidity_that_changed_is_moved_safely(server: Scripted, mailmove: Program, archive: Path) -> None:
    assert mailmove("export").code == 0
    server.store["INBOX"].uidvalidity += 1
    recording = record(mailmove, archive.parent, "export")
    assert prove(recording, 40 if LONG else 3) > 50


@pytest.mark.fault(3)
def test_what_is_adopted_is_on_the_disk(server: Scripted, mailmove: Program, archive: Path) -> None:
    """A run was killed before any sync and any record; its message files can be read, but may not last."""
    assert mailmove("export").code == 0
    journal = archive / ".mailmove/journal.jsonl"
    beginning, *_ = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(beginning)
    shutil.rmtree(mailmove.home / "state")
    recording = record(mailmove, archive.parent, "export", loose="cur")
    assert server.count("UID FETCH", "BODY") == 2, "once for each folder, by the run before"
    assert len(safe(replay(recording, recording.moments, lambda: 0.0))) == 7
    assert prove(recording, 40 if LONG else 3) > 50


@pytest.mark.fault(3)
def test_a_directory_that_a_killed_run_made_is_made_durable_too(
    server: Scripted, mailmove: Program, archive: Path
) -> None:
    """It was killed before it could sync the name: what is synced inside is lost with it."""
    assert mailmove("export", "--folder", "INBOX").code == 0
    (archive / "A/B").mkdir(parents=True)
    recording = record(mailmove, archive.parent, "export", piecemeal=True, loose="A")
    assert len(safe(replay(recording, recording.moments, lambda: 0.0))) == 7
    assert prove(recording, 40 if LONG else 3) > 50


@pytest.mark.fault(3)
@pytest.mark.parametrize("begun", [False, True])
def test_a_new_archive_lasts_before_it_counts_as_one(server: Scripted, mailmove: Program, begun: bool) -> None:
    """Also the directories that lead to it, and what a killed run made of it without syncing."""
    mailmove.account(server, archive=str(mailmove.home / "disk/Mail/mailmove/box"))
    at, counted = "Mail/mailmove/box/.mailmove", 0
    (mailmove.home / "disk" / (at if begun else "")).mkdir(parents=True)
    recording = record(mailmove, mailmove.home / "disk", "export", piecemeal=True, loose="box")
    for moment in range(recording.moments + 1):
        if f"{at}/archive.toml" in replay(recording, moment, lambda: 1.0):
            assert f"{at}/journal.jsonl" in replay(recording, moment, lambda: 0.0), f"moment {moment}"
            counted += 1
    assert counted > 100


@pytest.mark.fault(3)
def test_after_a_power_cut_the_next_run_completes_the_archive(
    server: Scripted, mailmove: Program, archive: Path
) -> None:
    recording = record(mailmove, archive.parent, "export")
    every = list(disks(recording, 1, seed=11))
    for moment, disk in every[:: max(1, len(every) // (200 if LONG else 12))]:
        shutil.rmtree(archive.parent)
        shutil.rmtree(mailmove.home / "state", ignore_errors=True)
        archive.parent.mkdir()
        for path, data in disk.items():
            file = archive.parent / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        done = mailmove("export")
        assert done.code == 0, (moment, sorted(disk), done.out, done.err)
        assert by_uid(archive) == {(m.uid, sha256(m.body)) for m in server.store["INBOX"].mails}, moment
        assert total(archived(archive)) == hashes(*server.store["INBOX"].bodies, *server.store["A/B"].bodies), moment


def unsettled(server: Scripted, mailmove: Program) -> None:
    """An archive with a line in its journal that nobody has made durable, nor taken into the index."""
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    with (archive / ".mailmove/journal.jsonl").open("ab") as file:
        file.write(journal.encode(records.Run("check", "2026-01-02T03:04:05Z", 0, {})))


@pytest.mark.fault(3)
@pytest.mark.parametrize("command", ["history", "export"])
def test_the_index_knows_nothing_that_a_power_cut_takes_back(server: Scripted, mailmove: Program, command: str) -> None:
    """A line that a killed run has left, or another one writes just now, is made durable before it is taken in."""
    unsettled(server, mailmove)
    log = mailmove.home / "reader.strace"
    assert traced(mailmove, ["-y", "-o", str(log), "-e", "trace=fsync,pwrite64"], command).code == 0
    calls = [line for line in log.read_text().splitlines() if "journal.jsonl" in line or ".sqlite-wal" in line]
    assert "journal.jsonl" in calls[0], calls
    assert "pwrite64" in calls[1], calls


@pytest.mark.parametrize(("error", "code"), [("EROFS", 0), ("EINVAL", 0), ("EIO", 7)])
def test_an_archive_on_a_medium_that_is_only_read_can_be_read(
    server: Scripted, mailmove: Program, error: str, code: int
) -> None:
    """There nothing can be made durable, and nothing needs to be; a disk that fails is another matter."""
    unsettled(server, mailmove)
    done = failing_at(mailmove, Step("fsync", 1), error, "history")
    assert done.code == code, done.err
    assert ("journal.jsonl failed: Input/output error" in done.err) is (code == 7)
    assert mailmove("history").code == 0
