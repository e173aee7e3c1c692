"""``mailmove schedule``: what it writes runs from an empty environment, and prunes only what somebody agreed to."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import NOW, Mailbox, Program, archived, message, total
from tests.terminal import Terminal

CRONTAB = """#!/bin/sh
t="$HOME/table"
case "$1" in -l) [ -e "$t" ] || { echo "no crontab for me" >&2; exit 1; }; cat "$t";; -) cat > "$t";; esac
"""


@pytest.fixture
def ready(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> Path:
    """An installed program in a directory with an odd name, one account with a policy, old and new mail, only cron."""
    mailbox.fill(map(message, range(3)), arrival=NOW - timedelta(days=400))
    mailbox.fill(map(message, range(3, 5)), arrival=NOW - timedelta(days=4))
    archive = mailmove.account(mailbox, password_command=["echo", "pw"])
    config = mailmove.home / ".config/mailmove/config.toml"
    odd = mailmove.home / "it's 100 %.toml"
    odd.write_text(config.read_text() + '[account.box.prune]\nolder_than = "1y"\n')
    mailmove.env["MAILMOVE_CONFIG"] = str(odd)
    tools = mailmove.home / "tools"
    tools.mkdir()
    (tools / "crontab").write_text(CRONTAB)
    for name, text in (("systemctl", "exit 1"), ("launchctl", "exit 1")):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    (tools / "launchctl").unlink()
    (tools / "crontab").chmod(0o755)
    mailmove.env["PATH"] = f"{tools}:{mailmove.env['PATH']}"
    (tmp_path / "bin of me").mkdir()
    mailmove.env["SCRIPT"] = str(mailmove.install(tmp_path / "bin of me"))
    return archive


def script(mailmove: Program, *words: str) -> subprocess.CompletedProcess[str]:
    """The installed program, as its user runs it without a terminal."""
    command = [mailmove.env["SCRIPT"], *words]
    return subprocess.run(
        command, env=mailmove.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def tonight(mailmove: Program) -> subprocess.CompletedProcess[str]:
    """What cron does at the time: no environment but HOME, no terminal, and no % without its backslash."""
    (line,) = [one for one in (mailmove.home / "table").read_text().splitlines() if "* * *" in one]
    *_, command = line.split(" ", 5)
    command = re.split(r"(?<!\\)%", command)[0].replace(r"\%", "%")
    return subprocess.run(
        ["/usr/bin/env", "-i", f"HOME={mailmove.home}", "/bin/sh", "-c", command],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )


@pytest.mark.fault(97)
def test_what_is_installed_runs_from_an_empty_environment_and_its_failure_is_one(
    ready: Path, mailbox: Mailbox, mailmove: Program
) -> None:
    assert "Nothing is scheduled by cron." in script(mailmove, "schedule").stdout
    for at in ("04:05", "03:15"):
        done = script(mailmove, "schedule", "install", "--at", at)
        assert done.returncode == 0, done.stderr
    assert (mailmove.home / "table").read_text().count("* * *") == 1
    assert "15 3 * * *" in script(mailmove, "schedule", "show").stdout
    done = tonight(mailmove)
    assert done.returncode == 8 and "nobody has agreed" in done.stderr, (done.stdout, done.stderr)
    assert total(archived(ready)).total() == 5 and len(mailbox.uids()) == 5
    assert script(mailmove, "schedule", "remove").returncode == 0
    assert "mailmove" not in (mailmove.home / "table").read_text()


@pytest.mark.fault(95)
def test_prune_is_agreed_to_at_a_terminal_and_nowhere_else(ready: Path, mailbox: Mailbox, mailmove: Program) -> None:
    ask = ("schedule", "install", "--prune")
    refused = script(mailmove, *ask)
    assert refused.returncode == 8 and "at a terminal" in refused.stderr and not (mailmove.home / "table").exists()
    for answer, code in (("n", 8), ("y", 0)):
        with Terminal([mailmove.env["SCRIPT"], *ask], mailmove.env) as terminal:
            terminal.expect("older than 1y")
            terminal.expect("[y/N]")
            terminal.type(f"{answer}\n")
            assert terminal.finish() == code, terminal.shown
        assert (mailmove.home / "table").exists() is (code == 0)
    done = tonight(mailmove)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(mailbox.uids()) == 2
    assert script(mailmove, "schedule", "remove").returncode == 0
    mailbox.fill([message(9)], arrival=NOW - timedelta(days=400))
    assert script(mailmove, "export").returncode == 0
    assert script(mailmove, "run", "-q").returncode == 8, "removing it takes the agreement back"
    assert len(mailbox.uids()) == 3


def test_nothing_to_schedule_with(ready: Path, mailmove: Program) -> None:
    mailmove.env["PATH"] = str(mailmove.home)
    done = script(mailmove, "schedule")
    assert done.returncode == 9 and "mailmove run -q" in done.stderr
    assert script(mailmove, "schedule", "instal").returncode == 2
