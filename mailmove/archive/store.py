"""An archive that is open: its record, its folders, its files."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType

from mailmove.archive import moving
from mailmove.archive.creating import create, exists
from mailmove.archive.files import disk, durable, weak
from mailmove.archive.files.names import Base
from mailmove.archive.index import headers, index, recall
from mailmove.archive.place import META, Place, enter
from mailmove.archive.record import journal, manifest, newer, records
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.state.memory import Memory
from mailmove.archive.tree import Tree
from mailmove.errors import ArchiveError, ArchiveMissing
from mailmove.model import Folder
from mailmove.safe import visible

_CATCH_UP = 2000  # records a transaction


class Archive(Tree):
    """One account's archive.

    Everything below raises :exc:`~mailmove.errors.ArchiveError`: missing, locked, damaged, full, or not this account's.
    """

    def __init__(self, place: Place, memory: Memory) -> None:
        super().__init__(place)
        self.notes: list[str] = []
        """What had to be mended on opening, for the report."""
        self.forgets: str | None = None
        """Why an archive that is open for writing is no proof where nobody watches: its disk keeps nothing for sure."""
        self.memory = memory
        writable = self.writable
        self.journal = journal.Journal.open(place.meta, place.shown(journal.NAME), writable=writable)
        self.index = self._open_index()
        self.newer = self.index.newer()
        """What a newer mailmove wrote that must not be ignored: such an archive is only read."""
        if writable:
            try:
                newer.refuse(self.newer, self.path)
                self._cut_torn_line()
                self._look_at_disk()
                self._make_folders()
            except BaseException:
                self.index.close()
                self.journal.close()
                raise

    @classmethod
    def open(cls, path: str, memory: Memory, *, writable: bool) -> Archive:
        """Open an archive that exists; writing takes its lock."""
        place = enter(path, writable=writable)
        try:
            return cls(place, memory)
        except BaseException:
            place.leave()
            raise

    @classmethod
    def for_login(cls, login: str, path: str, memory: Memory, *, writable: bool, new: bool = False) -> Archive:
        """Open the archive of a login at ``path``; when writing, make it if this login never had one.

        ``new`` forgets an archive that is remembered but not there.
        """
        path = os.path.abspath(os.path.expanduser(path))
        remembered = {} if new else memory.recall(login)
        if not exists(path):
            if path in remembered or (remembered and not any(map(exists, remembered))):
                moved = "" if path in remembered else f", last seen at {visible(min(remembered))}"
                raise ArchiveMissing(
                    f"the archive of {visible(login)} is not at {visible(path)}{moved}",
                    "Is a disk not mounted? Put it back or correct the path; to begin an empty one: --new-archive.",
                )
            if not writable:
                raise ArchiveMissing(f"{visible(login)} has no archive yet", "Run: mailmove export")
            create(path, login)
        archive = cls.open(path, memory, writable=writable)
        try:
            archive._must_belong_to(login, remembered.get(path))
            if writable:
                memory.remember(login, path, archive.manifest.uuid)
        except BaseException:
            archive.close()
            raise
        return archive

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, sqlite3.DatabaseError):
            raise index.failure(self.index.path, error) from error

    def close(self) -> None:
        """Let go of everything."""
        self.index.close()
        self.journal.close()
        self._place.leave()

    def changed(self, meta: int) -> str:
        """The same; its journal must be what this run has read and written, too."""
        if why := super().changed(meta):
            return why
        return "" if self.journal.lies_in(meta) else "its journal is not what this run has read and written"

    def record(self, lines: Iterable[records.Record], found: dict[str, headers.Headers] | None = None) -> None:
        """Write records to the journal, durably, then to the index; ``found`` are headers by SHA-256."""
        lines = list(lines)
        if not lines:
            return
        self.must_hold()
        start, end = self.journal.append(lines)
        found = found or {}
        if not self.index.apply(lines, start, end, lambda line: found.get(line.sha256) or self._headers_of(line)):
            self._catch_up(self.index)

    def prepare(self, folders: Iterable[tuple[Folder, int]]) -> None:
        """See to it that each folder in its UIDVALIDITY has its directory, durably.

        Where a folder's UIDVALIDITY changed, what is archived of the old one moves to a sibling directory.
        """
        wanted = self.manifest
        longest = disk.longest_name(self.root)
        for folder, uidvalidity in folders:
            wanted = wanted.with_folder(folder, uidvalidity, longest)
        if wanted is not self.manifest:
            self.must_hold()
            with durable.explained(f"writing {self.path}/{META}/{manifest.NAME}"):
                manifest.save(wanted, self._place.meta)
            self.manifest = wanted
            self._make_folders()

    def rebind(self, login: str) -> None:
        """From now on this is the archive of another login, durably."""
        self.must_hold()
        renamed = replace(self.manifest, login=login)
        with durable.explained(f"writing {self._place.shown(manifest.NAME)}"):
            manifest.save(renamed, self._place.meta)
        self.manifest = renamed
        self.memory.remember(login, self.path, renamed.uuid)

    def folder(self, wire: bytes, uidvalidity: int) -> FolderDir:
        """The directory of a folder that :meth:`prepare` has seen to."""
        found = self.manifest.find(wire, uidvalidity)
        assert found is not None, "prepare comes first"
        return found

    def has_links(self) -> bool:
        """Whether a file of this archive can have two names."""
        with durable.explained(f"writing to {self._place.shown(META)}"):
            return weak.has_links(self.meta, manifest.NAME)

    def _headers_of(self, line: records.Message) -> headers.Headers:
        """The headers of a message that was recorded by an earlier run, read from its file."""
        folder = self.manifest.find(line.folder, line.uidvalidity)
        base = Base(line.arrival, line.uidvalidity, line.uid, line.octets, line.sha256[:32])
        try:
            if folder is None:
                return headers.Headers()
            directory = durable.open_below(self.root, f"{folder.path}/cur")
            try:
                name = self.locate(directory, base, frozenset(line.flags))
                if name is None:
                    return headers.Headers()
                fd = durable.open_file(name, directory)
                try:
                    return headers.scan(os.read(fd, headers.MAX_BLOCK))
                finally:
                    os.close(fd)
            finally:
                os.close(directory)
        except OSError:
            return headers.Headers()  # check tells what is wrong with the file; a search index can do without

    def _open_index(self) -> index.Index:
        path = self.memory.index(self.manifest.uuid, self.mark.id if self.mark is not None else "")
        with index.explained(path):
            try:
                opened = self._caught_up(path)
            except sqlite3.DatabaseError as error:
                if not index.damaged(error):
                    raise
                known = recall.position(path, self.manifest.uuid)
                if known is not None:
                    self.journal.verify(known)  # else it would be forgotten what only this index knows
                self.notes.append(f"the index was unusable ({visible(str(error))}) and was made again from the journal")
                index.remove(path)
                opened = self._caught_up(path)
        return opened

    def _cut_torn_line(self) -> None:
        if self.journal.torn:
            self.notes.append(
                f"an unfinished last line of the journal was cut off ({self.journal.torn} octets): "
                "the run before was stopped while writing it"
            )
            self.journal.cut()

    def _caught_up(self, path: str) -> index.Index:
        opened = index.Index(path, self.manifest.uuid)
        try:
            self._catch_up(opened)
        except BaseException:
            opened.close()
            raise
        return opened

    def _catch_up(self, opened: index.Index) -> None:
        while not self._read_on(opened):
            pass  # another process is catching up as well

    def _read_on(self, opened: index.Index) -> bool:
        start = end = opened.position
        lines: list[records.Record] = []
        for line, end in self.journal.read(start):
            lines.append(line)
            if len(lines) >= _CATCH_UP:
                if not self._take_in(opened, lines, start, end):
                    return False
                start, lines = end, []
        return not lines or self._take_in(opened, lines, start, end)

    def _take_in(
        self, opened: index.Index, lines: list[records.Record], start: journal.Position, end: journal.Position
    ) -> bool:
        self.journal.settle()  # the index, on another disk, must not know what a power cut takes back
        return opened.apply(lines, start, end, self._headers_of)

    def _look_at_disk(self) -> None:
        with durable.explained(f"looking at the disk of {visible(self.path)}"):
            self.forgets = weak.forgets(self.root)
            self.notes += [*([self.forgets] if self.forgets else []), *weak.lacks(self.meta)]

    def _make_folders(self) -> None:
        moving.finish(self.root, self.manifest)
        for folder in self.manifest.folders:
            for part in ("cur", "new", "tmp"):
                with self.opened(folder, part, make=True):
                    pass

    def _must_belong_to(self, login: str, uuid: str | None) -> None:
        if self.manifest.login != login:
            raise ArchiveError(
                f"{visible(self.path)} is the archive of {visible(self.manifest.login)}, not of {visible(login)}",
                "Give this account an archive of its own, or, if the provider renamed it: mailmove account rebind.",
            )
        if uuid not in (None, self.manifest.uuid):
            raise ArchiveError(
                f"{visible(self.path)} holds another archive of {visible(login)} than the one used so far",
                "Put the right one back; or, if this one is meant: --new-archive.",
            )
