"""One odd line about a message costs that message: it is archived and named, prune keeps it, all others are served."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailmove.imap import scan
from mailmove.model import Listed
from tests.fuzz.wires import wired
from tests.kit import Program, archived, hashes, message, total
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]

GOOD = b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 99)'
ODD = [
    b'* 50 FETCH (UID 50 FLAGS (ab"cd) INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 99)',
    b'* 50 FETCH (UID 50 FLAGS (\\Seen a(b) INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 99)',
    b'* 50 FETCH (UID 50 FLAGS (\\Seen (b)) INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 99)',
    b'* 50 FETCH (UID 50 FLAGS INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 99)',
    b'* 50 FETCH (UID 50 FLAGS (\\Seen) INTERNALDATE "04-May-2021 03:02:01 +0000 RFC822.SIZE 99)',
    b'* 50 FETCH UID 50 FLAGS (\\Seen) INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 99)',
    b'* 50 FETCH (UID 50 FLAGS (\\Seen) INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 99',
    b"* 50 FETCH " + b"(" * 50 + b"UID 50 RFC822.SIZE 99",
]


@pytest.mark.fault(70)
@pytest.mark.parametrize("odd", ODD)
def test_one_odd_line_in_a_listing_is_one_message(odd: bytes) -> None:
    lines = [odd if n == 50 else GOOD % (n, n) for n in range(1, 101)]
    said = b"".join(line + b"\r\n" for line in lines) + b"M1 OK done\r\n"
    with wired(said) as wire:
        wire.exists = 100
        listed = list(scan.listing(wire))
    good = Listed(0, 1_620_097_321, 99, frozenset({"\\Seen"}))
    assert [one for one in listed if not one.odd] == [good._replace(uid=n) for n in range(1, 101) if n != 50]
    assert [(one.uid, one.arrival, one.flags) for one in listed if one.odd] == [(50, None, frozenset())]


@pytest.mark.fault(70)
@pytest.mark.parametrize("flags", ['ab"cd', "\\\\Seen a(b", ")("])
def test_a_message_with_odd_flags_comes_home_and_stays(scripted: Start, mailmove: Program, flags: str) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(5)))
    inbox.mails[2].flags = {flags.replace("\\\\", "\\")}
    archive = mailmove.account(server)
    for _ in range(2):
        done = mailmove("export")
        assert done.code == 3, (done.out, done.err)
        assert "INBOX UID 3: prune keeps it" in done.out
        assert total(archived(archive)) == hashes(*map(message, range(5)))
    mailmove("prune", "--older-than", "30d", "--yes")
    assert inbox.bodies == [message(2)]


@pytest.mark.fault(70)
def test_a_go_ahead_that_nobody_asked_for_is_an_error_at_once(scripted: Start, mailmove: Program) -> None:
    server = scripted("EXAMINE /Odd/\n    + GO AHEAD")
    server.store.add("Odd", message(1))
    server.store.add("Other", message(2))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert "Odd: EXAMINE refused" in done.out
    assert archived(archive)["Other"] == hashes(message(2))


@pytest.mark.fault(99)
@pytest.mark.parametrize(
    ("command", "line"),
    [
        *[("export", line) for line in ("what is this", "{tag}", "M99 OK another's answer")],
        *[(command, "{tag} PERHAPS") for command in ("audit", "prune --older-than 30d --yes", "check --server")],
    ],
)
def test_a_line_that_is_no_response_costs_its_folder(
    scripted: Start, mailmove: Program, command: str, line: str
) -> None:
    """What follows it may be anything: the connection is given up, the folder is in doubt, and all others go on."""
    server = scripted()
    odd = server.store.add("A", message(1))
    other = server.store.add("B", message(2))
    archive = mailmove.account(server)
    assert command == "export" or mailmove("export").code == 0

    def nonsense(talk: Conversation, asked: Command) -> None:
        if talk.state.selected.name == b"A" and b"BODY" not in asked.raw:
            talk.line(line.replace("{tag}", asked.tag))
        talk.answer(asked)

    server.on("UID FETCH", nonsense)
    before = len(server.received)
    done = mailmove(*command.split())
    assert done.code == 3, (done.out, done.err)
    assert "A" in done.out and "unexpected answer to UID FETCH" in done.out, (done.out, done.err)
    assert len(server.received) - before <= 4, "a connection for the first answer, one for the second, one for the rest"
    assert odd.bodies == [message(1)]
    if command == "export":
        assert archived(archive)["B"] == hashes(message(2))
    if command.startswith("prune"):
        assert not other.mails


@pytest.mark.fault(99)
def test_a_server_that_makes_no_sense_whatever_the_folder_is_left(scripted: Start, mailmove: Program) -> None:
    server = scripted("UID FETCH\n    what is this\n    !answer")
    for number in range(20):
        server.store.add(f"F{number}", message(number))
    mailmove.account(server)
    done = mailmove("audit")
    assert done.code == 6, (done.out, done.err)
    assert len(server.received) < 12


@pytest.mark.fault(99)
def test_nonsense_that_does_not_come_again_costs_nothing(scripted: Start, mailmove: Program) -> None:
    server = scripted("UID FETCH #1\n    what is this\n    !answer")
    server.store.add("A", message(1))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert archived(archive)["A"] == hashes(message(1))
