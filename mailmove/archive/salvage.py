"""An index, and if need be a journal, made again; nothing of a damaged journal is thrown away."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mailmove.archive import durable, index, journal, manifest, newer
from mailmove.archive.adoption import copy_aside
from mailmove.archive.memory import Memory
from mailmove.archive.records import Complete
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

    :raises ArchiveError: when there is no archive, it is locked, its ``archive.toml`` is damaged, or a newer
        mailmove is needed to write to it.
    """
    place = enter(path, writable=True)
    try:
        about = manifest.load(place.meta, place.shown(manifest.NAME))
        with durable.explained(f"mending {place.shown(journal.NAME)}"):
            salvaged = _mend_journal(place.path, place.root, place.meta, about.uuid)
        index.remove(memory.index(about.uuid))
        return salvaged
    finally:
        place.leave()


def _mend_journal(path: str, root: int, meta: int, uuid: str) -> Salvaged:
    """Left out are also the states in which folders were complete: who knows what lost lines said of them."""
    begin = journal.encode(manifest.beginning(uuid))
    try:
        with os.fdopen(durable.open_file(journal.NAME, meta), "rb") as file:
            content = file.read()
    except FileNotFoundError:
        content = b""
    if not content:
        durable.replace_file(journal.NAME, begin, meta)
        return Salvaged(gone=True)
    lines = list(journal.whole_lines(content))
    newer.refuse(newer.found(record for _, record in lines if record is not None), path)
    lost = sum(record is None for _, record in lines)
    if lines and not lost:
        return Salvaged()
    kept = b"".join(line for line, record in lines if not isinstance(record, Complete | None))
    aside = copy_aside(root, journal.NAME, content)
    durable.replace_file(journal.NAME, kept or begin, meta)
    return Salvaged(lost=max(lost, 1), aside=aside)
