"""Putting messages into the archive, in the order that makes a record always true.

``tmp/`` → data durable → ``cur/`` → names durable → journal durable → index, in batches. A batch is committed in a
thread of its own while the next one is being received; one at a time, in order.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import secrets
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from mailmove.archive import durable, headers, names, proof, records
from mailmove.archive.index import Stored
from mailmove.archive.manifest import FolderDir
from mailmove.archive.names import Base
from mailmove.archive.store import Archive
from mailmove.model import Listed
from mailmove.safe import visible
from mailmove.units import timestamp

BATCH_OCTETS = 32 << 20
BATCH_FILES = 1000
BATCH_FOLDERS = 100  # each keeps two descriptors open
_SYNC_THREADS = 4

_MINE = re.compile(r"mailmove-([0-9a-f]{8})-\d+")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = {errno.EMLINK, errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


class _OpenFolder:
    """A folder's ``tmp`` and ``cur``, open until the last message that needs them is committed."""

    def __init__(self, archive: Archive, folder: FolderDir) -> None:
        self.dir = folder
        self.tmp = durable.open_below(archive.root, f"{folder.path}/tmp")
        try:
            self.cur = durable.open_below(archive.root, f"{folder.path}/cur")
        except BaseException:
            os.close(self.tmp)
            raise
        self.users = 1

    def release(self) -> None:
        self.users -= 1
        if not self.users:
            os.close(self.tmp)
            os.close(self.cur)


class Incoming:
    """A message being written to ``tmp``; made by :meth:`Writer.begin`."""

    def __init__(self, folder: _OpenFolder, name: str) -> None:
        self.folder = folder
        self.name = name
        self.octets = 0
        self.start = b""
        """The beginning of the message, for its headers."""
        self.hash = hashlib.sha256()
        self.fd = os.open(name, _CREATE, 0o400, dir_fd=folder.tmp)

    def write(self, piece: memoryview | bytes) -> None:
        """Append octets.

        :raises ArchiveError: when the disk does not take them.
        """
        self.hash.update(piece)
        try:
            durable.write_all(self.fd, piece)
        except OSError as error:
            raise durable.failure(f"writing to {visible(self.folder.dir.path)}", error) from error
        room = headers.MAX_BLOCK - len(self.start)
        if room > 0:
            self.start += bytes(piece[:room])
        self.octets += len(piece)

    def discard(self) -> None:
        """This message is not to be kept."""
        os.close(self.fd)
        with durable.explained(f"discarding a message in {visible(self.folder.dir.path)}"):
            os.unlink(self.name, dir_fd=self.folder.tmp)


@dataclass(slots=True)
class _Pending:
    """A whole message in ``tmp``, to be committed."""

    folder: _OpenFolder
    temporary: str
    name: str
    sha256: bytes
    record: records.Message
    found: headers.Headers
    fresh: bool
    """Whether it was received, not linked: then a twin of it may be in the archive already."""


