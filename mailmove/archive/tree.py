"""The directories and message files of an archive, in whichever place they are: the archive itself, or a copy of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mailmove.archive import mark
from mailmove.archive.files import durable, names
from mailmove.archive.files.names import Base
from mailmove.archive.place import Place
from mailmove.archive.record import manifest
from mailmove.archive.record.manifest import FolderDir
from mailmove.errors import ArchiveError
from mailmove.safe import visible


class Tree:
    """A place that holds message files, open.

    Everything below raises :exc:`~mailmove.errors.ArchiveError` when the disk fails.
    """

    def __init__(self, place: Place) -> None:
        self.path, self.root, self.meta = place.path, place.root, place.meta
        self._place = place
        self.manifest = manifest.load(place.meta, place.shown(manifest.NAME))
        self.mark = mark.load(place.meta, place.shown(mark.NAME))
        """What makes this a copy; None: it is the archive itself."""
        if self.mark is not None and self.mark.archive != self.manifest.uuid:
            raise ArchiveError(
                f"{visible(place.path)} is half a copy of one archive and half of another",
                "Nothing was changed. Make a new copy in another directory.",
            )

    @property
    def identity(self) -> str:
        """What evidence from here names as its place: the UUID of the copy, or of the archive."""
        return self.manifest.uuid if self.mark is None else self.mark.id

    @property
    def writable(self) -> bool:
        """Whether it is locked for this run."""
        return self._place.lock is not None

    @contextmanager
    def opened(self, folder: FolderDir, part: str = "cur", *, make: bool = False) -> Iterator[int]:
        """A descriptor of ``cur``, ``new`` or ``tmp`` of a folder."""
        path = f"{folder.path}/{part}"
        with durable.explained(f"opening {visible(os.path.join(self.path, path))}"):
            fd = durable.make_below(self.root, path) if make else durable.open_below(self.root, path)
        try:
            yield fd
        finally:
            os.close(fd)

    def listing(self, folder: FolderDir, part: str = "cur") -> Iterator[str]:
        """The names in a folder's directory; none when mail programs or a restore left it without that directory."""
        path = f"{folder.path}/{part}"
        with durable.explained(f"listing {visible(os.path.join(self.path, path))}"):
            try:
                fd = durable.open_below(self.root, path)
            except FileNotFoundError:
                return
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        yield entry.name
            finally:
                os.close(fd)

    def locate(self, directory: int, base: Base, flags: frozenset[str] = frozenset()) -> str | None:
        """The file name of a message in an open ``cur``, whatever its flags are by now."""
        text = str(base)
        for letters in dict.fromkeys((names.letters_for(flags), "", "S")):
            name = names.join(text, self.manifest.separator, letters)
            try:
                os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                continue
            return name
        with os.scandir(directory) as entries:
            return next((entry.name for entry in entries if names.split(entry.name)[0] == text), None)

    def changed(self, meta: int) -> str:
        """Why what ``meta``, its ``.mailmove`` as it is found now, holds is not what this run knows; empty if it is.

        :raises OSError: when that cannot be read.
        """
        found = mark.load(meta, self._place.shown(mark.NAME))
        same = (found and found[:2]) == (self.mark and self.mark[:2])
        return "" if same else "another archive, or copy of one, is there now"

    def must_hold(self) -> None:
        """The fence: return if this run is the place's writer still; asked before each deed that relies on that.

        On a disk of this machine that costs some microseconds, on a shared one a question to its server.

        :raises ArchiveError: when another machine took over while this one was asleep or cut off.
        """
        assert self._place.lock is not None, "opened for reading"
        self._place.lock.must_hold()
