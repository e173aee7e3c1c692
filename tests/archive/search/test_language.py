"""What people type is read as they mean it, and nothing they type raises anything but an error that names the place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.archive.search.language import OPERATORS, parse
from mailmove.archive.search.query import EVERYWHERE, Query, Term
from mailmove.errors import UsageError
from mailmove.units import parse_age

NOT = True


def moment(text: str) -> int:
    parse_age(text)
    return len(text)


def read(*arguments: str) -> Query:
    return parse(arguments, moment)


def one(text: str) -> Query:
    return Query((Term(text),))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("rechnung", one("rechnung")),
        ("andre muller", one("andre muller")),
        ("Re:", one("Re:")),
        ("12:30", one("12:30")),
        ("https://example.org/?q=1", one("https://example.org/?q=1")),
        ("AND", one("AND")),
        ("x*", one("x*")),
        ('5" disk', one('5" disk')),
        ("from:anna", Query((Term("anna", ("from",)),))),
        ("FROM:Anna", Query((Term("Anna", ("from",)),))),
        ('from:"anna rossi" budget', Query((Term("anna rossi", ("from",)), Term("budget")))),
        ('"annual report" budget', Query((Term("annual report"), Term("budget")))),
        ("not:draft", Query((Term("draft", EVERYWHERE, NOT),))),
        ("-draft", Query((Term("draft", EVERYWHERE, NOT),))),
        ("not:not:draft", one("draft")),
        ("-from:anna", Query((Term("anna", ("from",), NOT),))),
        ("-", one("-")),
        ("from:re:x", Query((Term("re:x", ("from",)),))),
        ("subject:from:x", Query((Term("from:x", ("subject",)),))),
        ("filename:a.pdf has:attachment", Query((Term("a.pdf", ("filename",)),), marks=("attachment",))),
        ("is:unread not:is:flagged", Query(marks=("unread",), unmarked=("flagged",))),
        ("in:Work not:in:Trash", Query(folders=("Work",), outside=("Trash",))),
        ("larger:1MB larger:2MB", Query(larger=2 << 20)),
        ("before:2024-12-31 after:30d", Query(before=10, since=3)),
        ("  ", Query()),
    ],
)
def test_what_is_typed_is_read_as_it_is_meant(typed: str, meant: Query) -> None:
    assert read(typed) == meant


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("from:", "at character 6: from: has nothing to look for"),
        ('budget from:"anna', "at character 13: the quotation mark has no other one"),
        ("is:read", "at character 4: is: takes flagged, unread, only-here, not read"),
        ("x before:soon", "at character 10: 'soon' is not an age"),
        ("larger:big", "at character 8: 'big' is not a size"),
        ("not:before:1y", "not: does not go with before:"),
        ("not:", "not: has nothing to look for"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(typed: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        read(typed)
    assert said in error.value.what


PIECES = st.one_of(
    st.sampled_from([f"{name}:" for name in OPERATORS]), st.sampled_from(['"', " ", "-", ":", "1y", "1MB"]), st.text()
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_whatever_is_typed_is_read_or_refused(typed: str) -> None:
    try:
        read(typed)
    except UsageError as error:
        assert "cannot be read at character" in error.what


@given(st.lists(st.text("abcXYZäß会0123456789@.", min_size=1), min_size=1, max_size=5))
def test_words_without_operators_are_each_looked_for(words: list[str]) -> None:
    assert [term.text for term in read(*words).terms] == words
    assert [term.text for term in read(*(f'from:"{word}"' for word in words)).terms] == words
