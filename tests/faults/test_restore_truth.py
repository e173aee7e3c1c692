"""restore tells the truth: what is on the server and not as it was sent is named, each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.kit import Program, message
from tests.servers.model import Refused, State, Store, Value
from tests.servers.personalities import Cyrus
from tests.servers.scripted import Scripted

Serve = Callable[..., Scripted]

EIGHT_BIT = message(1).replace(b"Subject: ", b"Subject: Gr\xf6\xdfe ")
WHY = "it is there, but the server changed it: 2 octets above 0x7F in its header are X now"


def emptied(serve: Serve, program: Program, store: Store, *messages: bytes) -> Scripted:
    """A server that has lost what an archive holds."""
    server = serve(store=store)
    inbox = store.add("INBOX", *messages)
    program.account(server)
    assert program("export").code == 0
    inbox.mails.clear()
    return server


class Untold(Cyrus):
    """It does not tell which UIDs it gives."""

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        super().do_append(state, name, *args)
        self.completion = "appended"


@pytest.mark.fault(68)
@pytest.mark.parametrize("store", [Cyrus, Untold])
def test_what_the_server_changed_is_named_each_time(
    scripted: Serve, mailmove: Program, store: Callable[[], Store]
) -> None:
    mailbox = store()
    others = [message(number) for number in range(2, 40)]
    server = emptied(scripted, mailmove, mailbox, EIGHT_BIT, *others)
    done = mailmove("restore", "--all", "--yes")
    assert done.code == 3 and WHY in done.out, done.out + done.err
    assert "finds each of them" not in done.out
    assert server.count("UID FETCH", "BODY") <= 40 + 39, "a sample of the others is read back, not all"
    for again in (("--yes",), ("--dry-run",), ("--yes", "-q")):
        done = mailmove("restore", "--all", *again)
        assert done.code == 3 and WHY in done.out + done.err, (again, done.out, done.err)
        assert len(mailbox["INBOX"].mails) == 39, "nothing is put there twice"
    (account,) = mailmove("restore", "--all", "--yes", "--json").json["accounts"]
    assert [failure["there"] for failure in account["folders"][0]["failures"]] == [True]


class NoKeywords(Store):
    r"""PERMANENTFLAGS without ``\*``, and BAD for each message that has a keyword, as some servers answer."""

    def do_examine(self, state: State, name: bytes, *, writable: bool = False) -> Iterator[bytes]:
        for line in super().do_examine(state, name, writable=writable):
            yield line.replace(b" \\*)", b")")

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        if any(isinstance(value, list) and b"$Forwarded" in value for value in args):
            raise Refused("BAD invalid flag")
        super().do_append(state, name, *args)


def test_each_message_of_a_batch_goes_back_without_its_keyword_in_one_run(scripted: Serve, mailmove: Program) -> None:
    store = NoKeywords()
    server = scripted(store=store)
    inbox = store.add("INBOX", *map(message, range(250)), flags=["$Forwarded", "\\Flagged"])
    mailmove.account(server)
    assert mailmove("export").code == 0
    bodies = Counter(inbox.bodies)
    inbox.mails.clear()
    done = mailmove("restore", "--all", "--yes", "--json")
    assert done.code == 0, done.out + done.err
    assert Counter(inbox.bodies) == bodies
    assert {frozenset(mail.flags) for mail in inbox.mails} == {frozenset({"\\Flagged"})}
    assert server.count("APPEND") <= 250 + 250, "what was learned is kept to"
