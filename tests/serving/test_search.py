"""SEARCH answers as another server does, with the search index and without, and reads no more than it must."""

from __future__ import annotations

import base64
import quopri
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailmove.archive.record import records
from tests.exported import overwrite
from tests.kit import Mailbox, Program, message
from tests.serving.conftest import ARRIVAL, Serving, Shelved, Wire

Serve = Callable[..., Serving]

pytestmark = pytest.mark.fault(118)

MANY = 110  # more than what is searched without the index
_WORDS = (
    "Größe",
    "Zürich",
    "Rechnung",
    "O'Brien-Smith",
    "x_y.zz@ex.io",
    "東京都庁",
    "naïve",
    "55-77",
    "STRASSE",
    "résumé",
)
_FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "Junk")
_KIND = "Content-Type: text/plain; charset=utf-8\n"


def _line(chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=3))


def _mail(number: int) -> bytes:
    """A message with words in its header and text, encoded in one of four ways."""
    chance = random.Random(number)
    text = "\n".join(_line(chance) for _ in range(3)) + "\n"
    head = (
        f"From: {Header(chance.choice(_WORDS), 'utf-8').encode()} <a{number}@b.example>\n"
        f"To: c@d.example, {number % 5}@e.example\nX-Other: {chance.choice(('Alpha', 'Beta'))}\n"
        f"Subject: {Header(_line(chance), 'utf-8').encode()}\nMIME-Version: 1.0\n"
        f"Date: {datetime.fromtimestamp(ARRIVAL + number * 40_000, UTC):%a, %d %b %Y %H:%M:%S +0000}\n"
    ).encode()
    if number % 7 == 0:
        head += "Subject: another Größe\nCc: z@zz.example\n".encode()
    encoded = (
        f"{_KIND}Content-Transfer-Encoding: base64\n\n".encode() + base64.encodebytes(text.encode()),
        f"{_KIND}Content-Transfer-Encoding: quoted-printable\n\n".encode() + quopri.encodestring(text.encode()),
        f"{_KIND}Content-Transfer-Encoding: 8bit\n\n{text}".encode(),
        f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{_KIND}\n{text}\n--b\n"
        f"{_KIND.replace('plain', 'html')}\n<p>{_line(chance)}</p>\n--b--\n".encode(),
    )
    return (head + encoded[number % 4]).replace(b"\n", b"\r\n")


def _flags(number: int) -> list[str]:
    return [flag for place, flag in enumerate(_FLAGS) if number >> place & 1]


def _arrival(number: int) -> int:
    return ARRIVAL + number * 30_000


@st.composite
def _texts(draw: st.DrawFn) -> str:
    """A part of words that follow each other, in small letters or large ones."""
    whole = " ".join(draw(st.lists(st.sampled_from([*_WORDS, "Alpha", "a7@b.example"]), min_size=1, max_size=2)))
    start = draw(st.integers(0, len(whole) - 3))
    part = whole[start : draw(st.integers(start + 3, len(whole)))]
    return draw(st.sampled_from((part, part.upper(), part.lower())))


_LEAVES = st.one_of(
    st.tuples(st.sampled_from(("TEXT", "BODY", "SUBJECT", "FROM", "TO", "CC")), _texts()).map(list),
    st.tuples(st.just("HEADER"), st.sampled_from(("Subject", "X-Other", "From", "Cc", "Nothing")), _texts()).map(list),
    st.sampled_from(("SEEN", "UNSEEN", "FLAGGED", "UNANSWERED", "DELETED", "ALL")).map(lambda name: [name]),
    st.sampled_from(("KEYWORD", "UNKEYWORD")).map(lambda name: [name, "Junk"]),
    st.tuples(st.sampled_from(("LARGER", "SMALLER")), st.integers(300, 900)).map(list),
    st.tuples(
        st.sampled_from(("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE")),
        st.integers(0, 60).map(lambda day: f"{datetime.fromtimestamp(ARRIVAL + day * 86_400, UTC):%d-%b-%Y}"),
    ).map(list),
    st.tuples(st.integers(1, MANY), st.integers(1, MANY)).map(lambda ends: [f"{min(ends)}:{max(ends)}"]),
)
_PROGRAMS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda key: ["NOT", *_grouped(key)]),
        st.tuples(inner, inner).map(lambda both: ["OR", *_grouped(both[0]), *_grouped(both[1])]),
        st.tuples(inner, inner).map(lambda both: [*both[0], *both[1]]),
    ),
    max_leaves=5,
)