class Writer:
    """Writes messages into one archive, as a context manager: leaving it normally commits what is pending.

    Every method raises :exc:`~mailmove.errors.ArchiveError` when the disk fails; nothing more can be written then, and
    what was not recorded is fetched again by the next run.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._token = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._folder: _OpenFolder | None = None
        self._batch: list[_Pending] = []
        self._octets = 0
        self._sync = durable.FileSystemSync.open(archive.root)
        self._syncers = None if self._sync else ThreadPoolExecutor(_SYNC_THREADS, "sync")
        self._syncing: list[Future[None]] = []
        self._committer = ThreadPoolExecutor(1, "commit")
        self._committing: Future[None] | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._committer.shutdown()
            if self._syncers:
                self._syncers.shutdown()
            if self._sync:
                self._sync.close()
            for pending in self._batch:
                pending.folder.release()
            self._batch = []
            self._leave()

    def enter(self, folder: FolderDir) -> None:
        """The messages that follow go into this folder; what a killed run left in its ``tmp`` is removed."""
        self._leave()
        with durable.explained(f"opening {visible(folder.path)}"):
            self._folder = _OpenFolder(self._archive, folder)
            for name in os.listdir(self._folder.tmp):
                mine = _MINE.fullmatch(name)
                if mine and mine[1] != self._token:
                    os.unlink(name, dir_fd=self._folder.tmp)

    def begin(self) -> Incoming:
        """A new message in the current folder."""
        assert self._folder is not None, "enter comes first"
        with durable.explained(f"writing to {visible(self._folder.dir.path)}"):
            return Incoming(self._folder, self._temporary())

    def keep(self, incoming: Incoming, listed: Listed, internaldate: str | None) -> None:
        """A message is whole: commit it with its batch, as the message that ``listed`` says it is."""
        try:
            os.utime(incoming.fd, (listed.arrival or 0, listed.arrival or 0))
        except (OSError, OverflowError):
            pass  # a courtesy: the name tells the arrival
        if self._syncers is None:
            os.close(incoming.fd)
        else:
            self._syncing.append(self._syncers.submit(_flush_and_close, incoming.fd))
        digest = incoming.hash.digest()
        self._add(
            incoming.folder, incoming.name, incoming.octets, digest, listed, internaldate, headers.scan(incoming.start)
        )

    def keep_twin(self, source: Stored, listed: Listed, internaldate: str | None) -> bool:
        """Archive a message whose body the archive holds already, if that still hashes right; else return False."""
        assert self._folder is not None, "enter comes first"
        proven = proof.prove(self._archive, source)
        if isinstance(proven, str):
            return False
        with proven, durable.explained(f"writing to {visible(self._folder.dir.path)}"):
            temporary = self._temporary()
            if _linked(proven, self._folder.tmp, temporary):
                found = headers.scan(os.pread(proven.fd, headers.MAX_BLOCK, 0))
                octets, digest = source.base.octets, source.sha256
                self._add(self._folder, temporary, octets, digest, listed, internaldate, found, linked=True)
                return True
            incoming = self.begin()
            os.lseek(proven.fd, 0, os.SEEK_SET)
            while piece := os.read(proven.fd, 1 << 20):
                incoming.write(piece)
        self.keep(incoming, listed, internaldate)
        return True

    def flush(self) -> None:
        """Commit everything that is whole, and wait until it is durable and recorded."""
        self._submit()
        if self._committing:
            committing, self._committing = self._committing, None
            committing.result()

    def _add(
        self,
        folder: _OpenFolder,
        temporary: str,
        octets: int,
        sha256: bytes,
        listed: Listed,
        internaldate: str | None,
        found: headers.Headers,
        *,
        linked: bool = False,
    ) -> None:
        where = folder.dir
        base = Base(listed.arrival or 0, where.uidvalidity, listed.uid, octets, sha256.hex()[:32])
        name = names.join(str(base), self._archive.manifest.separator, names.letters_for(listed.flags))
        record = records.Message(
            folder=where.wire,
            uidvalidity=where.uidvalidity,
            uid=listed.uid,
            internaldate=internaldate,
            arrival=base.arrival,
            size=listed.size,
            octets=octets,
            sha256=sha256.hex(),
            flags=tuple(sorted(listed.flags)),
            verified=timestamp(datetime.now(UTC)),
            object_id=listed.object_id,
            linked=linked,
        )
        folder.users += 1
        self._batch.append(_Pending(folder, temporary, name, sha256, record, found, fresh=not linked))
        self._octets += octets + sum(len(field) for field in found if field)
        if (
            self._octets >= BATCH_OCTETS
            or len(self._batch) >= BATCH_FILES
            or len({id(pending.folder) for pending in self._batch[-BATCH_FOLDERS:]}) >= BATCH_FOLDERS
        ):
            self._submit()

    def _submit(self) -> None:
        """Hand the batch to the committer, once it is done with the one before."""
        if not self._batch:
            return
        if self._committing:
            committing, self._committing = self._committing, None
            committing.result()
        batch, self._batch = self._batch, []
        syncing, self._syncing = self._syncing, []
        self._octets = 0
        self._committing = self._committer.submit(self._commit, batch, syncing)

    def _commit(self, batch: list[_Pending], syncing: list[Future[None]]) -> None:
        try:
            with durable.explained(f"saving messages in {visible(self._archive.path)}"):
                self._sync_all(syncing)
                written: dict[bytes, tuple[_OpenFolder, str]] = {}
                for pending in batch:
                    if pending.fresh:
                        self._share(pending, written)
                    os.rename(
                        pending.temporary, pending.name, src_dir_fd=pending.folder.tmp, dst_dir_fd=pending.folder.cur
                    )
                self._sync_names(batch)
            found = {pending.record.sha256: pending.found for pending in batch}
            self._archive.record([pending.record for pending in batch], found)
        finally:
            for pending in batch:
                pending.folder.release()

    def _sync_all(self, syncing: Iterable[Future[None]]) -> None:
        if self._sync:
            self._sync.sync()
        for future in syncing:
            future.result()

    def _sync_names(self, batch: list[_Pending]) -> None:
        if self._sync:
            self._sync.sync()
            return
        for folder in {id(pending.folder): pending.folder for pending in batch}.values():
            durable.flush(folder.cur)
            durable.flush(folder.tmp)

    def _share(self, pending: _Pending, written: dict[bytes, tuple[_OpenFolder, str]]) -> None:
        """Replace a received message by a hard link to its twin in the archive, if there is one that hashes right."""
        earlier = written.setdefault(pending.sha256, (pending.folder, pending.name))
        if earlier != (pending.folder, pending.name):
            self._replace(pending, _reopened(*earlier))
            return
        for stored in self._archive.index.with_body(pending.sha256):
            twin = proof.prove(self._archive, stored)
            if not isinstance(twin, str):
                self._replace(pending, twin)
                return

    def _replace(self, pending: _Pending, twin: proof.Proven) -> None:
        temporary = self._temporary()
        with twin:
            if _linked(twin, pending.folder.tmp, temporary):
                os.unlink(pending.temporary, dir_fd=pending.folder.tmp)
                pending.temporary = temporary

    def _temporary(self) -> str:
        return f"mailmove-{self._token}-{next(self._numbers)}"

    def _leave(self) -> None:
        if self._folder is not None:
            self._folder.release()
            self._folder = None


def _flush_and_close(fd: int) -> None:
    try:
        durable.flush(fd)
    finally:
        os.close(fd)


def _linked(source: proof.Proven, to: int, name: str) -> bool:
    """Link a file, or say that this file system, or this file, cannot be linked."""
    try:
        source.link(to, name)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def _reopened(folder: _OpenFolder, name: str) -> proof.Proven:
    """A message of the same batch: received, hashed and synced a moment ago."""
    directory = os.dup(folder.cur)
    return proof.Proven(directory, name, durable.open_file(name, directory))
