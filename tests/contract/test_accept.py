"""Accept: what is missing on purpose or for good is told as such, and is a reason for nothing."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.exported import Archived
from tests.kit import Mailbox, Program, sha256
from tests.terminal import Terminal


@pytest.fixture
def archived(mailbox: Mailbox, mailmove: Program) -> Archived:
    return Archived(mailbox, mailmove)


def uids(some: Any) -> list[tuple[str, int]]:
    return [(one["folder"], one["uid"]) for one in some]


def accept(archived: Archived, *arguments: str, code: int = 0) -> Any:
    done = archived.mailmove("accept", "--json", *arguments)
    assert done.code == code, done.out + done.err
    return done.json["accounts"][0]


@pytest.mark.fault(89)
def test_what_is_accepted_is_told_as_such_and_nothing_else_is_hushed(archived: Archived) -> None:
    first, second, other = archived.file("INBOX", 2), archived.file("INBOX", 5), archived.file("Sent", 1)
    kept = archived.mailmove.home / "kept"
    shutil.move(first, kept)
    second.unlink()
    assert uids(archived.check(exit_code=7)["problems"]) == [("INBOX", 2), ("INBOX", 5)]
    assert archived.mailmove("export").code == 3
    told = accept(archived, "--missing", "--yes", "--reason", "asked for")
    assert uids(told["missing"]) == [("INBOX", 2), ("INBOX", 5)]
    result = archived.check()
    assert (result["problems"], uids(result["accepted"])) == ([], [("INBOX", 2), ("INBOX", 5)])
    assert "10 good, 2 accepted" in archived.says()
    assert "10 there, 2 accepted" in archived.says("--quick")
    exported = archived.mailmove("export")
    assert exported.code == 0
    assert "INBOX has 2 messages whose file is missing, and accepted so" in exported.out
    other.unlink()
    result = archived.check(exit_code=7)
    assert (uids(result["problems"]), len(result["accepted"])) == ([("Sent", 1)], 2)
    shutil.move(kept, first)
    second.write_bytes(b"not the message")  # there is a file again: what it holds counts
    result = archived.check(exit_code=7)
    assert [(p["uid"], p["problem"]) for p in result["problems"]] == [(5, "altered"), (1, "missing")]
    assert result["accepted"] == []
    archived.export("--refetch")
    assert (archived.check()["problems"], archived.check()["accepted"]) == ([], [])
    archived.file("INBOX", 5).unlink()  # it came back, and was accepted for another time
    assert uids(archived.check(exit_code=7)["problems"]) == [("INBOX", 5)]


@pytest.mark.fault(89)
def test_accepted_is_never_proven(archived: Archived) -> None:
    archived.file("INBOX", 2).unlink()
    accept(archived, "INBOX:2", "--yes")
    archived.mailmove("prune", "--older-than", "1d", "--max-delete", "100%", "--yes")
    assert archived.mailbox.uids("INBOX") == [2]


def test_the_journal_says_what_and_why_and_a_reindex_keeps_it(archived: Archived) -> None:
    path = archived.file("INBOX", 3)
    digest = sha256(path.read_bytes())
    path.unlink()
    accept(archived, digest[:10], "--yes", "--reason", "a request of 2026")
    lines = list(map(json.loads, (archived.box / ".mailmove/journal.jsonl").read_text().splitlines()))
    (line,) = [line for line in lines if line["kind"] == "accepted"]
    assert (line["folder"], line["uid"], line["sha256"]) == ("INBOX", 3, digest)
    assert line["reason"] == "a request of 2026"
    assert archived.mailmove("reindex").code == 0
    assert archived.check()["accepted"][0]["uid"] == 3
    for index in (archived.mailmove.home / "state/index").iterdir():
        index.unlink()
    assert archived.check()["accepted"][0]["uid"] == 3
    assert "accept " in archived.mailmove("history").out


def test_what_only_a_lost_index_knew_can_be_accepted(archived: Archived) -> None:
    older = archived.mailmove.home / "older"
    shutil.copytree(archived.box, older)
    archived.mailbox.fill([b"Subject: new\r\n\r\nnew\r\n"])
    archived.export()
    archived.mailbox.expunge("INBOX", archived.mailbox.uids("INBOX")[-1:])
    archived.export()
    shutil.rmtree(archived.box)
    older.rename(archived.box)
    assert archived.mailmove("reindex").code == 7
    assert len(accept(archived, "--missing", "--yes")["missing"]) == 1
    assert archived.mailmove("reindex").code == 0
    assert len(archived.check()["accepted"]) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "wants to know what"),
        (("INBOX:1", "--missing"), 2, "wants to know what"),
        (("INBOX:1",), 2, "not a message that is missing"),
        (("INBOX:77",), 2, "not a message that is missing"),
        (("xyz",), 2, "names no message"),
        (("INBOX:2",), 8, "--yes"),
    ],
)
def test_only_what_is_missing_is_accepted_and_only_by_a_yes(
    archived: Archived, words: tuple[str, ...], code: int, said: str
) -> None:
    archived.file("INBOX", 2).unlink()
    done = archived.mailmove("accept", *words)
    assert done.code == code
    assert said in done.out + done.err
    assert uids(archived.check(exit_code=7)["problems"]) == [("INBOX", 2)]


def test_at_a_terminal_it_shows_what_and_asks(archived: Archived) -> None:
    archived.file("INBOX", 2).unlink()
    for answer, code in (("\n", 8), ("y\n", 0)):
        with Terminal(archived.mailmove.command("accept", "--missing"), archived.mailmove.env) as terminal:
            terminal.expect("Accept that 1 message is missing? [y/N] ")
            assert 'MISSING  INBOX UID 2  2021-05-04 "message 1"' in terminal.shown
            assert "proves nothing" in terminal.shown
            terminal.type(answer)
            assert terminal.finish() == code
    assert "Nothing is missing" in archived.mailmove("accept", "--missing").out