def _grouped(key: list[object]) -> list[object]:
    return ["(", *key, ")"]


def _sent(program: list[object]) -> bytes:
    words = [word.encode() for word in map(str, program)]
    atoms = re.compile(rb"[\w:()<>-]+", re.ASCII)
    octets = b" ".join(word if atoms.fullmatch(word) else b"{%d+}\r\n%b" % (len(word), word) for word in words)
    return b"SEARCH CHARSET UTF-8 " + octets.replace(b"( ", b"(").replace(b" )", b")")


def _found(wire: Wire, program: list[object]) -> list[int]:
    *told, last = wire.ask(_sent(program))
    assert last.startswith(b"t OK"), (last, program)
    return sorted(int(number) for line in told if line.startswith(b"* SEARCH") for number in line.split()[2:])


@pytest.fixture
def both(shelved: Shelved, serve: Serve, mailbox: Mailbox) -> Iterator[tuple[Wire, Wire]]:
    """The same mail, served by mailmove and by Dovecot."""
    with mailbox.client() as client:
        for number in range(1, MANY + 1):
            client.append("INBOX", _mail(number), _flags(number), datetime.fromtimestamp(_arrival(number), UTC))
    shelved.put({number: _mail(number) for number in range(1, MANY + 1)}, arrival=_arrival)
    shelved.record(*(records.Flags(b"INBOX", 7, number, tuple(_flags(number))) for number in range(1, MANY + 1)))
    serving = serve()
    with serving.wire() as ours, serving.wire(mailbox.port) as theirs:
        ours.log_in(serving)
        theirs.line()
        theirs.ask(f"LOGIN {mailbox.user} {mailbox.password}".encode())
        for wire in (ours, theirs):
            assert wire.ask(b"EXAMINE INBOX")[-1].startswith(b"t OK")
        yield ours, theirs


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(program=_PROGRAMS)
@example(program=["BODY", "hnung Größe"])
@example(program=["NOT", "BODY", "ürich"])
@example(program=["OR", "BODY", "京都", "TEXT", "ALPHA"])
@example(program=["BODY", "Grosse"])
@example(program=["SUBJECT", "another"])
@example(program=["FROM", "a7@b", "BODY", "7 Ré"])
def test_it_answers_as_dovecot_does(both: tuple[Wire, Wire], program: list[object]) -> None:
    ours, theirs = both
    assert _found(ours, program) == _found(theirs, program)


def test_what_cannot_hold_it_is_not_read(shelved: Shelved, serve: Serve) -> None:
    """A message that is damaged costs only a search that must read it."""
    shelved.put({uid: _mail(uid) for uid in range(1, MANY + 1)} | {500: message(500)})
    serving = serve()
    with serving.wire() as wire:
        wire.log_in(serving)
        wire.ask(b"EXAMINE INBOX")
        hit = [b"* SEARCH %d\r\n" % (MANY + 1), b"t OK SEARCH completed\r\n"]
        assert wire.ask(b"SEARCH BODY padded") == hit
        overwrite(shelved.file(1), b"x" * len(_mail(1)))
        for key in (b"BODY padded", b'BODY "ne of message"', b"SUBJECT sage"):
            assert wire.ask(b"SEARCH " + key) == hit, key
        assert wire.ask(b"SEARCH TEXT padded")[-1].startswith(b"t NO message")


def test_without_a_search_index_messages_are_read(shelved: Shelved, serve: Serve, mailmove: Program) -> None:
    shelved.put({uid: _mail(uid) for uid in range(1, MANY + 1)} | {500: message(500)})
    place = Path(mailmove.env["MAILMOVE_STATE"], "search")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"no directory")
    serving = serve()
    with serving.wire() as wire:
        wire.log_in(serving)
        wire.ask(b"EXAMINE INBOX")
        for key in (b"BODY padded", b"SUBJECT sage", b"TEXT padd"):
            assert wire.ask(b"SEARCH " + key)[0] == b"* SEARCH %d\r\n" % (MANY + 1), key
        assert len(wire.ask(b"SEARCH SUBJECT another")[0].split()) == 2 + MANY // 7  # of two fields it is the second
