r"""A message whose line turns odd between plan and deletion stays, and it alone; none is left with a mark of ours."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mailmove.errors import CommandRefused
from mailmove.imap.deletion import unmark
from mailmove.imap.outcome import ODD, Outcome
from tests.faults.test_deletion import INBOX, flags, listing, wire
from tests.kit import message
from tests.pruning import delete
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]
Edit = Callable[[bytes], bytes]

pytestmark = pytest.mark.fault(70)


@pytest.fixture
def server(scripted: Start) -> Scripted:
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 6)), flags={"\\Seen"})
    return server


def odd(pattern: bytes, instead: bytes) -> Edit:
    """An edit of the line about UID 2."""
    return lambda told: b"".join(
        re.sub(pattern, instead, line) if b"UID 2 " in line else line for line in told.splitlines(keepends=True)
    )


def seen(*uids: int) -> dict[int, set[str]]:
    """The flags of these messages where nothing was done to them."""
    return {uid: {"\\Seen"} for uid in uids}


def from_now_on(server: Scripted, edit: Edit, items: str) -> None:
    """Let every FETCH of these items be answered so."""

    def answer(talk: Conversation, command: Command) -> None:
        del command.args[2:]  # what was changed since then is told by edit
        talk.answer(command, edit)

    server.on("UID FETCH", answer, items)


ODD_ANSWERS = [
    odd(rb"FLAGS \(", b'FLAGS (a"b '),
    odd(rb"FLAGS \(", b"FLAGS ("),
    odd(rb"FLAGS \([^)]*\)", b"FLAGS NIL"),
    odd(rb"FLAGS \([^)]*\)", b"FLAGS (\\\\Seen) FLAGS ()"),
    odd(rb"\)\r\n", b"\r\n"),
]
SHORTER = [odd(rb"RFC822.SIZE \d+", b"RFC822.SIZE " + b"9" * 30), odd(rb'INTERNALDATE "[^"]*"', b"INTERNALDATE NIL")]


@pytest.mark.parametrize("edit", [ODD_ANSWERS[0], *ODD_ANSWERS[2:], *SHORTER])
def test_before_it_is_marked(server: Scripted, edit: Edit) -> None:
    inbox = server.store["INBOX"]
    with wire(server) as line:
        wanted = listing(line, 1, 2, 3)
        from_now_on(server, edit, "RFC822.SIZE")
        assert delete(line, INBOX, inbox.uidvalidity, wanted) == Outcome(frozenset({1, 3}), left={2: ODD})
    assert flags(inbox) == seen(2, 4, 5)


@pytest.mark.parametrize("edit", [ODD_ANSWERS[0], *ODD_ANSWERS[2:]])
@pytest.mark.parametrize("condstore", [False, True])
def test_after_it_was_marked(server: Scripted, edit: Edit, condstore: bool) -> None:
    """With CHANGEDSINCE (RFC 7162) only what changed is told: an answer that cannot be read is no silence."""
    inbox = server.store["INBOX"]
    if condstore:
        server.store.capabilities.append("CONDSTORE")
        server.script("SELECT\n    * OK [HIGHESTMODSEQ 7] x\n    !answer")
        server.on("UID STORE", stored, r"\+FLAGS")
    with wire(server) as line:
        wanted = listing(line, 1, 2, 3)
        from_now_on(server, lambda told: only(2, edit(told)) if condstore else edit(told), r"\(UID FLAGS\)")
        outcome = delete(line, INBOX, inbox.uidvalidity, wanted)
    assert bool(server.count("UID FETCH", "CHANGEDSINCE")) == condstore
    assert outcome == Outcome(frozenset({1, 3}), left={2: ODD})
    assert flags(inbox) == seen(2, 4, 5)


def stored(talk: Conversation, command: Command) -> None:
    """STORE as a server with CONDSTORE answers it."""
    command.args[1:2] = [] if isinstance(command.args[1], list) else [command.args[1]]
    told = b"".join(b"* %d FETCH (UID %d MODSEQ (8))\r\n" % (uid, uid) for uid in (1, 2, 3))
    talk.answer(command, lambda said: told + said)


def only(uid: int, told: bytes) -> bytes:
    """Of these responses that about a message, and the completion."""
    lines = told.splitlines(keepends=True)
    return b"".join(line for line in lines if b"UID %d " % uid in line or not line.startswith(b"* "))


@pytest.mark.parametrize("items", ["RFC822.SIZE", r"\(UID FLAGS\)"])
def test_a_line_that_names_no_message_keeps_them_all(server: Scripted, items: str) -> None:
    inbox = server.store["INBOX"]
    with wire(server) as line:
        wanted = listing(line, 1, 2, 3)
        from_now_on(server, odd(rb"UID 2 (.*)\)", rb"\1("), items)
        try:
            outcome = delete(line, INBOX, inbox.uidvalidity, wanted)
        except CommandRefused as error:
            assert "cannot be read" in str(error)
        else:
            assert outcome.left.keys() == {1, 2, 3}
    assert flags(inbox) == seen(1, 2, 3, 4, 5)


def test_what_may_carry_our_mark_is_unmarked(server: Scripted) -> None:
    inbox = server.store["INBOX"]
    with wire(server) as line:
        wanted = listing(line, 1, 2)
        for mail in inbox.mails[:2]:
            mail.flags.add("\\Deleted")
        from_now_on(server, ODD_ANSWERS[0], "RFC822.SIZE")
        outcome = delete(line, INBOX, inbox.uidvalidity, wanted, tried=(1, 2))
        assert outcome == Outcome(frozenset({1}), left={2: ODD})
        assert flags(inbox)[2] == {"\\Seen"}
        inbox.mails[0].flags.add("\\Deleted")
        assert unmark(line, INBOX, inbox.uidvalidity, {2}).left.keys() == {2}
    assert flags(inbox)[2] == {"\\Seen"}
