"""What an S/MIME part holds (RFC 8551): what was signed lies in it in clear, what was encrypted does not.

Nothing is verified and no key is used: of the CMS structure (RFC 5652) only the way to the content is walked, in BER
(X.690 8), as programs write it in pieces and with lengths that are not told. A library that does this without verifying
is not kept any more, or is large.
"""

from __future__ import annotations

import zlib
from enum import Enum
from typing import NamedTuple

_SEQUENCE, _OID, _STRING, _STRINGS, _FIRST = 0x30, 0x06, 0x04, 0x24, 0xA0
_END_OF_CONTENTS = 0x00
MAX_INFLATED = 32 << 20  # octets


class Kind(Enum):
    """What was done to the content."""

    SIGNED = "signed"
    ENCRYPTED = "encrypted"
    COMPRESSED = "compressed"


_KINDS = {
    bytes.fromhex("2a864886f70d010702"): Kind.SIGNED,
    bytes.fromhex("2a864886f70d010703"): Kind.ENCRYPTED,
    bytes.fromhex("2a864886f70d010704"): Kind.ENCRYPTED,
    bytes.fromhex("2a864886f70d0109100117"): Kind.ENCRYPTED,
    bytes.fromhex("2a864886f70d0109100109"): Kind.COMPRESSED,
}


class Opened(NamedTuple):
    """The kind, and the octets of what was signed or compressed; None: they are not readable, or not there."""

    kind: Kind
    content: bytes | None = None


def opened(octets: bytes) -> Opened | None:
    """Look into a CMS structure; None: it is none."""
    try:
        ber = _Ber(octets)
        ber.enter(_SEQUENCE)
        kind = _KINDS.get(ber.value(_OID))
    except _NotBer:
        return None
    if kind is None or kind is Kind.ENCRYPTED:
        return kind and Opened(kind)
    try:
        for tag in (_FIRST, _SEQUENCE):
            ber.enter(tag)
        ber.skip()  # version
        ber.skip()  # algorithms
        ber.enter(_SEQUENCE)
        ber.skip()  # content type
        ber.enter(_FIRST)
        content = ber.string()
        return Opened(kind, _inflated(content) if kind is Kind.COMPRESSED else content)
    except (_NotBer, zlib.error):
        return Opened(kind)


def _inflated(octets: bytes) -> bytes:
    """What was compressed (RFC 3274), or as much as a message may be large."""
    return zlib.decompressobj().decompress(octets, MAX_INFLATED)


class _NotBer(Exception):
    pass


class _Ber:
    """A walk through a structure of tags, lengths and values, forwards only."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def enter(self, tag: int) -> None:
        """Go into a structure."""
        if self._head()[0] != tag:
            raise _NotBer

    def value(self, tag: int) -> bytes:
        """A simple value."""
        found, length = self._head()
        if found != tag or length is None:
            raise _NotBer
        return self._take(length)

    def skip(self) -> None:
        """Pass over one element, whatever is in it."""
        depth = 0
        while True:
            tag, length = self._head()
            if length is not None:
                self._take(length)
                depth -= tag == _END_OF_CONTENTS and not length and depth > 0
            else:
                depth += 1
            if not depth:
                return

    def string(self) -> bytes:
        """An octet string, which may be in pieces that are in pieces themselves (X.690 8.7)."""
        pieces: list[bytes] = []
        ends: list[int | None] = []  # where each string of pieces that we are in ends; None: where it says so
        while True:
            tag, length = self._head()
            if tag == _STRING and length is not None:
                pieces.append(self._take(length))
            elif tag == _STRINGS:
                ends.append(None if length is None else self._at + length)
            elif tag == _END_OF_CONTENTS and ends and ends[-1] is None:
                ends.pop()
            else:
                raise _NotBer
            while ends and ends[-1] is not None and self._at >= ends[-1]:
                ends.pop()
            if not ends:
                return b"".join(pieces)

    def _head(self) -> tuple[int, int | None]:
        """Tag and length of the next element; None: the length is not told."""
        tag, length = self._octet(), self._octet()
        if tag & 0x1F == 0x1F:
            raise _NotBer
        if length == 0x80:
            return tag, None
        if length < 0x80:
            return tag, length
        return tag, int.from_bytes(self._take(length & 0x7F), "big")

    def _octet(self) -> int:
        return self._take(1)[0]

    def _take(self, length: int) -> bytes:
        taken = self._octets[self._at : self._at + length]
        if len(taken) != length:
            raise _NotBer
        self._at += length
        return taken
