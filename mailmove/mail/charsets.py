"""Octets as text, by the character set that a message names: only what cannot be read is replaced, by U+FFFD.

A label is read as browsers and mail programs read it (:mod:`mailmove.mail.labels`; WHATWG Encoding Standard). A byte
order mark beats it. So does UTF-8: text of another character set is next to never valid UTF-8 by accident, while UTF-8
under a wrong label is common. Nothing here raises, and the time is linear in the octets.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from functools import partial

from mailmove.mail.labels import codec_of

_BOMS = ((codecs.BOM_UTF8, "utf_8"), (codecs.BOM_UTF16_LE, "utf_16_le"), (codecs.BOM_UTF16_BE, "utf_16_be"))
_BOMS_32 = ((codecs.BOM_UTF32_LE, "utf_32_le"), (codecs.BOM_UTF32_BE, "utf_32_be"))
_WIDE = {"utf_16": 2, "utf_16_le": 2, "utf_16_be": 2, "utf_32": 4, "utf_32_le": 4, "utf_32_be": 4}
_DOUBLE = frozenset(("gb18030", "big5hkscs", "cp950", "cp932", "euc_jp", "cp949", "johab"))
_SHIFTED = frozenset(("iso2022_jp", "iso2022_kr", "hz", "utf_7"))  # octets of 7 bits
_NEIGHBOURS = {
    "big5hkscs": ("cp950",),
    "cp950": ("big5hkscs",),
    "iso2022_jp": ("iso2022_jp_2004",),
    "iso2022_kr": ("cp949",),
    "hz": ("gb18030",),
}
_JAPANESE = re.compile(rb"\x1b\$[@B]")  # no other text has it
_NOTHING = dict.fromkeys(range(0xF8F0, 0xF8F4), "\ufffd")
_ESCAPE = re.compile(rb"(\x1b(?:\([BJIH]|\$\([@BD]|\$[@B]))")
_NAMED = re.compile(rb"charset\s{0,9}=(?:3D)?\s{0,9}[\"']?([\w.:+-]{2,60})", re.IGNORECASE)
_MAX_META = 4096  # octets of an HTML text in which it may name its character set
_META = re.compile(
    rb"<(?:meta\s[^>]{0,200}?charset|\?xml\s[^>]{0,200}?encoding)\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:+-]{2,60})",
    re.IGNORECASE,
)
_EUC = re.compile(rb"[\xa1-\xfe]{2}|\x8e[\xa1-\xdf]|\x8f[\xa1-\xfe]{2}|[\x00-\x7f]+|.", re.DOTALL)
_MAX_VARIANT = 1 << 18  # octets for which another way than the codec's is tried: those take long
_SURE = 16
_FEW = 4
"""Characters of two octets that a text must have to be UTF-8 in spite of a label whose characters have two as well."""


def decode(octets: bytes, label: str | None = None) -> str:
    """The text, whatever the label: an unknown one, or none, means UTF-8, or windows-1252 where it is not that."""
    codec = codec_of(label) if label else None
    if (codec is None or _is_default(label)) and _JAPANESE.search(octets):
        codec = "iso2022_jp"
    if octets.isascii() and codec not in _SHIFTED and codec not in _WIDE:
        return octets.decode("ascii")
    marked, length = _byte_order(octets, codec)
    if marked or (codec in _WIDE and not _is_narrow(octets)):
        return octets[length:].decode(marked or _endian(octets, str(codec)), "replace")
    if codec == "utf_8" or codec in _WIDE:
        return octets.decode("utf-8", "replace")
    if (text := _as_utf8(octets, codec)) is not None:
        return text
    if (codec is None or _is_default(label)) and _mostly_utf8(octets):
        return octets.decode("utf-8", "replace")
    return _best(octets, codec or "cp1252")


def named(octets: bytes, start: int = 0, end: int = 1 << 16) -> str | None:
    """The first character set that these octets of a message name; fields that are raw and not UTF-8 are read in it."""
    for found in _NAMED.finditer(octets, start, end):
        label = found[1].decode("ascii", "replace")
        if codec_of(label) not in (None, "utf_8") and not _is_default(label):
            return label
    return None


def in_html(octets: bytes, label: str | None) -> str | None:
    """What an HTML text is read in: what its part names, or else the text itself (WHATWG HTML 13.2.3.2)."""
    if label and codec_of(label) and not _is_default(label):
        return label
    found = _META.search(octets, 0, _MAX_META)
    named = found[1].decode("ascii", "replace") if found else None
    return "utf-8" if named and codec_of(named) in _WIDE else named or label


def _is_default(label: str | None) -> bool:
    """US-ASCII is what RFC 2046 4.1.2 takes for granted: octets beyond it show that nobody chose it."""
    return bool(label) and str(label).lower().strip() in ("us-ascii", "ascii", "ansi_x3.4-1968")


def _byte_order(octets: bytes, codec: str | None) -> tuple[str | None, int]:
    """The codec that a byte order mark stands for, and the length of the mark."""
    marks = _BOMS_32 if codec and codec.startswith("utf_32") else _BOMS
    for mark, name in marks:
        if octets.startswith(mark):
            return name, len(mark)
    return None, 0


def _endian(octets: bytes, codec: str) -> str:
    """Which end comes first where nothing says it: the zeros tell, as most text is Latin or has spaces."""
    width = _WIDE[codec]
    if codec not in ("utf_16", "utf_32"):
        return codec
    start = octets[: 4096 * width]
    first, last = start[0::width].count(0), start[width - 1 :: width].count(0)
    return f"{codec}_be" if first > last else f"{codec}_le"


def _is_narrow(octets: bytes) -> bool:
    """Whether this is no UTF-16 or UTF-32, though it is called so: a text of some length has zeros there."""
    if b"\0" in octets or _strictly(octets, "utf_8") is None:
        return False
    return len(octets) >= _SURE or len(octets) % 2 == 1 or not octets.isascii()


def _as_utf8(octets: bytes, codec: str | None) -> str | None:
    """The text as UTF-8 where it must be that, whatever the label says; the last character may be cut."""
    try:
        text, read = codecs.utf_8_decode(octets, "strict", False)
    except UnicodeDecodeError:
        return None
    if text.isascii():
        return None
    wide = re.search("[\u0800-\U0010ffff]", text) is not None
    if codec in _DOUBLE and not wide and len(octets) - len(text) < _FEW and _strictly(octets, str(codec)) is not None:
        return None
    return text if read == len(octets) else text + "\ufffd"


def _mostly_utf8(octets: bytes) -> bool:
    """Whether octets beyond ASCII are UTF-8 characters more often than not."""
    text = octets.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(1 for _ in re.finditer("[^\x00-\x7f\ufffd]", text))
    return good > 2 * bad


def _best(octets: bytes, codec: str) -> str:
    """By the codec, or by that variant of it which understands most; of a long text by what its beginning is."""
    best: str | None = None
    if len(octets) > _MAX_VARIANT and _strictly(octets, codec) is None:
        return _best(octets[:_MAX_VARIANT], codec) + octets[_MAX_VARIANT:].decode(codec, "replace")
    for read in _variants(codec):
        text = read(octets)
        if best is None or text.count("\ufffd") < best.count("\ufffd"):
            best = text
        if "\ufffd" not in best:
            break
    return best or ""


def _variants(codec: str) -> Iterator[Callable[[bytes], str]]:
    if codec == "cp932":
        yield _cp932
        return
    for name in (codec, *_NEIGHBOURS.get(codec, ())):
        yield partial(bytes.decode, encoding=name, errors="replace")
    if codec == "euc_jp":
        yield lambda octets: "".join(map(_euc, _EUC.findall(octets)))
    elif codec == "iso2022_jp":
        yield _iso2022_jp


def _strictly(octets: bytes, codec: str) -> str | None:
    try:
        return octets.decode(codec)
    except UnicodeDecodeError:
        return None


def _iso2022_jp(octets: bytes) -> str:
    """ISO-2022-JP as Japanese mail writes it: JIS X 0208 with the characters of NEC and IBM (CP50221)."""
    text: list[str] = []
    mode = b"\x1b(B"
    for piece in _ESCAPE.split(octets):
        if piece.startswith(b"\x1b") and _ESCAPE.fullmatch(piece):
            mode = piece
        elif mode in (b"\x1b$B", b"\x1b$@", b"\x1b$(B", b"\x1b$(@"):
            text += _lines(piece, _jis)
        elif mode == b"\x1b$(D":
            text += _lines(piece, _jis_0212)
        elif mode == b"\x1b(I":
            text += _lines(piece, lambda line: _cp932(_high(line)))
        else:
            text.append(_cp932(piece))
    return "".join(text)


def _lines(octets: bytes, read: Callable[[bytes], str]) -> Iterator[str]:
    """Control characters and spaces stand for themselves, whatever was escaped to (RFC 1468 has none of them there)."""
    for line in re.split(rb"([\x00-\x20]+)", octets):
        yield line.decode("ascii") if line[:1] <= b" " else read(line)


def _jis(pairs: bytes) -> str:
    """Characters of two octets of JIS X 0208, by their place in windows-31J."""
    whole = bytearray()
    for row, cell in zip(pairs[0::2], pairs[1::2], strict=False):
        if not (0x21 <= row <= 0x7E and 0x21 <= cell <= 0x7E):
            whole += b"\x1a"
            continue
        lead = (row - 0x21) // 2 + 0x81
        whole.append(lead if lead <= 0x9F else lead + 0x40)
        whole.append(cell + (0x7E if row % 2 == 0 else 0x20 if cell >= 0x60 else 0x1F))
    return _cp932(bytes(whole)).replace("\x1a", "\ufffd") + "\ufffd" * (len(pairs) % 2)


def _cp932(octets: bytes) -> str:
    """Windows-31J; the octets that Python gives to its makers' own use stand for nothing in mail."""
    return octets.decode("cp932", "replace").translate(_NOTHING)


def _jis_0212(pairs: bytes) -> str:
    high = _high(pairs)
    return b"".join(b"\x8f" + high[at : at + 2] for at in range(0, len(high), 2)).decode("euc_jp", "replace")


def _high(octets: bytes) -> bytes:
    return bytes(octet | 0x80 for octet in octets)


def _euc(piece: bytes) -> str:
    if len(piece) == 2 and piece[0] >= 0xA1:
        return _jis(bytes(octet & 0x7F for octet in piece))
    return piece.decode("euc_jp", "replace")
