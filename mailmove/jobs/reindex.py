"""Reindex: what an archive knows, made again from its journal and, where that has gaps, from the message files."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive import surveying
from mailmove.archive.mending.adoption import adopt
from mailmove.archive.mending.salvage import Salvaged
from mailmove.archive.proof import strays
from mailmove.archive.record import records
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.errors import Exit, Interrupted
from mailmove.jobs.check import Problem, remembered
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.units import timestamp

_AT_ONCE = 500  # message files between two records


@dataclass(slots=True)
class ReindexResult:
    """What became of one archive's index and journal. Counts are messages; paths are relative to the archive."""

    account: str
    path: str
    salvaged: Salvaged
    messages: int = 0
    folders: int = 0
    adopted: int = 0
    """Recorded again from their files, each re-hashed."""
    aside: list[str] = field(default_factory=list)
    """Files that are not what their names say, where they are now."""
    erased: int = 0
    """Files of erased messages that were put back; they are not recorded."""
    unplaced: dict[str, int] = field(default_factory=dict)
    """Message files in directories that are not those of their folder, which nothing can be told of."""
    missing: list[Problem] = field(default_factory=list)
    """Messages that only a lost index knew: neither the journal nor a file has come back to tell of them; those that
    somebody accepts to be missing do not count.
    """
    notes: list[str] = field(default_factory=list)
    stopped: Interrupted | None = None

    @property
    def exit(self) -> Exit:
        """The exit code of this archive."""
        if self.stopped is not None:
            return self.stopped.exit
        if self.aside or self.missing:
            return Exit.ARCHIVE
        return Exit.PARTIAL if self.unplaced else Exit.DONE


def reindex(
    account: str, archive: Archive, salvaged: Salvaged, cancel: Cancel
) -> Generator[Progress, None, ReindexResult]:
    """Record what the journal does not know; ``archive`` has just made its index again from what the journal does.

    :raises ArchiveError: when the archive cannot be read or written.
    """
    result = ReindexResult(account, archive.path, salvaged, notes=list(archive.notes))
    try:
        for folder in archive.manifest.folders:
            files = surveying.survey(archive, folder).unrecorded
            yield Expect(len(files), sum(base.octets for base, _ in files))
            for start in range(0, len(files), _AT_ONCE):
                cancel.check()
                some = files[start : start + _AT_ONCE]
                adopted = adopt(archive, folder, some, {})
                result.adopted += adopted.recorded
                result.aside += adopted.aside
                result.erased += adopted.erased
                yield Advance(folder.shown, len(some), sum(base.octets for base, _ in some))
    except Interrupted as error:
        result.stopped = error
    result.missing = [problem for _, problem in remembered(archive) if not problem.accepted]
    if result.missing or not salvaged.whole:
        result.unplaced = strays.unplaced(archive)
    result.messages, result.folders = archive.index.count()[0], len(archive.index.folders())
    summary = {"messages": result.messages, "adopted": result.adopted, "aside": len(result.aside)}
    summary |= {"missing": len(result.missing)} if result.missing else {}
    archive.record([records.Run("reindex", timestamp(datetime.now(UTC)), int(result.exit), summary)])
    return result
