"""Progress is for whoever watches: on a terminal, on standard error, and nowhere else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from mailmove.jobs.progress import Advance, Expect
from mailmove.report.progress import Meter
from tests.kit import NOW, Mailbox, Program, archived, message, total
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted
from tests.terminal import Terminal

Start = Callable[..., Scripted]


@pytest.fixture(autouse=True)
def every_step(mailmove: Program) -> None:
    """Let the bar be drawn at each step, not a few times a second: what is shown must not depend on the time."""
    mailmove.env["TQDM_MININTERVAL"] = "0"


def test_at_a_terminal_it_shows_octets_messages_folder_and_rate(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill(message(number, size=50_000) for number in range(40))
    mailbox.fill((message(number, size=50_000) for number in range(40, 60)), "Letters")
    mailmove.account(mailbox)
    with Terminal(mailmove.command("export"), mailmove.env, columns=120) as terminal:
        assert terminal.finish() == 0
    assert re.search(r"\d+% \|", terminal.shown), "the share of all octets"
    assert re.search(r"\d[\d.]*[kM]?/2\.\d+MB ", terminal.shown), "octets done, of all in the account"
    assert re.search(r"\d\d:\d\d left", terminal.shown)
    assert "B/s" in terminal.shown
    assert "/60 INBOX" in terminal.shown or "/60 Letters" in terminal.shown
    last = terminal.shown.rpartition("\r\x1b[K")[2] or terminal.shown
    assert "All 60 messages in 2 folders of box are in" in last


def test_only_standard_error_counts(mailbox: Mailbox, mailmove: Program) -> None:
    """The result goes into a pipe, and somebody still watches."""
    mailbox.fill(message(number, size=50_000) for number in range(40))
    mailmove.account(mailbox)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as result:
        with Terminal(mailmove.command("export", "--json"), mailmove.env, stdout=writing) as terminal:
            os.close(writing)
            assert terminal.finish() == 0
            assert "/40 INBOX" in terminal.shown
        assert result.read(1) == b"{"


def test_verbose_tells_of_each_account_what_is_being_done(scripted: Start, mailmove: Program) -> None:
    for name, messages in (("one", 3), ("two", 4)):
        server = scripted()
        server.store.add("INBOX", *map(message, range(messages)))
        server.store.add("Sent", message(9))
        mailmove.account(server, name=name, password_command=["echo", "pw"])

    def said(*arguments: object) -> dict[str, list[str]]:
        done = mailmove(*arguments, "--jobs", "2")
        assert done.code == 0, done.err
        lines = [line.split(": ", 1) for line in done.err.splitlines()]
        return {name: [text for who, text in lines if who == name] for name in ("one", "two")}

    told = said("export", "-v")
    for name, messages in (("one", 3), ("two", 4)):
        connected, *rest = told[name]
        assert connected.startswith("connected to localhost:") and connected.endswith(", not encrypted")
        assert rest == [
            f"2 folders with {messages + 1} messages",
            "2 folders to look at, the others did not change",
            f"INBOX: {messages} new, {messages} in the archive",
            "Sent: 1 new, 1 in the archive",
            f"2 folders with {messages + 1} messages",
        ]
    assert said("audit", "-v")["one"][-2:] == ["INBOX: 3 messages", "Sent: 1 message"]
    assert said("prune", "--older-than", "1d", "--all", "--yes", "-v")["two"][-4:-1] == [
        "INBOX: 4 of 4 messages may go",
        "Sent: 1 of 1 message may go",
        "INBOX: 4 messages deleted",
    ]
    assert said("export") == {"one": [], "two": []}


@pytest.mark.parametrize("option", [[], ["--quiet"]])
def test_without_a_terminal_there_is_none(mailbox: Mailbox, mailmove: Program, option: list[str]) -> None:
    mailbox.fill(message(number, size=50_000) for number in range(40))
    mailmove.account(mailbox)
    done = mailmove("export", *option)
    assert (done.code, done.err) == (0, "")


def test_quiet_is_quiet_at_a_terminal_too(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill(map(message, range(5)))
    mailmove.account(mailbox)
    with Terminal(mailmove.command("export", "-q"), mailmove.env) as terminal:
        assert terminal.finish() == 0
    assert terminal.shown == ""


@pytest.mark.fault(50)
def test_ctrl_c_at_a_terminal_ends_it_with_a_summary(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.add("INBOX", *map(message, range(3)))
    server.store.add("Letters", *map(message, range(3, 6)))
    archive = mailmove.account(server)
    reached = threading.Event()

    def stuck(talk: Conversation, command: Command) -> None:
        reached.set()
        talk.silence()

    server.on("EXAMINE", stuck, "Letters", nth=1)
    with Terminal(mailmove.command("export"), mailmove.env) as terminal:
        assert reached.wait(60)
        terminal.type("\x03")
        assert terminal.finish() == 130
    assert "box: the export stopped early: interrupted" in terminal.shown
    assert "3 messages that the server lists are safe in" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert total(archived(archive)).total() == 3
    assert mailmove("export").code == 0
    assert total(archived(archive)).total() == 6


@pytest.mark.fault(43)
def test_a_folder_name_cannot_draw_on_the_terminal(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    name = "\x1b]0;owned\x07\x1b[2J"
    server.store.add(name.encode(), *(message(number, size=200_000) for number in range(20)))
    mailmove.account(server)
    with Terminal(mailmove.command("export"), mailmove.env) as terminal:
        assert terminal.finish() == 0, terminal.shown
    assert "\x1b]0;" not in terminal.shown
    assert "\x07" not in terminal.shown
    assert "\x1b[2J" not in terminal.shown


@pytest.mark.fault(50)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_to_be_ignored_is_ignored(scripted: Start, mailmove: Program, number: signal.Signals) -> None:
    """As under nohup, or in the background of a shell without job control."""
    server = scripted()
    server.store.add("INBOX", *map(message, range(3)))
    archive = mailmove.account(server)
    reached, go_on = threading.Event(), threading.Event()

    def wait(talk: Conversation, command: Command) -> None:
        reached.set()
        go_on.wait(60)
        talk.answer(command)

    server.on("EXAMINE", wait, nth=1)
    process = subprocess.Popen(
        mailmove.command("export"),
        env=mailmove.env,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
    )
    assert reached.wait(60)
    process.send_signal(number)
    go_on.set()
    assert process.wait(60) == 0
    assert total(archived(archive)).total() == 3


def test_of_many_accounts_it_tells_how_many_are_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of 200 are done, ten are in the middle; an account whose size is not known yet counts nothing."""
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2, raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((80, 25)))
    with Meter(200, shown=True) as meter:
        for number in range(110):
            name = f"somebody-with-a-long-name-{number}@mail.example.org"
            meter.show(name, Expect(10, 1000))
            meter.show(name, Advance("INBOX", 5, 500))
            if number < 100:
                meter.done(name)
        shown = capsys.readouterr().err.rpartition("\r")[2]
    assert shown.startswith("100 of 200 accounts  52% |")
    assert len(shown.split("|")[1]) == 20
    assert "left, 53.7 KB, somebody-" in shown and len(shown) <= 80


