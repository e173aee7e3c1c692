"""The steps of a run, and which of them are safe after what became of those before."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from mailmove.errors import Exit


class Step(StrEnum):
    """A step, in the order they are taken."""

    EXPORT = "export"
    COPY = "copy"
    PRUNE = "prune"
    AUDIT = "audit"


class Came(NamedTuple):
    """What a command, or a step of a run, came to for one account: what went wrong, safe for a terminal, and its kind.

    ``gauge`` is what an audit found: octets or messages used, the limit, and when it is full in Unix seconds. ``news``
    is what somebody should know though nothing went wrong, safe for a terminal.
    """

    exit: Exit
    what: str = ""
    kind: str = ""
    gauge: tuple[int, int | None, int | None] | None = None
    news: tuple[str, ...] = ()


_LOST = frozenset({Exit.UNREACHABLE, Exit.LOGIN})
"""The server does not answer this account now."""


def held(step: Step, before: Mapping[Step, Exit], *, needs_copy: bool = False) -> str:
    """Why a step is not taken after those before it; empty: it is.

    A failed step stops only what is not safe without it. An export that named what it could not bring home stops
    nothing: prune proves every message by itself. ``needs_copy``: the policy counts a copy as evidence.
    """
    if Exit.INTERRUPTED in before.values():
        return "the run was interrupted"
    exported = before.get(Step.EXPORT, Exit.DONE)
    if step is Step.COPY:
        return "the archive cannot be used" if exported is Exit.ARCHIVE else ""
    if exported in _LOST:
        return "the server cannot be asked"
    if step is Step.PRUNE:
        if exported not in (Exit.DONE, Exit.PARTIAL):
            return "the export failed"
        if needs_copy and before.get(Step.COPY, Exit.DONE) is not Exit.DONE:
            return "its policy needs a copy, and the copy is not complete"
    return ""
