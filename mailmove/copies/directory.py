"""A copy in a directory: opened, or begun where there is nothing yet, and locked against other runs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable

from mailmove import replacing
from mailmove.archive import mark, moving
from mailmove.archive.creating import must_hold_names
from mailmove.archive.files import disk, durable, weak
from mailmove.archive.lock import NAME as LOCK
from mailmove.archive.lock import Lock, LocksMissing
from mailmove.archive.mark import Mark
from mailmove.archive.place import META, Place, check_owner, enter
from mailmove.archive.record import journal, manifest
from mailmove.archive.record.manifest import Manifest
from mailmove.archive.tree import Tree
from mailmove.errors import ArchiveError, RefusedError
from mailmove.model import Folder
from mailmove.safe import visible


class Copy(Tree):
    """A copy that is open, and locked where its disk has locks.

    Everything below raises :exc:`~mailmove.errors.ArchiveError` when its disk fails or it is not there any more.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        if self.mark is None:
            raise RefusedError(
                f"{visible(place.path)} is an archive, and no copy of one",
                "Nothing was changed. Name another directory for the copy.",
            )
        self._opened = self._written(place.meta)

    @classmethod
    def open(cls, path: str, *, locked: bool = True) -> Copy:
        """Open a copy that exists, taking its lock; without it to be read only.

        :raises RefusedError: when it is an archive itself.
        """
        place = enter(path, writable=locked, copying=True, lock=_lock)
        try:
            return cls(place)
        except BaseException:
            place.leave()
            raise

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        self._place.leave()

    def must_hold(self) -> None:
        """The fence, where there is a lock."""
        if self.writable:
            super().must_hold()

    def changed(self, meta: int) -> str:
        """The same; its journal must be as it was when it was opened, too."""
        return super().changed(meta) or ("" if self._written(meta) == self._opened else "its journal was written to")

    def _written(self, meta: int) -> tuple[int, ...]:
        with durable.explained(f"reading {self._place.shown(journal.NAME)}"):
            status = os.stat(journal.NAME, dir_fd=meta, follow_symlinks=False)
        return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def follow(self, about: Manifest) -> None:
        """Have the folders of the archive, each in a directory that this disk can hold, durably."""
        longest = disk.longest_name(self.root)
        wanted = Manifest(self.manifest.uuid, about.login, self.manifest.separator, self.manifest.folders)
        for one in about.folders:
            use = frozenset({one.special_use} if one.special_use else ())
            wanted = wanted.with_folder(Folder(one.wire, one.delimiter, use), one.uidvalidity, longest)
        if wanted != self.manifest:
            self.must_hold()
            with durable.explained(f"writing {self._place.shown(manifest.NAME)}"):
                manifest.save(wanted, self.meta)
            self.manifest = wanted
        moving.finish(self.root, self.manifest)
        for folder in self.manifest.folders:
            for part in ("cur", "new", "tmp"):
                with self.opened(folder, part, make=True):
                    pass

    def came_to(self, octets: int, at: str) -> None:
        """Note how much of the archive's journal has come."""
        assert self.mark is not None
        self.mark = self.mark._replace(octets=octets, at=at)
        with durable.explained(f"writing {self._place.shown(mark.NAME)}"):
            mark.save(self.mark, self.meta)

    def must_be_there(self) -> None:
        """See to it that by its path it is still the one that was opened.

        :raises ArchiveError: when its disk was taken away, or another one is there.
        """
        try:
            now = os.stat(self.path)
        except OSError as error:
            raise self._gone(error.strerror or "it cannot be opened") from error
        held = os.fstat(self.root)
        if (now.st_dev, now.st_ino) != (held.st_dev, held.st_ino):
            raise self._gone("another directory is there now")
        self.must_hold()

    def _gone(self, why: str) -> ArchiveError:
        return ArchiveError(
            f"the copy at {visible(self.path)} is not there any more: {visible(why)}",
            "Is its disk still mounted? Then run the same command again: it goes on where it stopped.",
        )