def test_of_one_account_the_bar_stays_wide(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2, raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((80, 25)))
    with Meter(1, shown=True) as meter:
        meter.show("box", Expect(18_442, 2_000_000_000))
        meter.show("box", Advance("Projects/" + "very/long/" * 20, 9_000, 500_000_000))
        meter.show("box", Advance("Projects/" + "very/long/" * 20, 3_000, 500_000_000))
        shown = capsys.readouterr().err.rpartition("\r")[2]
    assert shown.startswith(" 50% |") and len(shown.split("|")[1]) == 20
    assert "954M/1.86GB" in shown and len(shown) <= 80


def test_after_a_no_nothing_looks_like_a_deletion(mailbox: Mailbox, mailmove: Program) -> None:
    """What was proven before the question is told before it."""
    mailbox.fill((message(number, size=20_000) for number in range(60)), arrival=NOW - timedelta(days=400))
    mailmove.account(mailbox)
    assert mailmove("export").code == 0
    with Terminal(mailmove.command("prune", "--older-than", "1y"), mailmove.env) as terminal:
        terminal.expect("Enter to keep everything: ")
        asked = len(terminal.shown)
        terminal.type("\n")
        assert terminal.finish() == 8
    assert not re.search(r"\d+% \|", terminal.shown[asked:])
