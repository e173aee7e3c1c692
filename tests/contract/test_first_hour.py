"""What a new user meets in the first hour."""

from __future__ import annotations

import dataclasses
import re
import shutil
import socket
import subprocess
import threading
from datetime import timedelta

import pytest
from rich.cells import cell_len

from tests.kit import NOW, Mailbox, Program, archived, message, topic, total
from tests.servers.dovecot import Dovecot
from tests.terminal import Terminal

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


def steps(topic_name: str) -> list[str]:
    """The commands of a page, in its order: those between backticks and those in a line of their own."""
    return re.findall(r"(?:^ {4}|`)mailmove ([^`\n]+?)(?=`|$)", topic(topic_name), re.MULTILINE)


def follow(page: str, program: Program, **words: str) -> None:
    """Run each command as it stands there, but for those that ask or go on, which have tests of their own."""
    own = ("account add", "account password", "serve", "schedule")
    followed = [step for step in steps(page) if not step.startswith(own)]
    assert followed
    for step in followed:
        done = program(*(words.get(word, word) for word in step.split()))
        assert done.code == 0, (step, done.err)


def test_the_page_of_a_new_computer_is_followed(pruned: str, mailbox: Mailbox, mailmove: Program) -> None:
    new = mailmove.elsewhere("new")
    subprocess.run(["cp", "-a", mailmove.home / "box", new.account(mailbox)], check=True)
    follow("new-computer", new)


def test_the_page_of_many_accounts_is_followed(pruned: str, mailbox: Mailbox, mailmove: Program) -> None:
    mailmove.account(mailbox, name="other", user=f"{mailbox.user}-other", password_command=["echo", "pw"])
    config = mailmove.home / ".config/mailmove/config.toml"
    config.write_text(config.read_text().replace("[account.box]", '[account.box]\npassword_command = ["echo", "pw"]'))
    follow("many-accounts", mailmove)


def test_the_page_of_thunderbird_is_followed(pruned: str, mailmove: Program) -> None:
    (account,) = mailmove("find", "message", "--json").json["accounts"]
    follow("thunderbird-outlook", mailmove, ID=account["messages"][0]["id"], restore="history")


@pytest.fixture
def found_archive(pruned: str, mailmove: Program) -> Program:
    """A new home with an archive in the usual place, and nothing else."""
    new = mailmove.elsewhere("new")
    place = new.home / "Mail" / "mailmove"
    place.mkdir(parents=True)
    subprocess.run(["cp", "-a", mailmove.home / "box", place / "info@rossi.example"], check=True)
    return new


def test_an_archive_without_a_configuration_is_seen_and_read(found_archive: Program) -> None:
    done = found_archive()
    assert done.code == 0
    assert "  ~/Mail/mailmove/info@rossi.example\n    4 messages (" in done.out
    assert "mailmove check" in done.out and "mailmove find WORDS" in done.out and "mailmove account add" in done.out
    for command in (("find", "message"), ("check",), ("history",), ("reindex",)):
        done = found_archive(*command)
        assert (done.code, done.err) == (0, ""), command
    place = found_archive.home / "Mail/mailmove/info@rossi.example"
    assert "3 messages found" in found_archive("find", place, "--only-here").out
    assert "1 message found" in found_archive("find", "message 3", place).out
    for command in (("export",), ("account", "list"), ("audit",)):
        done = found_archive(*command)
        assert done.code == 2
        assert "The archives that are here need none: mailmove find" in done.err


