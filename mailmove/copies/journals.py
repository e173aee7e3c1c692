"""The journals of an archive and of its copy, held against each other octet by octet; and the copy's, brought on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.record import journal, records

_CHUNK = 1 << 20


class Compared(NamedTuple):
    """The lengths of two journals in octets, how many of the first are the same, and where ours has whole lines to.

    ``recorded`` is where the last whole line ends that both have.
    """

    ours: int
    theirs: int
    same: int
    whole: int
    recorded: int


def compare(ours: int, theirs: int) -> Compared:
    """Hold the journals of two ``.mailmove`` directories against each other.

    :raises OSError: when one cannot be read.
    """
    with (
        os.fdopen(durable.open_file(journal.NAME, ours), "rb", buffering=0) as one,
        os.fdopen(durable.open_file(journal.NAME, theirs), "rb", buffering=0) as other,
    ):
        lengths = [os.fstat(file.fileno()).st_size for file in (one, other)]
        same = recorded = whole = 0
        agree = True
        at = 0
        while at < lengths[0]:
            mine = os.pread(one.fileno(), min(_CHUNK, lengths[0] - at), at)
            if not mine:
                break
            if agree:
                its = os.pread(other.fileno(), len(mine), at)
                length = len(mine) if mine == its else _common(mine, its)
                recorded = _line_end(its[:length], at, recorded)
                same += length
                agree = length == len(mine)
            whole = _line_end(mine, at, whole)
            at += len(mine)
        return Compared(lengths[0], lengths[1], same, whole, recorded)


def new_bases(meta: int, start: int, end: int) -> Iterator[str]:
    """The bases of the message files that a journal records between two positions, both at the end of a line.

    :raises OSError: when it cannot be read.
    """
    with os.fdopen(durable.open_file(journal.NAME, meta), "rb") as file:
        file.seek(start)
        while file.tell() < end and (line := file.readline()):
            record = journal.decode(line.rstrip(b"\n"))
            if isinstance(record, records.Message):
                yield base_of(record)


def base_of(line: records.Message) -> str:
    """The base of a message's file, which is unique in its archive but for folders of the same UIDVALIDITY."""
    return f"{line.arrival}.V{line.uidvalidity}U{line.uid},S={line.octets},H={line.sha256[:32]}"


def first_line(meta: int) -> bytes:
    """The line that begins a journal.

    :raises OSError: when it cannot be read.
    """
    with os.fdopen(durable.open_file(journal.NAME, meta), "rb") as file:
        return file.readline()


def bring_on(ours: int, theirs: int, start: int, end: int) -> None:
    """Append to the journal of a copy, which has the first ``start`` octets, the archive's up to ``end``, durably.

    Killed in between it has fewer of them, and is a beginning of the archive's all the same.

    :raises OSError: when the disk does not take it.
    """
    source = durable.open_file(journal.NAME, ours)
    try:
        target = durable.open_file(journal.NAME, theirs, os.O_RDWR)
        try:
            at = start
            while at < end and (piece := os.pread(source, min(_CHUNK, end - at), at)):
                os.lseek(target, at, os.SEEK_SET)
                replacing.write_all(target, piece)
                at += len(piece)
            replacing.flush(target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _common(one: bytes, other: bytes) -> int:
    """How many octets two texts have in common from their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _line_end(piece: bytes, at: int, before: int) -> int:
    """Where the last line of a piece ends; ``before`` when none does in it."""
    found = piece.rfind(b"\n")
    return before if found < 0 else at + found + 1
