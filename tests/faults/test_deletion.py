r"""The one function that deletes, against servers that do what none should: nothing else goes, the truth is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mailmove.cancel import Cancel
from mailmove.errors import Disconnected, LackingError
from mailmove.imap import pace, scan
from mailmove.imap.deletion import unmark
from mailmove.imap.folders import select
from mailmove.imap.outcome import CHANGED, REPLACED, STILL_THERE, Outcome
from mailmove.imap.session import Session
from mailmove.imap.wire import Wire
from mailmove.model import Endpoint, Folder, Listed, Password, Security
from tests.kit import NOW, message
from tests.pruning import delete
from tests.servers.model import Box, Command
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]
INBOX = Folder(b"INBOX")


@pytest.fixture
def server(scripted: Start) -> Scripted:
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 11)), flags={"\\Seen"})
    return server


@contextmanager
def wire(server: Scripted) -> Iterator[Wire]:
    endpoint = Endpoint(server.host, server.port, "user", Security.NONE)
    with Session(endpoint, Password("pw"), Cancel()) as session:
        yield session.wire


def listing(wire: Wire, *uids: int) -> dict[int, Listed]:
    select(wire, INBOX)
    return scan.find(wire, uids)


def run(server: Scripted, *uids: int, again: bool = False, meanwhile: Callable[[], object] = lambda: None) -> Outcome:
    """List the messages, let something happen, delete them."""
    inbox = server.store["INBOX"]
    with wire(server) as line:
        wanted = listing(line, *uids)
        uidvalidity = inbox.uidvalidity
        meanwhile()
        return delete(line, INBOX, uidvalidity, wanted, tried=uids if again else ())


def flags(inbox: Box) -> dict[int, set[str]]:
    return {mail.uid: mail.flags for mail in inbox.mails}


def test_exactly_these_go_by_uid_and_nothing_is_ever_closed(server: Scripted) -> None:
    assert run(server, 1, 2, 3, 7) == Outcome(gone=frozenset({1, 2, 3, 7}))
    assert server.store["INBOX"].uids == [4, 5, 6, 8, 9, 10]
    assert [raw.split(b" ", 1)[1] for raw in server.deletions] == [
        rb"UID STORE 1:3,7 +FLAGS.SILENT (\Deleted)",
        b"UID EXPUNGE 1:3,7",
    ]


@pytest.mark.fault(18)
@pytest.mark.loss(39)
def test_what_another_client_marked_stays(server: Scripted) -> None:
    server.store["INBOX"].mails[4].flags.add("\\Deleted")
    run(server, 1, 2)
    assert server.store["INBOX"].uids == [3, 4, 5, 6, 7, 8, 9, 10]
    assert flags(server.store["INBOX"])[5] == {"\\Seen", "\\Deleted"}


@pytest.mark.fault(18)
@pytest.mark.loss(39)
def test_without_uidplus_nothing_is_even_marked(server: Scripted) -> None:
    server.store.capabilities.remove("UIDPLUS")
    with pytest.raises(LackingError):
        run(server, 1, 2)
    assert not server.deletions


@pytest.mark.fault(13, 15)
@pytest.mark.parametrize("uidvalidity", [1, 0])
def test_another_uidvalidity_loses_nothing(server: Scripted, uidvalidity: int) -> None:
    inbox = server.store["INBOX"]
    outcome = run(server, 1, 2, meanwhile=lambda: setattr(inbox, "uidvalidity", uidvalidity))
    assert outcome.left.keys() == {1, 2} and "UIDVALIDITY" in outcome.problem
    assert not server.deletions


@pytest.mark.fault(13, 15)
def test_nothing_goes_from_a_folder_without_uidvalidity(server: Scripted) -> None:
    server.store["INBOX"].uidvalidity = 0
    outcome = run(server, 1, 2)
    assert outcome.left.keys() == {1, 2} and "UIDVALIDITY" in outcome.problem
    assert not server.deletions


@pytest.mark.fault(16)
@pytest.mark.loss(6, 41)
@pytest.mark.parametrize(("what", "other"), [("size", 12345), ("arrival", NOW)])
def test_a_uid_that_became_another_message_stops_the_folder(server: Scripted, what: str, other: object) -> None:
    inbox = server.store["INBOX"]
    outcome = run(server, 1, 2, 3, meanwhile=lambda: setattr(inbox.mails[1], what, other))
    assert outcome.left.keys() == {1, 2, 3} and "UID 2" in outcome.problem
    assert not server.deletions


def test_a_message_that_was_flagged_since_the_plan_stays(server: Scripted) -> None:
    inbox = server.store["INBOX"]
    outcome = run(server, 1, 2, meanwhile=lambda: inbox.mails[0].flags.add("\\Flagged"))
    assert outcome == Outcome(gone=frozenset({2}), left={1: CHANGED})


def test_a_message_that_was_marked_since_the_plan_stays_unless_the_mark_may_be_ours(server: Scripted) -> None:
    inbox = server.store["INBOX"]
    mark = lambda: inbox.mails[0].flags.add("\\Deleted")  # noqa: E731
    assert run(server, 1, meanwhile=mark).left == {1: CHANGED}
    inbox.mails[0].flags.discard("\\Deleted")
    assert run(server, 1, meanwhile=mark, again=True).gone == {1}


def test_what_is_gone_already_is_told_apart(server: Scripted) -> None:
    inbox = server.store["INBOX"]
    outcome = run(server, 1, 2, meanwhile=lambda: inbox.mails.pop(0))
    assert outcome == Outcome(gone=frozenset({2}), vanished=frozenset({1}))


@pytest.mark.fault(14)
@pytest.mark.parametrize("command", ["UID STORE", "UID EXPUNGE"])
def test_a_uidvalidity_that_changes_in_the_middle_stops_the_folder(server: Scripted, command: str) -> None:
    server.script(f"""
        {command} #1
            * OK [UIDVALIDITY 42] rebuilt
            !answer
    """)
    outcome = run(server, 1, 2)
    assert "UIDVALIDITY" in outcome.problem
    assert len(server.deletions) == (1 if command == "UID STORE" else 2)


@pytest.mark.fault(14)
def test_a_folder_that_is_another_one_at_the_second_look_is_told(server: Scripted) -> None:
    inbox = server.store["INBOX"]

    def replaced(talk: Conversation, command: Command) -> None:
        talk.answer(command)
        inbox.uidvalidity += 1

    server.on("UID EXPUNGE", replaced)
    assert run(server, 1, 2).problem == REPLACED


@pytest.mark.fault(19)
def test_a_store_that_sets_no_flag_deletes_nothing_and_says_so(server: Scripted) -> None:
    server.script("UID STORE\n    {tag} OK done")
    assert run(server, 1, 2) == Outcome(left=dict.fromkeys((1, 2), STILL_THERE))


@pytest.mark.fault(19)
def test_an_expunge_that_removes_only_part_is_told_and_the_rest_unmarked(server: Scripted) -> None:
    inbox = server.store["INBOX"]

    def half(talk: Conversation, command: Command) -> None:
        inbox.mails = [mail for mail in inbox.mails if mail.uid != 1]
        talk.line(f"{command.tag} OK done")

    server.on("UID EXPUNGE", half)
    assert run(server, 1, 2) == Outcome(gone=frozenset({1}), left={2: STILL_THERE})
    assert flags(inbox)[2] == {"\\Seen"}


@pytest.mark.fault(19)
def test_a_second_look_that_sees_nothing_in_a_full_folder_is_not_believed(server: Scripted) -> None:
    server.script("""
        UID EXPUNGE
            {tag} OK done
        UID FETCH #3-
            {tag} OK nothing to see
    """)
    outcome = run(server, 1, 2)
    assert not outcome.gone and outcome.left.keys() == {1, 2}


@pytest.mark.parametrize("command", ["UID STORE", "UID EXPUNGE"])
def test_a_refusal_is_told_and_leaves_no_marks(server: Scripted, command: str) -> None:
    server.script(rf"""
        {command} #1 /{"Deleted" if command == "UID STORE" else ""}/
            {{tag}} NO [NOPERM] you may not
    """)
    outcome = run(server, 1, 2)
    assert not outcome.gone and "NOPERM" in outcome.problem
    assert set().union(*flags(server.store["INBOX"]).values()) == {"\\Seen"}


@pytest.mark.fault(38)
def test_a_read_only_folder_loses_nothing(server: Scripted) -> None:
    server.script("""
        SELECT
            !answer s/READ-WRITE/READ-ONLY/
    """)
    assert run(server, 1, 2).problem == "it is read-only"
    assert not server.deletions


@pytest.mark.fault(20)
def test_after_a_lost_connection_the_same_call_finishes(server: Scripted) -> None:
    server.script("""
        UID EXPUNGE #1
            !hangup
    """)
    inbox = server.store["INBOX"]
    inbox.mails[0].flags.add("\\Deleted")
    with wire(server) as line:
        wanted = listing(line, 2, 3)
        with pytest.raises(Disconnected):
            delete(line, INBOX, inbox.uidvalidity, wanted)
    assert flags(inbox)[2] == {"\\Seen", "\\Deleted"}
    with wire(server) as line:
        assert delete(line, INBOX, inbox.uidvalidity, wanted, tried=wanted.keys()).gone == {2, 3}
    assert inbox.uids == [1, 4, 5, 6, 7, 8, 9, 10]


@pytest.mark.fault(20)
def test_marks_can_be_taken_off_again_and_only_those(server: Scripted) -> None:
    inbox = server.store["INBOX"]
    with wire(server) as line:
        for mail in inbox.mails[:4]:
            mail.flags.add("\\Deleted")
        inbox.mails.pop(2)
        outcome = unmark(line, INBOX, inbox.uidvalidity, {2, 3})
    assert outcome.gone == {3} and outcome.left.keys() == {2}
    assert {uid for uid, held in flags(inbox).items() if "\\Deleted" in held} == {1, 4}


@pytest.mark.fault(31)
def test_what_is_told_unasked_is_neither_deleted_nor_reported(server: Scripted) -> None:
    inbox = server.store["INBOX"]

    def more(talk: Conversation, command: Command) -> None:
        whole = server.store.fetched(inbox, inbox.mails[-1], [b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"FLAGS"])
        talk.answer(command, lambda answer: whole + b"\r\n" + answer)

    server.on("UID FETCH", more)
    assert run(server, 1, 2) == Outcome(gone=frozenset({1, 2}))
    assert inbox.uids == [3, 4, 5, 6, 7, 8, 9, 10]


@pytest.mark.fault(14)
def test_what_went_before_a_folder_was_replaced_is_told_as_gone(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "FIRST_PORTION", 2)
    monkeypatch.setattr(pace, "MAX_PORTION", 2)
    server.script("""
        UID STORE #2
            * OK [UIDVALIDITY 42] rebuilt
            !answer
    """)
    outcome = run(server, 1, 2, 3, 4, 5)
    assert outcome.gone == {1, 2} and outcome.left == dict.fromkeys((3, 4, 5), REPLACED)
    assert outcome.marked == {3, 4}, "nobody can look any more"


def test_long_lists_are_cut_by_length(server: Scripted) -> None:
    inbox = server.store["INBOX"]
    for _ in range(4000):
        inbox.add(b"\r\n", flags={"\\Seen"})
        inbox.uidnext += 1
    every_other = [mail.uid for mail in inbox.mails[10:]]
    assert len(run(server, *every_other).gone) == 4000
    stores = [raw for raw in server.deletions if b"STORE" in raw]
    assert 2 <= len(stores) <= 20 and max(map(len, stores)) < 8192
