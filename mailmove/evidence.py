"""Evidence: what proves, for a moment, that a message lies in a place of ours. Without it nothing is deleted.

The archive and its copies make it, the planner keeps every message that lacks it, and the one function that deletes
takes it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from mailmove.model import MessageId

VALID = 600.0
"""Seconds after which what was hashed must be hashed again."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: its monotonic clock goes on in sleep


class How(Enum):
    """How a message was proven; the value is what the journal calls it."""

    REHASHED = "sha256"
    """Its file was read and hashed in this run."""
    UNCHANGED = "unchanged"
    """Its file was read and hashed by an earlier run; inode, size and times are what they were then. Of copies only."""
    WAIVED = "none"
    """Not at all: somebody asked to delete what no archive holds."""


class FileSeen(NamedTuple):
    """What the file system said of a file just when it was hashed; ``directory`` is relative to the place's root.

    The times are ``st_mtime_ns`` and ``st_ctime_ns``.
    """

    directory: str
    name: str
    device: int
    inode: int
    octets: int
    mtime: int
    ctime: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A message is in a place: the octets whose SHA-256 is ``sha256``, in the file that was ``seen``.

    ``place`` is the UUID of the archive, or of a copy of it; ``besides`` is the evidence of other places, each of which
    must prove it too. ``at`` and ``valid_until`` are seconds of :func:`clock`; ``since`` is when an earlier run
    hashed it, in Unix seconds.
    """

    message: MessageId
    place: str
    how: How
    at: float
    valid_until: float
    sha256: bytes = b""
    seen: FileSeen | None = None
    besides: tuple[Evidence, ...] = ()
    since: int = 0

    def proves(self, message: MessageId, now: float) -> bool:
        """Whether it is of this very message, and valid at ``now``."""
        here = self.message == message and self.at <= now <= self.valid_until
        return here and all(other.proves(message, now) for other in self.besides)


Proof = Mapping[int, Evidence]
"""The evidence for messages of one folder, by UID."""


def rehashed(message: MessageId, place: str, sha256: bytes, seen: FileSeen, at: float) -> Evidence:
    """Evidence of a file that was hashed at ``at``."""
    return Evidence(message, place, How.REHASHED, at, at + VALID, sha256, seen)


def unchanged(message: MessageId, place: str, sha256: bytes, seen: FileSeen, since: int, left: float) -> Evidence:
    """Evidence of a file that was hashed ``since`` then and is seen to be the same now; for ``left`` more seconds."""
    at = clock()
    return Evidence(message, place, How.UNCHANGED, at, at + min(left, VALID), sha256, seen, since=since)


def waived(message: MessageId) -> Evidence:
    """What stands in for evidence where somebody asked to do without an archive."""
    return Evidence(message, "", How.WAIVED, 0.0, float("inf"))


def clock() -> float:
    """Seconds of a clock that nobody can set, and that goes on while the machine sleeps."""
    return time.clock_gettime(_CLOCK)
