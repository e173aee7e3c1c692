"""What a word is, for search: case, accents and punctuation do not count.

A word is a run of letters and digits (Unicode categories L, N and M). Scripts without spaces between words (Chinese,
Japanese, Korean, Thai, Lao, Khmer, Burmese) are cut into pairs of characters, each beginning at the next one, so that
any part of them is found; a picture (emoji) is a word of its own. Compatible forms are one (ﬁ is fi, Ａ is a).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_PAIRED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0edf\u1000-\u109f\u1780-\u17d3\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_RUN = re.compile(f"[{_PAIRED}]+")
_NOT_ASCII_WORD = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")
_JAMO = re.compile("[\u1100-\u11ff]")
_PLAINER = {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
"""Letters that keyboards of other languages have not, and Unicode does not take apart."""
_PICTURES = ((0x2600, 0x27C0), (0x1F000, 0x20000))
_JOINED = "\u200c\u200d\u00ad\u2060\ufeff"  # they stand within words: joiners, soft hyphen


def folded(text: str) -> str:
    """A text without what a search ignores, character for character: case, accents, compatible forms."""
    if text.isascii():
        return text.lower()
    return "".join(map(_FOLDED.__getitem__, map(ord, _composed(text))))


def cased(text: str) -> str:
    """A text without its case, as IMAP compares texts (i;unicode-casemap, RFC 5051): accents count.

    Texts that are equal so are equal as :func:`folded` and as :func:`prepared`, so that an index of these can narrow
    down where one is part of another.
    """
    if text.isascii():
        return text.upper()
    return "".join(map(_CASED.__getitem__, map(ord, _composed(text))))


def prepared(text: str) -> str:
    """A text as an index takes it in: its words, and between them only what no word of ASCII has in it.

    What is not ASCII there is part of a word.
    """
    if text.isascii():
        return text
    text = _composed(text).translate(_WORDS)
    return _RUN.sub(_in_pairs, text) if _RUN.search(text) else text


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    return _NOT_ASCII_WORD.sub(" ", prepared(text).lower()).split()


def sought(text: str) -> list[str]:
    """The words that stand one after another wherever this text is found; the last may go on there."""
    found = words(text)
    if len(found) > 1 and len(found[-2]) == 2 and len(found[-1]) == 1 and _RUN.fullmatch(found[-2] + found[-1]):
        found.pop()  # the end of a run, which may go on where it is found
    return found


def begins_with(found: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether words begin with these, of which the last may go on."""
    *whole, last = wanted
    size = len(whole)
    return len(found) > size and list(found[:size]) == whole and found[size].startswith(last)


def _composed(text: str) -> str:
    """Korean syllables that were sent in their letters, as some systems do, as syllables."""
    return unicodedata.normalize("NFC", text) if _JAMO.search(text) else text


def _in_pairs(run: re.Match[str]) -> str:
    text = run[0]
    return f" {' '.join([text[at : at + 2] for at in range(len(text))])} "


class _Folded(dict[int, str]):
    """Each character as it is compared."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if 0xAC00 <= code <= 0xD7A3:
            found = char
        else:
            found = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
            found = "".join(_PLAINER.get(part, part) for part in found if not unicodedata.combining(part))
            if 0xD800 <= code <= 0xDFFF:
                found = "\ufffd"
        self[code] = found
        return found


class _Words(dict[int, str]):
    """Each character as part of a word, or what stands in its place between words."""

    def __missing__(self, code: int) -> str:
        found = self[code] = "".join(map(self._kept, _FOLDED[code])) if not _is_picture(code) else f" {chr(code)} "
        return found

    @staticmethod
    def _kept(char: str) -> str:
        if char in _JOINED or "\ufe00" <= char <= "\ufe0f":
            return ""
        return char if unicodedata.category(char)[0] in "LNM" else " "


class _Cased(dict[int, str]):
    """Each character in title case and taken apart, unless an index would tell that from the character itself."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        title = char.title()
        apart = unicodedata.normalize("NFKD", title if len(title) == 1 else char)
        same = all(apart.translate(index) == index[code] for index in (_FOLDED, _WORDS))
        found = self[code] = apart if same else char
        return found


def _is_picture(code: int) -> bool:
    # the newest of them are not yet assigned where Python's tables are older
    return any(low <= code < high for low, high in _PICTURES) and unicodedata.category(chr(code)) in ("So", "Cn")


_FOLDED = _Folded()
_WORDS = _Words()
_CASED = _Cased()
