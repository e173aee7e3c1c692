"""Servers that never come to an end: each answer is bounded, said in one line, and costs no more than its folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from mailmove.errors import CommandRefused, Disconnected
from mailmove.imap import scan, wire
from mailmove.imap.folders import select
from mailmove.model import Folder
from tests.fuzz.wires import wired
from tests.kit import Program, archived, hashes, message
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]

pytestmark = pytest.mark.fault(58)

PATIENCE = 64 << 20
"""Octets that a server here would send before it gives up; a client that takes all of them is lost."""

ROOM = 160 << 20
"""Memory of a process that met one of these; without any it has about 60 MB."""


class Flood:
    """Answers a command with ever new lines; :attr:`sent` are the octets that a client took of one such answer."""

    def __init__(self, line: str, before: str = "") -> None:
        self.sent = 0
        self.lines = 0
        self._line = line
        self._before = before

    def __call__(self, talk: Conversation, command: Command) -> None:
        taken = 0
        try:
            if self._before:
                talk.line(self._before)
            while taken < PATIENCE and not talk.server.stopping.is_set():
                numbers = range(self.lines + 1, self.lines + 1000)
                block = "".join(self._line.replace("#", str(number)) for number in numbers).encode()
                talk.send(block)
                talk.flush()
                self.lines += len(numbers)
                taken += len(block)
        finally:
            self.sent = max(self.sent, taken)
        talk.hangup()


LISTED = '* # FETCH (UID # FLAGS () INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 9)\r\n'


@pytest.mark.parametrize("command", ["export", "audit"])
def test_more_messages_than_were_promised_cost_their_folder(scripted: Start, mailmove: Program, command: str) -> None:
    server = scripted()
    server.store.add("A", message(1))
    server.store.add("B", message(2))
    flood = Flood(LISTED)

    def listing(talk: Conversation, asked: Command) -> None:
        (flood if talk.state.selected.name == b"A" else Conversation.answer)(talk, asked)

    server.on("UID FETCH", listing, r"1:\*")
    archive = mailmove.account(server)
    done, used = mailmove.measured(command)
    assert done.code == 3, (done.out, done.err)
    assert "it lists more messages than it says there are" in done.out
    assert flood.sent < 8 << 20, f"{flood.sent:,} octets were taken"
    assert used.memory < ROOM, f"{used.memory:,} octets"
    if command == "export":
        assert archived(archive)["B"] == hashes(message(2))


def test_a_folder_too_large_for_any_memory_is_said_and_not_listed(scripted: Start, mailmove: Program) -> None:
    server = scripted(r"""
        EXAMINE /"A"/
            !answer s/\* 1 EXISTS/* 4000000000 EXISTS/
        STATUS /"A"/
            !answer s/MESSAGES 1/MESSAGES 4000000000/
    """)
    server.store.add("A", message(1))
    server.store.add("B", message(2))
    archive = mailmove.account(server)
    for command in ("export", "audit"):
        done, used = mailmove.measured(command)
        assert done.code == 3, (done.out, done.err)
        assert "says that there are 4,000,000,000 messages; mailmove reads folders of up to 3,000,000" in done.out
        assert used.memory < ROOM, f"{used.memory:,} octets"
    assert archived(archive)["B"] == hashes(message(2))


def test_what_arrives_meanwhile_is_listed_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_MESSAGES", 5000)
    lines = b"".join(
        b"* %d EXISTS\r\n%b" % (number, LISTED.replace("#", str(number)).encode()) for number in range(1, 9001)
    )
    for told, count in ((lines[: lines.index(b"* 4001 EXISTS")], 4000), (lines, None)):
        said = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] valid\r\nM1 OK opened\r\n" + told + b"M2 OK done\r\n"
        with wired(said) as near:
            select(near, Folder(b"INBOX"))
            if count is not None:
                assert sum(1 for _ in scan.listing(near)) == count
                continue
            with pytest.raises(CommandRefused, match="more messages than it says"):
                for _ in scan.listing(near):
                    pass
            assert not near.usable


@pytest.mark.parametrize("listed", [False, True])
def test_a_server_that_tells_of_new_messages_without_end_is_left(monkeypatch: pytest.MonkeyPatch, listed: bool) -> None:
    """It raises by itself what it may list: so that has a bound of its own."""
    monkeypatch.setattr(wire, "MAX_ARRIVALS", 50)
    told = b"".join(
        b"* %d EXISTS\r\n%b" % (number, LISTED.replace("#", str(number)).encode() if listed else b"")
        for number in range(2, 60)
    )
    said = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] valid\r\nM1 OK opened\r\n" + told + b"M2 OK done\r\n"
    with wired(said) as near:
        select(near, Folder(b"INBOX"))
        with pytest.raises(Disconnected, match="new messages without end"):
            for _ in scan.listing(near):
                pass
        assert not near.usable


@pytest.mark.parametrize("ask", [lambda near: list(scan.listing(near)), scan.flags, scan.labels])
def test_ever_new_flags_and_labels_are_bounded(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[wire.Wire], object]
) -> None:
    monkeypatch.setattr(scan, "MAX_WORDS", 1000)
    line = LISTED.replace("FLAGS ()", "FLAGS (a# b#) X-GM-LABELS (a# b#)")
    said = "".join(line.replace("#", str(number)) for number in range(1, 700)).encode()
    with wired(said + b"M1 OK done\r\n") as near, pytest.raises(CommandRefused, match="ever new flags or labels"):
        ask(near)
    same = re.sub(rb"\((a|b)\d+ b\d+\)", b"(a b)", said)
    with wired(same + b"M1 OK done\r\n") as near:
        ask(near)


BEFORE_LOGIN = {
    "responses": "* OK ever new #\r\n",
    "other responses": "* # EXISTS\r\n",
    "ever new kinds": "* X# said\r\n",
    "capabilities": "* CAPABILITY IMAP4rev1 X# Y#\r\n",
    "capability words": "X# ",
    "response codes": "* OK [X# #] said\r\n",
    "go-aheads": "+ go on #\r\n",
    "short lines": "*\r\n",
}


@pytest.mark.parametrize(
    ("where", "what"),
    [
        *[("GREETING", what) for what in ("responses", "short lines")],
        *[("CAPABILITY", what) for what in ("capabilities", "capability words", "ever new kinds")],
        *[("LOGIN", what) for what in ("response codes", "go-aheads", "other responses")],
        ("STARTTLS", "responses"),
    ],
)
def test_who_never_stops_talking_before_the_login_is_left(
    scripted: Start, mailmove: Program, where: str, what: str
) -> None:
    server = scripted(tls="starttls" if where == "STARTTLS" else "none")
    server.store.capabilities.remove("SASL-IR")
    flood = Flood(BEFORE_LOGIN[what], "* CAPABILITY" if what == "capability words" else "")
    if where == "CAPABILITY":
        server.script("GREETING\n    * OK hello")
    server.on(where, flood)
    keys: dict[str, Any] = {} if server.tls == "none" else {"ca_file": server.ca}
    mailmove.account(server, retry_waits=[], tls=server.tls, **keys)
    done, used = mailmove.measured("export")
    assert done.code == 6, (done.out, done.err)
    assert re.search("without end|does not end|turned us away|does not answer|wants more", done.err), done.err
    assert done.err.count("\n") <= 2
    assert flood.sent < 8 << 20, f"{flood.sent:,} octets were taken"
    assert used.memory < ROOM, f"{used.memory:,} octets"
    assert not server.count("EXAMINE")


FLOODS = {
    "LIST": '* LIST () "/" "folder #"\r\n',
    "STATUS": '* STATUS "folder #" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)\r\n',
    "QUOTA": '* QUOTA "root #" (STORAGE 1 #)\r\n',
    "EXPUNGE": "* # EXPUNGE\r\n",
    "VANISHED": f"* VANISHED #{',#' * 50}\r\n",
    "FLAGS": "* FLAGS (a# b#)\r\n",
    "codes": "* OK [X# #] said\r\n",
    "go-aheads": f"+ go on{' #' * 50}\r\n",
    "short lines": "* #\r\n",
    "FETCH of others": "* # FETCH (FLAGS (a#" + " keyword" * 50 + "))\r\n",
}


@pytest.mark.parametrize(
    ("where", "what"),
    [
        *[("LIST", what) for what in ("LIST", "short lines")],
        ("STATUS", "STATUS"),
        *[("EXAMINE", what) for what in ("FLAGS", "codes")],
        ("GETQUOTAROOT", "QUOTA"),
        *[("UID FETCH", what) for what in ("VANISHED", "EXPUNGE", "FETCH of others", "go-aheads")],
    ],
)
def test_an_answer_without_end_is_left(scripted: Start, mailmove: Program, where: str, what: str) -> None:
    server = scripted()
    server.store.add("INBOX", message(1))
    if where == "GETQUOTAROOT":
        server.store.capabilities.append("QUOTA")
    flood = Flood(FLOODS[what])
    server.on(where, flood)
    mailmove.account(server, retry_waits=[])
    done, used = mailmove.measured("audit" if where == "GETQUOTAROOT" else "export")
    assert done.code in (3, 6), (done.out, done.err)
    assert flood.sent < 24 << 20, f"{flood.sent:,} octets were taken"
    assert used.memory < ROOM, f"{used.memory:,} octets"
    told = [line for line in (done.out + done.err).splitlines() if " not end" in line or "wants more" in line]
    assert len(told) == 1, (done.out, done.err)
