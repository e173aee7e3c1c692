"""What a restore came to, per folder and per account."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailmove.errors import Exit, MailmoveError
from mailmove.jobs.export.result import UNREAD
from mailmove.model import Folder
from mailmove.units import short_id


@dataclass(frozen=True, slots=True)
class NotRestored:
    """A message, by its ID, or ``count`` messages of a folder that did not go back, and why.

    ``folder`` is safe for a terminal. ``there``: it did, and is not what was sent.
    """

    folder: str
    message: str | None
    count: int
    why: str
    there: bool = False


@dataclass(slots=True)
class PutBack:
    """What a restore found and did in a folder of the server; ``new``: it is, or was, to be made.

    ``there`` were on the server already, ``planned`` were not. Of those ``restored`` are back by now; by another look
    ``other_date`` and ``other_flags`` among them have not the arrival or the flags that they had;
    ``read_back`` were compared octet for octet.
    """

    folder: Folder
    sources: tuple[Folder, ...]
    new: bool
    there: int = 0
    planned: int = 0
    planned_octets: int = 0
    restored: int = 0
    octets: int = 0
    other_date: int = 0
    other_flags: int = 0
    read_back: int = 0
    other_name: str = ""
    """A name that a server may take where it refused to make this folder."""
    failures: list[NotRestored] = field(default_factory=list)

    def fail(self, why: str, count: int) -> None:
        """So many messages cannot go into this folder."""
        self.failures.append(NotRestored(self.folder.shown, None, count, why))

    def refuse(self, sha256: bytes, why: str) -> None:
        """A message cannot go there, or is not there as it should be."""
        self.failures.append(NotRestored(self.folder.shown, short_id(sha256), 1, why))

    def changed(self, sha256: bytes, what: str) -> None:
        """A message is there, and the server changed it."""
        why = f"it is there, but the server changed it: {what}"
        self.failures.append(NotRestored(self.folder.shown, short_id(sha256), 1, why, there=True))


@dataclass(slots=True)
class RestoreResult:
    """The outcome of a restore into one account; unless it was ``carried_out``, what there is to do.

    ``asked``: somebody has seen the plan and was asked; ``declined``: nobody agreed to it.
    """

    account: str
    path: str
    carried_out: bool = False
    asked: bool = False
    declined: bool = False
    to: str = ""
    """The account or URL that was named for it to go to."""
    home: tuple[str, ...] = ()
    """The options that name the archive it comes from."""
    folders: list[PutBack] = field(default_factory=list)
    unread: tuple[str, ...] = ()
    """What the server said of further folders and cannot be understood; safe for a terminal."""
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    stopped: MailmoveError | None = None
    """Why the run ended early."""

    @property
    def failures(self) -> list[NotRestored]:
        """Everything that is not back as it was, or not for certain."""
        unread = [NotRestored("A folder", "on the server", 0, f"{UNREAD}: {line}") for line in self.unread]
        return unread + [failure for folder in self.folders for failure in folder.failures]

    @property
    def exit(self) -> Exit:
        """The exit code."""
        if self.declined:
            return Exit.REFUSED
        if self.stopped is not None:
            return self.stopped.exit
        return Exit.PARTIAL if self.failures else Exit.DONE

    def total(self, what: str) -> int:
        """The sum of a count over the folders."""
        return sum(getattr(folder, what) for folder in self.folders)
