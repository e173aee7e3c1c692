"""What a new user meets in the first hour."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta

import pytest

from tests.kit import NOW, Mailbox, Program, archived, message, total
from tests.servers.dovecot import Dovecot

OLD = timedelta(days=800)


@pytest.fixture
def pruned(mailbox: Mailbox, mailmove: Program) -> str:
    """An account of which three old messages were deleted on the server; gives what prune said."""
    mailbox.fill(map(message, range(3)), arrival=NOW - OLD)
    mailbox.fill([message(3)])
    mailmove.account(mailbox)
    done = mailmove("prune", "--older-than", "1y", "--yes")
    assert done.code == 0, done.err
    return done.out


def test_after_a_deletion_the_way_back_is_said(pruned: str, mailbox: Mailbox, mailmove: Program) -> None:
    (undo,) = [line for line in pruned.splitlines() if line.startswith("Undo: ")]
    command = undo.removeprefix("Undo: mailmove ").partition("     ")[0]
    done = mailmove(*command.split(), "--yes")
    assert done.code == 0, done.err
    assert len(mailbox.uids()) == 4


def test_history_of_a_run_names_each_message(pruned: str, mailmove: Program) -> None:
    run = pruned.partition("mailmove history ")[2].split()[0]
    done = mailmove("history", run)
    assert done.code == 0, done.err
    day = f"{NOW - OLD:%Y-%m}"
    for number in range(3):
        (line,) = [line for line in done.out.splitlines() if f"message {number}" in line]
        assert f"Sender {number}" in line and day in line
    assert "message 3" not in done.out
    (entry,) = mailmove("history", run, "--json").json["accounts"][0]["runs"]
    assert [one["subject"] for one in entry["deletions"][0]["messages"]] == [f"message {n}" for n in range(3)]


def test_a_nightly_prune_without_a_policy_has_nothing_to_do(mailbox: Mailbox, mailmove: Program) -> None:
    mailmove.account(mailbox)
    for account in ((), ("box",)):
        done = mailmove("prune", "-q", "--yes", *account)
        assert (done.code, done.out, done.err) == (0, "", "")
        assert mailmove("prune", "--yes", *account).code == 2


def test_the_only_account_need_not_be_named(mailbox: Mailbox, mailmove: Program) -> None:
    assert "there is no account yet" in mailmove("account", "show").err
    mailmove.account(mailbox)
    shown = mailmove("account", "show")
    assert shown.code == 0
    assert "  policy    none: mail stays on the server until prune is told an age\n" in shown.out
    config = mailmove.home / ".config/mailmove/config.toml"
    config.write_text(config.read_text() + '[account.box.prune]\nolder_than = "1y"\nfolders = {Sent = "never"}\n')
    assert "older than 1y leaves the server; Sent never; keeps drafts, flagged" in mailmove("account", "show").out
    mailmove.configure(config.read_text() + mailbox.table("other").replace(mailbox.user, "somebody"))
    done = mailmove("account", "remove")
    assert done.code == 2
    assert "there are several accounts: box, other" in done.err


def test_a_new_computer(pruned: str, mailbox: Mailbox, mailmove: Program) -> None:
    """As the topic ``new-computer`` says: the directory is copied, the account set up, then check and export."""
    new = mailmove.elsewhere("new")
    home = new.account(mailbox)
    subprocess.run(["cp", "-a", mailmove.home / "box", home], check=True)
    checked = new("check")
    assert checked.code == 0, checked.err
    assert "Re-hashed 4 messages" in checked.out
    done = new("export")
    assert done.code == 0, done.err
    assert "Nothing new since the last export." in done.out
    assert total(archived(home)) == total(archived(mailmove.home / "box"))


def test_a_broken_disk(pruned: str, mailbox: Mailbox, mailmove: Program) -> None:
    """Without a copy, what is on the server comes home again, and only when that is said."""
    shutil.rmtree(mailmove.home / "box")
    refused = mailmove("export")
    assert refused.code == 7
    assert "--new-archive" in refused.err
    done = mailmove("export", "--new-archive")
    assert done.code == 0, done.err
    assert "All 1 message in 1 folder" in done.out


def test_a_limit_counts_over_all_archives(dovecot: Dovecot, mailmove: Program) -> None:
    for name, age in (("old", 30), ("new", 3), ("between", 10)):
        box = Mailbox("dovecot", dovecot.host, dovecot.imap, f"{mailmove.home.parent.name}-{name}")
        box.fill((message(number, subject=name) for number in range(3)), arrival=NOW - timedelta(days=age))
        mailmove.account(box, name=name, password_command=["echo", "pw"])
    assert mailmove("export").code == 0
    found = mailmove("find", "--limit", "4", "--json").json["accounts"]
    assert {one["account"]: (one["found"], len(one["messages"])) for one in found} == {
        "old": (3, 0),
        "new": (3, 3),
        "between": (3, 1),
    }
    for limit in (4, 0):
        head, heads, *lines = mailmove("find", "--limit", str(limit)).out.splitlines()
        assert head.startswith("3 of 3 archives: 9 messages found") and ("the newest 4" in head) == (limit == 4)
        assert "account" in heads.split()
        listed = [line.split()[2] for line in lines[:-1]]
        assert listed == (["new"] * 3 + ["between"] * 3 + ["old"] * 3)[: limit or 9]
        assert lines[-1].startswith("Next: mailmove show ") and "--account" not in lines[-1]
