"""Message files and their record, brought back together: after a crash, a lost journal, or a mail program's work."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from mailmove import replacing
from mailmove.archive.files import durable, names
from mailmove.archive.files.names import Base
from mailmove.archive.place import META
from mailmove.archive.proof import rehashing
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.record.records import Message
from mailmove.archive.store import Archive
from mailmove.archive.tree import Tree
from mailmove.model import Listed
from mailmove.safe import visible
from mailmove.units import timestamp

ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Adopted:
    """Files that were recorded because they are what their names say; and those that are not, moved aside."""

    recorded: int
    aside: tuple[str, ...]
    erased: int = 0
    """Files of messages that were erased, left where somebody put them and not recorded."""


def adopt(
    archive: Archive, folder: FolderDir, files: Iterable[tuple[Base, str]], listing: Mapping[int, Listed]
) -> Adopted:
    """Record message files that have no record, each re-hashed; ``listing`` adds what only the server knows.

    A file that is not what its name says was never whole: it goes to ``.mailmove/aside``, as does what is no file at
    all (a pipe, a socket, a device, a directory, a symbolic link). A file that is recorded in another folder stays as
    it is: somebody moved or copied it here, and its UID means nothing in this folder. One of a message that was erased
    is never recorded again.
    """
    gone, erased = archive.index.erased_bodies(), 0
    lines: list[Message] = []
    aside: list[str] = []
    with archive.opened(folder) as directory:
        for base, name in files:
            with durable.explained(f"reading {visible(name)}"):
                if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                    aside.append(set_aside(archive, directory, name))
                    continue
                fd = durable.open_file(name, directory)
                try:
                    octets, sha256 = rehashing.digest_of(fd)
                    replacing.flush(fd)
                finally:
                    os.close(fd)
            if sha256 in gone:
                erased += 1
                continue
            if archive.index.elsewhere(folder.wire, base, sha256):
                continue
            if octets == base.octets and sha256.hex().startswith(base.digest):
                lines.append(_record(archive, folder, name, base, sha256, listing.get(base.uid)))
            else:
                aside.append(set_aside(archive, directory, name))
        with durable.explained(f"saving {visible(folder.path)}"):
            replacing.flush(directory)
    archive.record(lines)
    return Adopted(len(lines), tuple(aside), erased)


def set_aside(archive: Tree, directory: int, name: str) -> str:
    """Move a file that is not what it should be out of the way, never deleting it; returns where it is now."""
    with durable.explained(f"moving {visible(name)} aside"), _aside(archive.root, name) as (to, new):
        os.rename(name, new, src_dir_fd=directory, dst_dir_fd=to)
        replacing.flush(to)
        replacing.flush(directory)
    return os.path.join(META, ASIDE, new)


def copy_aside(root: int, name: str, content: bytes) -> str:
    """Keep what a file held before it is replaced, in the archive that ``root`` is; returns where it is.

    :raises OSError: when the disk does not take it.
    """
    with _aside(root, name) as (to, new):
        replacing.replace_below(to, new, content)
    return os.path.join(META, ASIDE, new)


def change_flags(
    archive: Archive, folder: FolderDir, changes: Mapping[Base, tuple[frozenset[str], frozenset[str]]]
) -> None:
    """Rename message files whose flags changed on the server, from and to; flags that were set locally stay."""
    texts = {str(base): change for base, change in changes.items()}
    renames = []
    for name in archive.listing(folder):
        base, letters = names.split(name)
        if base in texts:
            new = names.join(base, archive.manifest.separator, names.changed_letters(letters, *texts[base]))
            if new != name:
                renames.append((name, new))
    if renames:
        with archive.opened(folder) as directory, durable.explained(f"renaming messages in {visible(folder.path)}"):
            for name, new in renames:
                os.rename(name, new, src_dir_fd=directory, dst_dir_fd=directory)
            replacing.flush(directory)


def _record(
    archive: Archive, folder: FolderDir, name: str, base: Base, sha256: bytes, listed: Listed | None
) -> Message:
    known = archive.index.recalled(folder.wire, folder.uidvalidity, base.uid, sha256.hex())
    if known is not None and known.arrival != base.arrival:
        known = None
    if listed is not None:
        flags = listed.flags
    else:
        flags = frozenset(known.flags) if known is not None else names.flags_of(names.split(name)[1])
    size = known.size if known is not None else None
    if listed is not None and (listed.arrival or 0) == base.arrival:
        size = listed.size
    return Message(
        folder=folder.wire,
        uidvalidity=folder.uidvalidity,
        uid=base.uid,
        internaldate=known.internaldate if known is not None else None,
        arrival=base.arrival,
        size=size,
        octets=base.octets,
        sha256=sha256.hex(),
        flags=tuple(sorted(flags)),
        verified=timestamp(datetime.now(UTC)),
        object_id=listed.object_id if listed is not None else None,
    )


@contextmanager
def _aside(root: int, name: str) -> Iterator[tuple[int, str]]:
    """The directory of what was put aside, and a free name in it."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    to = durable.make_below(root, f"{META}/{ASIDE}")
    try:
        taken = set(os.listdir(to))
        yield to, next(free for free in _numbered(f"{now}-{name}") if free not in taken)
    finally:
        os.close(to)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}.{number}"
        number += 1
