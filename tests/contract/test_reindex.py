"""Reindex: the index and the journal are deleted or damaged, and everything that can be known is known again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.exported import Archived, overwrite, snapshot
from tests.kit import Mailbox, Program, message
from tests.tracing import MOST, killed_at, some, steps


@pytest.fixture
def archived(mailbox: Mailbox, mailmove: Program) -> Archived:
    return Archived(mailbox, mailmove)


def journal(archived: Archived) -> Path:
    return archived.box / ".mailmove" / "journal.jsonl"


def index(archived: Archived) -> Path:
    return next((archived.mailmove.home / "state/index").glob("*.sqlite"))


def reindex(archived: Archived, exit_code: int = 0) -> Any:
    done = archived.mailmove("reindex", "--json")
    assert done.code == exit_code, done.out + done.err
    (result,) = done.json["accounts"]
    return result


def settled(archived: Archived) -> None:
    """The archive is whole, and an export agrees that it holds everything, without fetching anything."""
    done = archived.mailmove("export", "--json")
    assert done.code == 0, done.out + done.err
    assert [folder["fetched"] for folder in done.json["accounts"][0]["folders"]] == [0, 0]
    result = archived.check("--server")
    assert (result["messages"], result["problems"], result["only_here"], result["not_archived"]) == (12, [], [], [])


@pytest.mark.fault(7)
def test_a_deleted_index_costs_only_time(archived: Archived) -> None:
    before = snapshot(archived.box)
    for path in index(archived).parent.iterdir():
        path.unlink()
    assert archived.check()["checked"] == 12
    assert snapshot(archived.box) == before
    settled(archived)


@pytest.mark.fault(7)
def test_a_damaged_index_is_made_again_and_that_is_said(archived: Archived) -> None:
    index(archived).write_bytes(b"this is no database, though it is long enough to be taken for one" * 100)
    done = archived.mailmove("check")
    assert done.code == 0
    assert "Note: the index was unusable" in done.out
    settled(archived)


def test_reindex_with_a_whole_journal_makes_the_index_and_leaves_the_record_alone(archived: Archived) -> None:
    lines = journal(archived).read_bytes()
    result = reindex(archived)
    assert (result["messages"], result["folders"], result["adopted"]) == (12, 2, 0)
    assert journal(archived).read_bytes().startswith(lines)
    settled(archived)


@pytest.mark.fault(7)
@pytest.mark.parametrize("index_too", [False, True])
def test_without_a_journal_the_files_are_recorded_again_and_what_is_lost_is_said(
    archived: Archived, index_too: bool
) -> None:
    journal(archived).unlink()
    if index_too:
        index(archived).unlink()
    for command in ("export", "check"):
        done = archived.mailmove(command)
        assert done.code == 7
        assert f"mailmove reindex {archived.box}" in done.err
    mail = {path: path.read_bytes() for path in archived.box.glob("*/cur/*")}
    result = reindex(archived)
    assert result["journal"] == {"gone": True, "lost_lines": 0, "kept_at": None}
    assert (result["messages"], result["adopted"], result["aside"], result["unplaced"]) == (12, 12, [], {})
    assert {path: path.read_bytes() for path in archived.box.glob("*/cur/*")} == mail
    settled(archived)


def test_the_words_for_a_lost_journal_name_what_only_it_knew(archived: Archived) -> None:
    journal(archived).unlink()
    said = archived.mailmove("reindex").out
    assert "12 messages recorded again from their files, each re-hashed." in said
    for lost in ("keywords", "INTERNALDATE", "announced sizes", "verified", "gone from the server", "what was done"):
        assert lost in said


def test_what_was_only_in_the_journal_comes_back_from_the_server(archived: Archived) -> None:
    with archived.mailbox.client() as client:
        client.select_folder("INBOX")
        client.add_flags([1], ["$Invoice", "\\Flagged"])
        client.remove_flags([1], ["\\Seen"])
    archived.mailbox.expunge("INBOX", [8])
    archived.export()
    journal(archived).unlink()
    index(archived).unlink()
    assert reindex(archived)["adopted"] == 12
    archived.export()
    lines = [json.loads(line) for line in journal(archived).read_text().splitlines()]
    assert {"$Invoice", "\\Flagged"} <= {f for line in lines if line["kind"] == "flags" for f in line["flags"]}
    assert [line["uids"] for line in lines if line["kind"] == "gone"] == ["8"]


def test_a_file_that_is_not_what_its_name_says_is_kept_aside_and_fetched_again(archived: Archived) -> None:
    path = archived.file("INBOX", 2)
    original = path.read_bytes()
    overwrite(path, b"not the message")
    journal(archived).unlink()
    result = reindex(archived, exit_code=7)
    assert (result["adopted"], len(result["aside"])) == (11, 1)
    assert (archived.box / result["aside"][0]).read_bytes() == b"not the message"
    archived.export()
    assert archived.file("INBOX", 2).read_bytes() == original
    assert archived.check()["problems"] == []


def test_a_message_file_that_nobody_can_place_is_left_alone_and_named(archived: Archived) -> None:
    path = archived.file("INBOX", 2)
    stray = archived.box / "Old" / "cur" / path.name
    stray.parent.mkdir(parents=True)
    path.rename(stray)
    journal(archived).unlink()
    index(archived).unlink()
    result = reindex(archived, exit_code=3)
    assert (result["adopted"], result["unplaced"]) == (11, {"Old/cur": 1})
    assert stray.exists()
    archived.export()  # the server still has it
    assert archived.check()["problems"] == []


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.fault(7)
@pytest.mark.parametrize("where", [b'"kind":"message"', b'"kind":"complete"', b'"kind":"run"'])
@pytest.mark.parametrize("damage", ["bit", "cut", "newline"])
def test_damage_stops_everything_and_reindex_saves_the_rest(archived: Archived, where: bytes, damage: str) -> None:
    lines = lines_of(journal(archived))
    number = next(n for n, line in enumerate(lines) if where in line)
    line = lines[number]
    lines[number] = {
        "bit": line.replace(b'"', b"'", 1),
        "cut": line[20:],
        "newline": line[:-1] + b" ",
    }[damage]
    damaged = b"".join(lines)
    if number == len(lines) - 1 and damage == "newline":
        damaged += b"\n"  # else it is only unfinished
    journal(archived).write_bytes(damaged)
    index(archived).unlink()
    for command in ("export", "check"):
        done = archived.mailmove(command)
        assert done.code == 7
        assert "is damaged at octet" in done.err
        assert f"mailmove reindex {archived.box}" in done.err
    assert journal(archived).read_bytes() == damaged
    result = reindex(archived)
    assert result["messages"] == 12
    assert (archived.box / result["journal"]["kept_at"]).read_bytes() == damaged
    assert result["journal"]["lost_lines"] == 1
    settled(archived)


@pytest.mark.fault(7)
def test_a_flipped_bit_before_what_was_read_is_noticed_though_the_index_is_there(archived: Archived) -> None:
    data = bytearray(journal(archived).read_bytes())
    data[len(data) // 2] ^= 4
    journal(archived).write_bytes(bytes(data))
    done = archived.mailmove("export")
    assert (done.code, "is damaged" in done.err) == (7, True)
    reindex(archived)
    settled(archived)


@pytest.mark.fault(7)
def test_an_older_journal_is_noticed_and_reindex_records_what_it_lacks(archived: Archived) -> None:
    older = journal(archived).read_bytes()
    archived.mailbox.fill([message(40), message(41)], "Sent")
    archived.mailbox.expunge("INBOX", [1, 2])
    archived.export()
    journal(archived).write_bytes(older)
    done = archived.mailmove("export")
    assert done.code == 7
    assert "is shorter than when it was last read" in done.err
    assert reindex(archived)["adopted"] == 2
    archived.export()
    result = archived.check("--server")
    assert (result["messages"], result["problems"], result["not_archived"]) == (14, [], [])


@pytest.mark.fault(7)
def test_a_torn_last_line_is_cut_off_and_said(archived: Archived) -> None:
    whole = journal(archived).read_bytes()
    journal(archived).write_bytes(whole + b'{"kind":"message","folder":"INB')
    assert archived.check()["checked"] == 12  # reading changes nothing
    done = archived.mailmove("export")
    assert done.code == 0
    assert "Note: an unfinished last line of the journal was cut off (31 octets)" in done.out
    assert journal(archived).read_bytes().startswith(whole + b'{"kind":"run"')


@pytest.mark.fault(7)
def test_a_lost_message_line_and_its_lost_file_are_fetched_again(archived: Archived) -> None:
    """Nothing but the server knows of the message any more, and no recorded state may hide it."""
    lines = lines_of(journal(archived))
    gone = next(line for line in lines if b'"folder":"INBOX"' in line and b'"uid":3,' in line)
    lines[lines.index(gone)] = b"\0" * (len(gone) - 1) + b"\n"
    journal(archived).write_bytes(b"".join(lines))
    archived.file("INBOX", 3).unlink()
    index(archived).unlink()
    reindex(archived)
    archived.export()
    assert archived.check("--server")["not_archived"] == []


@pytest.mark.fault(1, 7)
@pytest.mark.loss(44)
def test_killed_at_any_step_it_loses_no_line_and_the_same_command_ends_it(mailbox: Mailbox, mailmove: Program) -> None:
    archived = Archived(mailbox, mailmove)
    lines = lines_of(journal(archived))
    lines[2] = lines[2].replace(b'"', b"'", 1)
    damaged = b"".join(lines)
    journal(archived).write_bytes(damaged)
    sound = {line for line in lines[:2] + lines[3:] if b'"kind":"complete"' not in line}
    with mailmove.kept() as bring_back:
        found = some(steps(mailmove, "reindex"), 16)
        reached = 0
        for step in found:
            bring_back()
            reached += killed_at(mailmove, step, "reindex")
            result = reindex(archived)
            assert result["messages"] == 12, step
            assert sound <= set(lines_of(journal(archived))), step
            kept = [path.read_bytes() for path in (archived.box / ".mailmove/aside").iterdir()]
            assert damaged in kept, step
            assert archived.check()["problems"] == [], step
    assert reached >= MOST * len(found)


def test_reindex_makes_no_archive_where_there_is_none(mailbox: Mailbox, mailmove: Program) -> None:
    box = mailmove.account(mailbox)
    assert mailmove("reindex").code == 7
    assert not box.exists()
    box.mkdir()
    done = mailmove("reindex", box)
    assert done.code == 7
    assert "is not a mailmove archive" in done.err
    assert list(box.iterdir()) == []
