"""Erase: what is named goes, wherever it lies, and nothing else; and it does not come back."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.exported import Archived
from tests.kit import NOW, Mailbox, Program, by_uid, message, sha256
from tests.terminal import Terminal
from tests.tracing import MOST, killed_at, some, steps

SECRET = message(3, subject="Zeugnis von Anna")

SEALED = (
    b"Subject: sealed\r\nContent-Type: multipart/encrypted; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
    b"--b\r\nContent-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n--b--\r\n"
)


class Erasable(Archived):
    """Besides all else the message :data:`SECRET`, in two folders."""

    def __init__(self, mailbox: Mailbox, mailmove: Program) -> None:
        super().__init__(mailbox, mailmove)
        for folder in ("INBOX", "Private"):
            mailbox.fill([SECRET], folder, arrival=NOW - timedelta(days=400))
        self.export()
        mailmove("find", "Zeugnis")  # the words of a search are in the index now

    @property
    def id(self) -> str:
        return sha256(SECRET)[:10]

    def erase(self, *arguments: object, code: int = 0) -> Any:
        done = self.mailmove("erase", "--json", *arguments)
        assert done.code == code, done.out + done.err
        return done.json["accounts"][0]

    def traces(self) -> list[Path]:
        """Every file of archive and state in which a word of the message stands, or that is named by its hash."""
        files = [path for top in (self.box, self.mailmove.home / "state") for path in top.rglob("*") if path.is_file()]
        return [
            path
            for path in files
            if any(word in path.read_bytes() for word in (b"Zeugnis", b"zeugnis")) or sha256(SECRET)[:32] in path.name
        ]

    def others(self) -> set[tuple[int, str]]:
        return {one for one in by_uid(self.box) if one[1] != sha256(SECRET)}


@pytest.fixture
def archived(mailbox: Mailbox, mailmove: Program) -> Erasable:
    return Erasable(mailbox, mailmove)


def test_it_goes_wherever_it_lies_and_nothing_else_does(archived: Erasable) -> None:
    path, others = archived.file("INBOX", 9), archived.others()
    aside, doubted = archived.box / ".mailmove/aside", archived.box / ".mailmove/doubted"
    for directory in (aside, doubted):
        directory.mkdir()
    (aside / f"20261124T055126-{path.name}").write_bytes(b"Zeugnis, altered")
    (aside / "20261124T055126-other").write_bytes(b"of something else")
    (archived.box / "Sent/cur/1700000000.R123.host:2,S").write_bytes(SECRET)  # a mail program copied it
    assert len(archived.traces()) >= 5
    told = archived.erase("--find", "zeugnis von anna", "--yes", "--reason", "asked for")
    assert (told["messages"], told["files"], told["on_server"]) == (2, {"archive": 3, "aside": 1}, 2)
    assert archived.traces() == []
    assert archived.others() == others
    assert (aside / "20261124T055126-other").exists()
    assert archived.mailmove("find", "zeugnis", "--json").json["accounts"][0]["found"] == 0
    result = archived.check()
    assert (result["problems"], result["erased"], result["messages"]) == ([], 2, 12)
    assert "2 erased, by record.\n" in archived.says()
    lines = list(map(json.loads, (archived.box / ".mailmove/journal.jsonl").read_text().splitlines()))
    kinds = [line["kind"] for line in lines][-4:]
    assert kinds == ["erased", "erased", "erasure-over", "run"]
    assert all(line["must"] is True for line in lines if line["kind"] == "erased")
    assert "2 erased" in archived.mailmove("history").out


def test_what_was_doubted_in_its_place_goes_too(archived: Erasable) -> None:
    from mailmove.archive.writing.doubted import stem
    from mailmove.model import MessageId

    lines = map(json.loads, (archived.box / ".mailmove/journal.jsonl").read_text().splitlines())
    line = next(line for line in lines if line.get("sha256") == sha256(SECRET))
    doubted = archived.box / ".mailmove/doubted"
    doubted.mkdir()
    name = stem(MessageId(line["folder"].encode(), line["uidvalidity"], line["uid"]))
    (doubted / f"{name},H=00").write_bytes(b"a first try of it")
    (doubted / f"{name}1,H=00").write_bytes(b"another UID")
    assert archived.erase(archived.id, "--yes")["files"]["doubted"] == 1
    assert [path.name for path in doubted.iterdir()] == [f"{name}1,H=00"]


@pytest.mark.fault(93)
def test_what_was_erased_does_not_come_back(archived: Erasable) -> None:
    path = archived.file("INBOX", 9)
    kept = archived.mailmove.home / "kept"
    shutil.copy2(path, kept)
    sealed = json.loads(archived.mailmove("seal", "--json").out)["accounts"][0]["number"]
    archived.erase(archived.id, "--yes")
    done = archived.mailmove("export")
    assert (done.code, "INBOX has 1 message erased here once: not fetched again" in done.out) == (0, True), done.out
    assert archived.check("--server")["not_archived"] == []
    archived.mailbox.fill([SECRET], "Elsewhere")  # under another UID
    done = archived.mailmove("export")
    assert (done.code, "Elsewhere has 1 message erased here once" in done.out) == (0, True), done.out + done.err
    assert archived.traces() == []
    archived.mailmove("prune", "--older-than", "30d", "--max-delete", "100%", "--yes")
    assert archived.mailbox.uids("INBOX") == [9]  # there is no proof of it
    assert archived.mailbox.uids("Private") == [1]
    shutil.copy2(kept, path)
    for command in (("export",), ("reindex",)):
        assert archived.mailmove(*command).code == 0
        assert "--finish" in archived.says()
        result = archived.check()
        assert (len(result["returned"]), result["unrecorded"], result["messages"]) == (1, [], 12)
    assert archived.mailmove("restore", archived.id, "-n").code == 2
    assert archived.erase("--finish")["finished"] == 1
    assert archived.traces() == []
    assert "12 records" not in (told := archived.says("--seal", sealed))
    assert "yes: all 14 records are what was sealed; 2 erased by record\n" in told


def test_another_message_by_an_erased_uid_is_fetched(archived: Erasable) -> None:
    """UIDs that shift under one UIDVALIDITY are a server's mistake; mail must not be lost by it."""
    archived.erase(archived.id, "--yes")
    journal = archived.box / ".mailmove/journal.jsonl"
    from mailmove.archive.record.journal import decode, encode
    from mailmove.archive.record.records import Erased

    records = map(decode, journal.read_bytes().splitlines())
    moved = [
        record._replace(uid=8, arrival=record.arrival - 60, sha256="00" * 32) if isinstance(record, Erased) else record
        for record in records
    ]
    journal.write_bytes(b"".join(map(encode, moved)))
    archived.mailmove("reindex")
    archived.export()
    assert archived.file("INBOX", 8).exists()


