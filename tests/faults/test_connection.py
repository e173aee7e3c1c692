"""Connections that break, stall, drip or turn the client away: export waits, comes again, and ends complete."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailmove.cancel import Cancel
from mailmove.errors import Disconnected, Throttled
from mailmove.imap.refusal import DEFAULT_WAIT, refused
from mailmove.imap.session import Session
from mailmove.model import RETRY_WAITS, Endpoint, Password
from tests.kit import Mailbox, Program, archived, hashes, leftovers, message, total
from tests.servers.dovecot import Dovecot
from tests.servers.model import Command
from tests.servers.proxy import Fault, Proxy, sample
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]


@pytest.fixture
def proxy(dovecot: Dovecot) -> Iterator[Proxy]:
    made = Proxy(dovecot.imap)
    yield made
    made.stop()


@pytest.mark.fault(10, 11)
@pytest.mark.loss(23)
def test_a_connection_cut_anywhere_is_made_again_and_nothing_is_missing(
    mailbox: Mailbox, mailmove: Program, proxy: Proxy, tmp_path: Path
) -> None:
    mailbox.fill([message(number, size=3000) for number in range(6)])
    mailbox.fill([message(9)], "Sent")
    through = dataclasses.replace(mailbox, port=proxy.imap)

    def run(place: str) -> dict[str, object]:
        program = mailmove.elsewhere(place)
        archive = program.account(through)
        done = program("export")
        assert done.code == 0, (place, done.err)
        assert not leftovers(archive)
        return {folder: held for folder, held in archived(archive).items() if held}

    expected = mailbox.contents()
    expected = {folder: held for folder, held in expected.items() if held}
    assert run("whole") == expected
    points, struck = sample(proxy.octets, 20), 0
    for octet in points:
        proxy.arm(Fault("cut", octet=octet))
        assert run(f"cut{octet}") == expected
        struck += proxy.struck
    assert struck >= len(points) - 1  # the answer to LOGOUT, at the end, is not waited for


@pytest.mark.fault(10)
def test_a_literal_cut_short_leaves_no_file(scripted: Start, mailmove: Program) -> None:
    server = scripted("""
        UID FETCH /BODY/
            !cut 500
            !answer
    """)
    server.store.add("INBOX", message(1), message(2, size=2000))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, done.err
    assert "UID 2: the connection breaks each time" in done.out
    assert archived(archive)["INBOX"] == hashes(message(1)), "the first message is whole, the second never"
    assert not leftovers(archive)


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    "misbehaviour",
    [
        "* BYE going down for maintenance\n            !hangup",
        "* BYE\n            !hangup",
        "!hangup",
        "!silence",
        "!drip 0.05\n            !answer",
        "!raw * 1 FETCH (UID 1\n            !silence",
    ],
)
def test_a_server_that_stops_answering_is_left_and_come_back_to(
    scripted: Start, mailmove: Program, misbehaviour: str
) -> None:
    server = scripted(f"""
        UID FETCH #2
            {misbehaviour}
    """)
    server.store.add("INBOX", *map(message, range(3)))
    archive = mailmove.account(server, timeout=1)
    done = mailmove("export")
    assert done.code == 0, done.err
    assert total(archived(archive)) == hashes(*map(message, range(3)))
    assert len(server.received) == 2, "one connection was lost, one more made"


@pytest.mark.fault(10)
def test_a_line_that_breaks_after_each_message_is_worth_its_retries(scripted: Start, mailmove: Program) -> None:
    """Patience is for attempts that achieve nothing."""
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(8)))

    def one(talk: Conversation, command: Command) -> None:
        first, *_ = inbox.chosen(command.args[0])
        talk.send(server.store.fetched(inbox, first, command.args[1]) + b"\r\n")
        talk.hangup()

    server.on("UID FETCH", one, "BODY")
    archive = mailmove.account(server, retry_waits=[0])
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert total(archived(archive)) == hashes(*inbox.bodies)


def test_a_connection_that_stops_making_sense_is_not_asked_again(scripted: Start, mailmove: Program) -> None:
    """What follows on it would be taken for the answer to another command; patience is for one failure only."""
    server = scripted(r"""
        UID FETCH #1
            !answer s/\* 2 FETCH \(UID 2/half a line (UID 2/
    """)
    server.store.add("INBOX", *map(message, range(3)))
    archive = mailmove.account(server, retry_waits=[0])
    done = mailmove("export")
    assert done.code == 0, done.err
    assert total(archived(archive)) == hashes(*map(message, range(3)))
    assert len(server.received) == 2, "one connection was given up, one more made"


@pytest.mark.fault(11)
@pytest.mark.parametrize("command", ["GREETING", "LOGIN", "CAPABILITY", "LIST", "STATUS", "EXAMINE", "UID FETCH"])
@pytest.mark.parametrize("misbehaviour", ["!silence", "!hangup"])
def test_a_server_that_never_answers_is_given_up(
    scripted: Start, mailmove: Program, command: str, misbehaviour: str
) -> None:
    server = scripted(f"""
        {command}
            {misbehaviour}
    """)
    server.store.capabilities.clear()
    server.store.add("INBOX", message(1))
    mailmove.account(server, timeout=0.2)
    done = mailmove("export")
    assert done.code == 6, (done.out, done.err)
    assert len(server.received) <= 4, "three waits are configured"
    assert "box" in done.err or "box" in done.out


@pytest.mark.fault(11)
def test_time_between_attempts_grows_and_ends() -> None:
    """Without sleeping: the time that would be waited is what a Cancel is asked to wait."""
    waited: list[float] = []

    class Impatient(Cancel):
        def wait(self, seconds: float) -> None:
            waited.append(seconds)

    session = Session(Endpoint("localhost", 1, "user"), Password("pw"), Impatient())
    for _ in RETRY_WAITS:
        session.failed(Disconnected("gone"))
    with pytest.raises(Disconnected):
        session.failed(Disconnected("gone"))
    assert all(0.75 * wait <= got <= 1.25 * wait for wait, got in zip(RETRY_WAITS, waited, strict=True))
    session.progressed()
    session.failed(Disconnected("gone"))
    assert waited[-1] == 0.0, "patience begins anew after progress"


@pytest.mark.fault(39)
@pytest.mark.parametrize(
    ("answer", "least"),
    [
        ("NO [THROTTLED] slow down", DEFAULT_WAIT),
        ("NO [UNAVAILABLE] the backend is away", DEFAULT_WAIT),
        ("NO [INUSE] the mailbox is locked", DEFAULT_WAIT),
        ("NO [LIMIT] too many commands", DEFAULT_WAIT),
        ("BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", 92.415),
        ("NO Server Unavailable. Suggested backoff time: 7 seconds", 7.0),
    ],
)
def test_a_pause_that_a_server_asks_for_is_kept(answer: str, least: float) -> None:
    status, _, text = answer.partition(" ")
    error = refused("UID FETCH", status, text)
    assert isinstance(error, Throttled)
    waited: list[float] = []

    class Impatient(Cancel):
        def wait(self, seconds: float) -> None:
            waited.append(seconds)

    Session(Endpoint("localhost", 1, "user"), Password("pw"), Impatient()).failed(error)
    assert waited == [least]


@pytest.mark.fault(39)
def test_after_a_pause_the_export_goes_on_where_it_was(scripted: Start, mailmove: Program) -> None:
    server = scripted("""
        UID FETCH #1
            {tag} BAD Request is throttled. Suggested Backoff Time: 20 milliseconds
        UID FETCH #3
            * 1 FETCH (UID 1 FLAGS () INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 3 BODY[] {3}
            one)
            {tag} NO [UNAVAILABLE] Suggested Backoff Time: 20 milliseconds
        EXAMINE #1
            {tag} NO [INUSE] locked; suggested backoff time: 20 ms
        STATUS #1
            {tag} NO [UNAVAILABLE] suggested backoff time: 20 ms
    """)
    server.store.add("INBOX", b"one", message(2), message(3))
    archive = mailmove.account(server, retry_waits=[0] * 9)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert total(archived(archive)) == hashes(b"one", message(2), message(3))
    assert server.count("UID FETCH", r"UID FETCH 2:3 .*BODY") == 1, "what had come was not asked for again"


@pytest.mark.fault(39)
@pytest.mark.parametrize("where", ["LOGIN", "LIST", "EXAMINE", "UID FETCH"])
@pytest.mark.parametrize(
    "answer",
    [
        "NO Account exceeded command or bandwidth limits. (Failure)",
        "NO [THROTTLED] suggested backoff time: 4000000 ms",
    ],
)
def test_a_long_pause_is_left_to_the_next_run(scripted: Start, mailmove: Program, where: str, answer: str) -> None:
    server = scripted(f"""
        {where}
            {{tag}} {answer}
    """)
    server.store.add("INBOX", message(1))
    mailmove.account(server)
    done = mailmove("export")
    assert done.code == 6, (done.out, done.err)
    assert server.count(where) == 1
    assert "Run" in done.err + done.out


@pytest.mark.fault(39)
def test_a_full_mailbox_can_be_exported(scripted: Start, mailmove: Program) -> None:
    server = scripted("""
        UID FETCH #1
            * NO [OVERQUOTA] the mailbox is full
            !answer
        EXAMINE
            * OK [ALERT] You are out of storage
            !answer
    """)
    server.store.add("INBOX", message(1))
    mailmove.account(server)
    assert mailmove("export").code == 0


@pytest.mark.fault(50)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_in_the_middle_of_a_batch_ends_it_cleanly(scripted: Start, mailmove: Program, how: int) -> None:
    server = scripted()
    bodies = [*map(message, range(4)), message(4, size=24 << 20)]
    server.store.add("INBOX", *bodies)
    archive = mailmove.account(server)
    reached = threading.Event()

    def stuck(talk: Conversation, command: Command) -> None:
        talk.answer(command, lambda answer: answer[: 20 << 20])
        talk.flush()  # returns when the client has taken more than the system's buffers hold
        reached.set()
        talk.silence()

    server.on("UID FETCH", stuck, "BODY", nth=1)
    with mailmove.started("export") as process:
        assert reached.wait(20)
        process.send_signal(how)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "interrupted" in out
    assert "1 message not fetched yet" in out
    assert not leftovers(archive)
    assert total(archived(archive)) == hashes(*bodies[:4])
    again = mailmove("export", "--json")
    assert again.code == 0
    assert again.json["accounts"][0]["folders"][0]["fetched"] == 1
    assert total(archived(archive)) == hashes(*bodies)
