"""Gmail, where a folder is a label: a message goes as a whole or not at all, and what is gone is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove.errors import Exit, LackingError
from mailmove.imap.outcome import IN_TRASH
from mailmove.plan.policy import Asked, Policy
from mailmove.report import prune as report
from mailmove.units import parse_age
from tests.kit import NOW, archived, hashes, message, total
from tests.pruning import OLDER_THAN_30D, Pruner
from tests.servers.model import Command, Gmail
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]
OLD = NOW - timedelta(days=400)
YOUNG = NOW - timedelta(days=2)


@pytest.fixture
def gmail() -> Gmail:
    return Gmail()


@pytest.fixture
def server(scripted: Start, gmail: Gmail) -> Scripted:
    return scripted(store=gmail)


@pytest.fixture
def pruner(server: Scripted, tmp_path: Path) -> Pruner:
    return Pruner(server.port, "user", tmp_path)


@pytest.mark.fault(21)
@pytest.mark.loss(7, 15, 40)
def test_the_strictest_label_wins(gmail: Gmail, pruner: Pruner) -> None:
    one = gmail.deliver(message(1), "INBOX", arrival=OLD)
    two = gmail.deliver(message(2), "INBOX", "Taxes", arrival=OLD)
    three = gmail.deliver(message(3), "INBOX", "Work", arrival=OLD)
    four = gmail.deliver(message(4), arrival=OLD)
    young = gmail.deliver(message(5), "INBOX", arrival=YOUNG)
    policy = Policy(age=parse_age("30d"), folders={"Taxes": None})
    result = pruner(Asked(), policy)
    assert (result.exit, result.gone) == (Exit.DONE, 3)
    assert gmail.labels(one) == gmail.labels(three) == gmail.labels(four) == set()
    assert gmail.labels(two) == {b"INBOX", b"Taxes", b"[Gmail]/All Mail"}
    assert gmail.labels(young) == {b"INBOX", b"[Gmail]/All Mail"}
    assert total(archived(pruner.archive)) >= hashes(message(1), message(3), message(4))
    said = "\n".join(report.text(result))
    assert "1 kept by another label" in said and "moved to Trash" in said


@pytest.mark.fault(21)
def test_a_label_that_was_left_out_keeps_its_messages(gmail: Gmail, pruner: Pruner) -> None:
    kept = gmail.deliver(message(1), "INBOX", "Work", arrival=OLD)
    gone = gmail.deliver(message(2), "INBOX", arrival=OLD)
    result = pruner(Asked(age=parse_age("30d"), folders=("INBOX",)))
    assert result.gone == 1
    assert gmail.labels(gone) == set() and gmail.labels(kept) == {b"INBOX", b"Work", b"[Gmail]/All Mail"}


@pytest.mark.fault(21)
@pytest.mark.loss(40)
def test_what_trash_keeps_is_not_reported_as_gone(gmail: Gmail, server: Scripted, pruner: Pruner) -> None:
    msgid = gmail.deliver(message(1), "INBOX", arrival=OLD)
    server.script("""
        UID STORE
            {tag} OK done
        UID EXPUNGE
            {tag} OK done
    """)
    result = pruner()
    assert (result.exit, result.gone) == (Exit.PARTIAL, 0)
    assert gmail.labels(msgid) == {b"[Gmail]/Trash"}
    assert IN_TRASH in "\n".join(report.text(result))


def test_what_is_in_trash_already_is_expunged_there_and_other_trash_stays(gmail: Gmail, pruner: Pruner) -> None:
    old = gmail.deliver(message(1), "[Gmail]/Trash", arrival=OLD)
    other = gmail.deliver(message(2), "[Gmail]/Trash", arrival=YOUNG)
    gone = gmail.deliver(message(3), "INBOX", arrival=OLD)
    assert pruner().gone == 2
    assert gmail.labels(old) == gmail.labels(gone) == set()
    assert gmail.labels(other) == {b"[Gmail]/Trash"}


def test_a_connection_lost_after_the_move_is_resumed(gmail: Gmail, server: Scripted, pruner: Pruner) -> None:
    msgid = gmail.deliver(message(1), "INBOX", arrival=OLD)
    server.script("UID STORE #1\n    !hangup")
    assert pruner().gone == 1
    assert gmail.labels(msgid) == set()


def test_without_a_trash_nothing_is_done(gmail: Gmail, server: Scripted, pruner: Pruner) -> None:
    gmail.deliver(message(1), "INBOX", arrival=OLD)
    gmail.folders[Gmail.TRASH].attributes = ""
    with pytest.raises(LackingError, match="Trash"):
        pruner(OLDER_THAN_30D)
    assert not server.deletions


@pytest.mark.fault(21)
def test_where_a_label_does_not_list_all_it_has_nothing_is_decided(
    gmail: Gmail, server: Scripted, pruner: Pruner
) -> None:
    """Work shows one message of two: the other may be the one that INBOX would let go."""
    kept = gmail.deliver(message(1), "INBOX", "Work", arrival=OLD)
    gmail.deliver(message(2), "Work", arrival=OLD)
    pruner.export()

    def leave_out(talk: Conversation, command: Command) -> None:
        whole = talk.state.selected
        assert whole is not None
        lines = list(server.store.answer(talk.state, command))
        if whole.name == b"Work":
            lines = [line for line in lines if str(kept).encode() not in line]
        talk.send(b"".join(line + b"\r\n" for line in lines) + f"{command.tag} OK done\r\n".encode())

    server.on("UID FETCH", leave_out)
    with pytest.raises(LackingError, match="labels of Work"):
        pruner(Asked(age=parse_age("30d"), folders=("INBOX",)))
    assert not server.deletions