@pytest.mark.fault(92)
def test_killed_at_any_step_the_same_again_ends_it(archived: Erasable) -> None:
    mailmove, others = archived.mailmove, archived.others()
    with mailmove.kept() as bring_back:
        found = some(steps(mailmove, "erase", archived.id, "--yes"), 9)
        reached = 0
        for step in found:
            bring_back()
            reached += killed_at(mailmove, step, "erase", archived.id, "--yes")
            done = mailmove("erase", archived.id, "--yes")
            assert done.code == 0, (step, done.out + done.err)
            assert archived.traces() == [], step
            assert archived.others() == others, step
            result = archived.check()
            assert (result["problems"], result["erased"]) == ([], 2), step
    assert reached >= MOST * len(found)


def test_it_shows_what_and_asks_for_the_number(archived: Erasable) -> None:
    before = archived.traces()
    for answer, code in (("\n", 8), ("y\n", 8), ("1\n", 8), ("2\n", 0)):
        assert archived.traces() == before
        with Terminal(archived.mailmove.command("erase", "--subject", "Zeugnis"), archived.mailmove.env) as terminal:
            terminal.expect("Type 2 to erase, Enter to keep everything: ")
            for word in (
                "Zeugnis von Anna",
                "2 files in the archive",
                "The server still has 2",
                "stays in the journal",
            ):
                assert word in terminal.shown
            terminal.type(answer)
            assert terminal.finish() == code, terminal.shown
    assert archived.traces() == []


@pytest.mark.fault(107)
def test_a_search_names_each_message_and_what_it_could_not_look_into(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill(message(number, subject=f"about Anna {number}") for number in range(30))
    mailbox.fill([SEALED])
    mailmove.account(mailbox, name="box", password_command=["echo", "pw"])
    assert mailmove("export").code == 0
    done = mailmove("erase", "--find", "anna", "-n")
    assert all(f"about Anna {number}" in done.out for number in range(30))
    assert "box: Not looked through to the end:" in done.err and "encrypted" in done.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "which messages"),
        (("ID", "--find", "zeugnis"), 2, "which messages"),
        (("--finish", "--find", "zeugnis"), 2, "which messages"),
        (("ffffffff",), 2, "no archived message has the ID"),
        (("ID",), 8, "--yes"),
        (("ID", "-n"), 0, "2 messages, counting exact copies"),
        (("--find", "nothing like it", "--yes"), 0, "Nothing of that"),
        (("--finish",), 0, "Nothing of that"),
    ],
)
def test_without_a_yes_or_anything_named_nothing_goes(
    archived: Erasable, words: tuple[str, ...], code: int, said: str
) -> None:
    before = archived.traces()
    done = archived.mailmove("erase", *(archived.id if word == "ID" else word for word in words))
    assert (done.code, said in done.out + done.err) == (code, True), done.out + done.err
    assert archived.traces() == before


def test_an_account_goes_with_archive_state_and_secret(archived: Erasable) -> None:
    mailmove, state = archived.mailmove, archived.mailmove.home / "state"
    mailmove("seal")
    mailmove("audit")
    foreign = archived.box / "Sent/notes.txt"
    foreign.write_text("not of mailmove")
    for answer, code in (("other\n", 8), ("box\n", 0)):
        before = sorted(archived.box.rglob("*"))
        with Terminal(mailmove.command("account", "remove", "--erase"), mailmove.env) as terminal:
            terminal.expect("Type the name of the account to erase all of it: ")
            assert before == sorted(archived.box.rglob("*"))
            terminal.type(answer)
            assert terminal.finish() == code, terminal.shown
    assert "not of mailmove: Sent/notes.txt" in " ".join(terminal.shown.split())
    assert [path for path in archived.box.rglob("*") if path.is_file()] == [foreign]
    assert archived.traces() == []
    assert sorted(path.name for path in state.rglob("*") if path.is_file()) == ["newest-message"]
    assert "There is no account yet" in mailmove().out


@pytest.mark.fault(92)
def test_an_account_whose_removal_was_killed_goes_by_the_same_again(archived: Erasable) -> None:
    mailmove, words = archived.mailmove, ("account", "remove", "--erase", "--yes")
    with mailmove.kept() as bring_back:
        found = some(steps(mailmove, *words), 6)
        assert not archived.box.exists()
        reached = 0
        for step in found:
            bring_back()
            reached += killed_at(mailmove, step, *words)
            done = mailmove(*words)
            assert done.code in (0, 2), (step, done.out + done.err)  # 2: it had come to its end
            assert not archived.box.exists(), step
            assert archived.traces() == [], step
            assert "There is no account yet" in mailmove().out, step
    assert reached >= MOST * len(found)
