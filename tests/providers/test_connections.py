"""How many connections at the same time: the table's limit, and the server's own when it refuses one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmove.cancel import Cancel
from mailmove.errors import Interrupted
from mailmove.imap.slots import Slots
from tests.kit import Mailbox, Program, archived, message
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted


def test_one_more_than_the_limit_waits_for_another_s_end() -> None:
    slots, cancel, third = Slots({"a": 2, "b": 1}.__getitem__), Cancel(), threading.Event()
    slots.take("a", cancel)
    slots.take("a", cancel)
    slots.take("b", cancel)  # another host, another limit

    def wait() -> None:
        slots.take("a", cancel)
        third.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not third.is_set()
    slots.give("a")
    thread.join(20)
    assert third.is_set()


def test_whoever_waits_for_a_slot_can_be_interrupted() -> None:
    slots, cancel = Slots(lambda host: 1), Cancel()
    slots.take("a", cancel)
    cancel.set()
    with pytest.raises(Interrupted):
        slots.take("a", cancel)


def test_a_refusal_lowers_the_limit_to_what_there_is() -> None:
    slots, cancel = Slots(lambda host: 9), Cancel()
    assert not slots.lower("a"), "others hold the connections: only time helps"
    slots.take("a", cancel)
    assert slots.lower("a")
    cancel.set()
    with pytest.raises(Interrupted):
        slots.take("a", cancel)


REFUSALS = [
    "NO [ALERT] Too many simultaneous connections. (Failure)",  # Gmail: support.google.com/mail/answer/7126229
    "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=1)",  # Dovecot
    "NO [LIMIT] too many connections",  # RFC 5530 3
]


def test_a_login_that_is_refused_for_now_is_not_a_wrong_password(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    """RFC 5530 3: UNAVAILABLE is temporary, whatever the text beside it."""
    server = scripted("""
        LOGIN
            {tag} NO [UNAVAILABLE] the user database rests
        """)
    table = Mailbox("scripted", server.host, server.port, "one").table("one", "retry_waits = []")
    mailmove.configure(table)
    done = mailmove("account", "test")
    assert done.code == 6
    assert "the server is busy: [UNAVAILABLE] the user database rests" in done.err


@pytest.mark.parametrize("refusal", REFUSALS)
def test_accounts_exported_at_the_same_time_take_turns_when_the_server_wants_that(
    scripted: Callable[..., Scripted], mailmove: Program, tmp_path: Path, refusal: str
) -> None:
    """The first keeps its connection until the second has been refused; the second waits for the first's end."""
    server = scripted()
    server.store.add("INBOX", *map(message, range(5)))
    refused = threading.Event()

    def login(talk: Conversation, command: Command) -> None:
        refused.set()
        talk.line(f"{command.tag} {refusal}")

    def listing(talk: Conversation, command: Command) -> None:
        assert refused.wait(60)
        talk.answer(command)

    server.on("LOGIN", login, nth=2)
    server.on("LIST", listing)
    boxes = [Mailbox("scripted", server.host, server.port, user) for user in ("one", "two")]
    tables = [box.table(box.user, f'archive = "{tmp_path / box.user}"', "retry_waits = []") for box in boxes]
    commands = [table + 'password_command = ["echo", "pw"]\n' for table in tables]
    mailmove.configure("\n".join(commands))
    done = mailmove("export", "--jobs", "2")
    assert done.code == 0, done.err
    names = [command.name for command in server.commands]
    assert names.count("LOGIN") == 3
    last = len(names) - names[::-1].index("LOGIN")
    assert names[:last].count("LIST") == 2, "the second tried again before the first had had its second look"
    assert archived(tmp_path / "one") == archived(tmp_path / "two")
    assert sum(archived(tmp_path / "two")["INBOX"].values()) == 5
