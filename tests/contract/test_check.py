"""Check: what is missing, altered, moved or not ours is told truthfully, and nothing is changed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exported import Archived, overwrite
from tests.kit import Mailbox, Program, message
from tests.tracing import MOST, killed_at, some, steps


def named(result: Any) -> list[tuple[str, int, str]]:
    return [(p["folder"], p["uid"], p["problem"]) for p in result["problems"]]


@pytest.fixture
def archived(mailbox: Mailbox, mailmove: Program) -> Archived:
    return Archived(mailbox, mailmove)


def test_everything_is_there_on_every_server(anywhere: Mailbox, mailmove: Program) -> None:
    archived = Archived(anywhere, mailmove)
    result = archived.check("--server")
    assert (result["messages"], result["checked"], result["only_here"], result["not_archived"]) == (12, 12, [], [])
    assert result["octets"] == sum(path.stat().st_size for path in archived.box.glob("*/cur/*"))
    assert "all are what was archived" in archived.says()


@pytest.mark.fault(8)
def test_one_flipped_octet_is_found_and_named_with_its_subject_and_remedy(archived: Archived) -> None:
    path = archived.file("INBOX", 3)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    times = path.stat()
    overwrite(path, bytes(data))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert named(archived.check(exit_code=7)) == [("INBOX", 3, "altered")]
    said = archived.says()
    assert 'ALTERED  INBOX UID 3  2021-05-04 "message 2"\n  still on the server: mailmove export --refetch' in said
    assert "11 good, 1 altered" in said
    assert archived.check("--quick")["problems"] == []


def test_a_deleted_file_is_missing_also_to_a_quick_look(archived: Archived) -> None:
    archived.file("Sent", 2).unlink()
    for arguments in ((), ("--quick",), ("--server",)):
        assert named(archived.check(*arguments, exit_code=7)) == [("Sent", 2, "missing")]


def test_a_deleted_directory_is_every_message_of_it(archived: Archived) -> None:
    for path in sorted((archived.box / "Sent").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (archived.box / "Sent").rmdir()
    assert named(archived.check(exit_code=7)) == [("Sent", uid, "missing") for uid in (1, 2, 3, 4)]


def test_refetch_sets_it_right_and_keeps_the_altered_file(archived: Archived) -> None:
    lost, altered = archived.file("INBOX", 1), archived.file("INBOX", 2)
    original = altered.read_bytes()
    lost.unlink()
    overwrite(altered, b"not the message")
    assert archived.mailmove("export").code == 3  # the missing one is named; nothing is fetched unasked
    archived.export("--refetch")
    assert archived.check()["problems"] == []
    assert altered.read_bytes() == original
    assert [path.read_bytes() for path in (archived.box / ".mailmove/aside").iterdir()] == [b"not the message"]


@pytest.mark.fault(1)
def test_a_refetch_killed_at_any_step_loses_neither_the_altered_file_nor_the_message(archived: Archived) -> None:
    altered = archived.file("INBOX", 2)
    original = altered.read_bytes()
    overwrite(altered, b"not the message")
    mailmove = archived.mailmove
    with mailmove.kept() as bring_back:
        found = some(steps(mailmove, "export", "--refetch"), 16)
        reached = 0
        for step in found:
            bring_back()
            reached += killed_at(mailmove, step, "export", "--refetch")
            archived.export("--refetch")
            assert archived.file("INBOX", 2).read_bytes() == original, step
            aside = [path.read_bytes() for path in (archived.box / ".mailmove/aside").iterdir()]
            assert aside == [b"not the message"], step
            assert archived.check()["problems"] == [], step
    assert reached >= MOST * len(found)


def test_without_the_server_the_remedy_is_another_copy(archived: Archived) -> None:
    archived.mailbox.expunge("INBOX", [5])
    archived.export()
    archived.file("INBOX", 5).unlink()
    assert "put the file back from a copy of the archive" in archived.says()
    assert archived.check(exit_code=7)["only_here"] == []  # it exists nowhere
    assert archived.mailmove("export", "--refetch").code == 0


@pytest.mark.fault(9)
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_what_is_no_regular_file_is_never_followed_nor_waited_for(
    archived: Archived, tmp_path: Path, kind: str
) -> None:
    path = archived.file("INBOX", 4)
    elsewhere = tmp_path / "same"
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    if kind == "link":
        path.symlink_to(elsewhere)
    else:
        os.mkfifo(path)
    result = archived.check(exit_code=7)
    assert named(result) == [("INBOX", 4, "altered")]
    assert "cannot be read" in result["problems"][0]["why"]


@pytest.mark.fault(9)
def test_every_name_of_a_file_edited_in_place_is_noticed(archived: Archived) -> None:
    same = message(1)
    archived.mailbox.fill([same], "Copies")
    archived.mailbox.fill([same], "More")
    archived.export()
    path = archived.file("Copies", 1)
    assert path.stat().st_nlink == 3
    overwrite(path, b"edited")
    found = [("INBOX", 2, "altered"), ("Copies", 1, "altered"), ("More", 1, "altered")]
    assert sorted(named(archived.check(exit_code=7))) == sorted(found)


def test_flags_changed_by_a_mail_program_are_no_problem(archived: Archived) -> None:
    path = archived.file("INBOX", 1)
    path.rename(path.with_name(path.name.partition(":")[0] + ":2,FRS"))
    bare = archived.file("INBOX", 2)
    bare.rename(bare.with_name(bare.name.partition(":")[0]))
    result = archived.check()
    assert (result["problems"], result["moved"], result["foreign"]) == ([], [], [])


@pytest.mark.parametrize(
    "to", ["Sent/cur/{0}", "INBOX/new/{0}", "Sent/cur/1700000000.R123.host:2,S", "Filed/by year/cur/{0}", "cur/x:2,"]
)
def test_a_moved_file_is_found_by_name_or_hash_and_told_where(archived: Archived, to: str) -> None:
    path = archived.file("INBOX", 6)
    new = archived.box / to.format(path.name)
    new.parent.mkdir(parents=True, exist_ok=True)
    path.rename(new)
    result = archived.check()
    assert result["moved"] == [{"folder": "INBOX", "uid": 6, "path": str(new.relative_to(archived.box))}]
    assert (result["problems"], result["foreign"], result["unrecorded"]) == ([], [], [])
    assert "1 message is whole, but not where mailmove put them" in archived.says()
    export = archived.mailmove("export", "--json").json["accounts"][0]
    assert [folder["fetched"] for folder in export["folders"]] == [0] * len(export["folders"])


def test_a_moved_file_that_was_altered_is_missing(archived: Archived) -> None:
    path = archived.file("INBOX", 6)
    new = archived.box / "Sent/cur" / path.name
    path.rename(new)
    overwrite(new, b"x" * new.stat().st_size)
    assert named(archived.check(exit_code=7)) == [("INBOX", 6, "missing")]


def test_foreign_files_are_notes(archived: Archived) -> None:
    for name in (
        ".DS_Store",
        "INBOX/desktop.ini",
        "INBOX/cur/dovecot-uidlist",
        "INBOX/tmp/draft",
        "INBOX/new/1.2.host",
    ):
        (archived.box / name).write_bytes(b"whatever")
    foreign = [".DS_Store", "INBOX/cur/dovecot-uidlist", "INBOX/desktop.ini", "INBOX/new/1.2.host", "INBOX/tmp/draft"]
    assert archived.check()["foreign"] == foreign
    assert "Note: 5 foreign files ignored (.DS_Store, dovecot-uidlist, desktop.ini" in archived.says()


def test_a_file_without_a_record_is_told_apart_from_a_damaged_one(archived: Archived) -> None:
    path = archived.file("INBOX", 1)
    good = path.with_name(path.name.replace("U1,", "U901,"))
    bad = path.with_name(path.name.replace("U1,", "U902,"))
    good.write_bytes(path.read_bytes())
    bad.write_bytes(b"torn")
    result = archived.check(exit_code=7)
    assert result["unrecorded"] == [f"INBOX/cur/{good.name}"]
    assert result["damaged"] == [f"INBOX/cur/{bad.name}"]


def test_what_exists_only_here_counts_octets_not_names(archived: Archived) -> None:
    box = archived.mailbox
    with box.client() as client:  # filed by another client: the octets stay on the server
        client.select_folder("INBOX")
        client.copy([1, 2], "Sent")
    box.expunge("INBOX", [1, 2, 3, 4])
    assert archived.check()["only_here"] == []  # nobody has looked yet
    assert [(s["folder"], s["uids"]) for s in archived.check("--server")["only_here"]] == [("INBOX", "1:4")]
    archived.export()
    for arguments in ((), ("--server",)):
        assert [(s["folder"], s["uids"]) for s in archived.check(*arguments)["only_here"]] == [("INBOX", "3:4")]
    assert "2 exist only here, as of the last export: keep a second copy of this directory." in archived.says()


def test_the_server_is_asked_what_is_not_archived_yet(archived: Archived) -> None:
    archived.mailbox.fill([message(50), message(51)], "Sent")
    archived.mailbox.fill([message(52)], "New")
    result = archived.check("--server")
    assert [(s["folder"], s["uids"]) for s in result["not_archived"]] == [("New", "1"), ("Sent", "5:6")]
    assert "3 messages on the server not in the archive yet: mailmove export" in archived.says("--server")


@pytest.mark.fault(12, 17)
def test_a_folder_replaced_or_gone_on_the_server_is_only_here(archived: Archived) -> None:
    with archived.mailbox.client() as client:
        client.delete_folder("Sent")
    archived.mailbox.fill([message(70)], "Sent")
    result = archived.check("--server")
    assert [(s["folder"], s["messages"]) for s in result["only_here"]] == [("Sent", 4)]
    assert [(s["folder"], s["uids"]) for s in result["not_archived"]] == [("Sent", "1")]
    archived.export()
    assert archived.check("--server")["only_here"][0]["folder"].startswith("Sent (UIDVALIDITY")


def test_a_folder_that_the_server_no_longer_lists_is_only_here_until_it_is_back(archived: Archived) -> None:
    with archived.mailbox.client() as client:
        client.rename_folder("Sent", "Away")
        client.delete_folder("Away")
        client.create_folder("Later")
    assert "Sent is not on the server any more; the archive keeps its 4 messages" in archived.mailmove("export").out
    assert [(s["folder"], s["messages"]) for s in archived.check()["only_here"]] == [("Sent", 4)]
    assert "not on the server any more" not in archived.mailmove("export").out  # said once


def test_a_folder_that_is_back_as_it_was_is_on_the_server_again(archived: Archived) -> None:
    with archived.mailbox.client() as client:
        client.rename_folder("Sent", "Away")
    archived.export()
    with archived.mailbox.client() as client:
        client.rename_folder("Away", "Sent")
    archived.export()
    lines = (archived.box / ".mailmove/journal.jsonl").read_text().splitlines()
    kinds = [line["kind"] for line in map(json.loads, lines) if line.get("folder") == "Sent"]
    assert kinds[-3:] == ["gone", "present", "complete"]


def test_an_archive_is_checked_by_its_directory_alone(archived: Archived, mailmove: Program) -> None:
    stranger = mailmove.elsewhere("stranger")
    done = stranger("check", archived.box, "--json")
    assert done.code == 0
    assert done.json["accounts"][0]["messages"] == 12
    assert stranger("check", archived.box, "--server").code == 2


@pytest.mark.fault(49)
def test_a_copy_made_with_plain_cp_is_as_good(archived: Archived, mailmove: Program, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", archived.box, tmp_path / "copy"], check=True)
    done = mailmove.elsewhere("other")("check", tmp_path / "copy", "--json")
    assert (done.code, done.json["accounts"][0]["checked"]) == (0, 12)


@pytest.fixture
def unwritable(archived: Archived) -> Iterator[Archived]:
    for path in (archived.box, *archived.box.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    yield archived
    for path in (archived.box, *archived.box.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def test_an_archive_that_cannot_be_written_can_be_checked(unwritable: Archived) -> None:
    assert unwritable.check()["checked"] == 12


def test_quiet_says_only_what_is_wrong(archived: Archived) -> None:
    done = archived.mailmove("check", "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    archived.file("INBOX", 1).unlink()
    done = archived.mailmove("check", "-q")
    assert done.code == 7
    assert "MISSING  INBOX UID 1" in done.err
