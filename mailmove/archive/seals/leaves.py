"""The leaves of an archive, kept in the state directory so that only new records need be read.

Derived from the journal, as the index is: a file that is missing, damaged or of another journal costs only time.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.record.journal import Position
from mailmove.archive.record.records import Message
from mailmove.archive.seals.seal import leaf
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError

_SIZE = 32  # octets of a hash
_HEAD = 64


def leaves(archive: Archive) -> list[bytes]:
    """The hash of each message record's leaf, in the journal's order.

    :raises ArchiveError: when the journal cannot be read, or the state directory not be written.
    """
    path = os.path.join(archive.memory.directory("leaves"), archive.manifest.uuid)
    start, known = _kept(path)
    try:
        found, end = _read_on(archive, start, known)
    except ArchiveError:
        if not start.offset:
            raise
        start = Position()  # a reindex may have mended the journal since
        found, end = _read_on(archive, start, b"")
    if end != start:
        archive.journal.settle()  # what is kept must not know what a power cut takes back
        with durable.explained(f"writing {path}"):
            replacing.replace_file(path, _head(end, found) + found)
    return [bytes(found[at : at + _SIZE]) for at in range(0, len(found), _SIZE)]


def _read_on(archive: Archive, start: Position, known: bytes) -> tuple[bytearray, Position]:
    found, end = bytearray(known), start
    for record, behind in archive.journal.read(start):
        end = behind
        if isinstance(record, Message):
            found += leaf(record)
    return found, end


def records(archive: Archive) -> Iterator[tuple[bytes, Message]]:
    """Every message record with its leaf, read from the journal's beginning.

    :raises ArchiveError: when the journal cannot be read.
    """
    for record, _ in archive.journal.read(Position()):
        if isinstance(record, Message):
            yield leaf(record), record


def _head(end: Position, found: bytes | bytearray) -> bytes:
    return f"{end.offset} {end.crc} {zlib.crc32(found)}".encode().ljust(_HEAD)


def _kept(path: str) -> tuple[Position, bytes]:
    """How far a journal was read, and the leaves so far; from its beginning where that is not certain."""
    with durable.explained(f"reading {path}"):
        try:
            with open(path, "rb") as file:
                head, known = file.read(_HEAD), file.read()
        except FileNotFoundError:
            return Position(), b""
    try:
        offset, crc, check = map(int, head.split())
    except ValueError:
        return Position(), b""
    whole = check == zlib.crc32(known) and not len(known) % _SIZE
    return (Position(offset, crc), known) if whole else (Position(), b"")
