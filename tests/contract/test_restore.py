"""restore, on every kind of server: what had left it is there again as it was, and nothing is there twice."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailmove.archive.record.journal import encode
from mailmove.archive.record.records import Gone, Restored
from mailmove.model import MessageId
from tests.kit import Mailbox, Program, archived, by_uid, message
from tests.servers.dovecot import Dovecot

ARRIVED = datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC)
BARE = b"Subject: bare CR and LF\r\n\r\nkept\ras\nthey\r\n\nare, without a last line end\x00".replace(b"\x00", b"")


class Account:
    """A mailbox with its archive, and the program that works on both."""

    def __init__(self, mailbox: Mailbox, program: Program, archive: Path) -> None:
        self.mailbox = mailbox
        self.program = program
        self.archive = archive
        self.common = ("--tls", "none", "--archive", archive)

    def export(self) -> None:
        done = self.program("export", self.mailbox.url, *self.common)
        assert done.code == 0, done.err

    def restore(self, *arguments: object, code: int = 0, yes: bool = True) -> dict[str, Any]:
        wanted = ("restore", *arguments, "--account", self.mailbox.url, *self.common, "--json", *["--yes"] * yes)
        done = self.program(*wanted)
        assert done.code == code, done.err + done.out
        result: dict[str, Any] = done.json["accounts"][0]
        return result

    def state(self) -> dict[str, Counter[tuple[str, frozenset[bytes], datetime]]]:
        """Every message's hash, flags and arrival by folder, as a client that is not ours sees them."""
        held: dict[str, Counter[tuple[str, frozenset[bytes], datetime]]] = {}
        with self.mailbox.client() as client:
            client.normalise_times = False
            for attributes, _, name in client.list_folders():
                if b"\\Noselect" in attributes:
                    continue
                client.select_folder(name, readonly=True)
                fetched = client.fetch(client.search(), ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"])
                held[name] = Counter(
                    (
                        hashlib.sha256(item[b"BODY[]"]).hexdigest(),
                        frozenset(item[b"FLAGS"]) - {b"\\Recent"},
                        item[b"INTERNALDATE"].astimezone(UTC),
                    )
                    for item in fetched.values()
                )
        return held

    def journal(self, kind: str) -> list[dict[str, Any]]:
        """Records of one kind."""
        lines = (self.archive / ".mailmove" / "journal.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] == kind]

    def lose(self, folder: str = "INBOX") -> None:
        """Every message of a folder goes, as by another client."""
        self.mailbox.expunge(folder, self.mailbox.uids(folder))


@pytest.fixture
def account(anywhere: Mailbox, mailmove: Program, tmp_path: Path) -> Account:
    """A mailbox of several folders, all of it archived."""
    anywhere.fill(map(message, range(30)), flags=["\\Seen", "$Label1"], arrival=ARRIVED)
    anywhere.fill([message(1), message(1), BARE], flags=["\\Flagged"], arrival=ARRIVED + timedelta(days=400))
    anywhere.fill(map(message, range(30, 45)), "Työ/Laskut", arrival=ARRIVED + timedelta(seconds=1))
    anywhere.fill([message(2)], "Sent", flags=["\\Answered", "\\Draft"], arrival=ARRIVED)
    account = Account(anywhere, mailmove, tmp_path / "mail")
    account.export()
    return account


def test_everything_that_was_deleted_is_back_as_it_was(account: Account) -> None:
    before = account.state()
    account.lose()
    account.lose("Sent")
    with account.mailbox.client() as client:
        client.delete_folder("Työ/Laskut")
    result = account.restore("--all")
    assert account.state() == before
    assert sum(folder["restored"] for folder in result["folders"]) == 49
    assert {folder["name"] for folder in result["folders"] if folder["new"]} == {"Työ/Laskut"}
    assert all(not folder["other_flags"] and not folder["other_date"] for folder in result["folders"])


def test_what_is_there_is_not_put_there_twice(account: Account) -> None:
    before = account.state()
    result = account.restore("--all")
    there = {folder["name"]: (folder["restored"], folder["there"]) for folder in result["folders"]}
    assert there == {"INBOX": (0, 33), "Sent": (0, 1), "Työ/Laskut": (0, 15)}
    account.lose()
    account.restore("--all")
    account.restore("--all")
    account.export()  # the restored messages are archived under new UIDs now
    result = account.restore("--all")
    assert sum(folder["restored"] for folder in result["folders"]) == 0
    assert account.state() == before
    account.lose()
    account.export()
    account.restore("--all")
    assert account.state() == before


def test_of_twins_only_the_one_that_is_gone_comes_back(account: Account) -> None:
    before = account.state()
    account.mailbox.expunge("INBOX", [account.mailbox.uids()[1], account.mailbox.uids()[-2]])
    result = account.restore("--folder", "INBOX")
    assert [(folder["name"], folder["restored"], folder["there"]) for folder in result["folders"]] == [("INBOX", 2, 31)]
    assert account.state() == before


def test_messages_by_id_go_where_they_were_or_into_one_folder(account: Account) -> None:
    account.lose()
    account.lose("Sent")
    found = account.program(
        "find", "--archive", account.archive, "--json", "--subject", "message 2", "--folder", "Sent"
    )
    [hit] = found.json["accounts"][0]["messages"]
    result = account.restore(hit["id"])
    assert {(folder["name"], folder["restored"]) for folder in result["folders"]} == {("INBOX", 1), ("Sent", 1)}
    for restored in (1, 0):
        result = account.restore(hit["id"], "--into", "Recovered/Mail")
        assert [(folder["name"], folder["restored"]) for folder in result["folders"]] == [("Recovered/Mail", restored)]
    assert account.mailbox.contents()["Recovered/Mail"] == Counter([hit["sha256"]])


def test_nothing_happens_unasked(account: Account) -> None:
    account.lose()
    before = account.state()
    planned = account.restore("--all", "--dry-run", yes=False)
    assert {folder["name"]: folder["planned"] for folder in planned["folders"]} == {
        "INBOX": 33,
        "Sent": 0,
        "Työ/Laskut": 0,
    }
    done = account.program("restore", "--all", "--account", account.mailbox.url, *account.common)
    assert done.code == 8 and "33 messages" in done.out and "Nothing was put back." in done.out
    assert account.state() == before


def test_a_message_that_left_and_came_back_is_one_file(account: Account) -> None:
    """Twice: what a mail program shows of the folder is what the server holds."""
    inbox = account.archive / "INBOX" / "cur"
    first = sorted(inbox.iterdir())[0]
    first.rename(first.with_name(first.name + "T"))  # a mail program's own flag: it is never lost
    for _ in range(2):
        account.lose()
        account.export()
        assert len(list(inbox.iterdir())) == 33  # gone there, kept here
        account.restore("--all")
        account.export()
        assert archived(account.archive) == account.mailbox.contents()
        assert [file.name[-1] for file in inbox.iterdir()].count("T") == 1
        assert {uid for uid, _ in by_uid(account.archive)} == set(account.mailbox.uids())
        checked = account.program("check", account.archive, "--json")
        assert (checked.code, checked.json["accounts"][0]["messages"]) == (0, 49)
    assert sum(folder["restored"] for folder in account.restore("--all")["folders"]) == 0


def test_a_uid_that_the_server_lists_again_has_a_file_of_its_own_again(mailbox: Mailbox, mailmove: Program) -> None:
    """A server that forgets messages for a while, beside the copies that were put back meanwhile."""
    archive = mailmove.account(mailbox)
    mailbox.fill([message(1), message(2)], arrival=ARRIVED)
    mailbox.fill([message(1)], arrival=ARRIVED)
    assert mailmove("export").code == 0
    journal = archive / ".mailmove" / "journal.jsonl"
    [first, _, copy] = [line for line in map(json.loads, journal.read_text().splitlines()) if line["kind"] == "message"]
    at, when = (b"INBOX", first["uidvalidity"]), "2025-01-01T00:00:00Z"
    source = MessageId(*at, first["uid"])
    with journal.open("ab") as file:
        file.write(encode(Gone(*at, frozenset([source.uid]), when)))
        file.write(encode(Restored(*at, copy["uid"], when, source, copy["sha256"])))
    [spare] = [file for file in (archive / "INBOX/cur").iterdir() if f"U{first['uid']}," in file.name]
    spare.unlink()
    assert mailmove("check").code == 0
    done = mailmove("export")
    assert done.code == 0, done.out
    assert archived(archive) == mailbox.contents()
    assert {uid for uid, _ in by_uid(archive)} == set(mailbox.uids())
    assert mailmove("check").code == 0


def test_the_undo_of_a_prune_gives_the_server_its_content_back(account: Account) -> None:
    before = account.state()
    pruned = account.program(
        "prune", account.mailbox.url, *account.common, "--older-than", "1y", "--yes", "--max-delete", "100%", "--json"
    )
    assert pruned.code == 0, pruned.out + pruned.err
    [run] = [line["run"] for line in account.journal("pruned")[:1]]
    gone = sum(map(Counter.total, before.values())) - sum(map(Counter.total, account.state().values()))
    assert gone == 45  # four are kept: flagged or drafts
    account.restore("--run", run)
    assert account.state() == before
    again = account.program(
        "prune", account.mailbox.url, *account.common, "--older-than", "1y", "--yes", "--max-delete", "100%", "--json"
    )
    assert again.code == 0, again.out + again.err
    assert account.state() == before  # their age counts from the restore
    assert "no such run" in account.restore("--run", "nonsense", code=2)["error"]


def test_a_mailbox_moves_to_a_server_that_names_folders_otherwise(
    account: Account, mailmove: Program, tmp_path: Path
) -> None:
    other = Dovecot(separator=".", prefix="INBOX.")
    try:
        target = Mailbox("dovecot", other.host, other.imap, "new")
        where = ("--to", target.url, "--account", account.mailbox.url, *account.common)
        shown = mailmove("restore", "--all", *where, "--dry-run").out
        assert "INBOX.Työ.Laskut  15  (from Työ/Laskut; new folder)" in shown
        for restored in (49, 0):
            done = mailmove("restore", "--all", *where, "--yes", "--json")
            assert done.code == 0, done.out + done.err
            assert sum(folder["restored"] for folder in done.json["accounts"][0]["folders"]) == restored
        here, there = account.state(), Account(target, mailmove, tmp_path).state()
        assert there["INBOX"] == here["INBOX"]
        assert there["INBOX.Sent"] == here["Sent"]
        assert there["INBOX.Työ.Laskut"] == here["Työ/Laskut"]
        shutil.rmtree(account.archive.parent / "home" / "state")  # the same from the journal alone
        done = mailmove("restore", "--all", *where, "--yes")
        assert done.out.startswith("Nothing to do"), done.out
    finally:
        other.stop()
