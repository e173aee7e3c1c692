"""The crontab line and the systemd units of the topic ``cron`` do as pasted what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import NOW, Mailbox, Program, Server, archived, hashes, message, topic, total
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

TOPIC = topic("cron")


def pasted(first: str) -> str:
    """The block of code that begins with this, as pasted from the topic."""
    blocks = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", TOPIC, re.MULTILINE)
    plain = ["\n".join(line[4:] for line in block.splitlines()).strip() + "\n" for block in blocks]
    (found,) = [block for block in plain if first in block]
    return found


def run(line: str, mailmove: Program) -> subprocess.CompletedProcess[str]:
    """As cron runs it: no terminal, and the environment of crontab(5)."""
    return started(["/bin/sh", "-c", line], mailmove, LOGNAME="me", SHELL="/bin/sh", PATH="/usr/bin:/bin")


def started(command: list[str], mailmove: Program, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in a session of its own, with nothing in the environment but this and HOME."""
    return subprocess.run(
        command,
        env={"HOME": str(mailmove.home), **environment},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )


def installed(mailmove: Program, server: Server) -> Path:
    """Install the program, with an account that has a policy; gives the archive."""
    archive = mailmove.account(server, password_command=["echo", "pw"])
    with (mailmove.home / ".config/mailmove/config.toml").open("a") as config:
        config.write('[account.box.prune]\nolder_than = "1y"\n')
    program = mailmove.home / ".local" / "bin"
    program.mkdir(parents=True)
    mailmove.install(program)
    return archive


@pytest.fixture
def ready(mailbox: Mailbox, mailmove: Program) -> Path:
    """An installed program, an account with a policy, three old messages and two new ones; gives the archive."""
    mailbox.fill(map(message, range(3)), arrival=NOW - timedelta(days=400))
    mailbox.fill(map(message, range(3, 5)), arrival=NOW - timedelta(days=4))
    return installed(mailmove, mailbox)


def test_the_crontab_line(ready: Path, mailbox: Mailbox, mailmove: Program) -> None:
    *_, command = pasted("* * *").strip().split(" ", 5)
    for _ in range(2):
        done = run(command, mailmove)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert total(archived(ready)).total() == 5
        assert len(mailbox.uids()) == 2


def test_the_crontab_line_needs_nothing_but_the_home_directory(
    ready: Path, mailbox: Mailbox, mailmove: Program
) -> None:
    *_, command = pasted("* * *").strip().split(" ", 5)
    done = started(["/bin/sh", "-c", command], mailmove)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert total(archived(ready)).total() == 5
    assert len(mailbox.uids()) == 2


def test_the_systemd_service(ready: Path, mailbox: Mailbox, mailmove: Program) -> None:
    """Each ExecStart as systemd runs it: no shell, the one specifier filled in, no failure but of the last counts."""
    starts = re.findall(r"^ExecStart=(-?)(.*)$", pasted("[Service]"), re.MULTILINE)
    assert [ignored for ignored, _ in starts] == ["-", ""], "an export that fails does not keep prune from its work"
    for _, command in starts:
        assert not set(command) & set("$\"'\\")
        done = started([word.replace("%h", str(mailmove.home)) for word in command.split()], mailmove)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert total(archived(ready)).total() == 5
    assert len(mailbox.uids()) == 2


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd is not installed")
    service = pasted("[Service]").replace("%h/.local/bin/mailmove", "/bin/true")
    (tmp_path / "mailmove.service").write_text(service)
    (tmp_path / "mailmove.timer").write_text(pasted("[Timer]"))
    units = [str(tmp_path / name) for name in ("mailmove.service", "mailmove.timer")]
    done = subprocess.run([verify, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert not re.search(r"mailmove\.(service|timer)", done.stderr), done.stderr


def test_a_dead_account_is_told_and_does_not_stop_the_others(ready: Path, mailbox: Mailbox, mailmove: Program) -> None:
    with (mailmove.home / ".config/mailmove/config.toml").open("a") as config:
        config.write('[account.dead]\nhost = "host.invalid"\npassword_command = ["echo", "pw"]\n')
        config.write('[account.dead.prune]\nolder_than = "1y"\n')
    *_, command = pasted("* * *").strip().split(" ", 5)
    done = run(command, mailmove)
    assert done.returncode == 6
    assert "dead: host.invalid:993: host not found" in done.stderr
    assert total(archived(ready)).total() == 5
    assert len(mailbox.uids()) == 2


@pytest.mark.fault(29)
def test_a_message_that_cannot_be_fetched_is_told_and_all_others_are_pruned(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    server = scripted()
    old, new = [message(n) for n in range(5)], message(5)
    inbox = server.store.add("INBOX", *old, arrival=NOW - timedelta(days=400))
    server.store.add("INBOX", new, arrival=NOW)
    server.store.add("Sent", message(6), arrival=NOW - timedelta(days=400))

    def refuse(talk: Conversation, command: Command) -> None:
        if talk.state.selected is inbox and any(mail.uid == 3 for mail in inbox.chosen(command.args[0])):
            talk.line(f"{command.tag} NO [SERVERBUG] cannot read it")
        else:
            talk.answer(command)

    server.on("UID FETCH", refuse, r"BODY\.PEEK\[\]")
    archive = installed(mailmove, server)
    *_, command = pasted("* * *").strip().split(" ", 5)
    for _ in range(2):
        done = run(command, mailmove)
        assert (done.returncode, done.stdout) == (3, "")
        assert inbox.uids == [3, 6]
        assert not server.store["Sent"].mails
        assert total(archived(archive)) == hashes(*old[:2], *old[3:], new, message(6))
        assert done.stderr.splitlines() == [
            "box: NOT everything on the server is in the archive:",
            "  INBOX UID 3: the server refuses it: [SERVERBUG] cannot read it",
            "box: NOT everything that was selected has been deleted:",
            "NOT PROVEN, kept: INBOX UID 3: the server refuses it: [SERVERBUG] cannot read it",
        ]
