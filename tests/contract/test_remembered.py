"""An older copy of the archive is put back: what only the index knew is never forgotten silently."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.exported import Archived
from tests.kit import Done, Mailbox, Program, message
from tests.tracing import MOST, killed_at, some, steps

NEW = range(40, 50)
DECIDING = ("rename", "renameat", "unlink", "unlinkat", "fdatasync", "fsync", "pwrite64")


class PutBack(Archived):
    """Ten more messages were exported and are gone from the server; then the archive is put back as it was before.

    :attr:`newer` is a copy of what it had become.
    """

    def __init__(self, mailbox: Mailbox, mailmove: Program) -> None:
        super().__init__(mailbox, mailmove)
        older = mailmove.home / "older"
        self.newer = mailmove.home / "newer"
        shutil.copytree(self.box, older)
        mailbox.fill(map(message, NEW))
        self.export()
        self.uids = mailbox.uids("INBOX")[-len(NEW) :]
        mailbox.expunge("INBOX", self.uids)
        self.export()
        self.box.rename(self.newer)
        older.rename(self.box)

    @property
    def index(self) -> Path:
        (path,) = (self.mailmove.home / "state/index").glob("*.sqlite")
        return path

    @property
    def journal(self) -> Path:
        return self.box / ".mailmove/journal.jsonl"

    def reindex(self, code: int) -> Any:
        done = self.mailmove("reindex", "--json")
        assert done.code == code, done.out + done.err
        (result,) = done.json["accounts"]
        return result

    def missing(self, exit_code: int = 7) -> list[int]:
        """What check names."""
        return uids(self.check(exit_code=exit_code)["problems"])

    def files_return(self) -> None:
        for path in (self.newer / "INBOX/cur").iterdir():
            if not (self.box / "INBOX/cur" / path.name).exists():
                shutil.copy2(path, self.box / "INBOX/cur")


def internaldate(box: Path, uid: int) -> str | None:
    """As the archive's journal says last."""
    lines = map(json.loads, (box / ".mailmove/journal.jsonl").read_text().splitlines())
    found = [line for line in lines if (line["kind"], line.get("folder"), line.get("uid")) == ("message", "INBOX", uid)]
    date: str | None = found[-1].get("internaldate")
    return date


def uids(problems: Any) -> list[int]:
    assert {problem["problem"] for problem in problems} <= {"missing"}
    return sorted(problem["uid"] for problem in problems)


@pytest.fixture
def back(mailbox: Mailbox, mailmove: Program) -> PutBack:
    return PutBack(mailbox, mailmove)


def refused(done: Done) -> None:
    assert done.code == 7, done.out + done.err
    assert "shorter than when it was last read" in done.err
    assert "mailmove reindex" in done.err


@pytest.mark.fault(56)
def test_what_only_the_index_knew_is_listed_by_every_reindex_until_its_file_is_back(back: PutBack) -> None:
    refused(back.mailmove("export"))
    refused(back.mailmove("prune", "--older-than", "1d", "--yes"))
    first = back.mailmove("reindex")
    assert first.code == 7
    assert "10 messages that only the index before knew" in first.out
    assert [line for line in first.out.splitlines() if line.startswith("MISSING  INBOX UID ")]
    assert '"message 44"' in first.out
    for _ in range(2):
        result = back.reindex(7)
        assert uids(result["missing"]) == back.uids
        assert result["messages"] == 12
    assert back.missing() == back.uids
    assert back.mailmove("find", "--json").json["accounts"][0]["found"] == 12
    back.export()
    assert back.missing() == back.uids
    back.files_return()
    assert back.missing(exit_code=0) == []
    back.export()
    assert back.missing(exit_code=0) == []
    assert back.reindex(0)["messages"] == 22
    assert back.mailmove("find", "message 44", "--json").json["accounts"][0]["found"] == 1
    for uid in back.uids:  # what no file name says was remembered, too
        one, other = (internaldate(box, uid) for box in (back.box, back.newer))
        assert one == other is not None


@pytest.mark.fault(56)
@pytest.mark.parametrize("reindexed", [False, True])
def test_a_better_copy_put_in_place_is_an_archive_like_any_other(back: PutBack, reindexed: bool) -> None:
    if reindexed:
        back.reindex(7)
    shutil.rmtree(back.box)
    back.newer.rename(back.box)
    if reindexed:
        assert back.mailmove("check").code == 7
        assert back.reindex(0)["missing"] == []
    assert back.missing(exit_code=0) == []
    assert back.check()["messages"] == 22


@pytest.mark.fault(56)
def test_what_the_server_still_has_comes_back_with_the_next_export(back: PutBack) -> None:
    """A line is lost, and its file with it."""
    lines = back.journal.read_bytes().splitlines(keepends=True)
    lost = next(line for line in lines if b'"folder":"INBOX"' in line and b'"uid":3,' in line)
    shutil.rmtree(back.box)
    back.newer.rename(back.box)
    back.journal.write_bytes(back.journal.read_bytes().replace(lost, b"\0" * (len(lost) - 1) + b"\n"))
    back.file("INBOX", 3).unlink()
    result = back.reindex(7)
    assert [(one["uid"], one["on_server"]) for one in result["missing"]] == [(3, True)]
    back.export()
    assert back.missing(exit_code=0) == []


@pytest.mark.fault(56)
def test_a_file_that_is_not_what_was_archived_brings_nothing_back(back: PutBack) -> None:
    back.files_return()
    path = back.file("INBOX", back.uids[0])
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"line", b"lime"))
    result = back.reindex(7)
    assert (uids(result["missing"]), len(result["aside"]), result["adopted"]) == (back.uids[:1], 1, 9)


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.fault(56)
def test_an_index_of_another_version_is_asked_as_well(back: PutBack) -> None:
    sql(back.index, "PRAGMA user_version = 6", "DROP TABLE remembered", "DROP TABLE rule")
    refused(back.mailmove("check"))
    assert uids(back.reindex(7)["missing"]) == back.uids


def other_archive(path: Path) -> None:
    sql(path, "UPDATE meta SET value = 'of another' WHERE name = 'uuid'")


def unreadable(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
        ((root,),) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'message'").fetchall()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.fault(56)
@pytest.mark.parametrize("damage", [other_archive, unreadable])
def test_an_index_that_cannot_tell_is_said(back: PutBack, damage: Callable[[Path], None]) -> None:
    damage(back.index)
    done = back.mailmove("reindex")
    assert "Note: the index before could not be read" in done.out
    assert "whether it knew more is unknown" in done.out
    assert back.missing(exit_code=0) == []


def test_without_an_index_there_is_nothing_to_remember(back: PutBack) -> None:
    back.index.unlink()
    assert back.reindex(0)["missing"] == []


@pytest.mark.fault(56)
def test_killed_at_any_step_it_forgets_nothing(back: PutBack) -> None:
    with back.mailmove.kept() as bring_back:
        found = some(steps(back.mailmove, "reindex", calls=DECIDING, code=7), 8)
        reached = 0
        for step in found:
            bring_back()
            reached += killed_at(back.mailmove, step, "reindex")
            assert uids(back.reindex(7)["missing"]) == back.uids, step
    assert reached >= MOST * len(found)
