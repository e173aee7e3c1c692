"""What of a copy was hashed by an earlier run and is unchanged since, where that is to be enough for a while."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime

from mailmove.archive.files import disk, names
from mailmove.archive.index.messages import Stored
from mailmove.archive.proof.rehashing import file_seen
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.state.memory import Memory
from mailmove.archive.state.proofs import Proofs, Proven
from mailmove.copies.directory import Copy
from mailmove.evidence import Evidence, FileSeen, unchanged
from mailmove.units import Age

_SETTLED = 2
"""Seconds: a file that was changed less than that before it was hashed could be changed again at the same time."""


class Recall:
    """What earlier runs proved of one copy, and what this run proves for later ones. ``now`` is before any of it."""

    def __init__(self, copy: Copy, memory: Memory, within: Age, now: datetime) -> None:
        self._copy = copy
        self._proofs = Proofs(memory, copy.manifest.uuid, copy.identity)
        self._now = int(now.timestamp())
        self._since = int(within.cutoff(now).timestamp()) + 1
        self._stable = disk.has_stable_inodes(copy.root)

    @property
    def useless(self) -> str:
        """Why only what was read in this run counts there; empty: that is not so."""
        if not self._copy.writable:
            return "its disk has no locks"
        return "" if self._stable else "its disk may give a file's number to another file"

    def evidence(self, folder: FolderDir, wanted: Iterable[Stored]) -> Iterator[Evidence]:
        """Evidence for those of a folder that are, by all that the disk tells, what was hashed in time."""
        known = {} if self.useless else self._proofs.of(folder.path, self._since)
        by_base = {base: one for one in wanted if (base := str(one.base)) in known}
        if not by_base:
            return
        found = {base: name for name in self._copy.listing(folder) if (base := names.split(name)[0]) in by_base}
        with self._copy.opened(folder) as fd:
            for base, name in found.items():
                stored, earlier = by_base[base], known[base]
                try:
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                seen = file_seen(status, f"{folder.path}/cur", name)
                same = (_told(seen), earlier.sha256) == (earlier.seen, stored.sha256)
                if same and earlier.at <= self._now:
                    left = earlier.at - self._since + 1
                    yield unchanged(stored.id, self._copy.identity, stored.sha256, seen, earlier.at, left)

    def note(self, folder: FolderDir, proven: Iterable[Evidence]) -> None:
        """Remember what was hashed in this run."""
        lines = (
            Proven(names.split(one.seen.name)[0], one.sha256, _told(one.seen), self._now)
            for one in proven
            if one.seen is not None and max(one.seen.mtime, one.seen.ctime) < (self._now - _SETTLED) * 10**9
        )
        self._proofs.note(folder.path, lines)


def _told(seen: FileSeen) -> str:
    """All that stat(2) says of a file, but the device, which a disk gets anew with each mount."""
    return " ".join(map(str, (seen.inode, seen.octets, seen.mtime, seen.ctime)))
