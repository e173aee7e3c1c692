"""Servers that say they are busy: waited for a few times, then it is this message or this folder that they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailmove.cancel import Cancel
from mailmove.errors import Busy, CommandRefused, Disconnected, Exit, Throttled
from mailmove.imap.refusal import DEFAULT_WAIT, refused, said_bye
from mailmove.imap.session import PAUSES, Session
from mailmove.model import Endpoint, Password
from tests.kit import Program, archived, hashes, message, total
from tests.servers.model import Command
from tests.servers.personalities import Yahoo
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]

WORDS = [
    Yahoo.FAILURE,
    "NO UID FETCH Server error. Please try again later",
    "NO [INUSE] the mailbox is locked",
    "BAD [LIMIT] too much",
    "NO [THROTTLED] slow down",
    "NO rate limit hit",
    "NO Request is throttled",
]
REFUSAL = "NO [SERVERBUG] Internal error"


@pytest.mark.fault(72)
@pytest.mark.parametrize("words", WORDS)
def test_in_all_of_these_words_a_server_is_busy_until_it_is_not_believed(words: str) -> None:
    status, _, text = words.partition(" ")
    assert isinstance(refused("UID FETCH", status, text), Busy)
    doubted = refused("UID FETCH", status, text, believed=False)
    assert isinstance(doubted, CommandRefused) and doubted.busy


@pytest.mark.fault(29, 72)
@pytest.mark.parametrize("words", [WORDS[0], WORDS[3], REFUSAL])
def test_a_message_that_a_server_is_always_too_busy_for_is_named_and_all_others_are_saved(
    scripted: Start, mailmove: Program, words: str
) -> None:
    yahoo = Yahoo(3, failure=words)
    server = scripted(store=yahoo)
    inbox = server.store.add("INBOX", *map(message, range(40)))
    later = server.store.add("Later", message(99))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert f"INBOX UID 3: the server refuses it: {words.partition(' ')[2]}" in done.out
    assert total(archived(archive)) == hashes(*(m.body for m in inbox.mails if m.uid != 3), *later.bodies)
    assert server.count("UID FETCH", "BODY") < PAUSES + 20, "waiting, and a search by halves"
    yahoo.poison.clear()
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(*inbox.bodies, *later.bodies)


@pytest.mark.fault(72)
@pytest.mark.parametrize("poison", [range(1, 31), range(5, 25), range(30, 61)])
def test_many_such_messages_side_by_side_do_not_hide_the_others(
    scripted: Start, mailmove: Program, poison: range
) -> None:
    server = scripted(store=Yahoo(*poison))
    inbox = server.store.add("INBOX", *map(message, range(70)))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert total(archived(archive)) == hashes(*(m.body for m in inbox.mails if m.uid not in poison))
    assert f"INBOX UIDs {poison[0]}-{poison[-1]}: the server refuses it" in done.out


@pytest.mark.fault(72)
def test_a_folder_of_nothing_else_costs_itself_and_not_a_question_for_each_message(
    scripted: Start, mailmove: Program
) -> None:
    server = scripted(store=Yahoo(*range(1, 1001)))
    server.store.add("INBOX", *map(message, range(1000)))
    later = server.store.add("Later", message(99))
    later.mails[0].uid = 5000
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert "INBOX: UID FETCH refused: NO [UNAVAILABLE]" in done.out
    assert "not fetched yet" in done.out
    assert total(archived(archive)) == hashes(*later.bodies)
    assert server.count("UID FETCH", "BODY") < 50


@pytest.mark.fault(72)
@pytest.mark.parametrize("command", ["EXAMINE", "STATUS", "UID FETCH"])
def test_a_folder_that_a_server_is_always_too_busy_for_does_not_stop_the_others(
    scripted: Start, mailmove: Program, command: str
) -> None:
    server = scripted()
    server.store.add("A", message(1))
    server.store.add("B", message(2))

    def busy(talk: Conversation, asked: Command) -> None:
        about = talk.state.selected.name if command == "UID FETCH" else asked.args[0]
        return talk.line(f"{asked.tag} NO [INUSE] locked") if about == b"A" else talk.answer(asked)

    server.on(command, busy)
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert "A: " in done.out
    assert "locked" in done.out
    assert archived(archive)["B"] == hashes(message(2))
    assert mailmove("audit").code == 3
    assert len(server.received) == 2, "no connection was lost"


@pytest.mark.fault(72)
@pytest.mark.parametrize("command", ["LIST", "EXAMINE"])
def test_a_server_that_is_busy_whatever_it_is_asked_is_left_for_the_next_run(
    scripted: Start, mailmove: Program, command: str
) -> None:
    server = scripted(f"""
        {command}
            {{tag}} NO [UNAVAILABLE] the backend is away
    """)
    for number in range(20):
        server.store.add(f"F{number}", message(number))
    mailmove.account(server)
    done = mailmove("export")
    assert done.code in (3, 6), (done.out, done.err)
    assert "the backend is away" in done.out + done.err
    assert server.count(command) < PAUSES + 5


@pytest.mark.fault(39, 72)
def test_waits_for_such_a_server_are_a_matter_of_seconds() -> None:
    waited: list[float] = []

    class Impatient(Cancel):
        def wait(self, seconds: float) -> None:
            waited.append(seconds)

    session = Session(Endpoint("localhost", 1, "user"), Password("pw"), Impatient())
    error = refused("UID FETCH", "NO", "[UNAVAILABLE] for days")
    assert isinstance(error, Busy)
    for _ in range(1000):
        session.failed(error)
    assert waited == [DEFAULT_WAIT] * PAUSES
    told = refused("UID FETCH", "NO", "[UNAVAILABLE] for days", believed=False)
    assert isinstance(told, CommandRefused)
    assert (told.busy, told.exit) == (True, Exit.UNREACHABLE)


@pytest.mark.fault(39)
def test_a_time_that_a_server_asks_for_is_kept_even_by_those_who_doubt_it() -> None:
    error = refused("UID FETCH", "NO", "Request is throttled. Suggested Backoff Time: 7 seconds", believed=False)
    assert isinstance(error, Throttled)
    assert not isinstance(error, Busy)
    assert error.wait == 7


@pytest.mark.fault(11, 72)
def test_a_server_that_hangs_up_because_it_is_busy_is_a_connection_that_broke() -> None:
    error = said_bye("[UNAVAILABLE] backend down")
    assert isinstance(error, Disconnected)
    assert error.wait == DEFAULT_WAIT
