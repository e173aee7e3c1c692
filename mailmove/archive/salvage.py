"""An index, and if need be a journal, made again; nothing of a damaged journal is thrown away."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mailmove.archive import durable, index, journal, manifest
from mailmove.archive.adoption import copy_aside
from mailmove.archive.memory import Memory
from mailmove.archive.store import enter


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was made of the journal.

    ``gone``: there was none, and it begins anew. ``lost``: so many lines could not be read; the others were kept, and
    the journal as it was is at ``aside``, relative to the archive.
    """

    gone: bool = False
    lost: int = 0
    aside: str = ""

    @property
    def whole(self) -> bool:
        """Whether there was nothing to mend."""
        return not self.gone and not self.lost


def mend(path: str, memory: Memory) -> Salvaged:
    """Make an archive that can be opened again: its journal one that reads, its index one that will be made anew.

    A crash in between leaves the journal as it was, or mended.

    :raises ArchiveError: when there is no archive, it is locked, or its ``archive.toml`` is damaged.
    """
    place = enter(path, writable=True)
    try:
        about = manifest.load(place.meta, place.shown(manifest.NAME))
        with durable.explained(f"mending {place.shown(journal.NAME)}"):
            salvaged = _mend_journal(place.root, place.meta, about.uuid)
        index.remove(memory.index(about.uuid))
        return salvaged
    finally:
        place.leave()


def _mend_journal(root: int, meta: int, uuid: str) -> Salvaged:
    begin = journal.encode(manifest.beginning(uuid))
    try:
        with os.fdopen(durable.open_file(journal.NAME, meta), "rb") as file:
            content = file.read()
    except FileNotFoundError:
        content = b""
    if not content:
        durable.replace_file(journal.NAME, begin, meta)
        return Salvaged(gone=True)
    kept, lost = journal.salvage(content)
    if kept and not lost:
        return Salvaged()
    aside = copy_aside(root, journal.NAME, content)
    durable.replace_file(journal.NAME, kept or begin, meta)
    return Salvaged(lost=max(lost, 1), aside=aside)
