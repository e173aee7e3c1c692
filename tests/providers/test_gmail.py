"""Gmail: folders are labels of one message (developers.google.com/workspace/gmail/imap/imap-extensions).

Which folders there are and that ``Chats`` is one of them: support.google.com/mail/answer/77657. The daily limit of
2,500 MB by IMAP: support.google.com/a/answer/1071518; it is told as OVERQUOTA (RFC 9208 4.3), as a NO or a BYE.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from tests.kit import NOW, Done, Mailbox, Program, archived, hashes, message
from tests.servers.model import Gmail
from tests.servers.scripted import Scripted

ALL = "[Gmail]/All Mail"


@pytest.fixture
def gmail(scripted: Callable[..., Scripted]) -> Scripted:
    """A mailbox of 30 messages: 20 in the inbox, a third of all with the label Work, two starred, one spam."""
    store = Gmail()
    for number in range(30):
        labels = ["INBOX"] * (number < 20) + ["Work/Clients"] * (number % 3 == 0) + ["[Gmail]/Starred"] * (number < 2)
        store.deliver(message(number), *labels)
    store.deliver(message(99), "[Gmail]/Spam")
    server: Scripted = scripted(store=store)
    return server


@pytest.fixture
def archive(gmail: Scripted, mailmove: Program, tmp_path: Path) -> Path:
    """Where the account's archive will be."""
    table = Mailbox("gmail", gmail.host, gmail.port, "bob@gmail.com").table("bob@gmail.com", "retry_waits = [0, 0]")
    path = tmp_path / "mail"
    mailmove.configure(f'{table}archive = "{path}"\n')
    return path


def fetched(server: Scripted) -> Counter[int]:
    """How often the body of each message, by X-GM-MSGID, was asked for."""
    asked: Counter[int] = Counter()
    box = None
    for command in server.commands:
        if command.name in ("EXAMINE", "SELECT"):
            box = server.store.box(command.args[0])
        elif command.name == "UID FETCH" and b"BODY.PEEK[]" in command.raw:
            assert box is not None
            asked.update(mail.msgid for mail in box.chosen(command.args[0]))
    return asked


def journal(path: Path, kind: str) -> list[dict[str, object]]:
    lines = map(json.loads, (path / ".mailmove" / "journal.jsonl").read_text().splitlines())
    return [line for line in lines if line.get("kind") == kind]


def held(archive: Path) -> dict[str, Counter[str]]:
    """The archive's messages, of folders that have any."""
    return {name: messages for name, messages in archived(archive).items() if messages}


def shown(server: Scripted) -> dict[str, Counter[str]]:
    """What a client sees: SHA-256 of the messages, by folder."""
    return {
        box.name.decode(): Counter(hashlib.sha256(body).hexdigest() for body in box.bodies)
        for box in server.store.folders.values()
        if box.mails
    }


def test_each_message_is_downloaded_once_and_linked_into_the_folder_of_each_label(
    gmail: Scripted, mailmove: Program, archive: Path
) -> None:
    done = mailmove("export")
    assert done.code == 0, done.err
    assert set(fetched(gmail).values()) == {1}
    assert len(fetched(gmail)) == 31
    assert held(archive) == shown(gmail)
    files = [file for cur in archive.rglob("cur") for file in cur.iterdir()]
    assert len(files) == 31 + 20 + 10 + 2
    assert len({file.stat().st_ino for file in files}) == 31
    gmail.commands.clear()
    gmail.store["Work/Clients"].add(message(1), msgid=gmail.store[ALL].mails[1].msgid)  # a message gets a label
    again = mailmove("export")
    assert again.code == 0, again.err
    assert not fetched(gmail)
    assert held(archive) == shown(gmail)


