"""What a structured field says, and its parameters (RFC 2045 5.1), also those in pieces and in other character sets
(RFC 2231), as mail writes them: unquoted, unclosed, with comments.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from mailmove.mail import charsets, fields

_MAX_FIELD = 1 << 16
_PARAMETER = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))', re.DOTALL)
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,6}))?(\*)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Structured(NamedTuple):
    """A field's value in lower case, such as ``text/plain``, and its parameters by their names in lower case."""

    value: str
    parameters: dict[str, str]


def parse(raw: bytes, charset: str | None = None) -> Structured:
    """Take a field apart; octets beyond ASCII are read in ``charset`` or by themselves."""
    if not raw:
        return Structured("", {})
    raw = raw[:_MAX_FIELD]
    plain = charsets.decode(raw, charset if fields.needs_charset(raw) else None)
    value = re.split(r"[;(\s]", plain.strip(), maxsplit=1)[0].lower()
    simple: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for found in _PARAMETER.finditer(plain):
        said = found[3].strip() if found[2] is None else _ESCAPED.sub(r"\1", found[2])
        section = _SECTION.fullmatch(found[1].lower())
        if section is None or (section[2] is None and section[3] is None):
            simple.setdefault(found[1].lower(), said)
        else:
            pieces.setdefault(section[1], {}).setdefault(int(section[2] or 0), (said, bool(section[3])))
    return Structured(value, simple | {name: _joined(of) for name, of in pieces.items()})


def _joined(pieces: dict[int, tuple[str, bool]]) -> str:
    """A parameter in pieces (RFC 2231 3 and 4), in their order, as far as none is missing."""
    octets, charset = [], "utf-8"
    for number, at in enumerate(sorted(pieces)):
        if at != number:
            break
        said, encoded = pieces[at]
        if encoded and not number and said.count("'") >= 2:
            charset, _, said = said.split("'", 2)
        octets.append(unquote_to_bytes(said) if encoded else said.encode("utf-8", "replace"))
    return charsets.decode(b"".join(octets), charset)
