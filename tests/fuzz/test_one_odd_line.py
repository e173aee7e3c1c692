"""One malformed line among a hundred good ones: 99 are understood, and the other is named, or told as a doubt."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailmove.errors import CommandRefused, Disconnected
from mailmove.imap import append, folders, quota, scan
from mailmove.imap.bodies import bodies
from mailmove.model import Folder, Listed, Looked, Resource
from tests.fuzz.wires import wired

COUNT, ODD = 100, 50
NUMBERS = range(1, COUNT + 1)
DATE = b'INTERNALDATE "04-May-2021 03:02:01 +0000"'

Malformation = Callable[[bytes, random.Random], bytes]


def _spot(pattern: bytes, line: bytes, dice: random.Random) -> tuple[int, int]:
    """One of the places in a line that fit, its head aside; the end where none does."""
    spots = [found.span() for found in re.finditer(pattern, line) if found.start() > line.find(b"(")]
    return dice.choice(spots) if spots else (len(line), len(line))


def _replaced(pattern: bytes, *others: bytes) -> Malformation:
    def malform(line: bytes, dice: random.Random) -> bytes:
        start, end = _spot(pattern, line, dice)
        return line[:start] + dice.choice(others) + line[end:]

    return malform


def _truncated(line: bytes, dice: random.Random) -> bytes:
    return line[: dice.randrange(len(b"* LIST "), len(line))]


def _without_an_item(line: bytes, dice: random.Random) -> bytes:
    start, end = _spot(rb'[A-Z][A-Z0-9.-]+ (?:\d+|"[^"]*"|\([^()]*\)) ?', line, dice)
    return line[:start] + line[end:]


def _with_an_item_twice(line: bytes, dice: random.Random) -> bytes:
    start, end = _spot(rb'[A-Z][A-Z0-9.-]+ (?:\d+|"[^"]*"|\([^()]*\))', line, dice)
    again = re.sub(rb"\d+", lambda found: b"%d" % (int(found[0]) + 1000), line[start:end])
    return line[:end] + b" " + dice.choice([again, line[start:end]]) + line[end:]


_VALUE = rb'(?<= )(?:\d+|"[^"]*"|\([^()]*\))'
MALFORMED: dict[str, Malformation] = {
    "cut off": _truncated,
    "unbalanced quotes": _replaced(rb'["() ]|\b', b'"', b'a"b', b'""'),
    "unbalanced parentheses": _replaced(rb"[()]", b"", b"((", b")(", b")", b"(" * 50),
    "no literal": _replaced(
        rb"[^\s()]+|\b", b"{", b"{x}", b"{-1}", b"{3", b"~{", b"{99999999999999999999999}", b"{3} "
    ),
    "NUL": _replaced(rb"\b| ", b"\0", b"a\0b"),
    "another type": _replaced(
        rb'(?<= )(?:\d+|"[^"]*"|\([^()]*\))', b"NIL", b"()", b"((x))", b"abc", b'"x"', b"-1", b"3.5"
    ),
    "item left out": _without_an_item,
    "item twice": _with_an_item_twice,
    "no number": _replaced(rb"(?<= )\d+", b"9" * 30, b"9" * 5000, b"4294967296", b"0x10", b"", b"+5", b"0"),
    "control characters": _replaced(rb"\b", b"\x1b[2J", b"\xff\xfe", b"\t", b"\n"),
}
malformations = st.tuples(st.sampled_from(sorted(MALFORMED)), st.integers(0, 2**32))


def _malformed(line: bytes, how: tuple[str, int]) -> bytes:
    odd = MALFORMED[how[0]](line, random.Random(how[1]))
    return odd + b"|" if re.search(rb"\{\d+\}\Z", odd) else odd  # a literal that comes is another story


def _said(good: Callable[[int], bytes], how: tuple[str, int]) -> tuple[bytes, bytes]:
    """What a server says with one line malformed, and that line."""
    lines = [good(number) for number in NUMBERS]
    lines[ODD - 1] = _malformed(lines[ODD - 1], how)
    return b"".join(line + b"\r\n" for line in lines), lines[ODD - 1]


def _others(found: Mapping[int, object]) -> dict[int, object]:
    return {number: value for number, value in found.items() if number != ODD}


def _all_but_one(value: Callable[[int], object]) -> dict[int, object]:
    return {number: value(number) for number in NUMBERS if number != ODD}


def test_they_are_malformed() -> None:
    """Each kind makes something else of most lines."""
    for name in MALFORMED:
        made = {_malformed(_listed(ODD), (name, seed)) for seed in range(100)}
        assert len(made - {_listed(ODD)}) > 2, name


def _listed(n: int) -> bytes:
    return rb"* %d FETCH (UID %d FLAGS (\Seen k%d) %b RFC822.SIZE %d)" % (n, n, n, DATE, n)


@given(malformations)
@example(("cut off", 0))
def test_in_a_listing(how: tuple[str, int]) -> None:
    said, _ = _said(_listed, how)
    strays: list[str] = []
    with wired(said + b"M1 OK done\r\n") as wire:
        wire.exists = COUNT
        found: dict[int, Listed] = {}
        for one in scan.listing(wire, strays=strays):
            assert one.uid not in found
            found[one.uid] = one

    def good(n: int) -> Listed:
        return Listed(n, 1_620_097_321, n, frozenset({"\\Seen", f"k{n}"}))

    assert {n: one for n, one in found.items() if n in NUMBERS and n != ODD} == _all_but_one(good)
    if ODD not in found:
        assert strays or len(found) < COUNT, "it lacks in what the server counts"


@given(malformations)
def test_where_a_few_messages_are_looked_for(how: tuple[str, int]) -> None:
    """None of them may be taken for gone because its line cannot be read."""
    said, line = _said(_listed, how)
    with wired(said + b"M1 OK done\r\n") as wire:
        try:
            found = scan.find(wire, set(NUMBERS))
        except CommandRefused as error:
            assert "cannot be read" in error.text
            return
    assert found.keys() >= set(NUMBERS) - {ODD}
    assert ODD in found or not _about(line), line


def _about(line: bytes) -> bool:
    """Whether a line is recognisably a FETCH response with what was asked for."""
    return re.match(rb"\* \d{1,10} FETCH ", line) is not None


@given(malformations)
@example(("item left out", 4))
def test_in_a_list_of_flags(how: tuple[str, int]) -> None:
    said, _ = _said(lambda n: rb"* %d FETCH (UID %d FLAGS (\Seen k%d))" % (n, n, n), how)
    with wired(said + b"M1 OK done\r\n") as wire:
        wire.exists = COUNT
        found = scan.flags(wire)
    assert {n: w for n, w in found.items() if n in NUMBERS and n != ODD} == _all_but_one(
        lambda n: frozenset({"\\Seen", f"k{n}"})
    )
    assert ODD in found or len(found) < COUNT, "it lacks in what the server counts"


@given(malformations)
def test_in_a_list_of_labels(how: tuple[str, int]) -> None:
    said, line = _said(lambda n: b'* %d FETCH (UID %d X-GM-LABELS ("l%d" \\Inbox))' % (n, n, n), how)
    strays: list[str] = []
    with wired(said + b"M1 OK done\r\n") as wire:
        wire.exists = COUNT
        found = scan.labels(wire, strays=strays)
    assert {n: w for n, w in found.items() if n in NUMBERS and n != ODD} == _all_but_one(lambda n: ("\\Inbox", f"l{n}"))
    assert ODD in found or strays or not _about(line), line


@pytest.mark.parametrize("line", [b"* 50 FETCH (UID 50)", b"* 50 FETCH (UID 50 X-GM-LABELS", b"* 50 FETCH ()"])
def test_labels_and_flags_that_are_not_told_are_not_none(line: bytes) -> None:
    strays: list[str] = []
    with wired(line + b"\r\nM1 OK done\r\n") as wire:
        found = scan.labels(wire, strays=strays)
    assert (found, len(strays)) == (({50: None}, 0) if b"UID" in line else ({}, 1))
    with wired(line + b"\r\nM1 OK done\r\n") as wire:
        assert scan.flags(wire) == ({50: None} if b"UID" in line else {})


@given(malformations)
def test_in_header_fields(how: tuple[str, int]) -> None:
    """Asked for once more alone, it is named."""
    said = [b"* %d FETCH (UID %d BODY[HEADER.FIELDS (SUBJECT)]<0> {4}\r\ns%03d)\r\n" % (n, n, n) for n in NUMBERS]
    odd = _malformed(b'* %d FETCH (UID %d BODY[HEADER.FIELDS (SUBJECT)]<0> "s%03d")' % (ODD, ODD, ODD), how) + b"\r\n"
    said[ODD - 1] = odd
    with wired(b"".join(said) + b"M1 OK\r\n" + odd + b"M2 OK\r\n") as wire:
        found = dict(scan.fields(wire, NUMBERS, b"SUBJECT"))
    assert _others(dict(found)) == _all_but_one(lambda n: b"s%03d" % n)


@given(malformations)
def test_among_bodies(how: tuple[str, int]) -> None:
    heads = [rb"* %d FETCH (UID %d FLAGS (\Seen) %b RFC822.SIZE 9" % (n, n, DATE) for n in NUMBERS]
    said = [heads[n - 1] + b" BODY[] {9}\r\nbody %03d\n)\r\n" % n for n in NUMBERS]
    said[ODD - 1] = _malformed(heads[ODD - 1], how) + b" BODY[] {9}\r\nbody %03d\n)\r\n" % ODD
    found: dict[int, object] = {}
    with wired(b"".join(said) + b"M1 OK done\r\n") as wire:
        for body in bodies(wire, NUMBERS):
            octets = b"".join(map(bytes, body.pieces()))
            told = body.told()
            if told is not None and told.listed.uid in NUMBERS:
                assert told.listed.uid not in found
                found[told.listed.uid] = octets
    assert _others(found) == _all_but_one(lambda n: b"body %03d\n" % n)
    assert found.get(ODD) in (None, b"body %03d\n" % ODD)


@pytest.mark.parametrize("short", [1, 2, 5, 9])
@pytest.mark.parametrize("flags", [b"\\Seen", b'a"b', b"a(b"])
def test_a_body_that_is_longer_than_announced_is_never_taken(short: int, flags: bytes) -> None:
    body = b"Subject: UID\r\n\r\n) FLAGS (x)"
    line = b"* 1 FETCH (UID 5 FLAGS (%b) %b RFC822.SIZE %d BODY[] {%d}\r\n%b)\r\n"
    said = line % (flags, DATE, len(body), len(body) - short, body)
    kept = []
    with wired(said + b"M1 OK done\r\n") as wire, pytest.raises(Exception, match=r"did not end|unexpected answer"):
        for one in bodies(wire, [5]):
            list(one.pieces())
            if one.told() is not None:
                kept.append(one)
    assert not kept


def _counts(looked: Looked) -> dict[bytes, int | None]:
    return {one.folder.wire: one.status.messages if one.status is not None else None for one in looked}


@given(malformations)
def test_in_a_list_of_folders(how: tuple[str, int]) -> None:
    said, line = _said(lambda n: rb'* LIST (\HasNoChildren) "/" "f%d"' % n, how)
    statuses = b"".join(b'* STATUS "f%d" (MESSAGES %d UIDNEXT 7)\r\n' % (n, n) for n in NUMBERS)
    asked = b"M2 NO no such folder\r\nM3 NO no such folder\r\n"
    with wired(said + statuses + b"M1 OK\r\n" + asked, capabilities="IMAP4REV1 LIST-STATUS") as wire:
        looked = folders.look(wire)
    found = _counts(looked)
    assert {name: n for name, n in found.items() if n is not None and n != ODD} == {
        b"f%d" % n: n for n in NUMBERS if n != ODD
    }
    assert b"f%d" % ODD in found or len(found) == COUNT or looked.unread or any(one.doubt for one in looked), line


@given(malformations)
def test_in_statuses(how: tuple[str, int]) -> None:
    """What its line does not tell is asked for again, alone."""
    said, _ = _said(lambda n: b'* STATUS "f%d" (MESSAGES %d UIDNEXT 7 UIDVALIDITY 8)' % (n, n), how)
    names = b"".join(b'* LIST () "/" "f%d"\r\n' % n for n in NUMBERS)
    alone = b"* STATUS f%d (MESSAGES %d)\r\n" % (ODD, ODD)
    with wired(names + said + b"M1 OK\r\n" + alone + b"M2 OK\r\n", capabilities="IMAP4REV1 LIST-STATUS") as wire:
        found = _counts(folders.look(wire))
    assert {name: n for name, n in found.items() if name != b"f%d" % ODD} == {
        b"f%d" % n: n for n in NUMBERS if n != ODD
    }


@pytest.mark.parametrize("odd", [b"what is this", b"STATUS a (MESSAGES 1)", b""])
def test_a_status_that_is_no_response_is_asked_for_alone_and_then_in_another_way(odd: bytes) -> None:
    said = b'* LIST () "/" a\r\n* LIST () "/" b\r\nM1 OK\r\n'
    said += odd + b"\r\n* STATUS b (MESSAGES 2)\r\nM2 OK\r\nM3 OK\r\n"
    said += odd + b"\r\nM4 OK\r\n* 7 EXISTS\r\n* OK [UIDVALIDITY 3]\r\nM5 OK\r\n"
    with wired(said) as wire:
        assert _counts(folders.look(wire)) == {b"a": 7, b"b": 2}


@pytest.mark.parametrize("which", [0, 1])
@settings(max_examples=25)  # each is a hundred commands
@given(malformations)
def test_in_quota(which: int, how: tuple[str, int]) -> None:
    """One folder has no root, or what one root limits is unknown, which is not the same as no limit."""
    said = b""
    for n in NUMBERS:
        lines = [b'* QUOTAROOT "f%d" "r%d"' % (n, n), b'* QUOTA "r%d" (STORAGE %d 1000)' % (n, n)]
        if n == ODD:
            lines[which] = _malformed(lines[which], how)
        said += b"".join(line + b"\r\n" for line in (*lines, b"M%d OK done" % n))
    with wired(said, capabilities="QUOTA") as wire:
        roots = quota.roots(wire, [Folder(b"f%d" % n) for n in NUMBERS])
    assert roots is not None
    found = {one.name: one for one in roots}
    for n in NUMBERS:
        if n != ODD:
            one = found[f"r{n}"]
            assert one.resources == (Resource("STORAGE", n * 1024, 1000 * 1024),)
            assert one.folders == {b"f%d" % n}
    odd = found.get(f"r{ODD}")
    assert odd is not None or which == 0
    assert odd is None or odd.resources != ()


def test_names_without_quotes_in_quota() -> None:
    said = b"* QUOTAROOT In box User quota\r\n* QUOTA User quota (STORAGE 1 2)\r\nM1 OK\r\n"
    with wired(said, capabilities="QUOTA") as wire:
        roots = quota.roots(wire, [Folder(b"In box")])
    assert roots is not None
    assert [(one.name, one.resources) for one in roots] == [("User quota", (Resource("STORAGE", 1024, 2048),))]


@pytest.mark.parametrize(
    "line", [b"* NAMESPACE", b'* NAMESPACE (("" "/")', b'* NAMESPACE "" NIL NIL', b"* NAMESPACE (x"]
)
def test_namespaces_that_cannot_be_read_are_a_doubt_about_every_folder(line: bytes) -> None:
    """Prune holds them: they may be another user's."""
    said = b'* LIST () "/" INBOX\r\n* LIST () "/" a\r\n* STATUS INBOX (MESSAGES 1)\r\n* STATUS a (MESSAGES 1)\r\n'
    with wired(said + line + b"\r\nM1 OK\r\nM2 OK\r\n", capabilities="IMAP4REV1 LIST-STATUS NAMESPACE") as wire:
        looked = folders.look(wire)
    assert [(one.folder.wire, "another user's" in one.doubt) for one in looked] == [(b"INBOX", False), (b"a", True)]


