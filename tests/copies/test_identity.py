"""A copy has a name of its own: on one machine it stands beside its archive, and nothing but copying writes in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from mailmove.archive import mark
from mailmove.archive.mending.promoting import promote
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError
from tests.exported import Archived, overwrite, snapshot
from tests.kit import Mailbox, Program, message


@pytest.fixture
def archived(mailbox: Mailbox, mailmove: Program) -> Archived:
    return Archived(mailbox, mailmove)


@pytest.fixture
def copy(archived: Archived, tmp_path: Path) -> Path:
    """A copy of the archive as it is after its export."""
    return as_copy(archived.box, tmp_path / "copy")


def as_copy(box: Path, to: Path) -> Path:
    shutil.copytree(box, to)
    uuid = re.search(r'uuid = "(.*)"', (box / ".mailmove/archive.toml").read_text())
    assert uuid
    (to / ".mailmove/copy.toml").write_text(f'id = "c0"\narchive = "{uuid[1]}"\noctets = 0\nat = ""\n')
    return to


def test_a_copy_that_is_behind_is_read_beside_its_archive(archived: Archived, copy: Path) -> None:
    archived.mailbox.fill([message(50)])
    archived.export()
    subject = archived.mailmove("find", "message 50", "--json").json
    for _ in range(2):  # each look at one must leave the other's index as it is
        assert archived.mailmove("check", str(copy)).out.startswith("Re-hashed 12 messages")
        assert archived.says().startswith("Re-hashed 13 messages")
    found = archived.mailmove("find", "message", "--archive", copy, "--json").json
    assert "message 50" not in str(found) and "message 5" in str(found)
    identity = re.search(r"\b[0-9a-f]{10,64}\b", str(found))
    assert identity and "message 50" in str(subject)
    assert archived.mailmove("get", identity[0], "--archive", copy, "-o", archived.mailmove.home / "eml").code == 0
    assert "export" in archived.mailmove("history", str(copy)).out


def test_nothing_but_copying_writes_in_a_copy(archived: Archived, copy: Path) -> None:
    before = snapshot(copy)
    for command in (
        ("export", "--archive", copy),
        ("prune", "--older-than", "1d", "--yes", "--archive", copy),
        ("restore", "--all", "--yes", "-a", "box", "--archive", copy),
        ("reindex", copy),
    ):
        done = archived.mailmove(*command)
        assert done.code == 8, (command, done.out, done.err)
        assert f"account rebind ACCOUNT --archive {copy}" in done.err, command
        assert snapshot(copy) == before, command
    assert len(archived.mailbox.uids("INBOX")) == 8


def test_an_altered_file_of_a_copy_is_found_there(archived: Archived, copy: Path) -> None:
    overwrite(next((copy / "Sent/cur").iterdir()), b"another")
    assert archived.mailmove("check", str(copy)).code == 7
    assert archived.check()["problems"] == []


def test_a_copy_is_promoted_when_its_archive_is_gone_and_what_it_lacks_is_named(archived: Archived, copy: Path) -> None:
    archived.mailbox.fill([message(50)])
    archived.export()
    done = archived.mailmove("account", "rebind", "box", "--archive", copy)
    assert done.code == 8 and "is still at ~/box" in done.err
    shutil.rmtree(archived.box)
    archived.mailbox.fill([message(51)])
    done = archived.mailmove("account", "rebind", "box", "--archive", copy)
    assert done.code == 0, done.err
    assert not (copy / ".mailmove/copy.toml").exists()
    assert archived.mailmove("check").code == 7, "the index remembers what the copy lacks"
    archived.export()
    assert archived.says().startswith("Re-hashed 14 messages")
    assert "account rebind" in archived.mailmove("history").out
    assert archived.mailmove("account", "rebind", "box", "--archive", copy).code == 0, "the same again changes nothing"


def test_another_accounts_copy_is_not_promoted(archived: Archived, copy: Path, tmp_path: Path) -> None:
    archived.mailmove.account(Mailbox("dovecot", "localhost", 1, "other"), name="other")
    done = archived.mailmove("account", "rebind", "other", "--archive", copy)
    assert done.code == 8 and "is a copy of the archive of" in done.err
    assert (copy / ".mailmove/copy.toml").exists()


def test_a_mark_that_cannot_be_read_is_no_archive(copy: Path, tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "state"))
    login = re.search(r'login = "(.*)"', (copy / ".mailmove/archive.toml").read_text())
    assert login
    for text in ("", "id = 7", 'id = "x"\narchive = "y"\noctets = "many"\nat = ""', "\xff"):
        (copy / ".mailmove" / mark.NAME).write_bytes(text.encode("latin-1"))
        for writable in (False, True):
            with pytest.raises(ArchiveError, match="damaged"):
                Archive.open(str(copy), memory, writable=writable)
        with pytest.raises(ArchiveError, match="damaged"):
            promote(str(copy), login[1], memory)


@pytest.mark.parametrize("text", ["../../x", "/etc/passwd", "", "a/b", "x" * 300, "\udcff"])
def test_what_a_strangers_archive_says_of_itself_names_no_file_elsewhere(text: str) -> None:
    for name in (mark.index_name(text), mark.index_name("a", text)):
        assert re.fullmatch(r"[0-9a-zA-Z.-]{1,200}", name) and not name.startswith(".")
    assert mark.index_name("0f-1") == "0f-1.sqlite" and mark.index_name("0f", "1e") == "0f.1e.sqlite"


def test_a_mark_of_another_archive_is_said(copy: Path, tmp_path: Path) -> None:
    path = copy / ".mailmove" / mark.NAME
    path.write_text(re.sub('archive = ".*"', 'archive = "another"', path.read_text()))
    with pytest.raises(ArchiveError, match="half a copy"):
        Archive.open(str(copy), Memory(str(tmp_path / "state")), writable=False)


def test_what_is_known_of_copies_outlives_a_lost_journal(archived: Archived, tmp_path: Path) -> None:
    to = tmp_path / "to"
    assert archived.mailmove("copy", to).code == 0
    (archived.box / ".mailmove/journal.jsonl").unlink()
    assert archived.mailmove("reindex").code == 0
    to.rename(tmp_path / "away")
    to.mkdir()
    done = archived.mailmove("copy", to)
    assert done.code == 8 and "Is its disk not mounted?" in done.err + done.out
