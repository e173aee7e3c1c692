"""The archive is used with mail programs: what they set stays, what changes on the server follows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.exported import Archived
from tests.kit import Mailbox, Program, message, total
from tests.kit import archived as archived_files
from tests.servers.dovecot import Dovecot


@pytest.fixture
def archived(anywhere: Mailbox, mailmove: Program) -> Archived:
    return Archived(anywhere, mailmove)


def letters(path: Path) -> str:
    return path.name.partition(":2,")[2]


def set_locally(archived: Archived, uid: int, wanted: str) -> None:
    """As a mail program does it."""
    path = archived.file("INBOX", uid)
    path.rename(path.with_name(f"{path.name.partition(':')[0]}:2,{wanted}"))


def store(archived: Archived, uid: int, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
    """As another client does it on the server."""
    with archived.mailbox.client() as client:
        client.select_folder("INBOX")
        if add:
            client.add_flags([uid], add)
        if remove:
            client.remove_flags([uid], remove)


def flags_on_server(archived: Archived, uid: int) -> set[bytes]:
    with archived.mailbox.client() as client:
        client.select_folder("INBOX", readonly=True)
        return {flag for flag in client.get_flags([uid])[uid] if flag != b"\\Recent"}


def journal(archived: Archived) -> list[dict[str, object]]:
    return [json.loads(line) for line in (archived.box / ".mailmove/journal.jsonl").read_text().splitlines()]


def test_flags_set_locally_stay_and_nothing_is_told_to_the_server(archived: Archived) -> None:
    set_locally(archived, archived.uid(1), "FRS")
    archived.export("--flags")
    assert letters(archived.file("INBOX", archived.uid(1))) == "FRS"
    assert flags_on_server(archived, archived.uid(1)) == set()


def test_what_changed_on_the_server_follows_and_only_that(archived: Archived) -> None:
    store(archived, archived.uid(1), add=("\\Seen",))
    archived.export("--flags")
    assert letters(archived.file("INBOX", archived.uid(1))) == "S"
    set_locally(archived, archived.uid(1), "R")  # read on the server, unread and answered here
    store(archived, archived.uid(1), add=("\\Flagged",))
    archived.export("--flags")
    assert letters(archived.file("INBOX", archived.uid(1))) == "FR"
    store(archived, archived.uid(1), remove=("\\Flagged",))
    archived.export("--flags")
    assert letters(archived.file("INBOX", archived.uid(1))) == "R"


def test_flags_follow_by_condstore_without_being_asked_for(mailbox: Mailbox, mailmove: Program) -> None:
    archived = Archived(mailbox, mailmove)
    store(archived, archived.uid(3), add=("\\Answered", "\\Draft"))
    archived.export()
    assert letters(archived.file("INBOX", archived.uid(3))) == "DR"


@pytest.mark.fault(48)
def test_deleted_on_the_server_is_never_deleted_here(archived: Archived) -> None:
    store(archived, archived.uid(2), add=("\\Deleted", "\\Seen"))
    with archived.mailbox.client() as client:
        client.append("INBOX", message(99), ["\\Deleted", "\\Flagged"])
    archived.export("--flags")
    assert letters(archived.file("INBOX", archived.uid(2))) == "S"
    assert letters(archived.file("INBOX", archived.uid(9))) == "F"
    assert not [path for path in archived.box.glob("*/cur/*") if "T" in letters(path)]
    flags = [
        line["flags"] for line in journal(archived) if line.get("uid") == archived.uid(2) and line["kind"] == "flags"
    ]
    assert flags == [["\\Deleted", "\\Seen"]]  # the record knows


def test_keywords_are_in_the_record(mailbox: Mailbox, mailmove: Program) -> None:
    archived = Archived(mailbox, mailmove)
    store(archived, archived.uid(4), add=("$Invoice", "\\Seen"))
    archived.export("--flags")
    (line,) = (line for line in journal(archived) if line["kind"] == "flags")
    assert line["flags"] == ["$Invoice", "\\Seen"]
    assert letters(archived.file("INBOX", archived.uid(4))) == "S"


def test_a_flag_of_a_message_that_was_renamed_meanwhile_follows_too(archived: Archived) -> None:
    path = archived.file("INBOX", archived.uid(5))
    path.rename(path.with_name(path.name.partition(":")[0]))  # some programs leave the flags off
    store(archived, archived.uid(5), add=("\\Flagged",))
    archived.export("--flags")
    assert letters(archived.file("INBOX", archived.uid(5))) == "F"


def test_a_file_that_a_mail_program_deleted_is_named_and_comes_back_when_asked_for(archived: Archived) -> None:
    path = archived.file("INBOX", archived.uid(7))
    data = path.read_bytes()
    path.unlink()
    done = archived.mailmove("export", "--json")
    assert done.code == 3
    (failure,) = [failure for folder in done.json["accounts"][0]["folders"] for failure in folder["failures"]]
    assert failure["uid"] == archived.uid(7)
    archived.export("--refetch")
    assert archived.file("INBOX", archived.uid(7)).read_bytes() == data
    assert archived.mailmove("export").code == 0


def test_a_file_moved_to_another_folder_is_not_fetched_again(archived: Archived) -> None:
    path = archived.file("INBOX", archived.uid(7))
    moved = archived.box / "Sent/cur/1700000000.R1.host:2,S"
    path.rename(moved)
    for arguments in ((), ("--refetch",), ()):
        done = archived.mailmove("export", *arguments, "--json")
        assert done.code == 0, done.out
        assert [folder["fetched"] for folder in done.json["accounts"][0]["folders"]] == [0, 0]
    assert "1 message found where a mail program put them" in archived.mailmove("export").out
    assert moved.exists()


def test_a_file_moved_to_a_folder_of_the_same_uidvalidity_is_not_taken_for_its_message(
    dovecot: Dovecot, mailbox: Mailbox, mailmove: Program
) -> None:
    """UID, UIDVALIDITY, arrival and size in its name all fit a message that this folder gets only later."""
    arrival = datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC)
    mailbox.fill(map(message, range(20, 27)), arrival=arrival)
    mailbox.fill(map(message, range(30, 34)), "Sent", arrival=arrival)
    for folder in ("INBOX", "Sent"):
        dovecot.doveadm("mailbox", "update", "-u", mailbox.user, "--uid-validity", "1700000000", folder)
    box = mailmove.account(mailbox)
    assert mailmove("export").code == 0
    path = next(path for path in (box / "INBOX/cur").iterdir() if "U7," in path.name)
    path.rename(box / "Sent/cur" / path.name)
    assert mailmove("export").code == 0
    mailbox.fill(map(message, range(50, 53)), "Sent", arrival=arrival)
    assert mailmove("export").code == 0
    assert total(archived_files(box)) == total(mailbox.contents())
