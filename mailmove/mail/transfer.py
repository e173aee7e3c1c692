"""Content transfer encodings (RFC 2045 6): whatever stands there, as much of it as can be read, in linear time."""

from __future__ import annotations

import binascii
import re

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET))
_PADDING = re.compile(rb"=+")
_UU_BEGIN = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} [^\r\n]*+\r?\n", re.MULTILINE)


def decode(octets: bytes, encoding: str) -> bytes:
    """The content of a part whose Content-Transfer-Encoding is this, in lower case; an unknown one means as it is."""
    if encoding in ("base64", "x-base64", "b"):
        return base64(octets)
    if encoding in ("quoted-printable", "quotedprintable", "q"):
        return binascii.a2b_qp(octets)
    if encoding in ("x-uuencode", "x-uue", "uuencode", "uue"):
        return uu(octets)
    return octets


def base64(octets: bytes) -> bytes:
    """What base64 says, whatever stands between, also where padding is left out or several blocks follow each other."""
    digits = octets.translate(None, _NOT_BASE64)
    return b"".join(map(_block, _PADDING.split(digits)))


def uu(octets: bytes) -> bytes:
    """The first file in uuencoded text."""
    begin = _UU_BEGIN.search(octets)
    if begin is None:
        return octets
    content = bytearray()
    for line in octets[begin.end() :].splitlines():
        if line.strip() in (b"end", b"====", b""):
            break
        content += _uu_line(line)
    return bytes(content)


def _block(digits: bytes) -> bytes:
    if len(digits) % 4 == 1:  # six bits are no octet
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:  # trailing spaces were lost or added on the way
        length = ((line[0] - 32) & 63) * 4 // 3 + (((line[0] - 32) & 63) % 3 > 0)
        try:
            return binascii.a2b_uu(line[: length + 1])
        except binascii.Error:
            return b""
