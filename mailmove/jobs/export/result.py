"""What an export came to, per folder and per account."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailmove.errors import Exit, MailmoveError
from mailmove.model import Folder

UNREAD = "the server names it in a line that cannot be read"


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that is on the server and not in the archive, and why; UID 0: the folder, or several of its messages.

    ``folder`` is safe for a terminal.
    """

    folder: str
    uid: int
    why: str
    doubted: bool = False
    """Something came in its place that can be looked at."""


@dataclass(slots=True)
class FolderResult:
    """What an export found and did in a folder. Counts are messages; ``octets`` is what was received."""

    folder: Folder
    listed: int = 0
    archived: int = 0
    fetched: int = 0
    linked: int = 0
    vanished: int = 0
    octets: int = 0
    accepted: int = 0
    """Archived once, missing now, and accepted so."""
    erased: int = 0
    """Erased from the archive once, and not fetched again."""
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    renumbered: str = ""
    """That the server gave the folder a new UIDVALIDITY, in words; empty: it did not."""

    def fail(self, why: str, uid: int = 0, *, doubted: bool = False) -> None:
        """Name something that is not in the archive."""
        self.failures.append(Failure(self.folder.shown, uid, why, doubted))


@dataclass(slots=True)
class ExportResult:
    """The outcome of one account's export."""

    account: str
    path: str
    folders: list[FolderResult] = field(default_factory=list)
    left_out: tuple[tuple[Folder, str], ...] = ()
    unread: tuple[str, ...] = ()
    """What the server said of further folders and cannot be understood; safe for a terminal."""
    arrived: int = 0
    """Messages that came while the export was running."""
    compared: bool = False
    """Whether a second look was held against the archive; it is not needed when nothing had changed."""
    seconds: float = 0.0
    octets: int = 0
    """All that the archive holds."""
    notes: list[str] = field(default_factory=list)
    stopped: MailmoveError | None = None
    """Why the run ended early."""

    @property
    def failures(self) -> list[Failure]:
        """Everything that the server listed and the archive does not hold, or not for certain."""
        unread = [Failure("A folder", 0, f"{UNREAD}: {line}") for line in self.unread]
        return unread + [failure for folder in self.folders for failure in folder.failures]

    @property
    def exit(self) -> Exit:
        """The exit code of this account."""
        if self.stopped is not None:
            return self.stopped.exit
        return Exit.PARTIAL if self.failures else Exit.DONE

    def total(self, what: str) -> int:
        """The sum of a count over the folders."""
        return sum(getattr(folder, what) for folder in self.folders)
