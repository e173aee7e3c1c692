"""What became of the copies of one archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mailmove.archive.proof.rehashing import Inode, Reading
from mailmove.errors import Exit, MailmoveError, most_serious
from mailmove.units import Age


class ReadBack(Enum):
    """What of that which was just written is read back and hashed."""

    ALL = "all"
    SAMPLE = "sample"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a copy is: the ``name`` that the configuration gives it, empty for none, and its directory.

    ``within``: so long what was hashed there, and is unchanged, counts as proven; None: for the run that hashed it.
    """

    name: str
    path: str
    within: Age | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A message that did not come, or did not come back, and why; ``folder`` is safe for a terminal."""

    folder: str
    uid: int
    why: str


@dataclass(slots=True)
class Second:
    """What proving a copy again came to. Counts are messages; ``behind``: the archive has them since the last copy."""

    target: Target
    good: int = 0
    behind: int = 0
    accepted: int = 0
    """Messages that are missing there as in the archive, which somebody accepts."""
    faults: list[Fault] = field(default_factory=list)
    failed: MailmoveError | None = None
    read: dict[Inode, Reading] = field(default_factory=dict)
    """Files of several names that were read."""

    @property
    def exit(self) -> Exit:
        """The exit code of this copy."""
        if self.failed is not None:
            return self.failed.exit
        return Exit.ARCHIVE if self.faults else Exit.DONE


@dataclass(slots=True)
class Mended:
    """What was mended. ``put_aside`` are files of the copy that were altered; ``lost`` is what neither place holds."""

    mended: int = 0
    """Messages of the archive, by the copy."""
    put_aside: int = 0
    lost: list[Fault] = field(default_factory=list)


@dataclass(slots=True)
class Copied:
    """What became of one copy. Counts are messages."""

    target: Target
    id: str = ""
    """The UUID of the copy."""
    new: int = 0
    octets: int = 0
    """Of what is new."""
    renamed: int = 0
    """Those whose flags changed."""
    erased: int = 0
    """Files that were deleted there, because their messages were erased here."""
    erasures: set[str] = field(default_factory=set)
    """The runs that have erased something here, of which nothing is left there."""
    messages: int = 0
    """All that the archive has on record."""
    held: int = 0
    """Those of them that lie there now."""
    accepted: int = 0
    """Those of them that neither place holds, which somebody accepts."""
    journal: int = 0
    """How many octets of the archive's journal have come."""
    read_back: int = 0
    cached: bool = False
    """What was read back may have come from memory: this system cannot be told to let go of it."""
    faults: list[Fault] = field(default_factory=list)
    mended: Mended | None = None
    """Only where mending was asked for."""
    notes: list[str] = field(default_factory=list)
    done: bool = False
    """Whether it is now as far as the archive was when it began."""
    failed: MailmoveError | None = None
    seconds: float = 0.0

    @property
    def exit(self) -> Exit:
        """The exit code of this copy."""
        if self.failed is not None:
            return self.failed.exit
        lost = self.mended is not None and self.mended.lost
        return Exit.ARCHIVE if self.faults or lost else Exit.DONE


@dataclass(slots=True)
class CopyResult:
    """What became of all copies of an archive that were asked for."""

    account: str
    path: str
    asked: ReadBack
    copies: list[Copied] = field(default_factory=list)

    @property
    def exit(self) -> Exit:
        """The exit code of this archive: that of the copy with the worst."""
        return most_serious(copy.exit for copy in self.copies)
