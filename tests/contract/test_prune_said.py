"""What prune says and asks, in full, and its options as they are typed; nothing but deletion follows the answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailmove.jobs.prune.result import FolderPlan, PrunePlan
from mailmove.model import Folder, Listed
from mailmove.report import prune as report
from tests.kit import NOW, Done, Program, message
from tests.servers.scripted import Scripted
from tests.terminal import Terminal

OLD = datetime(2023, 5, 4, 12, tzinfo=UTC)
CUT = ("--older-than", "2024-01-01")


@pytest.fixture
def server(scripted: Callable[..., Scripted]) -> Scripted:
    """Six old messages in INBOX, two of them flagged, one young; three old ones in Sent."""
    server: Scripted = scripted()
    for number in range(6):
        flags = {"\\Seen", "\\Flagged"} if number > 3 else {"\\Seen"}
        server.store.add("INBOX", message(number), arrival=OLD + timedelta(days=number), flags=flags)
    server.store.add("INBOX", message(6), arrival=NOW)
    server.store.add("Sent", *map(message, range(7, 10)), arrival=OLD, attributes="\\Sent")
    return server


@pytest.fixture
def archive(server: Scripted, mailmove: Program) -> Path:
    """The configured account's archive; times are told in UTC."""
    mailmove.env["TZ"] = "UTC"
    return mailmove.account(server)


def crowd(server: Scripted) -> None:
    """Of 110 more messages in INBOX, most are old."""
    for number in range(10, 120):
        server.store.add("INBOX", message(number), arrival=OLD - timedelta(days=number) if number < 100 else NOW)


def uids(server: Scripted) -> tuple[list[int], list[int]]:
    return server.store["INBOX"].uids, server.store["Sent"].uids


def test_the_plan_tells_all_of_it_before_it_asks(server: Scripted, mailmove: Program, archive: Path) -> None:
    server.store.capabilities.append("QUOTA")
    server.store.quota = (8192, 10240)
    with Terminal(mailmove.command("prune", *CUT), mailmove.env) as terminal:
        terminal.expect("to keep everything: ")
        asked = len(server.commands)
        terminal.type("7\n")
        assert terminal.finish() == 0
    assert uids(server) == ([5, 6, 7], [])
    said = terminal.shown.replace("\r\n", "\n")
    plan, _, done = said[said.index("Exported") :].partition("Type 7 to delete, Enter to keep everything: ")
    assert plan == (
        "Exported 10 new. Verified 7 local copies: all identical.\n"
        "To delete on the server (arrived before 2024-01-01 00:00 UTC):\n"
        "  INBOX  4  1.40 KB  2023-05-04 to 2023-05-07  keeps 3: 2 flagged, 1 newer\n"
        "  Sent   3  1.05 KB  2023-05-04 to 2023-05-04  keeps none\n"
        "Quota 80 % → 55 %.\n"
        "They vanish from every phone, mail program and webmail.\n"
        "The only copy will be\n"
        "  ~/box\n"
    )
    assert "Deleted 7 messages (2.45 KB), by another look at the server.\nQuota 80 % → 80 %, says the server.\n" in done
    names = [command.name for command in server.commands[asked:]]
    deleting = ["SELECT", "UID FETCH", "UID STORE", "UID FETCH", "UID EXPUNGE", "EXAMINE", "UID FETCH"]
    assert names[:14] == deleting * 2
    assert set(names[14:]) == {"LIST", "NAMESPACE", "STATUS", "GETQUOTAROOT", "LOGOUT"}, "how full it is now"
    assert not any(b"BODY" in command.raw for command in server.commands[asked:])


