"""Which archived messages have to be put into a folder, so that it holds each of them as often as it should.

Messages are counted by the SHA-256 of their octets, never by a header. How often a folder should hold one is how often
the archived folder held it, counting a message that was restored before together with the one it was restored from.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailmove.model import QuotaRoot
from mailmove.units import format_size

Key = TypeVar("Key", bound=Hashable)

_COUNTED = 0.95  # of a message's octets, what a quota counts at least
_KEYWORDS = "\\*"
_NEVER = {"\\deleted", "\\recent"}


@dataclass(frozen=True, slots=True)
class Row(Generic[Key]):
    """An archived message of a body that is to be in the folder.

    ``group``: the archived folder, in one UIDVALIDITY; ``root``: the message it once was a restored copy of, or itself;
    ``present``: the folder on the server holds it, as itself or as a copy.
    """

    key: Key
    sha256: bytes
    group: Hashable
    root: Hashable
    present: bool


@dataclass(frozen=True, slots=True)
class Decision(Generic[Key]):
    """Messages to put into the folder, and how many of those wanted it holds already."""

    put: tuple[Key, ...]
    there: int


def decide(rows: Iterable[Row[Key]], held: Mapping[bytes, int]) -> Decision[Key]:
    """Hold what is wanted against ``held``: how many messages of each SHA-256 the folder holds now.

    ``rows`` are the messages wanted and, of their bodies, all others that the folder is known to hold: a twin that is
    there does not stand for one that is not. Where several archived folders go into one, a message that was in more
    than one of them is wanted as often as in the one that had most of it.
    """
    by_body: dict[bytes, dict[Hashable, dict[Hashable, list[Row[Key]]]]] = {}
    for row in rows:
        by_body.setdefault(row.sha256, {}).setdefault(row.group, {}).setdefault(row.root, []).append(row)
    put: list[Key] = []
    there = 0
    for sha256, groups in by_body.items():
        roots = max(groups.values(), key=len)
        absent = [rows[0].key for rows in roots.values() if not any(row.present for row in rows)]
        lacking = max(0, len(roots) - held.get(sha256, 0))
        put += absent[:lacking]
        there += len(roots) - min(lacking, len(absent))
    return Decision(tuple(put), there)


def root(one: Key, copies: Mapping[Key, Key]) -> Key:
    """The message that ``one`` is a copy of, at however many removes; or itself."""
    seen = set()
    while one in copies and one not in seen:
        seen.add(one)
        one = copies[one]
    return one


def kept_flags(flags: Iterable[str], permanent: frozenset[str] | None) -> frozenset[str]:
    r"""The flags that a message gets back: those that ``permanent`` says can be kept (RFC 9051 7.1, PERMANENTFLAGS).

    Never ``\Deleted``: the next EXPUNGE of any program would take the message away again.
    """
    return frozenset(
        flag
        for flag in flags
        if flag.lower() not in _NEVER
        and (permanent is None or flag.lower() in permanent or (_KEYWORDS in permanent and not flag.startswith("\\")))
    )


def overfull(roots: Sequence[QuotaRoot], needs: Mapping[bytes, tuple[int, int]]) -> list[str]:
    """Why quota roots have no room for what is needed: messages and octets by folder; empty when they may have.

    What a quota counts of a message can be a few per cent less than its octets (Courier counts each line's end as one):
    within that error the server has the last word.
    """
    problems = []
    for root in roots:
        under = [need for wire, need in needs.items() if not root.folders or wire in root.folders]
        messages, octets = (sum(need[n] for need in under) for n in (0, 1))
        for resource in root.resources or ():
            free = max(0, resource.limit - resource.usage)
            if resource.limit and resource.name == "STORAGE" and octets * _COUNTED > free:
                problems.append(f"it needs {format_size(octets)}, and {format_size(free)} are free")
            elif resource.limit and resource.name == "MESSAGE" and messages > free:
                problems.append(f"it needs room for {messages:,} messages, and there is room for {free:,}")
    return problems
