"""Putting messages into the archive, in the order that makes a record always true.

``tmp/`` → data durable → ``cur/`` → names durable → journal durable → index, in batches. While the disk works on one
batch the next is received: one sync makes the data of a batch durable and the names of the batch before it.
"""

from __future__ import annotations

import itertools
import os
import secrets
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

from mailmove.archive.files import durable, names
from mailmove.archive.files.names import Base
from mailmove.archive.files.syncing import syncer
from mailmove.archive.index import headers
from mailmove.archive.index.messages import Stored
from mailmove.archive.proof import rehashing
from mailmove.archive.record import records
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive
from mailmove.archive.writing.incoming import Incoming, OpenFolder
from mailmove.errors import ArchiveError
from mailmove.model import Listed
from mailmove.safe import visible
from mailmove.units import timestamp, utc

BATCH_OCTETS = 32 << 20
BATCH_FILES = 1000
BATCH_FOLDERS = 100  # each keeps two descriptors open


@dataclass(slots=True)
class _Pending:
    """A whole message in ``tmp``. ``fresh``: it was received, not linked, so a twin may be in the archive already."""

    temporary: str
    name: str
    sha256: bytes
    record: records.Message
    found: headers.Headers
    folder: OpenFolder
    fresh: bool


@dataclass(slots=True)
class _Batch:
    """Messages that become durable together."""

    messages: list[_Pending] = field(default_factory=list)
    octets: int = 0
    folders: int = 0

    def __bool__(self) -> bool:
        return bool(self.messages)


