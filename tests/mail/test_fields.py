"""Header fields as people read them; whatever a message holds, reading it raises nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmove.mail import fields


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"folded \r\n  line", "folded line"),
        ("Größe".encode(), "Größe"),
        ("Größe".encode("latin-1"), "Größe"),
        (b"=?utf-8?B?R3LDtsOfZQ==?=", "Größe"),
        (b"=?utf-8?q?Gr=C3?= =?utf-8?q?=B6=C3=9Fe?= x", "Größe x"),  # one character in two encoded words
        (b"=?nonsense?Q?caf=E9?=", "café"),
        (b"=?utf-8?b?R3LDtsOfZQ?=", "Größe"),  # padding left out
        (None, ""),
    ],
)
def test_a_field_is_decoded(raw: bytes | None, text: str) -> None:
    assert fields.text(raw) == text


@pytest.mark.fault(43)
def test_what_is_hidden_in_an_encoded_word_is_shown_escaped() -> None:
    assert fields.shown(b"=?utf-8?q?a=1B[2Jb=E2=80=AE?=") == r"a\x1b[2Jb\u202e"


@pytest.mark.parametrize(
    ("raw", "name", "address"),
    [
        (b"=?utf-8?q?J=C3=B6rg?= <Joerg@Example.ORG>", "Jörg", "joerg@example.org"),
        (b'"=?utf-8?q?a=40b=2E?=" <real@example.org>', "a@b.", "real@example.org"),
        (b"bare@example.org", "", "bare@example.org"),
        (b"", "", ""),
    ],
)
def test_a_sender_is_a_name_and_an_address(raw: bytes, name: str, address: str) -> None:
    assert fields.sender(raw) == (name, address)


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (b"Wed, 21 Oct 2015 09:28:00 +0200", 1445412480),
        (b"21 Oct 2015 07:28 -0000", 1445412480),
        (b"Wed, 31 Feb 2015 07:28:00 +0000", None),
        (b"Wed, 21 Oct 2015 07:28:00 +9999", None),
        (b"yesterday", None),
        (None, None),
    ],
)
def test_a_date_that_does_not_exist_is_none(raw: bytes | None, seconds: int | None) -> None:
    assert fields.sent(raw) == seconds


def test_a_list_is_known_by_its_identifier() -> None:
    assert fields.list_name(b"=?utf-8?q?D=C3=A9v?= <Dev.Lists.Example.ORG>") == "dev.lists.example.org"
    assert fields.list_name(b"dev.example.org") == "dev.example.org"
    assert fields.list_name(None) == ""


@given(st.binary(max_size=300) | st.text('=?<>@,;:"()[] \n\\utf-8qb_A9é', max_size=200).map(str.encode))
@example(b"(" * 8000)
@example(b"=?utf-8?b?=====?= <")
@example(b"Mon, 01 Jan 99999 00:00:00 +0000")
def test_nothing_raises(raw: bytes) -> None:
    fields.text(raw)
    fields.sender(raw)
    fields.sent(raw)
    fields.list_name(raw)
    assert fields.shown(raw).isprintable()
