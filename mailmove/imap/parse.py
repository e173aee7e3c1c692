"""Reading response lines: a small tokenizer for IMAP's data format (RFC 9051 4), strict and bounded.

The hot path of a metadata scan does not come through here; see :mod:`mailmove.imap.scan`.
"""

from __future__ import annotations

import re

from mailmove.errors import Disconnected
from mailmove.safe import visible

MAX_DEPTH = 32

_TOKEN = re.compile(
    rb"""\ *(?:
        (?P<open>\() | (?P<close>\))
      | "(?P<quoted>(?:[^"\\]|\\.)*)"(?=[ )]|\Z)
      | ~?\{(?P<literal>\d+)\}\Z
      | (?P<atom>(?i:BODY|BINARY(?:\.SIZE)?)\[[^\]]*\][^\s()"{]* | [^\s()"{]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(rb'\\(["\\])')


class Malformed(Disconnected):
    """A response that is not IMAP. Who can do without it goes on; for anybody else the connection is lost."""


class Atom(bytes):
    """A word that was not quoted: a number, a flag, a keyword; as opposed to a string."""

    __slots__ = ()


Value = bytes | None | list["Value"]
"""An atom or string, NIL, or a parenthesized list."""

Segments = tuple[bytes, ...]
"""One response as it came: text, then literal and text in turn."""


def parse(segments: Segments) -> list[Value]:
    """The values of a response.

    :raises Malformed: when it is not IMAP.
    """
    root: list[Value] = []
    stack = [root]
    for number in range(0, len(segments), 2):
        text, at = segments[number], 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                if not text[at:].strip(b" "):
                    break
                raise _malformed(text)
            at = found.end()
            kind = found.lastgroup
            if kind == "open":
                if len(stack) > MAX_DEPTH:
                    raise Malformed("the server sent a response nested beyond reason")
                inner: list[Value] = []
                stack[-1].append(inner)
                stack.append(inner)
            elif kind == "close":
                stack.pop()
                if not stack:
                    raise _malformed(text)
            elif kind == "literal":
                if number + 1 >= len(segments):
                    raise _malformed(text)
                stack[-1].append(segments[number + 1])
            elif kind == "quoted":
                stack[-1].append(unescaped(found["quoted"]))
            else:
                atom = found["atom"]
                stack[-1].append(None if atom.upper() == b"NIL" else Atom(atom))
    if len(stack) != 1:
        raise _malformed(segments[-1])
    return root


def number(value: Value, most: int = 2**63 - 1) -> int | None:
    """A non-negative integer, or None for anything else, out of range included."""
    if isinstance(value, bytes) and value.isdigit() and len(value) < 20:
        got = int(value)
        return got if got <= most else None
    return None


def pairs(values: Value) -> dict[str, Value]:
    """A list of names and values as a dictionary with upper-case names.

    What does not fit is left out; a name with two values has none.
    """
    if not isinstance(values, list):
        return {}
    found: dict[str, Value] = {}
    for name, value in zip(values[::2], values[1::2], strict=False):
        if isinstance(name, bytes):
            key = name.decode("ascii", "replace").upper()
            found[key] = value if found.get(key, value) == value else None
    return found


def unescaped(text: bytes) -> bytes:
    """The text of a quoted string; a backslash before anything but a backslash or a quote is one (RFC 9051 9)."""
    return _ESCAPED.sub(rb"\1", text)


def _malformed(text: bytes) -> Malformed:
    return Malformed(f"the server sent something that is not IMAP: {visible(text, 80)}")
