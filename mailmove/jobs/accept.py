"""Accept: somebody knows that messages are missing, on purpose or for good, and why; check is quiet about them then.

Nothing is deleted, and nothing is proven by it: prune goes by what it can read and hash, as ever.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive.record import records
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.errors import Exit, UsageError
from mailmove.jobs.check import Options, Problem, check
from mailmove.jobs.progress import Progress
from mailmove.safe import visible
from mailmove.units import timestamp

_ID = re.compile(r"[0-9a-f]{4,64}")


@dataclass(slots=True)
class AcceptResult:
    """What of one archive is to be accepted as missing, or was; ``before``: so many are already.

    ``declined``: nobody agreed to it.
    """

    account: str
    path: str
    missing: list[Problem] = field(default_factory=list)
    before: int = 0
    reason: str = ""
    declined: bool = False
    done: bool = False

    @property
    def exit(self) -> Exit:
        """The exit code of this archive."""
        return Exit.REFUSED if self.declined else Exit.DONE


def plan(
    account: str, archive: Archive, cancel: Cancel, named: Sequence[str]
) -> Generator[Progress, None, AcceptResult]:
    """What is missing of these messages, named by ID or as ``FOLDER:UID``; none named: all that is missing.

    :raises UsageError: when one of them is not missing.
    :raises ArchiveError: when the archive cannot be read.
    """
    looked = yield from check(account, archive, None, cancel, Options(quick=True))
    if looked.stopped is not None:
        raise looked.stopped
    missing = [problem for problem in looked.problems if problem.missing]
    if named:
        chosen = [each for text in named for each in _meant(text, missing)]
        missing = [problem for problem in missing if problem in chosen]
    return AcceptResult(account, archive.path, missing, before=len(looked.accepted))


def carry_out(planned: AcceptResult, archive: Archive, reason: str) -> None:
    """Record that somebody accepts it, durably.

    :raises ArchiveError: when that cannot be written.
    """
    now = timestamp(datetime.now(UTC))
    accepted = [records.Accepted(*each.id, each.sha256.hex(), reason, now) for each in planned.missing]
    archive.record([*accepted, records.Run("accept", now, int(Exit.DONE), {"accepted": len(accepted)})])
    planned.reason, planned.done = reason, True


def _meant(text: str, missing: Sequence[Problem]) -> list[Problem]:
    """The missing messages that this means.

    :raises UsageError: when there are none, or an ID could be several.
    """
    folder, _, uid = text.rpartition(":")
    if folder:
        found = [problem for problem in missing if (problem.folder, str(problem.uid)) == (folder, uid)]
    else:
        digits = text.lower()
        if not _ID.fullmatch(digits):
            raise UsageError(f"{visible(text)!r} names no message", "Write an ID, or FOLDER:UID as check names it.")
        found = [problem for problem in missing if problem.sha256.hex().startswith(digits)]
        if len({problem.sha256 for problem in found}) > 1:
            raise UsageError(f"the ID {digits} could be several messages", "Write more of it.")
    if not found:
        raise UsageError(
            f"{visible(text)} is not a message that is missing",
            "What is missing is named by check; an altered file is no missing one: move it away first.",
        )
    return found
