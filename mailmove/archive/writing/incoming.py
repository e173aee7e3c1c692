"""A message on its way into the archive: written to ``tmp``, its hash and header fields known at its end."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress

from mailmove import replacing
from mailmove.archive.files import durable, names
from mailmove.archive.index import headers
from mailmove.archive.record.manifest import FolderDir
from mailmove.safe import visible

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class OpenFolder:
    """A folder's ``tmp`` and ``cur``, open until the last message that needs them is recorded."""

    def __init__(self, root: int, folder: FolderDir) -> None:
        self.dir = folder
        self.shown = visible(folder.path)
        self.users = 1
        with durable.explained(f"opening {self.shown}"):
            self.tmp = durable.open_below(root, f"{folder.path}/tmp")
            try:
                self.cur = durable.open_below(root, f"{folder.path}/cur")
            except BaseException:
                os.close(self.tmp)
                raise

    def clear(self, token: str) -> None:
        """Remove what a killed run left in ``tmp``: all that is named so without this token.

        :raises ArchiveError: when the disk fails.
        """
        with durable.explained(f"cleaning up in {self.shown}"):
            for name in os.listdir(self.tmp):
                mine = names.TEMPORARY.fullmatch(name)
                if mine and mine[1] != token:
                    with suppress(IsADirectoryError, PermissionError):  # a directory is not ours, whatever its name
                        os.unlink(name, dir_fd=self.tmp)

    def release(self) -> None:
        """One user less; without any it is closed."""
        self.users -= 1
        if not self.users:
            os.close(self.tmp)
            os.close(self.cur)


class Incoming:
    """A message being written to ``tmp``; made by :meth:`~mailmove.archive.writing.writer.Writer.begin`."""

    __slots__ = ("_digest", "_found", "_hash", "_start", "fd", "folder", "name", "octets")

    def __init__(self, folder: OpenFolder, name: str) -> None:
        self.folder = folder
        self.name = name
        self.octets = 0
        self._start = b""  # of a message whose header fields are not known yet
        self._found: headers.Headers | None = None
        self._hash = hashlib.sha256()
        self._digest: bytes | None = None
        self.fd = os.open(name, CREATE, 0o400, dir_fd=folder.tmp)

    def write(self, piece: memoryview | bytes) -> None:
        """Append octets.

        :raises ArchiveError: when the disk does not take them.
        """
        self._hash.update(piece)
        try:
            replacing.write_all(self.fd, piece)
        except OSError as error:
            raise durable.failure(f"writing to {self.folder.shown}", error) from error
        if self._found is None:
            self._look(piece)
        self.octets += len(piece)

    def _look(self, piece: memoryview | bytes) -> None:
        start = self._start + bytes(piece[: headers.MAX_BLOCK]) if self._start else piece
        end = headers.end_of_block(start)
        found = headers.scan(start, end) if end >= 0 else None
        if found and headers.is_whole(start, end, found):
            self._found, self._start = found, b""
        else:
            self._start = bytes(start)

    @property
    def header_fields(self) -> headers.Headers:
        """The header fields of the whole message."""
        return self._found or headers.scan(self._start)

    @property
    def sha256(self) -> bytes:
        """The hash of the whole message, once all of it is written."""
        if self._digest is None:
            self._digest = self._hash.digest()
        return self._digest

    def head(self, octets: int) -> bytes:
        """So many octets from its beginning, of what was written."""
        with durable.explained(f"reading a message in {self.folder.shown}"):
            fd = durable.open_file(self.name, self.folder.tmp)
            try:
                return os.pread(fd, octets, 0)
            finally:
                os.close(fd)

    def set_apart(self, name: str, directory: int) -> None:
        """This message is not to be kept as one: give it, durably, this name in another directory.

        :raises OSError: when the disk does not take it.
        """
        replacing.flush(self.fd)
        os.close(self.fd)
        os.rename(self.name, name, src_dir_fd=self.folder.tmp, dst_dir_fd=directory)
        replacing.flush(directory)

    def discard(self) -> None:
        """This message is not to be kept."""
        os.close(self.fd)
        with durable.explained(f"discarding a message in {self.folder.shown}"):
            os.unlink(self.name, dir_fd=self.folder.tmp)
