"""``account list``, ``account test`` and ``mailmove`` alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.kit import Mailbox, Program, message
from tests.servers.dovecot import Dovecot

PASSWORD = 'password_command = ["echo", "pw"]'


def test_a_test_login_tells_what_is_there(anywhere: Mailbox, mailmove: Program) -> None:
    anywhere.fill(map(message, range(7)))
    anywhere.fill(map(message, range(3)), "Työ/Laskut")
    mailmove.configure(anywhere.table("me@example.org"))
    before = anywhere.contents()
    done = mailmove("account", "test")
    assert done.code == 0, done.err
    assert "me@example.org: the login works." in done.out
    assert f"localhost:{anywhere.port}, not encrypted" in done.out
    assert "with 10 messages" in done.out
    told = mailmove("account", "test", "--json").json
    (account,) = told["accounts"]
    counts = {folder["name"]: folder["messages"] for folder in account["folders"] if folder["messages"]}
    assert counts == {"INBOX": 7, "Työ/Laskut": 3}
    assert anywhere.contents() == before


def test_what_the_server_can_is_what_it_announced(anywhere: Mailbox, mailmove: Program) -> None:
    mailmove.configure(anywhere.table("me@example.org"))
    with anywhere.client() as client:
        announced = {name.decode().upper() for name in client.capabilities()}
    done = mailmove("account", "test")
    told = {line.split()[1]: line.split()[0] for line in done.out.partition("can:\n")[2].splitlines()[:6]}
    assert told.keys() >= {"UIDPLUS", "QUOTA", "LIST-STATUS", "CONDSTORE", "SPECIAL-USE", "OBJECTID"}
    assert {name for name, has in told.items() if has == "yes"} == told.keys() & announced
    assert set(mailmove("account", "test", "--json").json["accounts"][0]["capabilities"]) == announced


def test_quota_is_what_the_server_says(dovecot: Dovecot, mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1, size=50_000), message(2, size=70_000)])
    mailmove.configure(mailbox.table("me@example.org"))
    (root,) = mailmove("account", "test", "--json").json["accounts"][0]["quota"]
    told = {resource["name"]: (resource["usage"], resource["limit"]) for resource in root["resources"]}
    table = dovecot.doveadm("-f", "tab", "quota", "get", "-u", mailbox.user).splitlines()
    rows = [dict(zip(table[0].split("\t"), row.split("\t"), strict=True)) for row in table[1:]]
    units = {"STORAGE": 1024, "MESSAGE": 1}
    assert told == {r["Type"]: (int(r["Value"]) * units[r["Type"]], int(r["Limit"]) * units[r["Type"]]) for r in rows}


def test_encryption_is_told(dovecot: Dovecot, mailmove: Program) -> None:
    places = {"implicit": dovecot.imaps, "starttls": dovecot.imap}
    for how, port in places.items():
        url = f"imap://someone@localhost:{port}"
        done = mailmove("account", "test", url, "--tls", how, "--ca-file", dovecot.ca)
        assert f"localhost:{port}, TLSv1." in done.out, done.err
        assert ("by STARTTLS" in done.out) == (how == "starttls")


def test_a_folder_that_cannot_be_opened_is_named(dovecot: Dovecot, mailbox: Mailbox, mailmove: Program) -> None:
    """Fault 38: NOPERM is reported, and is not an empty folder."""
    mailbox.fill([message(1)], "Closed")
    closed = dovecot.home(mailbox.user) / "Maildir" / ".Closed"
    closed.chmod(0)
    try:
        done = mailmove("account", "test", mailbox.url, "--tls", "none")
    finally:
        closed.chmod(0o700)
    assert done.code == 3
    assert "Closed cannot be opened" in done.out


@pytest.fixture
def crontab(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> tuple[Path, list[str]]:
    """An installed program, and the lines that an unattended test of an account prints for cron."""
    mailbox.fill(map(message, range(3)))
    mailmove.configure(mailbox.table("me@example.org", PASSWORD))
    script = mailmove.install(tmp_path)
    environment = {name: value for name, value in mailmove.env.items() if name != "MAILMOVE_PASSWORD"}
    done = subprocess.run(
        [script, "account", "test", "--unattended", "--json"], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines: list[str] = json.loads(done.stdout)["crontab"]
    return script, lines


def test_the_printed_crontab_works_as_cron_runs_it(
    crontab: tuple[Path, list[str]], mailbox: Mailbox, mailmove: Program
) -> None:
    script, (line,) = crontab
    *_, command = line.split(" ", 5)
    assert command == f"/usr/bin/env MAILMOVE_STATE={mailmove.env['MAILMOVE_STATE']} {script} run -q"
    given = {"HOME": str(mailmove.home), "LOGNAME": "me", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=given,
        cwd=mailmove.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "3 messages" in mailmove("account", "list").out


def test_what_works_only_with_the_users_environment_fails_unattended(
    mailbox: Mailbox, mailmove: Program, tmp_path: Path
) -> None:
    mailmove.configure(mailbox.table("me@example.org", 'password_command = ["sh", "-c", "echo $MAIL_SECRET"]'))
    script = mailmove.install(tmp_path)
    environment = {**mailmove.env, "MAIL_SECRET": "pw"}
    del environment["MAILMOVE_PASSWORD"]
    attended = subprocess.run([script, "account", "test"], env=environment, capture_output=True, check=False)
    assert attended.returncode == 0
    for also in ({}, {"MAILMOVE_PASSWORD": "pw", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere", "DISPLAY": ":0"}):
        done = subprocess.run(
            [script, "account", "test", "--unattended"],
            env={**environment, **also},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 5
        assert "password_command of me@example.org failed" in done.stderr
        assert "crontab" not in done.stdout


def test_options_are_carried_into_the_crontab(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> None:
    """Paths become absolute, spaces are quoted, and % is escaped: a bare one would end the command (crontab(5))."""
    mailmove.configure(mailbox.table("me@example.org", PASSWORD)).rename(mailmove.home / "100 %.toml")
    script = mailmove.install(tmp_path)
    done = subprocess.run(
        [script, "account", "test", "me", "--unattended", "--config", "100 %.toml"],
        env=mailmove.env,
        cwd=mailmove.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    assert line.endswith(rf"{script} run -q me --config '{mailmove.home}/100 \%.toml'")


def test_alone_it_tells_the_next_step(mailbox: Mailbox, mailmove: Program) -> None:
    def alone() -> str:
        done = mailmove()
        assert (done.code, done.err) == (0, "")
        return done.out

    assert "There is no account yet in ~/.config/mailmove/config.toml" in alone()
    mailbox.fill(map(message, range(3)))
    mailmove.configure(mailbox.table("me@example.org"))
    assert "me@example.org: no archive yet\nNext: mailmove export" in alone()
    assert mailmove("export").code == 0
    assert "me@example.org: 3 messages (1.05 KB)" in alone()
    assert "last export just now\nNext: mailmove audit     shows how full it is" in alone()


def test_alone_it_asks_no_server(mailmove: Program) -> None:
    mailmove.configure('[account.me]\nhost = "unreachable.invalid"\n')
    assert mailmove().code == 0
    assert mailmove("account", "list").code == 0


def test_an_unfinished_export_is_not_called_well(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill([message(1)])
    mailmove.configure(mailbox.table("me@example.org"))
    archive = mailmove.home / "Mail/mailmove/me@example.org"
    assert mailmove("export").code == 0
    journal = archive / ".mailmove/journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"kind":"run"' not in line))
    for index in (mailmove.home / "state/index").iterdir():
        index.unlink()
    done = mailmove()
    assert "no export has come to its end yet" in done.out
    assert "Next: mailmove export     bring every message home" in done.out


def test_list_shows_accounts_and_archives(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill(map(message, range(3)))
    mailmove.configure(mailbox.table("me@example.org") + '[account.other]\nhost = "imap.example.org"\n')
    assert mailmove("export", "me").code == 0
    head, *lines, following = mailmove("account", "list").out.splitlines()
    assert head.split() == ["Account", "server", "messages", "size", "last", "export"]
    assert [" ".join(line.split()) for line in lines] == [
        "me@example.org localhost 3 1.05 KB just now",
        "other imap.example.org - - no archive yet",
    ]
    assert following == "Next: mailmove account list ACCOUNT     tells one in full"
    named = mailmove("account", "list", "me", "other").out
    assert "~/Mail/mailmove/me@example.org\n            3 messages (1.05 KB), last export just now" in named
    assert "imap.example.org:993, TLS" in named
    assert "no archive yet" in named
    mine, other = mailmove("account", "list", "--json").json["accounts"]
    assert (mine["messages"], mine["last_export"]["exit"]) == (3, 0)
    assert (other["messages"], other["last_export"]) == (None, None)


def test_an_archive_that_has_vanished_is_not_taken_for_none(mailbox: Mailbox, mailmove: Program) -> None:
    """Fault 5: a disk that is not mounted."""
    mailbox.fill([message(1)])
    mailmove.configure(mailbox.table("me@example.org"))
    assert mailmove("export").code == 0
    (mailmove.home / "Mail").rename(mailmove.home / "elsewhere")
    for arguments in ((), ("account", "list")):
        done = mailmove(*arguments)
        assert done.code == 7
        assert "Is a disk not mounted?" in done.err
        assert done.out == ""