def begin(path: str, about: Manifest, first: bytes) -> Copy:
    """The copy of an archive at ``path``, which is made when nothing is there; a crash leaves one that can go on.

    ``first`` is the line that begins the archive's journal.

    :raises RefusedError: when something else is there, or a copy of another archive.
    :raises ArchiveError: when the disk fails, or another run is at work there.
    """
    path = os.path.abspath(os.path.expanduser(path))
    with durable.explained(f"making {visible(path)}"):
        durable.make_path(path)
        root = durable.open_dir(path)
        try:
            check_owner(root, path)
            if {mark.NAME, manifest.NAME}.isdisjoint(_inside(root)):
                _must_be_empty(root, path)
                must_hold_names(root, path)
                durable.make_private(root)
                _mark(root, about)
            _fill(root, path, about, first)
        finally:
            os.close(root)
    copy = Copy.open(path)
    if copy.manifest.uuid != about.uuid:
        copy.close()
        raise RefusedError(
            f"{visible(path)} is a copy of another archive, that of {visible(copy.manifest.login)}",
            "Nothing was changed. Name another directory for this one.",
        )
    return copy


def identity(path: str) -> str:
    """The UUID of the copy at ``path``.

    :raises ArchiveError: when there is none, or it cannot be read.
    """
    place = enter(path, writable=False)
    try:
        found = mark.load(place.meta, place.shown(mark.NAME))
    finally:
        place.leave()
    if found is None:
        raise ArchiveError(f"{visible(path)} is no copy of an archive", "Make one: mailmove copy")
    return found.id


def is_copy(path: str) -> bool:
    """Whether there is a copy at ``path``, be it only begun."""
    return os.path.lexists(os.path.join(path, META, mark.NAME))


def _lock(directory: int, shown: str) -> Lock | None:
    try:
        return Lock.acquire(directory, shown)
    except LocksMissing:
        return None  # what was read in this run counts all the same


def _inside(root: int) -> list[str]:
    """What is in its ``.mailmove``; nothing when there is none."""
    try:
        meta = durable.open_dir(META, root)
    except FileNotFoundError:
        return []
    try:
        return os.listdir(meta)
    finally:
        os.close(meta)


def _must_be_empty(root: int, path: str) -> None:
    begun = {META} if set(_inside(root)) <= {LOCK, f".{mark.NAME}.new"} else set()
    if set(os.listdir(root)) - begun:
        raise RefusedError(
            f"{visible(path)} is not empty and no copy of an archive",
            "Nothing was changed. Name a directory that is not there yet, or an empty one.",
        )


def _mark(root: int, about: Manifest) -> None:
    """First of all it is marked as a copy: nothing else may ever take it for an archive."""
    meta = durable.make_below(root, META)
    try:
        replacing.flush(root)
        mark.save(Mark(str(uuid.uuid4()), about.uuid), meta)
    finally:
        os.close(meta)


def _fill(root: int, path: str, about: Manifest, first: bytes) -> None:
    """What a copy has from the beginning, where a crash came before it."""
    names = _inside(root)
    meta = durable.open_dir(META, root)
    try:
        found = mark.load(meta, os.path.join(path, META, mark.NAME))
        if found is None or found.archive != about.uuid:
            return  # it is another's, which opening it tells
        if manifest.NAME not in names:
            manifest.save(Manifest(about.uuid, about.login, weak.separator(meta)), meta)
        if journal.NAME not in names:
            replacing.replace_below(meta, journal.NAME, first)
    finally:
        os.close(meta)


def reflag(folder: int, changes: Iterable[tuple[str, str]]) -> None:
    """Give message files of an open directory other flags: their names from and to, durably.

    :raises OSError: when the disk does not take it.
    """
    for old, new in changes:
        os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)
    replacing.flush(folder)
