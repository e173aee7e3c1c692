"""FETCH: the octets put under a UID come out under it, and the quick way of reading says what the slow way says."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.errors import CommandRefused, Disconnected
from mailmove.imap import scan
from mailmove.imap.bodies import bodies
from mailmove.imap.fetchline import FetchLines
from mailmove.imap.internaldate import to_seconds
from tests.fuzz import strategies as say
from tests.fuzz.wires import wired

DONE = b"M1 OK done\r\n"


@st.composite
def told(draw: st.DrawFn, uid: int, size: int) -> list[bytes]:
    """The items of a message besides its body."""
    items = [
        b"UID %d" % uid,
        b"RFC822.SIZE %d" % size,
        b"FLAGS (%b)" % b" ".join(draw(say.flags)),
        b'INTERNALDATE "%b"' % draw(say.dates),
    ]
    more = [b"MODSEQ (7)", b"EMAILID (M6d99ac3275bb4e)", b"X-GM-MSGID 1278455344230334865"]
    return [draw(say.any_case(item)) if b" (" not in item and b'"' not in item else item for item in items] + draw(
        st.lists(st.sampled_from(more), unique=True)
    )


@st.composite
def folder_with_bodies(draw: st.DrawFn) -> tuple[dict[int, bytes], bytes]:
    held = draw(st.dictionaries(say.uids, say.messages, max_size=6))
    said = b""
    for uid, message in held.items():
        body = draw(say.string(message, atoms=False))
        items = [*draw(told(uid, len(message))), b"BODY[] " + body]
        said += draw(say.unsolicited) + draw(say.fetch(items))
    return held, said + draw(say.unsolicited) + DONE


@pytest.mark.fault(1)
@given(folder_with_bodies(), say.sizes)
def test_each_message_comes_out_under_its_own_uid(folder: tuple[dict[int, bytes], bytes], sizes: list[int]) -> None:
    held, said = folder
    got: dict[int, bytes] = {}
    with wired(said, sizes) as wire:
        for body in bodies(wire, held or {1: b""}):
            octets = b"".join(map(bytes, body.pieces()))
            told = body.told()
            assert told is not None
            assert len(octets) == body.octets
            assert told.listed.uid not in got
            got[told.listed.uid] = octets
        assert wire.reader.pending == 0
    assert got == held


@given(folder_with_bodies(), say.sizes, st.data())
def test_a_conversation_that_is_cut_gives_no_message_that_was_not_whole(
    folder: tuple[dict[int, bytes], bytes], sizes: list[int], data: st.DataObject
) -> None:
    held, said = folder
    cut = data.draw(st.integers(0, len(said) - 1))
    with wired(said[:cut], sizes) as wire, pytest.raises(Disconnected, match="closed the connection"):
        for body in bodies(wire, held or {1: b""}):
            octets = b"".join(map(bytes, body.pieces()))
            told = body.told()
            assert told is not None
            assert octets == held[told.listed.uid]


@st.composite
def listing(draw: st.DrawFn) -> tuple[dict[int, tuple[int | None, int, frozenset[str]]], bytes]:
    """One server's listing: every response in the same order of items, now and then another."""
    expected, said = {}, b""
    order = draw(st.permutations(range(7)))
    for uid in draw(st.lists(say.uids, unique=True, max_size=8)):
        size, words, date = draw(st.integers(0, 10**9)), draw(say.flags), draw(say.dates)
        if draw(st.integers(0, 5)) == 0:
            order = draw(st.permutations(range(7)))
        items = [
            b"UID %d" % uid,
            b"RFC822.SIZE %d" % size,
            b"FLAGS (%b)" % b" ".join(words),
            b"INTERNALDATE " + draw(say.string(date, atoms=False)),
            b"MODSEQ (%d)" % size,
        ]
        line = b" ".join(items[at] for at in order if at < len(items))
        said += draw(say.unsolicited) + b"* 1 FETCH (%b)\r\n" % line
        expected[uid] = (to_seconds(date), size, frozenset(word.decode() for word in words))
    return expected, said + DONE


@given(listing(), say.sizes)
def test_a_listing_is_what_the_server_said(
    told: tuple[dict[int, tuple[int | None, int, frozenset[str]]], bytes], sizes: list[int]
) -> None:
    expected, said = told
    with wired(said, sizes) as wire:
        got = {one.uid: (one.arrival, one.size, one.flags) for one in scan.listing(wire)}
    assert got == expected
    with wired(said, sizes) as wire:
        flags = scan.flags(wire)
    assert flags == {uid: words for uid, (_, _, words) in expected.items()}


_VALUES = st.one_of(say.numbers, say.keywords, st.sampled_from([b"NIL", b'"x"', b"()", b"(NIL)", b"("]))


@given(st.data())
def test_the_quick_way_and_the_slow_way_of_reading_agree(data: st.DataObject) -> None:
    """Learned from one good line, then a line of the same shape with other, perhaps impossible, values."""
    items = [*data.draw(told(7, 100)), *data.draw(st.sampled_from([[], [b"EMAILID (M1)"]]))]
    line = data.draw(say.fetch(data.draw(st.permutations(items)))).removesuffix(b"\r\n")
    lines = FetchLines()
    lines.read((line,))
    for _ in range(data.draw(st.integers(1, 3))):
        spots = list(re.finditer(rb"(?<=[ (])[^ ()]+(?=[ )])", line))
        spot = data.draw(st.sampled_from(spots))
        line = line[: spot.start()] + data.draw(_VALUES) + line[spot.end() :]
    assert _outcome(lines, line) == _outcome(FetchLines(), line)