def test_json_gives_the_whole_plan(server: Scripted, mailmove: Program, archive: Path) -> None:
    server.store["INBOX"].mails[0].arrival = b"NIL"
    server.store.add("Shared/Team", message(50), arrival=OLD)
    server.script('NAMESPACE\n    * NAMESPACE (("" "/")) NIL (("Shared/" "/"))\n    {tag} OK done')
    (told,) = mailmove("prune", *CUT, "-n", "--json").json["accounts"]
    whole = {key: told[key] for key in ("messages", "octets", "dry_run", "agreed", "run", "deleted", "left_out")}
    octets = [len(message(number)) for number in range(10)]
    assert whole == {
        "messages": 6,
        "octets": sum(octets[1:4] + octets[7:]),
        "dry_run": True,
        "agreed": False,
        "run": None,
        "deleted": 0,
        "left_out": [{"name": "Shared/Team", "why": "shared: name it with --folder to include it"}],
    }
    inbox, sent = told["folders"]
    assert (inbox["name"], inbox["before"], inbox["messages"]) == ("INBOX", "2024-01-01T00:00:00Z", 7)
    assert inbox["delete"] == {
        "messages": 3,
        "octets": sum(octets[1:4]),
        "uids": "2:4",
        "oldest": "2023-05-05T12:00:00Z",
        "newest": "2023-05-07T12:00:00Z",
        "unarchived": "2:4",
        "sent_later": 0,
    }
    assert {why: tally["messages"] for why, tally in inbox["keep"].items()} == {"flagged": 2, "newer": 1, "undated": 1}
    assert inbox["odd_dates"] == [{"uid": 1, "why": "without a usable date"}]
    assert (sent["delete"]["uids"], sent["keep"]) == ("1:3", {})


def test_the_number_may_be_typed_as_it_is_shown() -> None:
    plan = PrunePlan("box", None, NOW, folders=[FolderPlan(Folder(b"INBOX"))])
    plan.folders[0].decisions.go = {uid: Listed(uid, 1, 1, frozenset()) for uid in range(1, 12311)}
    assert "Type 12310 to delete" in report.question(plan)
    for answer in ("12310\n", "12,310\n", " 12 310 \n"):
        assert report.agrees(plan, answer)
    for other in ("", "\n", "1231\n", "123100\n", "y\n", "yes\n", "12.310\n", None):
        assert not report.agrees(plan, other)


@pytest.mark.parametrize(("answer", "left"), [("94\n", 16), ("\n", 117)])
def test_at_a_terminal_the_typed_count_answers_a_brake(
    server: Scripted, mailmove: Program, archive: Path, answer: str, left: int
) -> None:
    crowd(server)
    words = mailmove.command("prune", *CUT, "--folder", "INBOX")
    with Terminal(words, mailmove.env) as terminal:
        terminal.expect("to keep everything: ")
        terminal.type(answer)
        assert terminal.finish() == (0 if left == 16 else 8)
    assert "Look twice: INBOX: 94 of 117 messages would go, more than --max-delete 50 %." in terminal.shown
    assert len(server.store["INBOX"].mails) == 117 - 94 if left == 16 else 117


FAILING = """
import fcntl, os, signal, sys, termios
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.setsid()
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
settings = termios.tcgetattr(1)
settings[3] |= termios.TOSTOP
termios.tcsetattr(1, termios.TCSANOW, settings)
front = os.fork()
if not front:
    os.setpgid(0, 0)
    signal.pause()
os.setpgid(front, front)
os.tcsetpgrp(1, front)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Run a command whose standard output is a terminal that takes nothing: it belongs to others (EIO, see termios(3))."""


@pytest.mark.fault(64)
@pytest.mark.parametrize("command", ["prune", "restore"])
def test_at_a_terminal_a_plan_that_could_not_be_shown_whole_cannot_be_answered(
    server: Scripted, mailmove: Program, archive: Path, command: str
) -> None:
    """Not even by what was typed before the question."""
    words: list[object] = [command, *CUT]
    if command == "restore":
        assert mailmove("export").code == 0
        server.store["INBOX"].mails.clear()
        words = [command, "--all"]
    before = uids(server)
    ours, theirs = os.openpty()
    wrapped = [sys.executable, "-c", FAILING, *mailmove.command(*words)]
    with os.fdopen(ours, "wb"), os.fdopen(theirs, "wb"), Terminal(wrapped, mailmove.env, stdout=theirs) as terminal:
        terminal.type("7\ny\n")
        assert terminal.finish() == 8, terminal.shown
    assert "the question could not be shown whole: [Errno 5] Input/output error" in terminal.shown
    assert uids(server) == before


