"""The record: ``journal.jsonl``, append-only, each line with a checksum of its own.

A line counts once it is durable. A last line without its end was being written when the machine stopped: it is cut off
and said. Anything else that does not read is damage, and damage stops the run.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.record.jsonline import from_json, to_json
from mailmove.archive.record.records import Record
from mailmove.errors import ArchiveDamaged
from mailmove.safe import visible

NAME = "journal.jsonl"
_CHUNK = 1 << 20
_MAX_LINE = 1 << 24
_CRC = b',"crc":"'
_TAIL = len(_CRC) + len('01234567"}')


class Position(NamedTuple):
    """How far the journal was read: an offset in octets and the CRC-32 of everything before it."""

    offset: int = 0
    crc: int = 0


def encode(record: Record) -> bytes:
    """A record as a line of the journal."""
    body = to_json(record).encode("ascii")[:-1]
    return b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def decode(line: bytes) -> Record:
    """The record of a line.

    :raises ValueError: when the line is not what mailmove wrote.
    """
    body, tail = line[:-_TAIL], line[-_TAIL:]
    if tail != b'%b%08x"}' % (_CRC, zlib.crc32(body)):
        raise ValueError("its checksum does not fit")
    try:
        return from_json(json.loads(body + b"}"))
    except (KeyError, TypeError) as error:
        raise ValueError(f"it lacks something: {error}") from error


class Journal:
    """An archive's journal, opened for reading, and for appending by whoever holds the lock."""

    def __init__(self, fd: int, shown: str, *, writable: bool) -> None:
        self._fd = fd
        self._shown = shown
        self._writable = writable
        self._end: Position | None = None
        self._found: tuple[int, ...] | None = None
        self.torn = 0
        """Octets of an unfinished last line, which :meth:`cut` takes off."""

    @classmethod
    def open(cls, directory: int, shown: str, *, writable: bool) -> Journal:
        """Open the journal in a ``.mailmove`` directory; ``shown`` is its path for messages.

        :raises ArchiveError: when it is missing or cannot be opened.
        """
        flags = (os.O_RDWR | os.O_APPEND) if writable else os.O_RDONLY
        try:
            fd = durable.open_file(NAME, directory, flags)
        except FileNotFoundError:
            raise ArchiveDamaged(f"{shown} is missing: the archive has lost its record", _remedy(shown)) from None
        except OSError as error:
            raise durable.failure(f"opening {shown}", error) from error
        return cls(fd, shown, writable=writable)

    @staticmethod
    def create(directory: int, records: Iterable[Record]) -> None:
        """Write a journal where there is none; it appears whole or not at all."""
        replacing.replace_below(directory, NAME, b"".join(map(encode, records)))

    def read(self, start: Position) -> Iterator[tuple[Record, Position]]:
        """Every record after ``start``, each with the position behind it.

        What lies before ``start`` is read too, and must be what was read then.

        :raises ArchiveError: when the journal is damaged, or not the one that was read before.
        """
        self.verify(start)
        crc, offset, rest = start.crc, start.offset, b""
        while chunk := os.read(self._fd, _CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                crc = zlib.crc32(b"\n", zlib.crc32(line, crc))
                try:
                    record = decode(line)
                except ValueError as error:
                    raise self._damaged(f"at octet {offset}: {error}") from None
                offset += len(line) + 1
                yield record, Position(offset, crc)
            if len(rest) > _MAX_LINE:
                raise self._damaged(f"at octet {offset}: a line without end")
        self.torn = len(rest)
        self._end = Position(offset, crc)

    def cut(self) -> None:
        """Cut off a last line without its end, once the journal is read: it was being written when the machine stopped.

        :raises ArchiveError: when the disk fails.
        """
        assert self._writable and self._end is not None, "the journal is read to its end before it is written"
        if self.torn:
            with durable.explained(f"cutting an unfinished line off {self._shown}"):
                os.ftruncate(self._fd, self._end.offset)
                replacing.flush(self._fd)
            self.torn = 0

    def append(self, records: Iterable[Record]) -> tuple[Position, Position]:
        """Add records and wait until they are on disk; returns the positions before and behind them.

        :raises ArchiveError: when the disk did not take them; then none of them counts.
        """
        assert self._writable and self._end is not None, "the journal is read to its end before it is written"
        assert not self.torn, "what is written after half a line is damage"
        data = b"".join(map(encode, records))
        before, self._end = self._end, None  # after a failure nothing more may be appended
        try:
            replacing.write_all(self._fd, data)
            replacing.flush(self._fd)
        except OSError as error:
            try:
                os.ftruncate(self._fd, before.offset)
            except OSError:
                pass  # the unfinished line is cut off when the journal is next opened
            raise durable.failure(f"writing {self._shown}", error) from error
        self._end = Position(before.offset + len(data), zlib.crc32(data, before.crc))
        return before, self._end

    def settle(self) -> None:
        """Wait until what was read is on disk: whoever wrote it may not have come to that.

        :raises ArchiveError: when the disk fails.
        """
        with durable.explained(f"reading {self._shown}"):
            try:
                replacing.flush(self._fd)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EROFS, errno.ENOTSUP):  # so says a medium that is only read
                    raise

    def lies_in(self, directory: int) -> bool:
        """Whether the journal that is found in this directory holds, to the octet, what was read and written here.

        :raises OSError: when there is none, or it cannot be read.
        """
        fd = durable.open_file(NAME, directory)
        try:
            before = _identity(fd)
            if before != self._found:
                if Position(before[2], _checksum(fd)) != self._end:
                    return False
                self._found = before if _identity(fd) == before else None
            return True
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def verify(self, until: Position) -> None:
        """See to it that the journal is, so far, the one that was read.

        :raises ArchiveError: when it is not.
        """
        os.lseek(self._fd, 0, os.SEEK_SET)
        crc, left = 0, until.offset
        while left:
            chunk = os.read(self._fd, min(_CHUNK, left))
            if not chunk:
                raise ArchiveDamaged(
                    f"{self._shown} is shorter than when it was last read: was an older copy put back?",
                    _remedy(self._shown),
                )
            crc = zlib.crc32(chunk, crc)
            left -= len(chunk)
        if crc != until.crc:
            raise self._damaged("it changed since it was last read")

    def _damaged(self, what: str) -> ArchiveDamaged:
        where = " " if what.startswith("at") else ": "
        return ArchiveDamaged(f"{self._shown} is damaged{where}{what}", _remedy(self._shown))


def _identity(fd: int) -> tuple[int, ...]:
    status = os.fstat(fd)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _checksum(fd: int) -> int:
    crc = 0
    while chunk := os.read(fd, _CHUNK):
        crc = zlib.crc32(chunk, crc)
    return crc


def whole_lines(data: bytes) -> Iterator[tuple[bytes, Record | None]]:
    """Every line of a journal, and its record where it reads; an unfinished last line is left out."""
    *lines, _ = data.split(b"\n")
    for line in lines:
        try:
            yield line + b"\n", decode(line)
        except ValueError:
            yield line + b"\n", None


def _remedy(shown: str) -> str:
    archive = visible(os.path.dirname(os.path.dirname(shown)), 1000)
    return (
        f"Nothing was changed. Restore it from a copy of the archive; or save what there is: mailmove reindex {archive}"
    )