def test_a_name_that_misleads_is_asked_for_last_and_costs_itself() -> None:
    said = b'* LIST () "/" {5}|\r\n* LIST () "/" a\r\n* LIST () "/" b{6}\r\n'.replace(b"{5}|", b'"{5}"')
    said = said.replace(b"b{6}", b'"b{6}"')
    said += b"M1 OK\r\n* STATUS a (MESSAGES 1)\r\nM2 OK\r\n+ GO AHEAD\r\n"
    with wired(said) as wire:
        looked = folders.look(wire)
    found = {one.folder.wire: (one.status and one.status.messages, bool(one.problem)) for one in looked}
    assert found == {b"{5}": (None, True), b"a": (1, False), b"b{6}": (None, True)}


def test_header_fields_that_are_refused_are_asked_for_by_halves() -> None:
    line = b"* %d FETCH (UID %d BODY[HEADER.FIELDS (DATE)]<0> {1}\r\nx)\r\n"
    told = [line % (n, n) for n in range(1, 5)]
    said = b"M1 NO no\r\n" + told[0] + told[1] + b"M2 OK\r\nM3 NO no\r\nM4 NO no\r\n" + told[3] + b"M5 OK\r\n"
    with wired(said) as wire:
        found = dict(scan.fields(wire, range(1, 5), b"DATE"))
    assert {uid: block for uid, block in found.items() if isinstance(block, bytes)} == {1: b"x", 2: b"x", 4: b"x"}
    assert isinstance(found[3], CommandRefused)


