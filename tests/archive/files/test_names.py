"""Names of message files: read back exactly, whatever programs append; flags never lose or destroy anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.archive.files import names
from mailmove.archive.files.names import Base

bases = st.builds(
    Base,
    arrival=st.integers(-62_135_596_800, 253_402_300_799),  # the years 1 to 9999
    uidvalidity=st.integers(0, 2**32 - 1),
    uid=st.integers(1, 2**32 - 1),
    octets=st.integers(0, 10**15 - 1),
    digest=st.text("0123456789abcdef", min_size=32, max_size=32),
)
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Forwarded", "\\Deleted", "\\deleted", "Junk", "$label1", "T"]
flag_sets = st.frozensets(st.sampled_from(FLAGS))
letters = st.text("DFPRSTabc", max_size=6).map(lambda text: "".join(sorted(set(text))))


@given(bases, st.sampled_from(names.SEPARATORS), letters)
def test_a_name_says_the_same_when_it_is_read(base: Base, separator: str, flags: str) -> None:
    name = names.join(str(base), separator, flags)
    assert names.split(name) == (str(base), flags)
    assert names.parse_base(names.split(name)[0]) == base
    assert names.parse_base(names.split(str(base))[0]) == base  # some programs leave the flags off


@pytest.mark.fault(49)
def test_arrivals_before_1901_and_1970_are_in_the_name() -> None:
    old = Base(-3_000_000_000, 1, 2, 3, "0" * 32)
    assert names.parse_base(str(old)) == old


@pytest.mark.parametrize(
    "name",
    [
        "1700000000.M1P2.host",
        "1700000000.V1U2,S=3",
        "1700000000.V1U2,S=3,H=" + "0" * 31,
        "1700000000.V1U2,S=3,H=" + "G" * 32,
        "x1700000000.V1U2,S=3,H=" + "0" * 32,
        "1700000000.V1U2,S=3,H=" + "0" * 32 + ",W=4",
        "١.V1U2,S=3,H=" + "0" * 32,
        "",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    assert names.parse_base(name) is None


@pytest.mark.fault(48)
@given(flag_sets)
def test_deleted_is_never_the_letter_that_mail_programs_act_on(flags: frozenset[str]) -> None:
    assert set(names.letters_for(flags)) <= set("DFPRS")


@given(letters, flag_sets, flag_sets)
def test_only_what_changed_on_the_server_changes_here(local: str, before: frozenset[str], now: frozenset[str]) -> None:
    was, is_ = set(names.letters_for(before)), set(names.letters_for(now))
    result = set(names.changed_letters(local, before, now))
    for letter in set(local) | was | is_:
        if (letter in was) == (letter in is_):
            assert (letter in result) == (letter in local)
        else:
            assert (letter in result) == (letter in is_)
    assert "".join(sorted(result)) == names.changed_letters(local, before, now)
