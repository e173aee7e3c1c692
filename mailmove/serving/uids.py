"""UIDs of our own, for messages that have none that IMAP could carry: each given once, durable before it is told.

They are in the state directory, a file for each archive that only grows: a line for each folder and each message, with
a checksum. A last line without its end was never told to anybody. Anything else that does not read stops the serving:
made anew, the UIDs would mean other messages to the mail programs that know them.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.state.memory import Memory
from mailmove.errors import ArchiveError
from mailmove.serving.folders import BELOW

_PIECE = 1 << 20


@dataclass(slots=True)
class Numbered:
    """A folder with UIDs of our own; ``uids`` are by what names each message in the archive."""

    number: int
    uidvalidity: int
    uids: dict[str, int] = field(default_factory=dict)
    uidnext: int = 1


class OwnUids:
    """The UIDs that were given out for one archive.

    Every method raises :exc:`~mailmove.errors.ArchiveError` when the file is damaged or cannot be written.
    """

    def __init__(self, memory: Memory, uuid: str) -> None:
        self._path = os.path.join(memory.directory("serving"), f"{uuid}.uids")
        self._folders: dict[str, Numbered] = {}
        self._read = 0

    def number(self, folder: str, messages: Iterable[str]) -> Numbered:
        """The folder with a UID for each of these messages; new ones are durable when this returns."""
        with durable.explained(f"writing {self._path}"):
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)  # another server of this archive
                self._catch_up(fd)
                return self._numbered(fd, folder, messages)
            finally:
                os.close(fd)

    def _numbered(self, fd: int, folder: str, messages: Iterable[str]) -> Numbered:
        lines: list[bytes] = []
        known = self._folders.get(folder)
        if known is None:
            known = Numbered(len(self._folders), int(time.time()) % (BELOW - 1) + 1)
            lines.append(_line(f"folder {known.number} {known.uidvalidity} {folder}"))
        new = [message for message in dict.fromkeys(messages) if message not in known.uids]
        lines += (_line(f"uid {known.number} {uid} {name}") for uid, name in enumerate(new, known.uidnext))
        if lines:
            octets = b"".join(lines)
            replacing.write_all(fd, octets)
            replacing.flush(fd)
            self._sync_name()
            self._read += len(octets)
            known.uids.update((name, uid) for uid, name in enumerate(new, known.uidnext))
            known.uidnext += len(new)
            self._folders[folder] = known
        return known

    def _sync_name(self) -> None:
        above = durable.open_dir(os.path.dirname(self._path))
        try:
            replacing.flush(above)
        finally:
            os.close(above)

    def _catch_up(self, fd: int) -> None:
        """Read on where the last look ended; what has no end is cut off."""
        if os.fstat(fd).st_size < self._read:
            raise self._damaged("it became shorter")
        os.lseek(fd, self._read, os.SEEK_SET)
        rest = b""
        while piece := os.read(fd, _PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._take(line)
                self._read += len(line) + 1
        if rest:
            os.ftruncate(fd, self._read)

    def _take(self, line: bytes) -> None:
        body, _, crc = line.rpartition(b" ")
        try:
            if int(crc, 16) != zlib.crc32(body):
                raise self._damaged(f"at octet {self._read}")
            kind, number, value, name = body.decode("utf-8").split(" ", 3)
            if kind == "folder":
                self._folders[name] = Numbered(int(number), int(value))
            else:
                folder = list(self._folders.values())[int(number)]
                folder.uids[name] = int(value)
                folder.uidnext = max(folder.uidnext, int(value) + 1)
        except (ValueError, IndexError):
            raise self._damaged(f"at octet {self._read}") from None

    def _damaged(self, where: str) -> ArchiveError:
        return ArchiveError(
            f"{self._path} is damaged: {where}",
            "It holds the UIDs that mail programs know. Put it back from a backup; or delete it, and they fetch again "
            "what is in folders with UIDs of mailmove's own.",
        )


def _line(body: str) -> bytes:
    octets = body.encode()
    return b"%b %08x\n" % (octets, zlib.crc32(octets))
