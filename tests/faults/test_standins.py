"""A stand-in is not the message: it is kept beside the mail, named, asked for again, and never a reason to delete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import Program, archived, hashes, message, total
from tests.pruning import Pruner
from tests.servers.personalities import Exchange
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]

PRUNE = ("prune", "--older-than", "30d", "--yes")
WHY = "INBOX UID 2: the server announced 40,778 octets and sent 463"


@pytest.fixture
def exchange() -> Exchange:
    """Three old messages, the second of which it cannot convert."""
    store = Exchange(2)
    store.add("INBOX", message(1), message(2, size=40_000), message(3))
    return store


def doubted(archive: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((archive / ".mailmove/doubted").iterdir())]


@pytest.mark.fault(67)
def test_a_stand_in_is_never_the_message(scripted: Start, exchange: Exchange, mailmove: Program) -> None:
    server, inbox = scripted(store=exchange), exchange["INBOX"]
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3 and WHY in done.out, done.out + done.err
    assert "mailmove show INBOX:2" in done.out and "mailmove export --take INBOX:2" in done.out
    assert total(archived(archive)) == hashes(inbox.bodies[0], inbox.bodies[2])
    assert doubted(archive) == [exchange.stand_in(inbox, inbox.mails[1])]
    done = mailmove(*PRUNE)
    assert done.code == 3 and [mail.uid for mail in inbox.mails] == [2], done.out + done.err
    asked = server.count("UID FETCH", "BODY")
    assert mailmove("export").code == 3
    assert server.count("UID FETCH", "BODY") == asked + 1
    assert mailmove("reindex").code == 0 and mailmove("check").code == 0
    assert len(doubted(archive)) == 2, "it counts messages differently now, so it is another stand-in"
    exchange.withheld.clear()
    assert mailmove("export").code == 0
    assert mailmove(*PRUNE).code == 0
    assert not inbox.mails


@pytest.mark.fault(67)
def test_what_came_can_be_looked_at_and_taken(scripted: Start, exchange: Exchange, mailmove: Program) -> None:
    server, inbox = scripted(store=exchange), exchange["INBOX"]
    archive = mailmove.account(server)
    mailmove("export")
    shown = mailmove("show", "INBOX:2")
    assert shown.code == 0 and "The server couldn't retrieve the following message" in shown.out, shown.out + shown.err
    assert "Doubted:" in shown.out and "mailmove export --take INBOX:2" in shown.out
    assert mailmove("show", "INBOX:1").code == 0, "what is not doubted can be named so, too"
    for wrong in ("INBOX:99", "No such:1", "INBOX:x", "INBOX:1,2"):
        assert mailmove("show", wrong).code == 2, wrong
    assert mailmove("export", "--take", "INBOX:99").code == 2

    stand_in = exchange.stand_in(inbox, inbox.mails[1])
    assert mailmove("export", "--take", "INBOX:2").code == 0
    assert total(archived(archive)) == hashes(inbox.bodies[0], stand_in, inbox.bodies[2])
    done = mailmove(*PRUNE)
    assert done.code == 0 and not inbox.mails, done.out + done.err


@pytest.mark.fault(67)
def test_another_body_is_a_new_doubt(scripted: Start, exchange: Exchange, mailmove: Program) -> None:
    inbox = exchange["INBOX"]
    archive = mailmove.account(scripted(store=exchange))
    mailmove("export")
    exchange.STAND_IN = exchange.STAND_IN.replace(b"somebody", b"somebody else")
    assert mailmove("export", "--take", "INBOX:2").code == 3
    assert total(archived(archive)) == hashes(inbox.bodies[0], inbox.bodies[2])
    assert len(doubted(archive)) == 2
    assert "somebody else" in mailmove("show", "INBOX:2").out, "the last that came"


@pytest.mark.fault(67)
def test_a_stand_in_that_was_archived_before_anybody_doubted_is_not_proven_and_asked_for_again(
    scripted: Start, exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = exchange["INBOX"]
    server = scripted(store=exchange)
    pruner = Pruner(server.port, "me", tmp_path)
    with monkeypatch.context() as before:
        before.setattr("mailmove.plan.standin.doubt", lambda *_: "")
        assert pruner.export().exit == 0
    result = pruner()
    assert (result.exit, [mail.uid for mail in inbox.mails]) == (3, [2])
    assert pruner.export().exit == 3
    exchange.withheld.clear()
    assert pruner.export().exit == 0
    assert pruner().exit == 0 and not inbox.mails


@pytest.mark.fault(67)
def test_a_stand_in_whose_size_is_the_one_announced_is_doubted_too(
    scripted: Start, exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it comes, and when what is archived is proven: what has no Message-ID is read, whatever its size."""
    inbox = exchange["INBOX"]
    inbox.mails[1].size = len(exchange.stand_in(inbox, inbox.mails[1]))
    pruner = Pruner(scripted(store=exchange).port, "me", tmp_path)
    with monkeypatch.context() as before:
        before.setattr("mailmove.plan.standin.doubt", lambda *_: "")
        assert pruner.export().exit == 0
    result = pruner()
    assert (result.exit, [mail.uid for mail in inbox.mails]) == (3, [2])
    assert pruner.export().exit == 3


def test_estimates_stay_prunable(scripted: Start, mailmove: Program) -> None:
    store = Exchange(estimate=0.7)
    store.add("INBOX", *(message(number, size=size) for number, size in enumerate((300, 3_000, 60_000))))
    mailmove.account(scripted(store=store))
    assert mailmove(*PRUNE).code == 0
    assert not store["INBOX"].mails
