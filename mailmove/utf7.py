"""Modified UTF-7, the encoding of folder names on the wire (RFC 3501 5.1.3)."""

from __future__ import annotations

import binascii
import re

_SHIFTED = re.compile(r"&([^-]*)-")
_WIDE = re.compile(r"[^ -~]+")


def encode(name: str) -> bytes:
    """A folder name as IMAP4rev1 writes it."""

    def shift(run: re.Match[str]) -> str:
        raw = binascii.b2a_base64(run[0].encode("utf-16-be", "surrogatepass"), newline=False)
        return "&" + raw.decode("ascii").rstrip("=").replace("/", ",") + "-"

    return _WIDE.sub(shift, name.replace("&", "&-")).encode("ascii")


def decode(wire: bytes) -> str:
    """A folder name as people read it: modified UTF-7, or UTF-8 where a server sends that.

    :raises ValueError: when the octets are neither, or are not the one way to encode that name.
    """
    if not wire.isascii():
        return wire.decode("utf-8")
    if b"&" not in wire:
        return wire.decode("ascii")

    def unshift(run: re.Match[str]) -> str:
        if not run[1]:
            return "&"
        padded = run[1].replace(",", "/") + "=" * (-len(run[1]) % 4)
        return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")

    name = _SHIFTED.sub(unshift, wire.decode("ascii"))
    if encode(name) != wire:
        raise ValueError("not modified UTF-7")
    return name
