"""Erasing: the one place where mail that is recorded is deleted from an archive, for ever.

Only what a durable record (:class:`~mailmove.archive.record.records.Erased`) names goes, whoever put its file where:
the message files, what was set aside of them, what was doubted in their place. Killed at any instant, the same again
ends it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby

from mailmove import replacing
from mailmove.archive.files import durable, names
from mailmove.archive.files.names import Base
from mailmove.archive.place import META
from mailmove.archive.proof import rehashing
from mailmove.archive.record.records import Erased
from mailmove.archive.search import catching
from mailmove.archive.state import proofs
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.archive.tree import Tree
from mailmove.archive.writing import doubted
from mailmove.model import MessageId
from mailmove.safe import visible

ASIDE = "aside"
_LAST = ".mailmove.erased"


@dataclass(frozen=True, slots=True)
class Marks:
    """By what the files of messages are known: by name, and where a name tells nothing, by what is in them."""

    bases: frozenset[str]
    stems: frozenset[str]
    bodies: dict[int, set[bytes]] = field(default_factory=dict)

    @classmethod
    def of(cls, erased: Iterable[Erased]) -> Marks:
        """Those of these messages."""
        bases, stems, bodies = set(), set(), dict[int, set[bytes]]()
        for one in erased:
            bases.add(str(Base(one.arrival, one.uidvalidity, one.uid, one.octets, one.sha256[:32])))
            stems.add(doubted.stem(MessageId(one.folder, one.uidvalidity, one.uid)))
            if one.octets:  # an empty file may be anybody's
                bodies.setdefault(one.octets, set()).add(bytes.fromhex(one.sha256))
        return cls(frozenset(bases), frozenset(stems), bodies)


def found(archive: Tree, erased: Iterable[Erased]) -> Iterator[tuple[str, int, str]]:
    """Every file of these messages: its directory relative to the archive, that one open, and its name.

    :raises ArchiveError: when a directory cannot be read.
    """
    marks = Marks.of(erased)
    with durable.explained(f"listing {visible(archive.path)}"):
        for above, inside, files, fd in os.fwalk(".", onerror=_stop, dir_fd=archive.root):
            where = os.path.normpath(above)
            if where == META:
                inside[:] = [name for name in inside if name in (ASIDE, doubted.NAME)]
                continue
            for name in files:
                if _is_of(marks, where, fd, name):
                    yield where, fd, name


def erase(archive: Tree, erased: Iterable[Erased]) -> int:
    """Delete every file of these messages from an archive, or from a copy of it, durably; returns how many there were.

    :raises ArchiveError: when the disk fails, or this run is not the archive's writer any more.
    """
    archive.must_hold()
    if isinstance(archive, Archive):
        catching.forget(archive)  # a copy has none
    number = 0
    for where, some in groupby(found(archive, erased), lambda file: file[0]):
        with durable.explained(f"deleting messages in {visible(where)}"):
            fd = durable.open_below(archive.root, where) if where != "." else os.dup(archive.root)
            try:
                for _, _, name in some:
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=fd)
                    number += 1
                replacing.flush(fd)
            finally:
                os.close(fd)
    return number


def erase_all(archive: Archive) -> list[str]:
    """Delete all that mailmove has put into an archive, that directory itself where nothing else is in it.

    Returns what others have put there and stays, relative to the archive. Its record goes last: until then it is an
    archive, and the same again goes on.

    :raises ArchiveError: when the disk fails, or this run is not the archive's writer any more.
    """
    archive.must_hold()
    with durable.explained(f"deleting {visible(archive.path)}"):
        for folder in archive.manifest.folders:
            for part in ("cur", "new", "tmp"):
                _empty(archive.root, f"{folder.path}/{part}")
            _remove_empty(archive.root, folder.path)
        replacing.flush(archive.root)
        os.rename(META, _LAST, src_dir_fd=archive.root, dst_dir_fd=archive.root)
        end(archive.path)
        return sorted(_others(archive.root))


def end(path: str) -> None:
    """Delete what is left of an archive's record once its mail is gone; and its directory, where nothing else is there.

    :raises OSError: when the disk fails.
    """
    last = os.path.join(path, _LAST)
    if os.path.lexists(last):
        shutil.rmtree(last)
    with suppress(OSError):
        os.rmdir(path)


def forget(memory: Memory, login: str, uuid: str | None) -> None:
    """Delete what this machine remembers of a login and its archive; which archive that was, last.

    :raises ArchiveError: when the disk fails.
    """
    kept = (("headers", ".sqlite"), ("audits", ".jsonl"), ("standing", ".json"), ("standing", ".lock"))
    paths = [memory.of_login(directory, login, ending) for directory, ending in kept]
    if uuid is not None:
        paths += [memory.index(uuid), os.path.join(memory.directory("search"), os.path.basename(memory.index(uuid)))]
        paths += [os.path.join(memory.directory("leaves"), uuid), *proofs.files(memory, uuid)]
    with durable.explained(f"deleting in {visible(memory.path)}"):
        for path in (*paths, memory.of_login("archives", login, ".json")):
            for suffix in ("-wal", "-shm", ".filling", ".lock", ""):
                with suppress(FileNotFoundError):
                    os.unlink(path + suffix)


def _empty(root: int, path: str) -> None:
    try:
        fd = durable.open_below(root, path)
    except FileNotFoundError:
        return
    try:
        for name in os.listdir(fd):
            if names.parse_base(names.split(name)[0]) or names.TEMPORARY.fullmatch(name):
                os.unlink(name, dir_fd=fd)
        replacing.flush(fd)
    finally:
        os.close(fd)
    _remove_empty(root, path)


def _remove_empty(root: int, path: str) -> None:
    """Remove a directory, and those above it, as far as nothing is in them."""
    while path:
        try:
            os.rmdir(path, dir_fd=root)
        except FileNotFoundError:
            pass
        except OSError:
            return
        path = os.path.dirname(path)


def _others(root: int) -> Iterator[str]:
    for above, _, files, _ in os.fwalk(".", dir_fd=root):
        yield from (os.path.normpath(os.path.join(above, name)) for name in files)


def _is_of(marks: Marks, where: str, directory: int, name: str) -> bool:
    base = names.split(name)[0]
    if where == f"{META}/{doubted.NAME}":
        return name.partition(",")[0] in marks.stems
    if where == f"{META}/{ASIDE}":
        kept = name.partition("-")[2]  # after the moment when it was put there
        return any(kept.startswith(base) for base in marks.bases) or _holds(marks, directory, name)
    if names.parse_base(base) is not None:
        return base in marks.bases
    return _holds(marks, directory, name)


def _holds(marks: Marks, directory: int, name: str) -> bool:
    """Whether a file holds what one of the messages is, octet for octet."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or status.st_size not in marks.bodies:
            return False
        return rehashing.digest_at(directory, name)[1] in marks.bodies[status.st_size]
    except FileNotFoundError:
        return False


def _stop(error: OSError) -> None:
    raise error
