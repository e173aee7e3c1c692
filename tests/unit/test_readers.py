"""Whatever octets a server sends, the readers end, say so in our words, and put no message under another's UID.

MAILMOVE_LONG_TESTS=1 tries a hundred times as many.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailmove import utf7
from mailmove.cancel import Cancel
from mailmove.errors import Disconnected, MailmoveError
from mailmove.model import Folder
from mailmove.server import folders, quota, scan
from mailmove.server.bodies import bodies
from mailmove.server.connection import Connection
from mailmove.server.fetchline import FetchLines
from mailmove.server.internaldate import from_seconds, to_seconds
from mailmove.server.parse import parse
from mailmove.server.reader import Reader
from mailmove.server.wire import Wire
from tests.tracing import LONG

fuzz = settings(
    max_examples=20_000 if LONG else 200, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)

CAPABILITIES = frozenset({"LIST-STATUS", "STATUS=SIZE", "QUOTA", "NAMESPACE", "SPECIAL-USE", "LIST-EXTENDED"})


@contextmanager
def hearing(data: bytes) -> Iterator[Wire]:
    """A connection on which a server says this and hangs up."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.setblocking(False)
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        yield Wire(Connection(ours, Reader(ours, 5), CAPABILITIES, ours.close), Cancel())


def ask_bodies(wire: Wire) -> None:
    for body in bodies(wire, {1, 2, 3}):
        for _ in body.pieces():
            pass
        body.told()


QUESTIONS: list[Callable[[Wire], Any]] = [
    lambda wire: list(scan.listing(wire)),
    lambda wire: scan.flags(wire),
    lambda wire: list(scan.fields(wire, [1, 2], b"DATE")),
    lambda wire: folders.look(wire),
    lambda wire: folders.select(wire, Folder(b"INBOX")),
    lambda wire: quota.roots(wire, [Folder(b"INBOX")]),
    ask_bodies,
]

WORDS = st.sampled_from(
    rb"""* + M1 M2 OK NO BAD BYE FETCH LIST STATUS QUOTA QUOTAROOT NAMESPACE EXISTS SEARCH UID FLAGS INTERNALDATE
    RFC822.SIZE BODY[] BODY[]<0> BODY[HEADER.FIELDS (DATE)] EMAILID X-GM-MSGID MODSEQ MESSAGES UIDNEXT UIDVALIDITY
    STORAGE NIL INBOX "INBOX" "/" () (\Seen) \Noselect {0} {3} {3+} ~{3} {99999999999} {-1} {} 0 1 2 4294967295
    4294967296 99999999999999999999 -1 ( ) [ ] " \ "04-May-2021 03:02:01 +0000" "\"" [UIDVALIDITY [READ-ONLY]""".split()
)
SAID = st.lists(
    st.one_of(WORDS, st.binary(max_size=12), st.just(b"\r\n"), st.just(b"* 1 FETCH ("), st.just(b"\r\nM1 OK done\r\n")),
    max_size=60,
).map(b" ".join)


@fuzz
@given(said=SAID, question=st.sampled_from(QUESTIONS))
@example(said=b"* 1 FETCH (UID 1 FLAGS () BODY[] {5}\r\nabc", question=ask_bodies)
def test_any_answer_is_read_to_an_end(said: bytes, question: Callable[[Wire], Any]) -> None:
    with hearing(said) as wire, suppress(MailmoveError):
        question(wire)


def test_a_bracket_in_a_name_needs_no_partner() -> None:
    """``[`` is an ATOM-CHAR (RFC 9051 9), and Dovecot sends a folder of such a name without quotes."""
    assert parse((b'(\\Sent) "/" a[b',)) == [[b"\\Sent"], b"/", b"a[b"]
    assert parse((b"[[ (MESSAGES 3)",)) == [b"[[", [b"MESSAGES", b"3"]]
    assert parse((b"(BODY[HEADER.FIELDS (DATE)] x)",)) == [[b"BODY[HEADER.FIELDS (DATE)]", b"x"]]
    assert parse((b"[" * 1_000_000,)) == [b"[" * 1_000_000]