def test_what_fails_alike_for_many_accounts_of_a_host_is_told_once(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    mailmove.account(mailbox, password_command=["echo", "pw"])
    for number in range(6):
        mailmove.account(mailbox, name=f"a{number}", user=f"a{number}", password_command=["echo", f"wrong {number}"])
    for number in range(2):
        mailmove.account(
            dataclasses.replace(mailbox, port=1), name=f"b{number}", user=f"b{number}", password_command=["echo", "pw"]
        )
    done = mailmove("export", env={"COLUMNS": "80"})
    assert done.code == 5
    alike = f"6 accounts at {mailbox.host}: refused the login of each: "
    (line,) = [line for line in done.err.splitlines() if line.startswith(alike)]
    assert line.endswith(": a0, a1, a2, and 3 more")
    assert done.err.count("refused the login") == 1
    assert f"2 accounts at {mailbox.host}: Connection refused: b0, b1\n" in done.err
    assert "Together 1 message, 1 of them new" in done.out
    assert "box: all 1 message archived, 1 new (" in done.out
    assert "1 of 9 accounts are all in their archives." in done.out


def test_several_plans_end_in_a_total(pruned: str, mailbox: Mailbox, mailmove: Program) -> None:
    empty = f"{mailbox.user}-empty"
    mailmove.account(mailbox, name="empty", user=empty, password_command=["echo", "pw"])
    config = mailmove.home / ".config/mailmove/config.toml"
    config.write_text(config.read_text().replace("[account.box]", '[account.box]\npassword_command = ["echo", "pw"]'))
    mailbox.fill(map(message, range(10, 15)), arrival=NOW - OLD)
    for option, did in (("-n", "would be deleted"), ("--yes", "deleted")):
        done = mailmove("prune", "--all", "--older-than", "1y", option)
        assert done.code == 0, done.err
        assert re.search(rf"^Together 5 messages, [\d.]+ KB, {did} in 1 of 2 accounts\.$", done.out, re.MULTILINE)
    assert (
        "Together nothing deleted in 0 of 2 accounts." in mailmove("prune", "--all", "--older-than", "1y", "--yes").out
    )


def test_a_secret_file_in_the_home_directory(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    (mailmove.home / "secret").write_text("pw\n")
    (mailmove.home / "secret").chmod(0o600)
    mailmove.account(mailbox, secret_file="~/secret")
    del mailmove.env["MAILMOVE_PASSWORD"]
    assert mailmove("account", "test").code == 0
    assert f"secret    password in {mailmove.home}/secret" in mailmove("account", "show").out


@pytest.mark.parametrize("greeting", [b"+OK POP3 ready\r\n", b"220 mail.rossi.example ESMTP\r\n"])
def test_the_port_of_another_protocol_is_named_as_that(mailmove: Program, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_greet, args=(server, greeting), daemon=True).start()
        mailmove.account(Mailbox("none", "127.0.0.1", server.getsockname()[1], "user"))
        done = mailmove("audit")
    assert done.code == 6
    assert "does not answer as an IMAP server\n  Check host and port: 993" in done.err


def _greet(server: socket.socket, greeting: bytes) -> None:
    while True:
        try:
            talk, _ = server.accept()
        except OSError:
            return
        talk.sendall(greeting)


def test_a_refused_login_names_the_command_that_mends_it(mailbox: Mailbox, mailmove: Program) -> None:
    mailmove.account(mailbox)
    for command in ("export", "audit"):
        done = mailmove(command, env={"MAILMOVE_PASSWORD": "wrong"})
        assert done.code == 5
        assert done.err.endswith(" Then: mailmove account password box\n")
    stranger = dataclasses.replace(mailbox, user="stranger").url
    assert "account password" not in mailmove("audit", stranger, "--tls", "none").err


@pytest.mark.parametrize(
    "command",
    [
        ("audit",),
        ("export",),
        ("prune", "--older-than", "1y", "-n"),
        ("find", "a"),
        ("history",),
        ("check",),
        ("account", "list"),
        ("account", "test"),
        ("account", "show"),
        ("help", "prune"),
        ("--help",),
    ],
    ids="-".join,
)
def test_at_a_terminal_of_80_columns_nothing_is_wider(
    pruned: str, mailbox: Mailbox, mailmove: Program, command: tuple[str, ...]
) -> None:
    """As the program itself prints it; which words and names, tests/report/test_fitting.py tries."""
    mailbox.fill(
        [message(9, subject="A subject of many words " * 9)], "Folders/" + "of a long name " * 9, arrival=NOW - OLD
    )
    mailmove("export")
    with Terminal(mailmove.command(*command), {**mailmove.env, "COLUMNS": "80"}, columns=80) as terminal:
        terminal.finish()
    shown = [re.sub(r"\x1b\[[\d;]*[mK]", "", line).rpartition("\r")[2] for line in terminal.shown.split("\r\n")]
    assert shown[0].strip()
    assert [line for line in shown if cell_len(line) > 80 and not line.startswith((" " * 4, "| "))] == []
