"""Values as IMAP writes them (RFC 3501 9): strings, numbers of messages, dates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_QUOTABLE = re.compile(rb"[ -!#-\[\]-~]{0,1000}")  # no quote, no backslash, nothing beyond ASCII
_ATOM = re.compile(r"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+", re.ASCII)


def string(octets: bytes) -> bytes:
    """A string: quoted where that can carry it, else a literal; NUL, which neither can, is left out."""
    if _QUOTABLE.fullmatch(octets):
        return b'"%b"' % octets
    if b"\0" in octets:
        octets = octets.replace(b"\0", b"")
    return b"{%d}\r\n%b" % (len(octets), octets)


def quoted(octets: bytes) -> bytes:
    """A folder's name: what is beyond quoting is a literal."""
    if octets.isascii() and not set(octets) & set(b"\r\n\0"):
        return b'"%b"' % octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return string(octets)


def nstring(octets: bytes | None) -> bytes:
    """A string, or NIL for none."""
    return b"NIL" if octets is None else string(octets)


@lru_cache(maxsize=4096)
def flags(text: str, seen: bool = False) -> bytes:
    r"""Flags as they were last seen on the server, as far as IMAP can say them; ``\\Recent`` was that session's."""
    told = [flag for flag in text.split() if _ATOM.fullmatch(flag) and flag.lower() != "\\recent"]
    if seen and "\\seen" not in text.lower():
        told.append("\\Seen")
    return " ".join(told).encode("ascii")


def sequence(numbers: Iterable[int]) -> bytes:
    """Numbers, in order, as a sequence set."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return b",".join(b"%d" % a if a == b else b"%d:%d" % (a, b) for a, b in runs)