@fuzz
@given(st.binary(max_size=400), st.lists(st.binary(max_size=40), max_size=4))
def test_any_line_is_parsed_or_refused(line: bytes, more: list[bytes]) -> None:
    with suppress(Disconnected):
        parse((line, *more))
    with suppress(Disconnected):
        FetchLines().read((b"* 1 FETCH " + line, *more, b")"))


NOISE = st.sampled_from(
    [
        b"* 9 EXISTS\r\n",
        b"* 1 FETCH (FLAGS (\\Seen))\r\n",
        b"* 3 FETCH (UID 3 FLAGS (\\Deleted))\r\n",
        b"* 2 FETCH (BODY[] {4}\r\nevil)\r\n",
        b"* OK still here\r\n",
        b"* LIST () NIL {2}\r\nM1\r\n",
        b"",
    ]
)


@st.composite
def fetched(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, bytes]]]:
    """An answer to a FETCH of bodies as a server may write it, and what it says."""
    truth = draw(st.lists(st.tuples(st.integers(1, 2**32 - 1), st.binary(max_size=300)), max_size=6))
    said = draw(NOISE)
    for uid, body in truth:
        items = draw(
            st.permutations(
                [
                    b"UID %d" % uid,
                    b"FLAGS (\\Seen $Junk)",
                    b'INTERNALDATE "04-May-2021 03:02:01 +0000"',
                    b"RFC822.SIZE %d" % draw(st.integers(0, 2**40)),
                    b"BODY[] {%d}\r\n%s" % (len(body), body),
                ]
            )
        )
        said += b"* 1 FETCH (%s)\r\n" % b" ".join(items) + draw(NOISE)
    return said + b"M1 OK done\r\n", truth


@fuzz
@given(fetched())
def test_every_body_comes_under_its_own_uid(answer: tuple[bytes, list[tuple[int, bytes]]]) -> None:
    said, truth = answer
    got = []
    with hearing(said) as wire:
        for body in bodies(wire, {1}):
            octets = b"".join(map(bytes, body.pieces()))
            if (told := body.told()) is not None:
                got.append((told.listed.uid, octets))
    assert got == truth


@fuzz
@given(st.permutations(["uid", "size", "flags", "date"]), st.integers(1, 2**32 - 1), st.integers(0, 2**60), st.data())
def test_a_shape_that_was_learned_reads_what_item_by_item_reads(
    order: list[str], uid: int, size: int, data: st.DataObject
) -> None:
    date = from_seconds(data.draw(st.integers(-(2**31), 2**33)))
    flags = data.draw(st.lists(st.sampled_from([b"\\Seen", b"$Junk", b"a"]), max_size=3))
    items = {
        "uid": b"UID %d" % uid,
        "size": b"RFC822.SIZE %d" % size,
        "flags": b"FLAGS (%s)" % b" ".join(flags),
        "date": b'INTERNALDATE "%s"' % date,
    }
    line = b"* 7 FETCH (%s)" % b" ".join(items[name] for name in order)
    lines = FetchLines()
    first, second = lines.read((line,)), lines.read((line,))
    assert first is not None and first == second
    assert (first.listed.uid, first.listed.size, first.listed.arrival) == (uid, size, to_seconds(date))


@fuzz
@given(st.binary(max_size=40) | st.from_regex(rb"[ \d]\d-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}", fullmatch=True))
def test_any_internaldate_is_a_time_or_none(text: bytes) -> None:
    seconds = to_seconds(text)
    assert seconds is None or re.match(rb"[ \d]\d-", text)


@fuzz
@given(st.integers(-(2**35), 2**37), st.integers(-14 * 60, 14 * 60))
def test_a_time_is_written_as_it_is_read(seconds: int, zone: int) -> None:
    assert to_seconds(from_seconds(seconds, zone)) == seconds


@fuzz
@given(st.binary(max_size=60), st.text(max_size=40))
def test_any_folder_name_is_read_one_way(wire: bytes, name: str) -> None:
    with suppress(ValueError):
        decoded = utf7.decode(wire)
        assert not wire.isascii() or b"&" not in wire or utf7.encode(decoded) == wire
    with suppress(UnicodeEncodeError):
        name.encode()
        assert utf7.decode(utf7.encode(name)) == name
