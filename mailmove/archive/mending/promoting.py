"""A copy becomes the archive of its account: the disk of the other one is broken, or it is to be left."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from mailmove.archive import mark
from mailmove.archive.files import durable
from mailmove.archive.index import index
from mailmove.archive.mending import salvage
from mailmove.archive.place import Place, enter
from mailmove.archive.record import journal, manifest, records
from mailmove.archive.state.memory import Memory
from mailmove.errors import RefusedError
from mailmove.safe import visible
from mailmove.units import timestamp


class Promoted(NamedTuple):
    """The archive that a copy has become. ``recalled``: so many records only this machine's index knew still."""

    path: str
    uuid: str
    recalled: int


def promote(path: str, login: str, memory: Memory) -> Promoted:
    """Make a copy the archive of its login, durably; killed in the middle, the same again ends it.

    What the archive's index on this machine knows beyond the copy is in its journal before that index goes.

    :raises RefusedError: when it is of another login's archive.
    :raises ArchiveError: when it cannot be read or written.
    """
    place = enter(path, writable=True, copying=True)
    try:
        about = manifest.load(place.meta, place.shown(manifest.NAME))
        if about.login != login:
            raise RefusedError(
                f"{visible(place.path)} is a copy of the archive of {visible(about.login)}, not of {visible(login)}",
                "Name the account that it is of.",
            )
        copy = mark.load(place.meta, place.shown(mark.NAME))
        recalled = _end_copy(place, about.uuid, copy, memory) if copy is not None else 0
        memory.remember(login, place.path, about.uuid)
        return Promoted(place.path, about.uuid, recalled)
    finally:
        place.leave()


def _end_copy(place: Place, uuid: str, copy: mark.Mark, memory: Memory) -> int:
    known = memory.index(uuid)
    with durable.explained(f"writing {place.shown(journal.NAME)}"):
        recalled = salvage.mend_journal(place, uuid, known).recalled
        _record(place, copy, recalled)
    index.remove(known)
    index.remove(memory.index(uuid, copy.id))
    with durable.explained(f"removing {place.shown(mark.NAME)}"):
        mark.remove(place.meta)
    return recalled


def _record(place: Place, copy: mark.Mark, recalled: int) -> None:
    """Say in the journal that this is no copy any more, and that it was promoted."""
    now = timestamp(datetime.now(UTC))
    opened = journal.Journal.open(place.meta, place.shown(journal.NAME), writable=True)
    try:
        for _ in opened.read(journal.Position()):
            pass
        opened.cut()
        none = records.Copied(copy.id, name="", place=place.path, at=now, octets=0, messages=0, read_back="none")
        opened.append([none, records.Run("account rebind", now, 0, {"recalled": recalled})])
    finally:
        opened.close()
