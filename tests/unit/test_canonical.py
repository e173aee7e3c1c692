"""Canonical JSON as RFC 8785 has it, of texts, lists and objects."""

from __future__ import annotations

from typing import Any

import pytest

from mailmove.canonical import canonical


def test_keys_are_sorted_and_nothing_stands_between() -> None:
    assert canonical({"b": ["2", "1"], "a": {"z": "", "B": "x"}, "A": "y"}) == (
        b'{"A":"y","a":{"B":"x","z":""},"b":["2","1"]}'
    )


def test_texts_are_escaped_as_section_3_2_2_2_says() -> None:
    """The string of the RFC's example in section 3.2.2, and every control character."""
    assert canonical('\u20ac$\u000f\nA\'B"\\\\"/') == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()
    short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
    for code in range(0x20):
        assert canonical(chr(code)).decode() == '"' + short.get(code, f"\\u{code:04x}") + '"'
    assert canonical("\x7f\u2028\U0001f600") == '"\x7f\u2028\U0001f600"'.encode()


@pytest.mark.parametrize("value", [1, 1.5, True, None, b"x", {"a": 1}, ["x", None], {1: "x"}, {"\xe9": "x"}])
def test_what_readers_could_read_in_two_ways_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        canonical("\ud800")