def _outcome(lines: FetchLines, line: bytes) -> object:
    try:
        return lines.read((line,))
    except Disconnected as error:
        return str(error)


@pytest.mark.parametrize("uid", [b"0", b"4294967296", b"9999999999"])
def test_an_impossible_uid_is_nobodys(uid: bytes) -> None:
    good = b'* 1 FETCH (UID 5 RFC822.SIZE 1 FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0000")'
    said = good + b"\r\n" + good.replace(b"UID 5", b"UID " + uid) + b"\r\n" + DONE
    with wired(said) as wire:
        strays: list[str] = []
        assert [one.uid for one in scan.listing(wire, strays=strays)] == [5]
        assert len(strays) == 1, "it is somebody's"
    with wired(good.replace(b"UID 5", b"UID " + uid) + b"\r\n" + DONE) as wire:
        assert list(scan.listing(wire, strays=[])) == [], "nor where no pattern is learned yet"
    alone = good.replace(b"UID 5", b"UID " + uid) + b"\r\n" + DONE
    with wired(alone) as wire, pytest.raises(CommandRefused, match="cannot be read"):
        scan.find(wire, [5])
    for items in (b"UID %b FLAGS ()", b"FLAGS () UID %b"):
        with wired(b"* 1 FETCH (%b)\r\n%b" % (items % uid, DONE)) as wire:
            assert scan.flags(wire) == {}
    with wired(b"* 1 FETCH (UID %b X-GM-LABELS (x))\r\n%b" % (uid, DONE)) as wire:
        assert scan.labels(wire) == {}


TWO = b"".join(
    b'* %d FETCH (UID %d RFC822.SIZE 1 FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0000" BODY[] {1}\r\nx)\r\n' % (n, n)
    for n in (1, 2)
)


@pytest.mark.parametrize("tail", [rb" FLAGS (\Seen))", b" MODSEQ (7))", b" X-NOTE {4}\r\n)\r\n*)"])
def test_what_follows_a_body_is_read_to_its_end(tail: bytes) -> None:
    """Also where the responses before ended right after their bodies."""
    odd = TWO[: TWO.index(b")\r\n*")].replace(b"UID 1", b"UID 3") + tail + b"\r\n"
    with wired(TWO + odd + TWO.replace(b"UID 2", b"UID 4") + DONE) as wire:
        got = []
        for body in bodies(wire, [1, 2, 3, 4]):
            octets = b"".join(map(bytes, body.pieces()))
            told = body.told()
            assert told is not None
            got.append((told.listed.uid, octets))
    assert got == [(1, b"x"), (2, b"x"), (3, b"x"), (1, b"x"), (4, b"x")]


def test_whoever_leaves_a_fetch_in_the_middle_leaves_the_connection() -> None:
    with wired(TWO + DONE) as wire:
        with contextlib.closing(bodies(wire, [1, 2])) as arriving:
            next(arriving)
        assert not wire.usable
    with wired(TWO + DONE) as wire:
        arriving = bodies(wire, [1, 2])
        next(arriving)
        with pytest.raises(Disconnected, match="left in the middle"):
            next(arriving)
        assert not wire.usable


def test_header_fields_are_those_that_were_asked_for_each_once() -> None:
    line = b"* 1 FETCH (UID %d BODY[HEADER.FIELDS (DATE)]<0> {%d}\r\n%b)\r\n"
    said = b"".join(line % (uid, len(block), block) for uid, block in ((1, b"a"), (2, b"b"), (1, b"c"), (3, b"d")))
    with wired(said + DONE) as wire:
        assert list(scan.fields(wire, [1, 3], b"DATE")) == [(1, b"a"), (3, b"d")]


def test_a_message_that_is_listed_twice_is_one() -> None:
    line = b'* 1 FETCH (UID 5 RFC822.SIZE %d FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0000")\r\n'
    with wired(line % 1 + line % 1 + line % 2 + DONE) as wire:
        assert [(one.uid, one.size) for one in scan.listing(wire)] == [(5, 1)]


def test_no_object_id_is_never_the_same_one() -> None:
    line = b'* 1 FETCH (UID %d RFC822.SIZE 1 FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0000" EMAILID (%b))\r\n'
    said = line % (1, b"M1") + line % (2, b"NIL") + line % (3, b"NIL") + DONE
    with wired(said) as wire:
        assert [one.object_id for one in scan.listing(wire)] == ["EM1", None, None]


@pytest.mark.parametrize("told", [b"NIL", b"nil \\Recent"])
def test_nil_is_no_flag_however_it_is_read(told: bytes) -> None:
    line = b'* 1 FETCH (UID %d RFC822.SIZE 1 FLAGS (%b) INTERNALDATE " 1-Jan-2020 00:00:00 +0000")\r\n'
    with wired(line % (1, told) + line % (2, told) + DONE) as wire:
        assert [one.flags for one in scan.listing(wire)] == [frozenset(), frozenset()]