class Writer:
    """Writes messages into one archive, as a context manager: leaving it normally commits what is pending.

    Every method raises :exc:`~mailmove.errors.ArchiveError` when the disk fails; nothing more can be written then. What
    was whole when there was no room for the next message is still committed, if its own sync succeeds after that;
    what was not recorded is adopted or fetched again by the next run.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._saving = f"saving messages in {visible(archive.path)}"
        self._separator = archive.manifest.separator
        self._token = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._folder: OpenFolder | None = None
        self._batch = _Batch()  # being received
        self._written = _Batch()  # in tmp, whole, perhaps not durable
        self._moved = _Batch()  # in cur, perhaps not by a durable name
        self._syncer = syncer(archive.root)
        self._syncing: Future[None] | None = None
        self._sound = True  # no sync, record or rename failed: what waits can still be committed

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
            elif self._sound and durable.is_full(error):
                with suppress(ArchiveError):  # what is whole already may have room
                    self.flush()
        finally:
            self._syncer.close()
            for batch in (self._batch, self._written, self._moved):
                _release(batch)
            self._leave()

    @property
    def archive(self) -> Archive:
        """Where it writes to."""
        return self._archive

    def enter(self, folder: FolderDir) -> None:
        """The messages that follow go into this folder; what a killed run left in its ``tmp`` is removed."""
        self._leave()
        self._folder = opened = OpenFolder(self._archive.root, folder)
        self._archive.must_hold()
        opened.clear(self._token)
        self._batch.folders += 1

    def begin(self) -> Incoming:
        """A new message in the current folder."""
        assert self._folder is not None, "enter comes first"
        try:
            return Incoming(self._folder, self._temporary())
        except OSError as error:
            raise durable.failure(f"writing to {self._folder.shown}", error) from error

    def keep(self, incoming: Incoming, listed: Listed, internaldate: str | None) -> None:
        """A message is whole: commit it with its batch, as the message that ``listed`` says it is."""
        try:
            os.utime(incoming.fd, (listed.arrival or 0, listed.arrival or 0))
        except (OSError, OverflowError):
            pass  # a courtesy: the name tells the arrival
        self._syncer.close_file(incoming.fd)
        self._add(
            incoming.folder,
            incoming.name,
            incoming.octets,
            incoming.sha256,
            incoming.header_fields,
            listed,
            internaldate,
            linked=False,
        )

    def keep_twin(self, source: Stored, listed: Listed, internaldate: str | None) -> bool:
        """Archive a message whose body the archive holds already, if that still hashes right; else return False."""
        folder = self._folder
        assert folder is not None, "enter comes first"
        proven = rehashing.prove(self._archive, source)
        if isinstance(proven, str):
            return False
        with proven, durable.explained(f"writing to {folder.shown}"):
            temporary = self._temporary()
            if _linked(proven, folder.tmp, temporary):
                found = headers.scan(os.pread(proven.fd, headers.MAX_BLOCK, 0))
                octets, sha256 = source.base.octets, source.sha256
                self._add(folder, temporary, octets, sha256, found, listed, internaldate, linked=True)
                return True
            incoming = self.begin()
            os.lseek(proven.fd, 0, os.SEEK_SET)
            while piece := os.read(proven.fd, 1 << 18):
                incoming.write(piece)
        self.keep(incoming, listed, internaldate)
        return True

    def flush(self) -> None:
        """Commit everything that is whole, and wait until it is durable and recorded."""
        self._cut()
        while self._written or self._moved:
            self._advance()
            self._sync()

    def _add(
        self,
        folder: OpenFolder,
        temporary: str,
        octets: int,
        sha256: bytes,
        found: headers.Headers,
        listed: Listed,
        internaldate: str | None,
        *,
        linked: bool,
    ) -> None:
        where, digits = folder.dir, sha256.hex()
        base = Base(listed.arrival or 0, where.uidvalidity, listed.uid, octets, digits[:32])
        name = names.join(str(base), self._separator, names.letters_for(listed.flags))
        record = records.Message(
            folder=where.wire,
            uidvalidity=where.uidvalidity,
            uid=listed.uid,
            internaldate=internaldate,
            arrival=base.arrival,
            size=listed.size,
            octets=octets,
            sha256=digits,
            flags=_sorted(listed.flags),
            verified=_now(int(time.time())),
            object_id=listed.object_id,
            linked=linked,
        )
        folder.users += 1
        batch = self._batch
        batch.messages.append(_Pending(temporary, name, sha256, record, found, folder, not linked))
        batch.octets += octets + headers.MAX_FIELD
        if self._syncing is not None and self._syncing.done():
            self._advance()
        if len(batch.messages) >= BATCH_FILES or batch.octets >= BATCH_OCTETS or batch.folders >= BATCH_FOLDERS:
            self._cut()

    def _cut(self) -> None:
        """What was received so far is a batch; wait for the one before if the disk is not done with it."""
        while self._written:
            self._sync()
            self._advance()
        self._written, self._batch = self._batch, _Batch()
        self._sync()

    def _sync(self) -> None:
        """Let the disk work on what waits for it."""
        if self._syncing is None and (self._written or self._moved):
            directories = {fd for message in self._moved.messages for fd in (message.folder.cur, message.folder.tmp)}
            self._syncing = self._syncer.start(directories)

    def _advance(self) -> None:
        """Wait until the disk is done, then go on with what it was done for."""
        if self._syncing is None:
            return
        syncing, self._syncing, self._sound = self._syncing, None, False
        moved, self._moved = self._moved, _Batch()
        try:
            with durable.explained(self._saving):
                syncing.result()
            found = {message.record.sha256: message.found for message in moved.messages}
            self._archive.record([message.record for message in moved.messages], found)
        finally:
            _release(moved)
        self._archive.must_hold()  # the writer that took over removes from tmp what is ours
        with durable.explained(self._saving):
            self._move(self._written.messages)
        self._moved, self._written, self._sound = self._written, _Batch(), True

    def _move(self, messages: list[_Pending]) -> None:
        """From ``tmp`` to ``cur``, twins linked; the archive never shows a name whose data may not be there."""
        known = self._archive.index.known_bodies({message.sha256 for message in messages if message.fresh})
        firsts: dict[bytes, _Pending] = {}
        for message in messages:
            folder = message.folder
            if message.fresh:
                first = firsts.setdefault(message.sha256, message)
                if first is not message or message.sha256 in known:
                    self._share(message, first)
            os.rename(message.temporary, message.name, src_dir_fd=folder.tmp, dst_dir_fd=folder.cur)

    def _share(self, message: _Pending, first: _Pending) -> None:
        """Replace a received message by a hard link to a twin that hashes right; ``first`` is the one of this batch."""
        twins: Iterable[rehashing.Proven | str]
        if first is not message:
            directory = os.dup(first.folder.cur)
            twins = [rehashing.Proven(directory, first.name, durable.open_file(first.name, directory))]
        else:
            stored = self._archive.index.with_body(message.sha256)
            twins = (rehashing.prove(self._archive, twin) for twin in stored)
        for twin in twins:
            if isinstance(twin, str):
                continue
            with twin:
                temporary = self._temporary()
                if _linked(twin, message.folder.tmp, temporary):
                    os.unlink(message.temporary, dir_fd=message.folder.tmp)
                    message.temporary = temporary
            return

    def _temporary(self) -> str:
        return names.temporary(self._token, next(self._numbers))

    def _leave(self) -> None:
        if self._folder is not None:
            self._folder.release()
            self._folder = None


def _release(batch: _Batch) -> None:
    for message in batch.messages:
        message.folder.release()
    batch.messages = []


def _linked(source: rehashing.Proven, to: int, name: str) -> bool:
    """Give a message file another name, or say that this file system, or this file, cannot have one."""
    try:
        source.link(to, name)
    except OSError as error:
        if error.errno in durable.NO_LINKS:
            return False
        raise
    return True


@lru_cache(maxsize=4096)
def _sorted(flags: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(flags))


@lru_cache(maxsize=2)
def _now(seconds: int) -> str:
    return timestamp(utc(seconds))
