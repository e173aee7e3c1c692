"""winmail.dat for tests, made by hand after [MS-OXTNEF]."""

from __future__ import annotations

import struct


def attribute(number: int, value: bytes, level: int = 1, kind: int = 6) -> bytes:
    return struct.pack("<BHHI", level, number, kind, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def prop(number: int, kind: int, value: bytes) -> bytes:
    """A MAPI property of variable length."""
    return struct.pack("<HHII", kind, number, 1, len(value)) + value + b"\0" * (-len(value) % 4)


def properties(*each: bytes) -> bytes:
    return struct.pack("<I", len(each)) + b"".join(each)


def tnef(*attributes: bytes) -> bytes:
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(attributes)


CODEPAGE = attribute(0x9007, struct.pack("<II", 1251, 0))
NAME = struct.pack("<II", 1, 6) + b"n\0a\0m\0\0\0"
NAMED = struct.pack("<HH", 0x1E, 0x8001) + b"g" * 16 + NAME + struct.pack("<II", 1, 2) + b"x\0\0\0"
NUMBER = struct.pack("<HHI", 0x03, 0x0E07, 7)
ATTACHMENT = (
    attribute(0x9002, b"\0" * 14, level=2)
    + attribute(0x8010, b"SHORT~1.PDF\0", level=2)
    + attribute(0x800F, b"%PDF", level=2)
    + attribute(0x9005, properties(NUMBER, NAMED, prop(0x3707, 0x1F, "Größe.pdf\0".encode("utf-16-le"))), level=2)
)
RTF = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
"""An example of [MS-OXRTFCP] 3.1: ``{\\rtf1\\ansi\\ansicpg1252\\pard hello world}``."""


def with_text(*props: bytes) -> bytes:
    return tnef(CODEPAGE, attribute(0x9003, properties(NUMBER, NAMED, *props)), ATTACHMENT)


PLAIN = with_text(prop(0x1000, 0x1E, "Привет\0".encode("cp1251")))
HTML = with_text(prop(0x1013, 0x102, "<p>Привет".encode("cp1251")))
ONLY_RTF = with_text(prop(0x1009, 0x102, RTF))
NESTED = tnef(
    attribute(0x9002, b"\0" * 14, level=2)
    + attribute(0x9005, properties(prop(0x3001, 0x1E, b"inner\0"), prop(0x3701, 0x0D, b"i" * 16 + PLAIN)), level=2)
)
