"""Names of message files: each certifies content and arrival by itself.

``<arrival>.V<uidvalidity>U<uid>,S=<octets>,H=<32 hex digits>:2,<flags>``: arrival in Unix seconds (0 where the server
told none), the first half of the SHA-256, and Maildir's flags. The part before the flags is the *base*; mail programs
change what follows it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

SEPARATORS = (":", ";")  # before "2,": the second where a file system does not take the first
LONGEST = 143  # octets of a name that this package makes, also of one that was put aside
TEMPORARY = re.compile(r"mailmove-([0-9a-f]{8})-\d+", re.ASCII)  # a message in tmp, and the run that is writing it

_BASE = re.compile(r"(-?\d{1,12})\.V(\d{1,10})U(\d{1,10}),S=(\d{1,15}),H=([0-9a-f]{32})", re.ASCII)
_FLAGS = {"D": "\\Draft", "F": "\\Flagged", "P": "$Forwarded", "R": "\\Answered", "S": "\\Seen"}
_LETTERS = {flag.lower(): letter for letter, flag in _FLAGS.items()}


class Base(NamedTuple):
    """What the name of a message file says; ``digest`` is the first 32 hex digits of the SHA-256."""

    arrival: int
    uidvalidity: int
    uid: int
    octets: int
    digest: str

    def __str__(self) -> str:
        return f"{self.arrival}.V{self.uidvalidity}U{self.uid},S={self.octets},H={self.digest}"


def parse_base(base: str) -> Base | None:
    """Read a base, or None when the file is not ours."""
    found = _BASE.fullmatch(base)
    if not found:
        return None
    arrival, uidvalidity, uid, octets, digest = found.groups()
    return Base(int(arrival), int(uidvalidity), int(uid), int(octets), digest)


def split(name: str) -> tuple[str, str]:
    """A file name as base and flag letters; either separator is read."""
    for separator in SEPARATORS:
        base, info, letters = name.partition(separator + "2,")
        if info:
            return base, letters
    return name, ""


def join(base: str, separator: str, letters: str) -> str:
    """The file name of a base with these flag letters."""
    return f"{base}{separator}2,{letters}"


def temporary(token: str, number: int) -> str:
    """The name in ``tmp`` of a message that is being written by the run of this token, eight hex digits."""
    return f"mailmove-{token}-{number}"


@lru_cache(maxsize=4096)
def letters_for(flags: frozenset[str]) -> str:
    r"""Maildir's letters for IMAP flags, in order. ``\Deleted`` never becomes T: mail programs act on that."""
    return "".join(sorted({_LETTERS[flag.lower()] for flag in flags if flag.lower() in _LETTERS}))


def flags_of(letters: str) -> frozenset[str]:
    """The IMAP flags that Maildir's letters stand for."""
    return frozenset(_FLAGS[letter] for letter in letters if letter in _FLAGS)


def changed_letters(local: str, before: frozenset[str], now: frozenset[str]) -> str:
    """The letters after a change of flags on the server from ``before`` to ``now``; local changes stay."""
    was, is_ = set(letters_for(before)), set(letters_for(now))
    return "".join(sorted((set(local) | (is_ - was)) - (was - is_)))