def without_links(program: Program, *arguments: object) -> Done:
    """Run it where files cannot have two names."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    inject = ["-e", "trace=link,linkat", "-e", "inject=link,linkat:error=EPERM"]
    done = subprocess.run(
        [strace, "-f", "-qq", "-o", os.devnull, *inject, *program.command(*arguments)],
        env=program.env,
        cwd=program.home,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_where_there_are_no_hard_links_each_message_is_kept_once_with_its_labels(
    gmail: Scripted, mailmove: Program, archive: Path
) -> None:
    done = without_links(mailmove, "export")
    assert done.code == 0, done.err
    assert set(fetched(gmail).values()) == {1}
    visible = shown(gmail)
    assert held(archive) == {name: visible[name] for name in (ALL, "[Gmail]/Spam")}
    assert "INBOX is left out: the archive's disk has no hard links" in done.out
    labels = {line["uid"]: line["labels"] for line in journal(archive, "labels")}
    assert labels[1] == ["Work/Clients", "\\Inbox", "\\Starred"]
    assert labels[2] == ["\\Inbox", "\\Starred"]
    assert labels[28] == ["Work/Clients"]
    assert 30 not in labels, "archived, with no label"
    before = len(journal(archive, "labels"))
    gmail.store["INBOX"].mails.clear()
    assert isinstance(gmail.store, Gmail)
    gmail.store.deliver(message(100), "Work/Clients")
    assert without_links(mailmove, "export").code == 0
    changed = journal(archive, "labels")[before:]
    assert {line["uid"] for line in changed} == {*range(1, 21), 31}
    assert next(line["labels"] for line in changed if line["uid"] == 1) == ["Work/Clients", "\\Starred"]


@pytest.mark.fault(21)
@pytest.mark.parametrize("exported", [False, True])
def test_where_there_are_no_hard_links_prune_lets_go_from_all_mail_where_the_proof_is(
    scripted: Callable[..., Scripted], mailmove: Program, exported: bool
) -> None:
    store = Gmail()
    old = NOW - timedelta(days=400)
    labelled = [store.deliver(message(number), "INBOX", "Work", arrival=old) for number in range(3)]
    bare = [store.deliver(message(number), arrival=old) for number in range(3, 5)]
    kept = store.deliver(message(5), "INBOX", "Taxes", arrival=old)
    altered = store.deliver(message(6), "INBOX", arrival=old)
    archive = mailmove.account(scripted(store=store))
    with (mailmove.home / ".config/mailmove/config.toml").open("a") as config:
        config.write('[account.box.prune]\nolder_than = "30d"\nfolders = { Taxes = "never" }\n')
    if exported:
        assert without_links(mailmove, "export").code == 0
        file = next((archive / ALL / "cur").glob("*U7,*"))
        file.chmod(0o600)
        file.write_bytes(file.read_bytes().replace(b"message 6", b"massage 6"))
    done = without_links(mailmove, "prune", "--yes")
    assert done.code == (3 if exported else 0), done.out + done.err
    assert f"Deleted {5 if exported else 6} messages" in done.out
    assert [store.labels(msgid) for msgid in labelled + bare] == [set()] * 5
    assert store.labels(kept) == {b"INBOX", b"Taxes", store.ALL}
    assert store.labels(altered) == ({b"INBOX", store.ALL} if exported else set())
    assert ("NOT PROVEN, kept: [Gmail]/All Mail UID 7: its file was altered" in done.out) is exported
    assert held(archive).keys() == {ALL}, "nothing is there twice"
    assert held(archive)[ALL] >= hashes(*map(message, range(6)))
    labels = {line["uid"]: line["labels"] for line in journal(archive, "labels")}
    expected = {**{uid: ["Work", "\\Inbox"] for uid in (1, 2, 3)}, 6: ["Taxes", "\\Inbox"], 7: ["\\Inbox"]}
    assert labels == expected


@pytest.mark.fault(21)
def test_where_there_are_no_hard_links_a_label_that_lets_go_earlier_is_exported_for_itself(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    """All Mail does not let go of it yet, and that it has a file of the same message proves nothing for the label."""
    store = Gmail()
    inbox = store.deliver(message(1), "INBOX", arrival=NOW - timedelta(days=60))
    old = store.deliver(message(2), "INBOX", arrival=NOW - timedelta(days=600))
    bare = store.deliver(message(3), arrival=NOW - timedelta(days=60))
    archive = mailmove.account(scripted(store=store))
    with (mailmove.home / ".config/mailmove/config.toml").open("a") as config:
        config.write('[account.box.prune]\nolder_than = "1y"\nfolders = { INBOX = "30d" }\n')
    done = without_links(mailmove, "prune", "-q", "--yes")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert store.labels(inbox) == store.labels(old) == set()
    assert store.labels(bare) == {store.ALL}
    assert held(archive)[ALL] == hashes(*map(message, (1, 2, 3)))
    assert held(archive)["INBOX"] >= hashes(message(1))


def test_chats_are_skipped_with_a_word_unless_they_are_named(gmail: Scripted, mailmove: Program, archive: Path) -> None:
    gmail.store.add("[Gmail]/Chats", b"a chat, without any header\r\n")
    done = mailmove("export")
    assert done.code == 0
    assert "[Gmail]/Chats is left out: chats, not mail: name it with --folder to include it" in done.out
    assert "[Gmail]/Chats" not in archived(archive)
    assert mailmove("export", "--folder", "[Gmail]/Chats").code == 0
    assert sum(archived(archive)["[Gmail]/Chats"].values()) == 1


class Italian(Gmail):
    """The same in Italian: the account's language names the folders."""

    ALL, TRASH, SPAM = b"[Gmail]/Tutti i messaggi", b"[Gmail]/Cestino", b"[Gmail]/Spam"
    FOLDERS: ClassVar = {
        "[Gmail]": "\\Noselect \\HasChildren",
        "[Gmail]/Tutti i messaggi": "\\All",
        "[Gmail]/Bozze": "\\Drafts",
        "[Gmail]/Posta inviata": "\\Sent",
        "[Gmail]/Spam": "\\Junk",
        "[Gmail]/Speciali": "\\Flagged",
        "[Gmail]/Cestino": "\\Trash",
    }


