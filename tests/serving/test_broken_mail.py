"""ENVELOPE and BODYSTRUCTURE of broken messages are what the grammar allows (RFC 3501 9), read by a strict parser."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmove.serving import parts
from mailmove.serving.imap import structure
from mailmove.serving.imap.parser import BadCommand, Parser, Section
from mailmove.serving.imap.sections import Body
from tests.mail.test_hostile import cpu_limited

pytestmark = pytest.mark.fault(82)

Value = bytes | int | None | list["Value"]

_STRING = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-!#-\[\]-\x7f]|\\["\\])*)"|\{(\d+)\}\r\n')
_NUMBER = re.compile(rb"\d+")


class Strict:
    """Reads what a server says, and nothing that the grammar does not allow."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self._at = 0

    def whole(self) -> Value:
        value = self.value()
        assert self._at == len(self._said), self._said[self._at :][:80]
        return value

    def value(self) -> Value:
        if self._said.startswith(b"NIL", self._at):
            self._at += 3
            return None
        if self._said.startswith(b"(", self._at):
            return self._list()
        if found := _NUMBER.match(self._said, self._at):
            self._at = found.end()
            return int(found[0])
        found = _STRING.match(self._said, self._at)
        assert found, self._said[self._at : self._at + 80]
        self._at = found.end()
        if found[2] is None:
            return found[1]
        self._at += int(found[2])
        literal = self._said[found.end() : self._at]
        assert len(literal) == int(found[2]) and b"\0" not in literal
        return literal

    def _list(self) -> list[Value]:
        self._at += 1
        items: list[Value] = []
        while not self._said.startswith(b")", self._at):
            if items and not (isinstance(items[-1], list) and self._said.startswith(b"(", self._at)):
                assert self._said.startswith(b" ", self._at), self._said[self._at : self._at + 80]
                self._at += 1
            items.append(self.value())
        self._at += 1
        assert items, "an empty list"
        return items


def must_be_envelope(value: Value) -> None:
    assert isinstance(value, list) and len(value) == 10
    for number, item in enumerate(value):
        if not 2 <= number <= 7:
            assert item is None or isinstance(item, bytes)
            continue
        inside = False
        for address in item if isinstance(item, list) else []:
            assert isinstance(address, list) and len(address) == 4
            name, route, mailbox, host = address
            assert (name is None or isinstance(name, bytes)) and route is None
            if host is None:
                assert (mailbox is None) is inside, "groups begin and end in turn"
                inside = not inside
            else:
                assert isinstance(mailbox, bytes) and isinstance(host, bytes)
        assert not inside, "a group without end"


def must_be_body(value: Value, *, extended: bool) -> None:
    assert isinstance(value, list)
    if isinstance(value[0], list):
        inner = [each for each in value if isinstance(each, list)]
        children = inner[: next(number for number, each in enumerate(value) if not isinstance(each, list))]
        for each in children:
            must_be_body(each, extended=extended)
        rest = value[len(children) :]
        assert isinstance(rest[0], bytes) and rest[0]
        assert len(rest) == (5 if extended else 1)
        must_be_extension(rest[1:])
        return
    kind, sub, parameters, identity, description, encoding, octets = value[:7]
    assert isinstance(kind, bytes) and kind and isinstance(sub, bytes) and sub and kind.lower() != b"multipart"
    must_be_parameters(parameters)
    assert all(each is None or isinstance(each, bytes) for each in (identity, description))
    assert isinstance(encoding, bytes) and encoding and isinstance(octets, int)
    rest = value[7:]
    if (kind.lower(), sub.lower()) == (b"message", b"rfc822"):
        must_be_envelope(rest[0])
        must_be_body(rest[1], extended=extended)
        rest = rest[2:]
    if kind.lower() == b"text" or len(value) - len(rest) > 7:
        assert isinstance(rest[0], int)
        rest = rest[1:]
    assert len(rest) == (4 if extended else 0)
    if extended:
        assert rest[0] is None or isinstance(rest[0], bytes)
        must_be_extension([None, *rest[1:]])