@pytest.mark.parametrize("capabilities", ["LITERAL+", ""])
def test_a_go_ahead_that_nobody_asked_for_is_not_the_next_messages(capabilities: str) -> None:
    """What follows would be sent, and read as commands by a server that had refused it."""
    sent = [append.Outgoing(1, [], None, [b"x"]), append.Outgoing(1 << 21, [], None, [b"x" * (1 << 21)])]
    ahead = b"+ go on\r\n" * (1 if capabilities else 2)
    with wired(ahead + b"M1 OK\r\nM2 NO too large\r\n", capabilities=capabilities) as wire:
        with pytest.raises(Disconnected, match="wants more"):
            append.Appending(wire, Folder(b"INBOX"), 1, sent)
        assert not wire.usable


@given(malformations)
def test_in_what_a_search_finds(how: tuple[str, int]) -> None:
    """Nothing is searched on servers: their answers to it are read over, in any form."""
    odd = _malformed(b"* SEARCH " + b" ".join(b"%d" % n for n in NUMBERS), how)
    with wired(odd + b"\r\n" + b"".join(_listed(n) + b"\r\n" for n in NUMBERS) + b"M1 OK done\r\n") as wire:
        wire.exists = COUNT
        assert {one.uid for one in scan.listing(wire)} >= set(NUMBERS)