def test_folders_in_another_language_are_known_by_their_special_use(
    scripted: Callable[..., Scripted], mailmove: Program, tmp_path: Path
) -> None:
    """RFC 6154."""
    store = Italian()
    store.deliver(message(1), "[Gmail]/Posta inviata")
    store.deliver(message(2), "[Gmail]/Cestino")
    store.add("[Gmail]/Chat", b"a chat\r\n")
    server = scripted(store=store)
    table = Mailbox("gmail", server.host, server.port, "bob@gmail.com").table("bob@gmail.com")
    mailmove.configure(f'{table}archive = "{tmp_path / "mail"}"\n')
    done = mailmove("export", "--folder", r"\Sent", "--folder", r"\Trash")
    assert done.code == 0, done.err
    assert archived(tmp_path / "mail").keys() == {"[Gmail]/Posta inviata", "[Gmail]/Cestino"}
    done = mailmove("export")
    assert "[Gmail]/Chat is left out: chats, not mail" in done.out
    assert "[Gmail]/Tutti i messaggi" in archived(tmp_path / "mail")


@pytest.mark.fault(39)
@pytest.mark.parametrize(
    "limit",
    [
        ["!untagged", "{tag} NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)"],
        ["* BYE [OVERQUOTA] Account exceeded command or bandwidth limits.", "!hangup"],
    ],
)
def test_the_daily_limit_pauses_until_the_next_run_which_goes_on(
    gmail: Scripted, mailmove: Program, archive: Path, limit: list[str]
) -> None:
    gmail.script("UID FETCH #2 /BODY/\n" + "\n".join(f"    {line}" for line in limit))
    done = mailmove("export")
    assert done.code == 6
    assert "the provider's download limit is reached" in done.out
    assert "Run the same command again tomorrow; it goes on where it stopped." in done.out
    assert gmail.count("LOGIN") == 1, "trying again today is of no use"
    safe = fetched(gmail) if limit[0] == "!untagged" else Counter(mail.msgid for mail in gmail.store["INBOX"].mails)
    assert sum(archived(archive)["INBOX"].values()) == 20
    gmail.commands.clear()
    assert mailmove("export").code == 0
    assert held(archive) == shown(gmail)
    assert not fetched(gmail).keys() & safe.keys(), "what had come is not fetched again"


def test_the_daily_limit_at_the_login(gmail: Scripted, mailmove: Program, archive: Path) -> None:
    gmail.script("""
        LOGIN
            {tag} NO [ALERT] Account exceeded command or bandwidth limits. (Failure)
        """)
    done = mailmove("export")
    assert done.code == 6
    assert "tomorrow" in done.err
    assert gmail.count("LOGIN") == 1


def test_the_daily_limit_at_a_login_in_the_middle_of_a_run(gmail: Scripted, mailmove: Program, archive: Path) -> None:
    gmail.script("""
        UID FETCH #2 /BODY/
            !hangup
        LOGIN #2-
            {tag} NO [ALERT] Account exceeded command or bandwidth limits. (Failure)
        """)
    done = mailmove("export")
    assert done.code == 6
    assert "tomorrow" in done.out
    assert gmail.count("LOGIN") == 2, "the connection broke, and with the limit there is no use in trying again"


@pytest.mark.parametrize(
    ("hidden", "named"),
    [
        ((b"[Gmail]/All Mail",), "All Mail from IMAP, and with that mail without a label"),
        ((b"[Gmail]/Trash", b"[Gmail]/Spam"), "Trash, Spam from IMAP, and with that mail that is nowhere else"),
        ((), ""),
    ],
)
def test_folders_that_gmail_hides_from_imap_are_named(
    gmail: Scripted, archive: Path, mailmove: Program, hidden: tuple[bytes, ...], named: str
) -> None:
    gmail.store.hidden.update(hidden)
    for command in (["export"], ["audit"], ["check", "--server"]):
        done = mailmove(*command)
        assert done.code == 0, (command, done.out, done.err)
        told = [line for line in done.out.splitlines() if "Gmail hides" in line]
        assert len(told) == bool(named), done.out
        assert not named or f"Gmail hides {named}; to show it: Gmail on the web, Settings, Labels" in told[0]
        assert "Gmail hides" not in mailmove("export", "--folder", "INBOX").out
