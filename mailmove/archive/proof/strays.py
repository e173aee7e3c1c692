"""What others did in an archive: message files that are elsewhere now, and files that are not from mailmove."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from mailmove.archive.files import durable, names
from mailmove.archive.index.messages import Stored
from mailmove.archive.place import META
from mailmove.archive.proof import rehashing
from mailmove.archive.proof.rehashing import Inode, Reading
from mailmove.archive.store import Archive
from mailmove.evidence import Evidence
from mailmove.safe import visible

_PARTS = ("cur", "new", "tmp")


def find_moved(archive: Archive, missing: Iterable[Stored]) -> dict[Stored, str]:
    """Where message files that are not in their place are now: found by base, or by size and hash under another name.

    Returns for each that was found its path relative to the archive. One file serves every message of its octets.
    """
    by_base: dict[str, list[Stored]] = {}
    by_octets: dict[int, list[Stored]] = {}
    for stored in missing:
        by_base.setdefault(str(stored.base), []).append(stored)
        by_octets.setdefault(stored.base.octets, []).append(stored)
    found: dict[Stored, str] = {}
    for path, directory in _maildirs(archive) if by_base else ():
        with durable.explained(f"listing {visible(os.path.join(archive.path, path))}"):
            here = os.listdir(directory)
        for name in here:
            base = names.split(name)[0]
            if base in by_base:
                hits = _same(directory, name, {by_base[base][0].base.octets: by_base[base]})
            elif names.parse_base(base) is None:
                hits = _same(directory, name, by_octets)
            else:
                continue
            for stored in hits:
                found.setdefault(stored, os.path.join(path, name))
    return found


def find_evidence(archive: Archive, missing: Iterable[Stored], read: dict[Inode, Reading]) -> Iterator[Evidence]:
    """The same as evidence: each file that was found is hashed where it is now."""
    for stored, path in find_moved(archive, missing).items():
        directory, name = os.path.split(path)
        with durable.explained(f"opening {visible(os.path.join(archive.path, directory))}"):
            fd = durable.open_below(archive.root, directory)
        try:
            verdict = rehashing.judged(archive, stored, fd, directory, name, read)
        finally:
            os.close(fd)
        if verdict.evidence is not None:
            yield verdict.evidence


def foreign(archive: Archive) -> Iterator[str]:
    """The paths of files, relative to the archive, that mailmove has not put there."""
    with durable.explained(f"listing {visible(archive.path)}"):
        for above, inside, files, _ in os.fwalk(".", onerror=_stop, dir_fd=archive.root):
            if above == ".":
                inside[:] = [name for name in inside if name != META]
            part = os.path.basename(above)
            for name in files:
                ours = names.TEMPORARY.fullmatch(name) if part == "tmp" else names.parse_base(names.split(name)[0])
                if not (ours and part in _PARTS):
                    yield os.path.normpath(os.path.join(above, name))


def unplaced(archive: Archive) -> dict[str, int]:
    """How many files named like message files, and not recorded under that name, lie where none of that name belongs.

    By directory, relative to the archive.
    """
    homes = {f"{folder.path}/cur": folder.uidvalidity for folder in archive.manifest.folders}
    recorded = {
        hash(base) for wire, uidvalidity in archive.index.folders() for base in archive.index.bases(wire, uidvalidity)
    }
    found: dict[str, int] = {}
    for path, directory in _maildirs(archive):
        with durable.explained(f"listing {visible(os.path.join(archive.path, path))}"):
            here = os.listdir(directory)
        for name in here:
            text = names.split(name)[0]
            base = names.parse_base(text)
            if base is not None and base.uidvalidity != homes.get(path) and hash(text) not in recorded:
                found[path] = found.get(path, 0) + 1
    return found


def _maildirs(archive: Archive) -> Iterator[tuple[str, int]]:
    """``cur`` and ``new`` of every Maildir, also of those that mail programs made: path and open descriptor."""
    with durable.explained(f"listing {visible(archive.path)}"):
        for above, inside, _, fd in os.fwalk(".", onerror=_stop, dir_fd=archive.root):
            parts = [part for part in ("cur", "new") if part in inside]
            inside[:] = [name for name in inside if name not in _PARTS and (above, name) != (".", META)]
            for part in parts:
                opened = durable.open_dir(part, fd)
                try:
                    yield os.path.normpath(os.path.join(above, part)), opened
                finally:
                    os.close(opened)


def _same(directory: int, name: str, by_octets: Mapping[int, list[Stored]]) -> list[Stored]:
    """The messages, of these by size, whose octets this file holds."""
    try:
        fd = durable.open_file(name, directory)
        try:
            candidates = by_octets.get(os.fstat(fd).st_size, [])
            sha256 = rehashing.digest_of(fd)[1] if candidates else b""
        finally:
            os.close(fd)
    except OSError:
        return []  # not a file that can be read: it proves nothing
    return [stored for stored in candidates if stored.sha256 == sha256]


def _stop(error: OSError) -> None:
    raise error
