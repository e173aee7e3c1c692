"""Canonical JSON (RFC 8785) of what mailmove writes for others to verify: texts, lists and objects of them.

Numbers are left out on purpose: sizes and times are written as texts, so that no reader can make another number of
them. What remains of the RFC is the order of keys, the escapes of texts, and no blank between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Value = str | Sequence["Value"] | Mapping[str, "Value"]


def canonical(value: Value) -> bytes:
    """The octets that say this, and the only ones.

    :raises TypeError: for anything but texts, lists, and objects with keys of ASCII.
    :raises UnicodeEncodeError: for a text with half a character (a lone surrogate).
    """
    _must_be_plain(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _must_be_plain(value: Value) -> None:
    if isinstance(value, str):
        return
    if isinstance(value, list | tuple):
        for each in value:
            _must_be_plain(each)
    elif isinstance(value, dict) and all(isinstance(key, str) and key.isascii() for key in value):
        for each in value.values():
            _must_be_plain(each)
    else:
        raise TypeError(f"{type(value).__name__} has no place in canonical JSON")