def test_yes_at_a_terminal_is_watched_and_without_one_it_is_not(
    server: Scripted, mailmove: Program, archive: Path
) -> None:
    crowd(server)
    done = mailmove("prune", *CUT, "--yes")
    assert done.code == 8 and len(server.store["INBOX"].mails) == 117 and not server.store["Sent"].mails
    with Terminal(mailmove.command("prune", *CUT, "--yes"), mailmove.env) as terminal:
        assert terminal.finish() == 0
    assert len(server.store["INBOX"].mails) == 117 - 94


def test_a_dry_run_fetches_no_message(server: Scripted, mailmove: Program, archive: Path) -> None:
    assert mailmove("export", "--folder", "Sent").code == 0
    server.commands.clear()
    done = mailmove("prune", *CUT, "-n", "--yes")
    assert done.code == 0 and "Would be deleted on the server" in done.out
    assert not any(b"BODY" in command.raw for command in server.commands)
    assert not server.deletions


OPTIONS: list[tuple[list[str], tuple[list[int], list[int]]]] = [
    (["--keep", "none"], ([7], [])),
    (["--keep", "flagged"], ([5, 6, 7], [])),
    (["--keep", "unread,flagged"], ([5, 6, 7], [1, 2, 3])),
    (["--keep-newest", "2"], ([5, 6, 7], [2, 3])),
    (["--keep-newest", "2", "--keep", "none"], ([6, 7], [2, 3])),
    (["--exclude", "S*"], ([5, 6, 7], [1, 2, 3])),
    (["--folder", "\\Sent"], ([1, 2, 3, 4, 5, 6, 7], [])),
    (["--age-by", "sent"], ([5, 6], [])),
]


@pytest.mark.parametrize(("options", "left"), OPTIONS, ids=[" ".join(options) for options, _ in OPTIONS])
def test_options_as_they_are_typed(
    server: Scripted, mailmove: Program, archive: Path, options: list[str], left: tuple[list[int], list[int]]
) -> None:
    """All of it was sent in 2020, so that by the Date header the young message goes, too."""
    done = mailmove("prune", *CUT, *options, "--yes")
    assert done.code == 0, done.out + done.err
    assert uids(server) == left


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--older-than", "30"), "'30' has no unit\n  Did you mean 30d (days)?"),
        (("--older-than", "30m"), "'30m' could be minutes or months\n  Did you mean 30mo (months)?"),
        (("--older-than", "2024-02-30"), "'2024-02-30' is not a day of the calendar"),
        (("--archived-for", "14"), "'14' has no unit"),
        (("--down-to", "80"), "'80' has no unit\n  Did you mean 80% or 80GB?"),
        (("--older-than", "1y", "--keep", "starred"), "'starred' is nothing that can be kept"),
        (("--older-than", "1y", "--max-delete", "half"), "'half' is no limit"),
        (("--older-than", "1y", "--age-by", "day"), "'day' is no way to tell a message's age"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_login(
    server: Scripted, mailmove: Program, archive: Path, options: tuple[str, ...], said: str
) -> None:
    done: Done = mailmove("prune", *options, "--yes")
    assert done.code == 2 and said in done.err
    assert not server.commands


def test_a_server_that_cannot_expunge_by_uid_is_refused_with_an_explanation(
    server: Scripted, mailmove: Program, archive: Path
) -> None:
    server.store.capabilities.remove("UIDPLUS")
    done = mailmove("prune", *CUT, "--yes")
    assert done.code == 9
    assert "the server lacks UIDPLUS: it can only expunge everything that any program has marked" in done.err
    assert not server.deletions and not any(b"BODY" in command.raw for command in server.commands)
