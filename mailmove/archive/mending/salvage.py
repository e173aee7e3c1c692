"""An index, and if need be a journal, made again; nothing of a damaged journal is thrown away."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.index import index, recall
from mailmove.archive.mending.adoption import copy_aside
from mailmove.archive.place import Place, enter
from mailmove.archive.record import journal, manifest, newer
from mailmove.archive.record.records import Complete
from mailmove.archive.state.memory import Memory


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was made of the journal.

    ``gone``: there was none, and it begins anew. ``lost``: so many lines could not be read; the others were kept, and
    the journal as it was is at ``aside``, relative to the archive. ``recalled``: so many records were added that only
    the index knew; ``unread``: why it may have known more.
    """

    gone: bool = False
    lost: int = 0
    aside: str = ""
    recalled: int = 0
    unread: str = ""

    @property
    def whole(self) -> bool:
        """Whether there was nothing to mend."""
        return not self.gone and not self.lost and not self.recalled


def mend(path: str, memory: Memory) -> Salvaged:
    """Make an archive that can be opened again: its journal one that reads, its index one that will be made anew.

    What only the index knew is in the journal, durably, before the index goes. A crash in between leaves the journal as
    it was, or mended, and the same again goes on from there.

    :raises ArchiveError: when there is no archive, it is locked, its ``archive.toml`` is damaged, or a newer
        mailmove is needed to write to it.
    """
    place = enter(path, writable=True)
    try:
        about = manifest.load(place.meta, place.shown(manifest.NAME))
        known = memory.index(about.uuid)
        with durable.explained(f"mending {place.shown(journal.NAME)}"):
            salvaged = mend_journal(place, about.uuid, known)
        index.remove(known)
        return salvaged
    finally:
        place.leave()


def mend_journal(place: Place, uuid: str, known: str) -> Salvaged:
    """Make a journal one that reads, with what only the index at ``known`` knew.

    Left out are also the states in which folders were complete: who knows what lost lines said of them."""
    content = _content(place.meta)
    lines = list(journal.whole_lines(content))
    records = [record for _, record in lines if record is not None]
    newer.refuse(newer.found(records), place.path)
    recalled = recall.recall(known, uuid, content, records)
    more, count = b"".join(map(journal.encode, recalled.lines)), len(recalled.lines)
    if not content:
        replacing.replace_below(place.meta, journal.NAME, journal.encode(manifest.beginning(uuid)) + more)
        return Salvaged(gone=True, recalled=count, unread=recalled.unread)
    lost = len(lines) - len(records)
    if lines and not lost:
        if more:
            replacing.replace_below(place.meta, journal.NAME, b"".join(line for line, _ in lines) + more)
        return Salvaged(recalled=count, unread=recalled.unread)
    kept = b"".join(line for line, record in lines if not isinstance(record, Complete | None))
    aside = copy_aside(place.root, journal.NAME, content)
    replacing.replace_below(place.meta, journal.NAME, (kept or journal.encode(manifest.beginning(uuid))) + more)
    return Salvaged(lost=max(lost, 1), aside=aside, recalled=count, unread=recalled.unread)


def _content(meta: int) -> bytes:
    try:
        with os.fdopen(durable.open_file(journal.NAME, meta), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
