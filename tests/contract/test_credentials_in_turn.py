"""Several accounts: what may be asked at the terminal comes first and in order, every other secret in its own turn."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import Program, archived, hashes, message
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted
from tests.terminal import Terminal

Start = Callable[..., Scripted]

TOGETHER = """
touch {place}/$1; tries=0
while [ $(ls {place} | wc -l) -lt {all} ]; do
  tries=$((tries + 1)); [ $tries -lt 600 ] || exit 1; sleep 0.1
done
echo pw
"""
"""A password command that answers once all of them are at work at the same time."""


@pytest.fixture
def boxes(scripted: Start, mailmove: Program) -> Scripted:
    del mailmove.env["MAILMOVE_PASSWORD"]
    server = scripted()
    server.store.add("INBOX", message(1))
    return server


def test_password_commands_of_several_accounts_run_side_by_side(
    boxes: Scripted, mailmove: Program, tmp_path: Path
) -> None:
    names = [f"box{number}" for number in range(4)]
    (tmp_path / "at work").mkdir()
    script = TOGETHER.format(place=f"'{tmp_path}/at work'", all=len(names))
    archives = [
        mailmove.account(boxes, name=name, user=name, password_command=["sh", "-c", script, "sh", name])
        for name in names
    ]
    done = mailmove("export", "--jobs", len(names))
    assert done.code == 0, done.err
    assert all(archived(archive)["INBOX"] == hashes(message(1)) for archive in archives)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_password_command_that_hangs_stops_nobody_else_and_goes_with_the_run(
    boxes: Scripted, mailmove: Program, tmp_path: Path, how: signal.Signals
) -> None:
    pid = tmp_path / "pid"
    os.mkfifo(tmp_path / "never")
    hanging = ["sh", "-c", f"echo $$ >{pid}; exec cat {tmp_path}/never"]
    mailmove.account(boxes, name="a", user="a", password_command=hanging)
    archive = mailmove.account(boxes, name="b", password_command=["echo", "pw"])
    over = threading.Event()

    def logout(talk: Conversation, command: Command) -> None:
        over.set()
        talk.answer(command)

    boxes.on("LOGOUT", logout)
    with mailmove.started("export", "--jobs", 2) as process:
        assert over.wait(60)
        process.send_signal(how)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, (out, err)
    assert archived(archive)["INBOX"] == hashes(message(1))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_what_is_asked_at_the_terminal_is_asked_first_and_in_order(
    boxes: Scripted, mailmove: Program, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    mailmove.account(boxes, name="told", password_command=["sh", "-c", f"touch {begun}; echo pw"])
    for name in ("first", "second"):
        mailmove.account(boxes, name=name, user=name)
    boxes.store.passwords = {"pw", "one", "two"}
    with Terminal(mailmove.command("account", "test"), mailmove.env) as terminal:
        terminal.expect("Password for first@")
        assert not begun.exists()
        terminal.type("one\n")
        terminal.expect("Password for second@")
        assert not begun.exists()
        terminal.type("two\n")
        assert terminal.finish() == 0, terminal.shown
    assert begun.exists()
    logins = {c.args[0]: c.args[1] for c in boxes.commands if c.name == "LOGIN"}
    assert logins == {b"user": b"pw", b"first": b"one", b"second": b"two"}
