"""Folder names compared as people misspell them: good enough to keep mail, never to delete any.

Case, normal form (NFC and NFD), surrounding spaces, a delimiter at the end or another one between, an INBOX in front,
and modified UTF-7 (RFC 3501 5.1.3) typed as it stands on the wire make no difference.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from mailmove import utf7
from mailmove.model import SPECIAL_USE, Folder

_WILD = frozenset("*?")
_ENOUGH = 0.5
"""How similar a name must be to be worth a hint; 1 is equal."""
_COMPARED = 200
"""Characters of a name that are compared for a hint: comparing takes the square of that."""

Parts = tuple[str, ...]


def same(rule: str, folder: Folder) -> bool:
    """Whether a rule is this folder's name however both are spelt."""
    return bool(_spellings(rule, b"") & _of(folder))


def fits(rule: str, folder: Folder) -> bool:
    """Whether a rule is a pattern for this folder however both are spelt."""
    patterns = ["/".join(parts) for parts in _spellings(rule, b"")] if _WILD & set(rule) else []
    return any(like("/".join(name), pattern) for pattern in patterns for name in _of(folder))


def like(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern, in which ``*`` and ``?`` alone stand for others: ``[Gmail]`` is a name."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def use(rule: str) -> str | None:
    r"""The special use that a rule stands for however it is spelt, as ``\sent``."""
    found = ("\\" + parts[0] for parts in _spellings(rule, b"") if len(parts) == 1)
    return next((word for word in found if word in SPECIAL_USE), None)


def nearest(rule: str, folders: Iterable[Folder]) -> Folder | None:
    """The folder whose name is most like a rule's, if any is like it at all."""
    by_name = {_fold(folder.name[:_COMPARED]): folder for folder in folders}
    found = difflib.get_close_matches(_fold(rule[:_COMPARED]), by_name, 1, _ENOUGH)
    return by_name[found[0]] if found else None


def _of(folder: Folder) -> frozenset[Parts]:
    delimiter = folder.delimiter or b""
    return _spellings(folder.name, delimiter) | _spellings(folder.wire.decode("utf-8", "surrogateescape"), delimiter)


@lru_cache(maxsize=8192)
def _spellings(name: str, delimiter: bytes) -> frozenset[Parts]:
    """The names of each level, as typed and as decoded, with INBOX in front and without."""
    found = set()
    for text in (name, _decoded(name.strip())):
        cut = re.split(f"[/.{re.escape(delimiter.decode('ascii', 'replace'))}\\\\]", text)
        parts = tuple(part for part in map(_fold, cut) if part)
        found.add(parts)
        if parts[:1] == ("inbox",) and not set("".join(parts[1:2])) <= _WILD:  # INBOX/* does not mean everything
            found.add(parts[1:])
    return frozenset(found - {()})


def _decoded(name: str) -> str:
    try:
        return utf7.decode(name.encode("utf-8", "surrogateescape"))
    except ValueError:
        return name


def _fold(text: str) -> str:
    """One text for all that only case, normal form, spaces and invisible characters tell apart."""
    for _ in range(3):  # until nothing changes: what one of these makes, another may change again
        text = unicodedata.normalize("NFKD", text).upper().casefold()
    text = text.replace("i\u0307", "i")  # Turkish has an I with its dot, which others type without
    text = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return " ".join(text.split())