def must_be_extension(rest: list[Value]) -> None:
    if not rest:
        return
    parameters, disposition, language, location = rest
    must_be_parameters(parameters)
    if disposition is not None:
        assert isinstance(disposition, list) and len(disposition) == 2 and isinstance(disposition[0], bytes)
        must_be_parameters(disposition[1])
    assert all(each is None or isinstance(each, bytes) for each in (language, location))


def must_be_parameters(value: Value) -> None:
    assert value is None or (isinstance(value, list) and len(value) % 2 == 0)
    assert all(isinstance(each, bytes) for each in value or ())


def octets_of(body: Body, wanted: Section) -> bytes | None:
    literal = body.section(wanted)
    return None if literal is None else b"".join(literal).partition(b"\r\n")[2]


def look(message: bytes) -> None:
    """All that may be asked of it."""
    root = parts.parse(message)
    must_be_envelope(Strict(structure.envelope(root)).whole())
    for extended in (True, False):
        must_be_body(Strict(structure.bodystructure(message, root, extended=extended)).whole(), extended=extended)
    body = Body(message)
    header, text = (octets_of(body, Section(b"", what=what)) for what in ("HEADER", "TEXT"))
    assert header is not None and text is not None and header + text == message
    for path in ((1,), (2,), (1, 1), (2, 1), (1, 2, 1)):
        for what in ("", "MIME", "HEADER", "TEXT"):
            found = octets_of(body, Section(b"", path, what))
            assert found is None or found in message


_PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b'Content-Type: multipart/digest; boundary="b"\r\n',
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text\r\n",
    b"Content-Type: /;=\r\n",
    b"Content-Type: multipart/mixed\r\n",
    b"Content-Type: text/plain; charset=\"; name=a\\\"b; x*0*=utf-8''%ff\r\n",
    b"Content-Disposition: ;filename=x\r\n",
    b'Content-Disposition: attachment; filename="\xff\xfe"\r\n',
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: \r\n",
    b'From: a@b.example, "c, d" <e@f>, group: x@y, z;, (comment (nested)) q\r\n',
    b"To: <@route,@b:c@d>, undisclosed-recipients:;, <>, ,;:\r\n",
    b"Cc: group: unended, <a\r\n",
    b'Subject: {5}\r\n "quoted\\ \0 folded\r\n',
    b"Date\r\n",
    b"\r\n",
    b"\n",
    b"--b\r\n",
    b"--b--\r\n",
    b"\n--b\n",
    b'text ("\r\n',
]
_messages = st.one_of(
    st.lists(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=30)), max_size=25).map(b"".join),
    st.binary(max_size=300),
)


@given(_messages)
@example(b"")
@example(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n")
@example(b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n\r\nx\r\n----\r\n")
@example(b"From: a: b: c;\r\n\r\n")
def test_any_message_is_told_in_the_grammar(message: bytes) -> None:
    look(message)


@pytest.mark.parametrize(
    "token",
    [
        b"--b\r\n",
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"\n--",
        b"(",
        b'"\\',
        b"<a@b>,",
        b";x=",
    ],
)
@pytest.mark.parametrize(
    "before",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"Content-Type: text/plain",
        b"From: ",
        b"Content-Type: message/rfc822\r\n\r\n",
    ],
)
def test_no_message_takes_its_reader_for_ever(before: bytes, token: bytes) -> None:
    with cpu_limited():
        look(before + token * (200_000 // len(token)))


@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.sampled_from(
                [b"FETCH ", b"1:*", b" (", b"BODY[", b"1.", b"]", b"<0.1>", b"{3}\r\n", b'"', b"NOT ", b")"]
            ),
            max_size=12,
        ).map(b"".join),
    )
)
def test_a_command_is_read_or_bad(octets: bytes) -> None:
    for read in (
        Parser.search,
        Parser.items,
        Parser.ranges,
        Parser.astring,
        Parser.pattern,
        Parser.flags,
        Parser.words,
        Parser.tag,
    ):
        parser = Parser(octets)
        try:
            read(parser)
        except BadCommand:
            continue
        assert isinstance(parser.ended, bool)
