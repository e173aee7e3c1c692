"""What a job tells while it works."""

from __future__ import annotations

from dataclasses import dataclass

TELL_EVERY = 1 << 20  # octets between two reports of progress


@dataclass(frozen=True, slots=True)
class Expect:
    """So much more lies ahead than was known so far; ``octets`` and ``messages`` may be negative."""

    messages: int
    octets: int


@dataclass(frozen=True, slots=True)
class Advance:
    """So much was done just now, in this folder (its name safe for a terminal)."""

    folder: str
    messages: int
    octets: int


Progress = Expect | Advance
