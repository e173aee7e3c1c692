"""LIST, STATUS, NAMESPACE and QUOTA: names come out exactly, in whatever form they were sent; nonsense is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.errors import Disconnected
from mailmove.model import Folder, Resource
from mailmove.server import folders, quota
from mailmove.server.parse import Value, parse
from tests.fuzz import strategies as say
from tests.fuzz.wires import wired
from tests.kit import Mailbox, Program, archived, hashes, total

STATUS_ITEMS = (b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"X-OTHER")


@st.composite
def _status(draw: st.DrawFn, name: bytes, messages: int) -> bytes:
    values = [b"%b %d" % (draw(say.any_case(item)), messages) for item in STATUS_ITEMS]
    form = draw(say.string(name))
    return b"* %b %b (%b)\r\n" % (draw(say.any_case(b"STATUS")), form, b" ".join(draw(st.permutations(values))))


@st.composite
def _account(draw: st.DrawFn) -> tuple[dict[bytes, int], bytes]:
    """The folders of an account with how many messages each holds; and a server that has LIST-STATUS telling them."""
    held = draw(st.dictionaries(say.names, st.integers(1, 2**31), min_size=1, max_size=6))
    said = b""
    for name, messages in held.items():
        delimiter = draw(st.sampled_from([b'"/"', b'"."', b'"\\\\"', b"NIL"]))
        attributes = draw(st.sampled_from([b"", b"\\HasNoChildren", b"\\Marked \\Trash"]))
        extended = draw(st.sampled_from([b"", b' ("CHILDINFO" ("SUBSCRIBED"))']))
        word = draw(say.any_case(b"LIST"))
        said += b"* %b (%b) %b %b%b\r\n" % (word, attributes, delimiter, draw(say.string(name)), extended)
        said += draw(st.sampled_from(say.UNSOLICITED[:-1])) + draw(_status(name, messages))
    return held, said + b"M1 OK done\r\n"


@given(_account(), say.sizes)
def test_names_are_those_that_the_server_said(account: tuple[dict[bytes, int], bytes], sizes: list[int]) -> None:
    held, said = account
    with wired(said, sizes, "IMAP4REV1 LIST-STATUS") as wire:
        seen = folders.look(wire)
    assert {one.folder.wire: one.status and one.status.messages for one in seen} == held


@pytest.mark.parametrize("name", [b"a[b", b"[", b"[x", b"BODY[", b"a]b"])
def test_a_bracket_in_a_name_is_part_of_it(name: bytes) -> None:
    """RFC 9051 9: ``[`` may stand in an atom, and Dovecot sends it so."""
    said = b'* LIST () "/" %b\r\n* STATUS %b (MESSAGES 3)\r\nM1 OK\r\n' % (name, name)
    with wired(said, capabilities="IMAP4REV1 LIST-STATUS") as wire:
        assert [(one.folder.wire, one.status and one.status.messages) for one in folders.look(wire)] == [(name, 3)]


def test_a_folder_with_a_bracket_is_exported(mailbox: Mailbox, mailmove: Program) -> None:
    message = b"Subject: two\r\n\r\n2\r\n"
    mailbox.fill([message], "a[b")
    directory = mailmove.account(mailbox)
    assert mailmove("export").code == 0
    assert total(archived(directory)) == hashes(message)


def test_a_name_whose_quotes_are_not_escaped_is_not_cut_short() -> None:
    with wired(b'* LIST () "/" "a"b"c"\r\nM1 OK\r\n') as wire, pytest.raises(Disconnected, match="not IMAP"):
        folders.look(wire)


values = st.recursive(
    st.none() | say.messages.filter(lambda text: len(text) < 3000) | say.names,
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=12,
)


@given(st.lists(values, max_size=5), st.data())
def test_values_of_any_form_are_read_back(tree: list[Value], data: st.DataObject) -> None:
    def written(value: Value) -> bytes:
        if value is None:
            return b"NIL"
        if isinstance(value, list):
            return b"(%b)" % b" ".join(map(written, value))
        return data.draw(say.string(value, atoms=value != b"NIL"))

    said = b"* X %b\r\nM1 OK\r\n" % b" ".join(map(written, tree))
    with wired(said) as wire:
        assert [parse(line)[2:] for line in wire.command(b"NOOP")] == [tree]


_told = say.numbers.filter(bool)


@given(st.lists(st.tuples(st.sampled_from([b"STORAGE", b"MESSAGE", b"storage", b"X"]), _told, _told)))
def test_a_quota_is_a_number_or_unknown(triples: list[tuple[bytes, bytes, bytes]]) -> None:
    inside = b" ".join(b" ".join(triple) for triple in triples)
    said = b'* QUOTAROOT INBOX "r"\r\n* QUOTA "r" (%b)\r\nM1 OK\r\n' % inside
    with wired(said, capabilities="QUOTA") as wire:
        roots = quota.roots(wire, [Folder(b"INBOX")])
    assert roots is not None
    assert [root.name for root in roots] == ["r"]
    expected = tuple(
        Resource(name.decode().upper(), *(int(told) * (1024 if name.upper() == b"STORAGE" else 1) for told in both))
        for name, *both in triples
        if all(told.isdigit() and int(told[:20]) < 2**63 for told in both)
    )
    assert roots[0].resources == (expected if expected or not triples else None)


@given(say.mangled(st.just(b'* QUOTAROOT INBOX "r"\r\n* QUOTA "r" (STORAGE 10 100 MESSAGE 1 2)\r\n')))
def test_nonsense_about_quota_never_ends_a_run(said: bytes) -> None:
    lines = [line for line in said.split(b"\r\n") if not line.endswith(b"}") and not line.startswith((b"M", b"* BYE"))]
    said = b"".join(b"* %b\r\n" % line.removeprefix(b"* ").replace(b"{", b"") for line in lines if line[2:5] != b"BYE")
    if b"bye" in said.lower():
        return
    with wired(said + b"M1 OK\r\n", capabilities="QUOTA") as wire:
        assert quota.roots(wire, [Folder(b"INBOX")]) is not None
