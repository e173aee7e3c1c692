"""The archive is real mail: a mail server serves it, and a mail program's library reads it, as it lies there."""

from __future__ import annotations

import mailbox as stdlib
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.kit import Mailbox, Program, message, topic
from tests.servers.dovecot import Dovecot, installed

TOLD = {"2.3": r" mail_location = .*\n", "2.4": r" mail_driver = .*\n( +mail\w+ = .*\n)+"}
"""Where the topic ``mail-programs`` tells a Dovecot of either language how to serve an archive."""
FOLDERS = ("INBOX", "Sent", "Archive/2019", "Työ/Laskut & Kuitit", "cur", "100 % :-)")
FLAGS = (("\\Seen",), ("\\Flagged", "\\Answered"), ("\\Deleted", "\\Seen"), ("\\Draft", "$Invoice"), ())


@pytest.fixture
def archive(mailbox: Mailbox, mailmove: Program) -> Path:
    """An archive of several folders with all kinds of flags."""
    for number, folder in enumerate(FOLDERS):
        for more, flags in enumerate(FLAGS):
            arrival = datetime(2019, 1, 1 + number, more, tzinfo=UTC)
            mailbox.fill([message(number * 10 + more, size=2000)], folder, flags=flags, arrival=arrival)
    mailbox.fill([b"Subject: n\xf6 charset\r\n\r\n\0 and \xff\r\n" + b"x" * 5000 + b"\r\n"])
    box = mailmove.account(mailbox)
    done = mailmove("export")
    assert done.code == 0, done.err
    return box


@pytest.fixture
def served(archive: Path) -> Iterator[tuple[Mailbox, Path]]:
    """A Dovecot that serves a copy of the archive, by the lines of the topic ``mail-programs`` for its version."""
    told = re.search(TOLD[installed()[1]], topic("mail-programs"))
    assert told
    directory = re.search(r"~/([^:\s]+)", told[0])
    assert directory
    server = Dovecot(extra=told[0])
    try:
        home = server.home("reader")
        place = home / directory[1]
        shutil.copytree(archive, place)
        server.own(home)
        yield Mailbox("dovecot", server.host, server.imap, "reader"), place
    finally:
        server.stop()


def letters(flags: tuple[bytes, ...]) -> str:
    known = {b"\\Draft": "D", b"\\Flagged": "F", b"\\Answered": "R", b"\\Seen": "S", b"\\Deleted": "T"}
    return "".join(sorted(known[flag] for flag in flags if flag in known))


def on_disk(archive: Path) -> dict[bytes, tuple[str, str]]:
    """Directory and flag letters of every message file, by its octets."""
    return {
        path.read_bytes(): (path.parent.parent.relative_to(archive).as_posix(), path.name.partition(":2,")[2])
        for path in archive.rglob("cur/*")
    }


def test_dovecot_serves_it_byte_for_byte_with_its_flags(served: tuple[Mailbox, Path], mailmove: Program) -> None:
    reader, archive = served
    expected = on_disk(archive)
    assert len(expected) == len(FOLDERS) * len(FLAGS) + 1
    found = {}
    with reader.client() as client:
        for attributes, _, name in client.list_folders():
            if b"\\Noselect" in attributes:
                continue
            client.select_folder(name, readonly=True)
            for item in client.fetch(client.search(), ["BODY.PEEK[]", "FLAGS", "RFC822.SIZE"]).values():
                assert item[b"RFC822.SIZE"] == len(item[b"BODY[]"])
                found[item[b"BODY[]"]] = (name, letters(item[b"FLAGS"]))
    assert found == expected
    after = mailmove("check", archive, "--json")
    assert after.code == 0, after.out
    assert after.json["accounts"][0]["problems"] == after.json["accounts"][0]["moved"] == []
    assert after.json["accounts"][0]["foreign"] == []  # Dovecot's own files are elsewhere


@pytest.mark.fault(48)
def test_no_mail_program_deletes_what_was_marked_deleted_on_the_server(
    served: tuple[Mailbox, Path], mailmove: Program
) -> None:
    reader, archive = served
    with reader.client() as client:
        for attributes, _, folder in client.list_folders():
            if b"\\Noselect" in attributes:
                continue
            client.select_folder(folder)
            assert client.search("DELETED") == []
            client.expunge()
            client.close_folder()
    after = mailmove("check", archive, "--json").json["accounts"][0]
    assert (after["checked"], after["problems"]) == (len(FOLDERS) * len(FLAGS) + 1, [])


def test_what_a_mail_program_does_there_is_recognised(served: tuple[Mailbox, Path], mailmove: Program) -> None:
    reader, archive = served
    with reader.client() as client:
        client.select_folder("Sent")
        client.set_flags(client.search(), ["\\Seen", "\\Flagged", "Project"])
        client.select_folder("INBOX")
        first, second, *_ = client.search()
        client.create_folder("Filed")
        client.move([first], "Filed")
        client.delete_messages([second])
        client.expunge()
    after = mailmove("check", archive, "--json")
    result = after.json["accounts"][0]
    assert after.code == 7
    assert [(moved["folder"], moved["uid"]) for moved in result["moved"]] == [("INBOX", 1)]
    assert result["moved"][0]["path"].startswith("Filed/cur/")
    assert [(p["folder"], p["uid"], p["problem"]) for p in result["problems"]] == [("INBOX", 2, "missing")]


def test_pythons_mailbox_module_reads_it(archive: Path) -> None:
    expected = on_disk(archive)
    found = {}
    for cur in archive.rglob("cur"):
        if not (cur.parent / "tmp").is_dir():
            continue
        folder = stdlib.Maildir(str(cur.parent), create=False)
        for key in folder.keys():  # noqa: SIM118 - a mailbox is no dictionary
            flags = folder.get_message(key).get_flags()
            found[folder.get_bytes(key)] = (cur.parent.relative_to(archive).as_posix(), flags)
    assert found == expected
