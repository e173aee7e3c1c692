"""LIST, STATUS, NAMESPACE and QUOTA: names come out exactly, in whatever form they were sent; nonsense is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.imap import folders, quota
from mailmove.imap.parse import Value, parse
from mailmove.model import Folder, Resource
from mailmove.safe import visible
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


READABLE = {
    b'"a"b"c"': b'a"b"c',
    b'""1234""': b'"1234"',
    b"Posta in uscita": b"Posta in uscita",
    b"Posta": b"Posta",
    b"a\tb": b"a\tb",
    b'"a\tb"': b"a\tb",
    b'a"b': b'a"b',
    b"Posta (vecchia)": b"Posta (vecchia)",
    b"Posta (CHILDINFO (SUBSCRIBED))": b"Posta",
    b'"Posta" ("CHILDINFO" ("SUBSCRIBED"))': b"Posta",
    b"{5} ": b"{5}",
    b"Posta{5": b"Posta{5",
    b"100%": b"100%",
    b"a*b": b"a*b",
    b'"Public\\foo"': b"Public\\foo",
    b'"a\\\\b\\"c"': b'a\\b"c',
    b"Gr\xfc\xdfe": b"Gr\xfc\xdfe",
    b"nil": b"nil",
    b"inBox": b"INBOX",
    b" two  spaces": b"two  spaces",
}


@pytest.mark.parametrize("written", READABLE)
def test_a_name_is_the_rest_of_its_line(written: bytes) -> None:
    """As every mail program reads it, where a server forgets quotes or what belongs inside them."""
    said = b'* LIST () "/" %b\r\n* STATUS %b (MESSAGES 3)\r\nM1 OK\r\n' % (written, written.partition(b" (CH")[0])
    said = said.replace(b' ("CHILDINFO" ("SUBSCRIBED")) (M', b" (M")
    with wired(said, capabilities="IMAP4REV1 LIST-STATUS") as wire:
        looked = folders.look(wire)
    assert [(one.folder.wire, one.status and one.status.messages) for one in looked] == [(READABLE[written], 3)]
    assert not looked.unread


UNREADABLE = [
    b'* LIST () "/"',
    b"* LIST",
    b'* LIST (\\Noselect "/" "a"',
    b'* LIST ("\\Noselect") "/" "a"',
    b'* LIST () "/" "a',
    b'* LIST () // "a"',
    b'* LIST "/" "a"',
    b'* LIST () "/" {999999999999999999999999999999}',
    b'* LIST () "/" "\x1b[2J',
    b"half a line",
    b"",
]


@pytest.mark.parametrize("line", UNREADABLE)
def test_a_line_that_names_no_folder_is_shown_and_costs_no_other(line: bytes) -> None:
    good = [b'* LIST () "/" "f%d"\r\n* STATUS "f%d" (MESSAGES %d)\r\n' % (n, n, n) for n in range(100)]
    good[50] = line + b"\r\n"
    with wired(b"".join(good) + b"M1 OK\r\n", capabilities="IMAP4REV1 LIST-STATUS") as wire:
        looked = folders.look(wire)
    assert [one.folder.name for one in looked] == [f"f{n}" for n in range(100) if n != 50]
    assert [one.status and one.status.messages for one in looked] == [n for n in range(100) if n != 50]
    assert looked.unread == (visible(line, 120),)


def test_two_folders_of_one_name_are_a_doubt() -> None:
    said = b'* LIST () "/" a\r\n* LIST () "/" "a"\r\n* LIST () "/" b\r\nM1 OK\r\n'
    statuses = b"* STATUS a (MESSAGES 1)\r\nM2 OK\r\n* STATUS b (MESSAGES 2)\r\nM3 OK\r\n"
    with wired(said + statuses) as wire:
        looked = folders.look(wire)
    assert [(one.folder.wire, bool(one.doubt)) for one in looked] == [(b"a", True), (b"b", False)]


@pytest.mark.parametrize(
    "told",
    [
        b"* STATUS With space (MESSAGES 3 UIDNEXT 41 UIDVALIDITY 7)",
        b"* STATUS {5} (MESSAGES 3 UIDNEXT 41 UIDVALIDITY 7)",
        b'* STATUS "elsewhere" (MESSAGES 3 UIDNEXT 41 UIDVALIDITY 7)',
        b"* STATUS (MESSAGES 3 UIDNEXT 41 UIDVALIDITY 7)",
        b"* STATUS NIL (MESSAGES 3 UIDNEXT 41 UIDVALIDITY 7)",
        b"* 3 EXISTS",
    ],
)
def test_the_answer_to_the_only_question_is_its_answer(told: bytes) -> None:
    examined = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 41] x\r\nM2 OK\r\n"
    with wired(told + b"\r\nM1 OK\r\n" + examined) as wire:
        status = folders.status(wire, Folder(b"Elsewhere"))
    assert (status.messages, status.uidnext, status.uidvalidity) == (3, 41, 7)


def test_one_name_for_two_answers_is_asked_again() -> None:
    """A server that cuts the names in its answers must not give one folder the status of another."""
    said = b'* LIST () "/" Posta\r\n* LIST () "/" Posta in uscita\r\nM1 OK\r\n'
    cut = b"* STATUS Posta (MESSAGES 1)\r\nM2 OK\r\n* STATUS Posta (MESSAGES 9)\r\nM3 OK\r\n"
    again = b"* STATUS Posta (MESSAGES 1)\r\nM4 OK\r\n* STATUS Posta (MESSAGES 9)\r\nM5 OK\r\n"
    with wired(said + cut + again) as wire:
        looked = folders.look(wire)
    assert [one.status and one.status.messages for one in looked] == [1, 9]


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
