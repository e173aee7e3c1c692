"""Seals in an archive: made, written down, and held against what the archive records now."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.place import META
from mailmove.archive.record.records import Message, Sealed
from mailmove.archive.seals import merkle
from mailmove.archive.seals.leaves import records
from mailmove.archive.seals.seal import Number, Seal, digest
from mailmove.archive.store import Archive
from mailmove.model import MessageId
from mailmove.safe import visible

NAME = "seals"

Held = tuple[MessageId, bytes]
"""A message and the SHA-256 that is recorded of it."""


def keep(archive: Archive, made: Seal) -> str:
    """Put a seal's file into the archive, durably, and then its record; returns its path, relative to the archive.

    :raises ArchiveError: when the disk fails, or this run is not the archive's writer any more.
    """
    octets = made.octets()
    archive.must_hold()
    with durable.explained(f"writing to {visible(os.path.join(archive.path, META, NAME))}"):
        to = durable.make_below(archive.root, f"{META}/{NAME}")
        try:
            replacing.replace_below(to, made.name, octets)
        finally:
            os.close(to)
    archive.record([Sealed(len(made.leaves), made.root.hex(), digest(octets), made.before, made.at)])
    return os.path.join(META, NAME, made.name)


@dataclass(frozen=True, slots=True)
class Gap:
    """Leaves of a seal, from ``first`` to ``last`` counted from 1, of which the archive has no record any more; between
    the messages ``after`` and ``before``, where there are any.
    """

    first: int
    last: int
    after: MessageId | None
    before: MessageId | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A seal held against the record: whether that is as it was sealed, and which messages it is about.

    ``recorded``: so many leaves the archive has now. ``gaps`` only a seal's file can name.
    """

    number: Number
    recorded: int
    as_sealed: bool
    held: frozenset[Held]
    gaps: tuple[Gap, ...] = field(default=())


def compare(archive: Archive, wanted: Seal | Number) -> Compared:
    """Hold a seal against what the journal says.

    :raises ArchiveError: when the journal cannot be read.
    """
    found = list(records(archive))
    if isinstance(wanted, Number):
        some = found[: wanted.size]
        same = len(some) == wanted.size and merkle.root([leaf for leaf, _ in some]) == wanted.root
        return Compared(wanted, len(found), same, _held(record for _, record in some))
    by_leaf = dict(found)
    there = [by_leaf.get(leaf) for leaf in wanted.leaves]
    gaps = tuple(_gaps(there))
    return Compared(wanted.number, len(found), not gaps, _held(record for record in there if record), gaps)


def _held(some: Iterable[Message]) -> frozenset[Held]:
    return frozenset((_id(record), bytes.fromhex(record.sha256)) for record in some)


def _id(record: Message) -> MessageId:
    return MessageId(record.folder, record.uidvalidity, record.uid)


def _gaps(there: list[Message | None]) -> Iterator[Gap]:
    at = 0
    for lost, group in groupby(there, lambda record: record is None):
        first, at = at, at + len(list(group))
        if lost:
            after, before = there[first - 1] if first else None, there[at] if at < len(there) else None
            yield Gap(first + 1, at, _id(after) if after else None, _id(before) if before else None)
