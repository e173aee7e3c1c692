"""Whatever a server says: the readers come to an end, in bounded memory, with a result or an error of ours."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmove.errors import ArchiveError, Disconnected, MailmoveError
from mailmove.imap import append, folders, quota, refusal, scan
from mailmove.imap.bodies import bodies
from mailmove.imap.reader import MAX_LINE
from mailmove.imap.wire import MAX_UNWANTED, Wire
from mailmove.model import Folder
from tests.fuzz import strategies as say
from tests.fuzz.wires import wired

INBOX = Folder(b"INBOX")
EVERYTHING = "IMAP4REV1 NAMESPACE QUOTA LIST-STATUS LIST-EXTENDED SPECIAL-USE UIDPLUS APPENDLIMIT LITERAL+ OBJECTID"


def _bodies(wire: Wire) -> None:
    for body in bodies(wire, [3, 5]):
        for _ in body.pieces():
            pass
        body.told()


def _append(wire: Wire) -> None:
    sent = [append.Outgoing(1, ["\\Seen"], None, [b"x"]) for _ in range(2)]
    append.Appending(wire, INBOX, 1, sent).answers()


READERS: dict[str, Callable[[Wire], object]] = {
    "look": folders.look,
    "status": lambda wire: folders.status(wire, INBOX),
    "select": lambda wire: folders.select(wire, INBOX),
    "prefix": folders.personal_prefix,
    "quota": lambda wire: quota.roots(wire, [INBOX, Folder(b"a"), Folder(b"\xff")]),
    "listing": lambda wire: list(scan.listing(wire)),
    "flags": scan.flags,
    "labels": scan.labels,
    "fields": lambda wire: list(scan.fields(wire, [3, 5], b"SUBJECT")),
    "bodies": _bodies,
    "append": _append,
    "limit": lambda wire: append.append_limit(wire, INBOX),
}
GOOD = b"".join(
    [
        b'* LIST (\\HasNoChildren) "/" INBOX\r\n* LIST () "/" {3}\r\na[b\r\n* STATUS INBOX (MESSAGES 3 UIDNEXT 9)\r\n',
        b'* NAMESPACE (("" "/")) NIL (("#s/" "/"))\r\n* QUOTAROOT INBOX "r"\r\n* QUOTA "r" (STORAGE 10 100)\r\n',
        b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\n",
        b'* 1 FETCH (UID 3 INTERNALDATE " 1-Jan-2020 00:00:00 +0000" RFC822.SIZE 3 FLAGS (\\Seen))\r\n',
        b'* 2 FETCH (UID 5 INTERNALDATE " 1-Jan-2020 00:00:00 +0000" RFC822.SIZE 3 FLAGS () BODY[] {3}\r\nabc)\r\n',
        b'* 2 FETCH (UID 5 X-GM-LABELS ("a" \\Inbox) BODY[HEADER.FIELDS (SUBJECT)]<0> {4}\r\n\r\n\r\n)\r\n',
        b"M1 OK [APPENDUID 1 5] done\r\nM2 OK [APPENDUID 1 6:7] done\r\nM3 NO [LIMIT] Suggested Backoff Time: 5 ms\r\n",
    ]
)


@contextlib.contextmanager
def ours() -> Iterator[None]:
    """Errors of ours are an answer; waiting to the end of patience is none."""
    try:
        yield
    except MailmoveError as error:
        assert "silent" not in error.what
        error.what.encode()


@pytest.mark.fault(1, 2)
@pytest.mark.parametrize("reader", READERS)
@given(said=st.one_of(say.garbage, say.mangled(st.just(GOOD))), sizes=say.sizes)
@example(said=b"M1 NO Suggested Backoff Time: " + b"9" * 5000 + b" ms\r\n", sizes=[9000])
@example(said=b"M1 OK [APPENDUID 1 1:2:3] done\r\nM2 OK [APPENDUID 1 " + b"9" * 5000 + b"] done\r\n", sizes=[9000])
@example(said=b"* STATUS INBOX\r\nM1 OK\r\n", sizes=[9000])
@example(said=b"* STATUS\r\nM1 OK\r\n", sizes=[9000])
@example(said=b"* STATUS \r\nM1 OK\r\n", sizes=[9000])
def test_a_reader_ends_with_a_result_or_an_error_of_ours(reader: str, said: bytes, sizes: list[int]) -> None:
    with wired(said, sizes, EVERYTHING) as wire, ours():
        READERS[reader](wire)


FLOODS = {
    "an endless line": b"x" * (4 * MAX_UNWANTED),
    "an endless line of brackets": b"(" * (4 * MAX_UNWANTED),
    "endless responses": (b"* OK Still here" + b"." * 1000 + b"\r\n") * (4 * MAX_UNWANTED // 1000),
    "endless literals": b"{1000000}\r\n" + (b"x" * 10**6 + b" {1000000}\r\n") * 80,
    "endless empty literals": b"{0}\r\n" * (MAX_UNWANTED // 4),
    "a giant literal": b"{%d}\r\n" % (4 * MAX_UNWANTED) + b"x" * (4 * MAX_UNWANTED),
    "brackets that stay open": b"(" * 1_000_000,
    "words between literals": (b"a " * 500_000 + b"{0}\r\n") * 15,
}
HEADS = {"look": b"* LIST ", "listing": b"* 1 FETCH (", "bodies": b"* 1 FETCH (BODY[] {1}\r\nx "}


def peak(reader: str, said: bytes) -> tuple[int, str]:
    """The most memory that reading this took, in octets, and the error it ended with."""
    with wired(said, capabilities=EVERYTHING.replace("NAMESPACE ", "")) as wire:
        tracemalloc.start()
        try:
            with pytest.raises(MailmoveError) as error:
                READERS[reader](wire)
            return tracemalloc.get_traced_memory()[1], error.value.what
        finally:
            tracemalloc.stop()


@pytest.mark.fault(1, 2)
@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("reader", HEADS)
def test_memory_has_a_limit(reader: str, flood: str) -> None:
    said = FLOODS[flood] if FLOODS[flood].startswith(b"* ") else HEADS[reader] + FLOODS[flood]
    memory, error = peak(reader, said + b"\r\nM1 OK done\r\n")
    assert memory < 2 * MAX_UNWANTED
    assert "closed the connection" not in error, "it was not read to its end"


@pytest.mark.fault(1, 2)
def test_the_longest_response_there_may_be_takes_a_multiple_of_its_length() -> None:
    memory, _ = peak("listing", b"* 1 FETCH (" + b"a " * 500_000 + b"\r\nM1 OK done\r\n")
    assert memory < 50 * MAX_LINE


ASKING: dict[str, Callable[[Wire], object]] = {
    "one": lambda wire: wire.command(b"NOOP"),
    "many": lambda wire: list(wire.batch([[b"NOOP"]])),
    "answer": lambda wire: wire.answer({wire.send(b"NOOP"): "NOOP"}),
}


@pytest.mark.fault(31)
@pytest.mark.parametrize("ask", ASKING)
@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"M99 OK another's answer", "unexpected answer|a command that was not sent"),
        (b"OK done", "unexpected answer|a command that was not sent"),
        (b"M1 PERHAPS", "unexpected answer"),
        (b"* BYE going down for maintenance", "hung up: going down"),
        (b"* bye", "hung up"),
    ],
)
def test_a_connection_that_stopped_making_sense_is_not_used_again(ask: str, said: bytes, why: str) -> None:
    with wired(said + b"\r\nM1 OK done\r\nM2 OK done\r\n") as wire:
        with pytest.raises(Disconnected, match=why):
            ASKING[ask](wire)
        with pytest.raises(Disconnected, match="the connection is closed"):
            ASKING[ask](wire)


def _altered() -> Iterator[bytes]:
    yield b"x"
    raise ArchiveError("altered while it was read")


@pytest.mark.parametrize(
    ("pieces", "why"), [(_altered(), "altered"), ([b"x"], "the octets"), ([b"x", b"yz"], "the octets")]
)
def test_a_message_that_is_not_sent_whole_takes_the_connection_with_it(pieces: Iterable[bytes], why: str) -> None:
    """The server waits for the rest of the literal: the next command would be part of the message."""
    with wired(b"M1 OK done\r\n", capabilities="LITERAL+") as wire:
        with pytest.raises(MailmoveError, match=why):
            append.Appending(wire, INBOX, 1, [append.Outgoing(2, [], None, pieces)])
        assert not wire.usable


def test_a_pause_longer_than_any_is_the_next_runs() -> None:
    asked = refusal.busy("Suggested Backoff Time: " + "9" * 5000 + " milliseconds")
    assert asked is not None
    assert "pause" in asked.what


def test_a_literal_longer_than_any_number_is_no_literal() -> None:
    said = b'* LIST () "/" a\r\n* LIST () "/" {%b}\r\nM1 OK done\r\n* STATUS a (MESSAGES 1)\r\nM2 OK\r\n' % (b"9" * 30)
    with wired(said) as wire:
        assert len(folders.look(wire).unread) == 1


@pytest.mark.parametrize("told", [b"1:2:3", b"9" * 5000, b"1:" + b"9" * 5000, b":", b"3:", b"1,,2", b"2:1", b"1"])
def test_uids_that_make_no_sense_are_unknown(told: bytes) -> None:
    """RFC 4315 3: as many UIDs as messages, or we do not know which."""
    said = b"M1 OK [APPENDUID 1 %b] done\r\n" % told
    sent = [append.Outgoing(1, [], None, [b"x"]) for _ in range(2)]
    with wired(said, capabilities="MULTIAPPEND LITERAL+") as wire:
        assert append.Appending(wire, INBOX, 1, sent).answers() == [0, 0]


@pytest.mark.parametrize("answer", [b"* STATUS", b"* STATUS ", b"* STATUS INBOX", b"* STATUS INBOX NIL"])
def test_no_limit_told_is_no_limit_known(answer: bytes) -> None:
    with wired(answer + b"\r\nM1 OK\r\n", capabilities="APPENDLIMIT") as wire:
        assert append.append_limit(wire, INBOX) is None
