"""The one door through which text from outside reaches a terminal, a log or a progress bar."""

from __future__ import annotations

from collections.abc import Iterable


def visible(text: str | bytes, limit: int = 300) -> str:
    r"""Make text that a server or a message said harmless: what would not print is shown escaped (``\x1b``).

    Octets are read as UTF-8; those that are not UTF-8 are shown escaped too. Longer text is cut at ``limit``.
    """
    if isinstance(text, bytes):
        text = text[: (limit + 1) * 4].decode("utf-8", "surrogateescape")
    cut = len(text) > limit
    if cut:
        text = text[: limit - 1]
    if not text.isprintable():
        text = "".join(map(_shown, text))
    return text + "…" if cut else text


def few(names: Iterable[str], most: int = 5) -> list[str]:
    """Names to be told, made harmless; where they are many, the first ones and how many more there are."""
    told = [visible(name, 100) for name in names]
    if len(told) > most:
        told[most:] = [f"and {len(told) - most:,} more"]
    return told


def _shown(char: str) -> str:
    if char.isprintable():  # no control, format (bidi overrides), private or surrogate character, no odd separator
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # an undecodable octet
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
