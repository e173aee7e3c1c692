r"""The flag ``\Deleted`` of a message, and whether what is told of it can be compared with what was told before."""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.model import Listed

DELETED = "\\deleted"


def is_odd(listed: Listed, before: Listed) -> bool:
    """Whether what is told of a message cannot be compared with what was told before."""
    untold = (listed.size is None) > (before.size is None) or (listed.arrival is None) > (before.arrival is None)
    return bool(listed.odd) or untold


def flags_of(listed: Listed) -> frozenset[str]:
    """The flags of a message; one whose flags cannot be read may carry our mark."""
    return listed.flags | {DELETED} if listed.odd else listed.flags


def is_marked(listed: Listed) -> bool:
    r"""Whether a message carries ``\Deleted``."""
    return DELETED in lower(listed.flags)


def lower(flags: Iterable[str]) -> frozenset[str]:
    """Flags as RFC 9051 compares them: without case."""
    return frozenset(flag.lower() for flag in flags)
