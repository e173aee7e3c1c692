"""Dates, names, texts and header fields: each agrees with another implementation, or comes back as it was."""

from __future__ import annotations

import email
import email.policy
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove import utf7
from mailmove.archive.index import headers
from mailmove.imap import internaldate
from mailmove.model import Folder
from mailmove.safe import visible
from mailmove.units import utc
from tests.fuzz import strategies as say

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(say.dates)
def test_arrivals_are_what_the_standard_library_makes_of_them(text: bytes) -> None:
    moment = datetime.strptime(text.decode().strip(), "%d-%b-%Y %H:%M:%S %z")
    offset = moment.utcoffset()
    assert offset is not None
    seconds = (moment.replace(tzinfo=UTC) - EPOCH).total_seconds() - offset.total_seconds()
    exists = (datetime.min.replace(tzinfo=UTC) - EPOCH).total_seconds() <= seconds
    exists = exists and seconds < (datetime.max.replace(tzinfo=UTC) - EPOCH).total_seconds()
    assert internaldate.to_seconds(text) == (int(seconds) if exists else None)
    if exists:
        assert internaldate.to_seconds(internaldate.from_seconds(int(seconds))) == int(seconds)
        assert (utc(int(seconds)) - EPOCH).total_seconds() == seconds


@pytest.mark.parametrize("text", [b" 1-Jan-0001 00:00:00 +1400", b"31-Dec-9999 23:59:59 -0001"])
def test_a_moment_that_no_calendar_holds_in_utc_is_no_date(text: bytes) -> None:
    assert internaldate.to_seconds(text) is None


@pytest.mark.parametrize(
    "text",
    [
        b"4-May-2021 03:02:01 +0000",
        b"4-May-2021 3:02:01 +0000",
        b" 4-may-2021 03:02:01 GMT",
        b"04-May-2021 03:02:01 utc",
        b"04-May-2021 03:02:01Z",
        b"4-May-2021 05:02:01 +02:00",
        b"03-May-2021 22:02:01 -05",
        b"Tue, 4 May 2021 03:02:01 +0000 (UTC)",
        b"tue 4 may 2021 03:02:01 GMT",
        b"04-May-2021  03:02:01.999 +0000",
        b"2021-05-04T03:02:01Z",
        b"2021-05-04 05:02:01 +0200",
    ],
)
def test_a_date_in_another_notation_that_can_mean_only_one_thing_is_read(text: bytes) -> None:
    assert internaldate.to_seconds(text) == 1_620_097_321
    assert internaldate.proper(text) == b"04-May-2021 03:02:01 +0000", "APPEND takes no other"


@pytest.mark.parametrize(
    "text",
    [
        b"4-May-2021 03:02:01",
        b"4-May-2021 03:02:01 CST",
        b"4-May-2021 03:02:01 +2",
        b"4-May-2021 03:02:01 AM +0000",
        b"4-May-21 03:02:01 +0000",
        b"4-Mai-2021 03:02:01 +0000",
        b"4-Maybe-2021 03:02:01 +0000",
        b"04-05-2021 03:02:01 +0000",
        b"2021-13-04T03:02:01Z",
        b"Mon, 4 May 2021 03:02:01 +0000",
        b"31-Feb-2021 03:02:01 GMT",
        b"4-May-2021 25:02:01 GMT",
        b"4-May-2021 03:02:01 +2500",
        b"4-May-2021",
        b"1620097321",
    ],
)
def test_a_date_that_could_mean_two_things_is_none(text: bytes) -> None:
    assert internaldate.to_seconds(text) is None
    assert internaldate.proper(text) is None


def test_what_was_sent_properly_goes_back_as_it_was_sent() -> None:
    assert internaldate.proper(b" 4-May-2021 05:02:01 +0200") == b" 4-May-2021 05:02:01 +0200"


@given(st.binary(max_size=40) | st.binary(min_size=26, max_size=26) | say.dates)
def test_any_octets_are_a_date_or_none(text: bytes) -> None:
    seconds = internaldate.to_seconds(text)
    if seconds is not None:
        assert internaldate.to_seconds(internaldate.from_seconds(seconds)) == seconds


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(names)
def test_a_name_in_modified_utf7_is_read_back(name: str) -> None:
    wire = utf7.encode(name)
    assert wire.isascii()
    assert utf7.decode(wire) == name


@given(st.text("&-,AOQ/=ab é", max_size=14).map(str.encode) | st.binary(max_size=20))
def test_there_is_one_way_to_write_a_name(wire: bytes) -> None:
    r"""What is decoded from an ``&`` is encoded to the very same octets; no two wire names with one become equal."""
    try:
        name = utf7.decode(wire)
    except ValueError:
        return
    if wire.isascii() and b"&" in wire:
        assert utf7.encode(name) == wire


@given(say.names)
def test_a_folder_of_any_octets_has_a_name_to_show(wire: bytes) -> None:
    folder = Folder(wire)
    assert folder.name is not None
    assert _harmless(folder.shown)


def _harmless(text: str) -> bool:
    text.encode()
    hidden = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    return not any(unicodedata.category(char) in hidden for char in text)


@given(st.text(max_size=60) | st.binary(max_size=90), st.integers(1, 40))
def test_what_is_shown_is_harmless_and_stays_as_it_is(text: str | bytes, limit: int) -> None:
    shown = visible(text, limit)
    assert _harmless(shown)
    assert visible(shown, 10_000) == shown
    assert len(shown) <= limit * len("\\U0010ffff")


@given(st.text(st.characters(categories=["L", "N", "S"]), max_size=60), st.integers(1, 40))
def test_octets_are_cut_as_text_is_and_say_so(text: str, limit: int) -> None:
    assert visible(text.encode(), limit) == visible(text, limit)
    assert visible(text, limit).endswith("…") or len(text) <= limit


_FIELDS = ["Message-ID", "Date", "From", "To", "Cc", "Subject", "List-Id", "Received", "X-Subject", "Fromage"]
_words = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8)
_fields = st.lists(st.tuples(st.sampled_from(_FIELDS), st.lists(_words, min_size=1, max_size=4), st.booleans()))


@given(_fields, st.binary(max_size=40), st.sampled_from(["\r\n", "\n"]))
def test_header_fields_are_those_that_the_email_package_finds(
    written: list[tuple[str, list[str], bool]], body: bytes, end: str
) -> None:
    head = "".join(f"{name}: {(f'{end} ' if folded else ' ').join(words)}{end}" for name, words, folded in written)
    message = head.encode() + end.encode() + body
    theirs = email.message_from_bytes(message, policy=email.policy.compat32)
    ours = headers.scan(message)
    for name, got in zip(_FIELDS, ours, strict=False):
        value = theirs[name]
        assert (got.decode() if got is not None else None) == (value and " ".join(str(value).split())), name


def test_a_message_without_a_header_has_no_fields() -> None:
    """RFC 5322 2.1: what follows the first empty line is the body."""
    assert headers.scan(b"\r\nSubject: in the body\r\n\r\nx") == headers.Headers()
    assert headers.scan(b"\nSubject: in the body\n\nx") == headers.Headers()
