"""Is it still so? What was proven when a plan was made is looked at again, from the top, just before a deletion.

An open descriptor would go on showing a disk that was unmounted, or a directory that was moved away. So the archive is
opened anew by its path, and everything below is looked at through that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby

from mailmove.archive.files import disk, durable, names
from mailmove.archive.place import META
from mailmove.archive.proof.rehashing import ALTERED, MISSING, file_seen, read_at
from mailmove.archive.tree import Tree
from mailmove.errors import ArchiveError
from mailmove.evidence import Evidence, FileSeen, clock, rehashed
from mailmove.safe import visible


class Witness:
    """Looks again at what an archive, or a copy of one, was seen to hold."""

    def __init__(self, archive: Tree) -> None:
        self._archive = archive
        self._stable = disk.has_stable_inodes(archive.root)

    def must_stand(self) -> None:
        """See to it that the archive, by its path, is the one that was opened, with the record that it had.

        :raises ArchiveError: when it is not, or this run is not its writer any more.
        """
        with self._from_the_top():
            pass

    def renew(self, evidence: Iterable[Evidence]) -> tuple[dict[int, Evidence], dict[int, str]]:
        """Evidence, by UID, for those messages of a folder that the archive still holds, and why not for the others.

        A file that is seen to be what was hashed, less than ten minutes ago, need not be hashed again.

        :raises ArchiveError: when it is not the archive that was opened.
        """
        good: dict[int, Evidence] = {}
        lost: dict[int, str] = {}
        with self._from_the_top() as root:
            for directory, some in groupby(evidence, lambda one: one.seen.directory if one.seen else ""):
                try:
                    fd = durable.open_below(root, directory) if directory else root
                except OSError as error:
                    lost.update((one.message.uid, f"its directory cannot be opened: {error.strerror}") for one in some)
                    continue
                try:
                    for one in some:
                        found = self._again(one, fd)
                        if isinstance(found, str):
                            lost[one.message.uid] = found
                        else:
                            good[one.message.uid] = found
                finally:
                    if fd != root:
                        os.close(fd)
        return good, lost

    def _again(self, evidence: Evidence, directory: int) -> Evidence | str:
        """The same evidence, or newer; else what became of the file."""
        seen = evidence.seen
        if seen is None:
            return evidence  # of no file: somebody asked to do without
        try:
            name: str | None = seen.name
            try:
                now = os.stat(seen.name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:  # a mail program gave it other flags?
                name = _renamed(directory, seen)
            else:
                if self._stable and file_seen(now, *seen[:2]) == seen and evidence.proves(evidence.message, clock()):
                    return evidence
            if name is None:
                return MISSING
            reading = read_at(directory, seen.directory, name)
        except OSError as error:
            return f"its file cannot be read: {error.strerror}"
        if reading.digest != (seen.octets, evidence.sha256):
            return ALTERED
        again = rehashed(evidence.message, evidence.place, evidence.sha256, reading.seen, reading.at)
        return replace(again, besides=evidence.besides)

    @contextmanager
    def _from_the_top(self) -> Iterator[int]:
        """The archive's directory, opened by its path, once it was seen to be the one that is held."""
        archive = self._archive
        try:
            root = durable.open_dir(archive.path)
        except OSError as error:
            raise _lost(archive, error.strerror or "it cannot be opened") from error
        try:
            _must_be_one(archive, root, archive.root)
            meta = durable.open_dir(META, root)
            try:
                _must_be_one(archive, meta, archive.meta)
                if why := archive.changed(meta):
                    raise _lost(archive, why)
                archive.must_hold()
            finally:
                os.close(meta)
            yield root
        except OSError as error:
            raise _lost(archive, error.strerror or "it cannot be read") from error
        finally:
            os.close(root)


def _must_be_one(archive: Tree, found: int, held: int) -> None:
    one, other = os.fstat(found), os.fstat(held)
    if (one.st_dev, one.st_ino) != (other.st_dev, other.st_ino):
        raise _lost(archive, "another directory is there now")


def _renamed(directory: int, seen: FileSeen) -> str | None:
    base = names.split(seen.name)[0]
    with os.scandir(directory) as entries:
        return next((entry.name for entry in entries if names.split(entry.name)[0] == base), None)


def _lost(archive: Tree, why: str) -> ArchiveError:
    what = "archive" if archive.mark is None else "copy"
    return ArchiveError(
        f"the {what} at {visible(archive.path)} is not the one that was opened: {visible(why)}",
        "Nothing more was deleted. Is its disk still mounted, or was a backup put back? Then run the same again.",
    )
