"""restore, where a quota counts other octets than IMAP announces, or the names of folders are refused."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable

import pytest

from mailmove import utf7
from tests.kit import Program, message
from tests.servers.model import Refused, State, Store, Value
from tests.servers.personalities import Courier
from tests.servers.scripted import Scripted

Serve = Callable[..., Scripted]


@pytest.mark.fault(39)
def test_half_is_half_as_the_server_counts_and_all_of_it_goes_back(scripted: Serve, mailmove: Program) -> None:
    store = Courier()
    inbox = store.add("INBOX", *(message(number, size=40_000) for number in range(60)))  # 1.6 % less in LF
    store.limit = store.used + 1024  # full, as its owner finds it
    before = Counter(inbox.bodies)
    mailmove.account(scripted(store=store))
    assert mailmove("export").code == 0
    done = mailmove("prune", "--down-to", "50%", "--yes", "--max-delete", "100%", "--json")
    assert done.code == 0, done.out + done.err
    assert 0.46 < store.used / store.limit <= 0.5
    back = mailmove("restore", "--run", done.json["accounts"][0]["run"], "--yes")
    assert back.code == 0, back.out + back.err
    assert Counter(inbox.bodies) == before


class Picky(Store):
    """It makes no folder but of letters, digits and few marks."""

    def do_create(self, state: State, name: bytes, *use: Value) -> None:
        if set(name) & set(b"%{}~&*"):
            raise Refused("NO [CANNOT] invalid mailbox name")
        super().do_create(state, name, *use)


def test_the_line_to_type_for_a_refused_folder_name_works(scripted: Serve, mailmove: Program) -> None:
    names = ["100%", "{5}", "~x", "\N{SNOWMAN} \N{FIRE}", "a*b", "-n 'q'%"]
    old, new = Store(), Picky()
    for number, name in enumerate(names):
        old.add(utf7.encode(name), message(number))
    mailmove.account(scripted(store=old), name="old")
    assert mailmove("export", "old").code == 0
    mailmove.account(scripted(store=new), name="new")
    refused = mailmove("restore", "--all", "--account", "old", "--to", "new", "--yes")
    assert refused.code == 3, refused.out + refused.err
    lines = [line.split() and shlex.split(line) for line in refused.out.splitlines() if line.startswith("  mailmove ")]
    assert len(lines) == len(names), refused.out
    for line in lines:
        done = mailmove(*line[1:], "--yes")
        assert done.code == 0, (line, done.out, done.err)
    held = Counter(body for box in new.folders.values() for body in box.bodies)
    assert held == Counter(map(message, range(len(names))))
