"""Archives of released versions, and of versions to come: what may be done with them, and what must not be lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mailmove.archive.record import journal
from mailmove.archive.record.records import Unknown
from tests.exported import snapshot
from tests.formats import HERE, LOGIN, RELEASED
from tests.kit import Done, Mailbox, Program, message

VANISHING = Unknown({"kind": "vanishing", "must": True, "needs": "0.3\x1b[2J", "folder": "INBOX", "uids": "1"})
CURIOUS = Unknown({"kind": "weather", "sky": ["blue", None]})


@pytest.fixture(params=RELEASED)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An archive as a released version left it, of twelve messages in four directories."""
    path = tmp_path / "mail"
    shutil.copytree(HERE / request.param, path)
    return path


@pytest.fixture
def newer(old: Path) -> Path:
    """The same, after a newer mailmove has worked on it."""
    with record(old).open("ab") as file:
        file.write(journal.encode(CURIOUS) + journal.encode(VANISHING))
    return old


def record(archive: Path) -> Path:
    return archive / ".mailmove" / journal.NAME


def files(archive: Path) -> dict[Path, bytes]:
    """Every file but the lock."""
    return {path: path.read_bytes() for path in archive.rglob("*") if path.is_file() and path.name != "lock"}


def belongs_to(archive: Path, mailbox: Mailbox) -> None:
    """Make it this mailbox's; it is as if the provider had made a new one under the old name."""
    about = archive / ".mailmove" / "archive.toml"
    about.write_text(about.read_text().replace(LOGIN, f"{mailbox.user}@{mailbox.host}:{mailbox.port}"))


def good(done: Done) -> Done:
    assert done.code == 0, done.out + done.err
    return done


def checked(mailmove: Program, archive: Path) -> tuple[int, list[object], list[str]]:
    (result,) = good(mailmove("check", archive, "--json")).json["accounts"]
    return result["messages"], result["problems"], result["unrecorded"]


def test_there_is_one_of_each_format() -> None:
    assert RELEASED == ["0.1"]


def test_what_a_released_version_archived_is_read(old: Path, mailmove: Program, tmp_path: Path) -> None:
    before = snapshot(old)
    assert checked(mailmove, old) == (12, [], [])
    (found,) = good(mailmove("find", "größe", "--archive", old, "--json")).json["accounts"]
    (one,) = found["messages"]
    good(mailmove("get", one["id"], "--archive", old, "-o", tmp_path / "out"))
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [message(9, subject="Größe")]
    said = good(mailmove("history", old)).out
    assert "20261123-100200" in said
    assert snapshot(old) == before


@pytest.mark.fault(66)
def test_reindex_keeps_every_line(old: Path, mailmove: Program) -> None:
    with record(old).open("ab") as file:
        file.write(journal.encode(CURIOUS))
    lines = record(old).read_bytes()
    for _ in range(2):
        good(mailmove("reindex", old))
        assert record(old).read_bytes().startswith(lines)
    assert checked(mailmove, old) == (12, [], [])


@pytest.mark.fault(66)
def test_of_a_damaged_journal_every_other_line_is_kept(old: Path, mailmove: Program) -> None:
    lines = [*record(old).read_bytes().splitlines(keepends=True), journal.encode(CURIOUS)]
    record(old).write_bytes(b"".join([lines[0], lines[1].replace(b"INBOX", b"inbox"), *lines[2:]]))
    assert mailmove("reindex", old, "--json").json["accounts"][0]["adopted"] == 1
    kept = [line for line in (lines[0], *lines[2:]) if b'"kind":"complete"' not in line]
    assert record(old).read_bytes().startswith(b"".join(kept))
    assert checked(mailmove, old) == (12, [], [])


def test_an_export_goes_on_from_there(old: Path, mailmove: Program, mailbox: Mailbox) -> None:
    belongs_to(old, mailbox)
    mailbox.fill([message(2), message(20)])
    mailmove.account(mailbox, archive=str(old))
    lines = record(old).read_bytes()
    good(mailmove("export"))
    assert record(old).read_bytes().startswith(lines)
    assert checked(mailmove, old) == (14, [], [])


@pytest.fixture
def account(newer: Path, mailmove: Program, mailbox: Mailbox) -> Mailbox:
    """The mailbox whose archive a newer mailmove has worked on."""
    belongs_to(newer, mailbox)
    mailbox.fill([message(20)])
    mailmove.account(mailbox, archive=str(newer))
    return mailbox


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    "command", [("export",), ("prune", "--older-than", "1d", "--yes"), ("restore", "--all", "--yes"), ("reindex",)]
)
def test_nothing_is_written_where_a_newer_mailmove_must_write(
    command: tuple[str, ...], newer: Path, account: Mailbox, mailmove: Program
) -> None:
    with record(newer).open("ab") as file:
        file.write(b'{"kind":"torn')  # not even what is no line yet is touched
    before = files(newer)
    done = mailmove(*command)
    assert done.code == 7, done.out + done.err
    assert "holds records that a newer mailmove made and this one does not know (vanishing)" in done.err
    assert "Install mailmove 0.3\\x1b[2J, or a later one." in done.err
    assert files(newer) == before
    assert len(account.uids("INBOX")) == 1


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("find",),
        ("history",),
        ("get", "d6d9e5a3"),
        ("show", "d6d9e5a3"),
        ("audit",),
        ("account", "list"),
        ("prune", "--older-than", "1d", "--dry-run"),
        ("restore", "--all", "--dry-run"),
    ],
)
def test_reading_goes_on_and_that_is_said(
    command: tuple[str, ...], newer: Path, account: Mailbox, mailmove: Program
) -> None:
    lines = record(newer).read_bytes()
    done = good(mailmove(*command))
    assert done.err.count("holds records that a newer mailmove made") == 1, done.err
    assert record(newer).read_bytes() == lines
