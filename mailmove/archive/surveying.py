"""What really lies in a folder's directory, held against the record."""

from __future__ import annotations

from dataclasses import dataclass

from mailmove.archive.files import names
from mailmove.archive.files.names import Base
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in a folder's directory, held against the record.

    ``missing``: recorded, but there is no such file. ``unrecorded``: named like a message file, but not recorded.
    ``foreign``: names that are not mailmove's. ``folded``: UIDs whose messages lie here as a restored copy of theirs;
    ``doubled``: others lie here as themselves and as such a copy.
    """

    missing: frozenset[Base]
    unrecorded: tuple[tuple[Base, str], ...]
    foreign: tuple[str, ...]
    folded: frozenset[int]
    doubled: bool


def survey(archive: Archive, folder: FolderDir) -> Survey:
    """List a folder's directory and hold it against the record."""
    present = {hash(names.split(name)[0]) for name in archive.listing(folder)}  # hashes: names would cost memory
    missing = set()
    for text in archive.index.bases(folder.wire, folder.uidvalidity):
        key = hash(text)
        if key in present:
            present.discard(key)
        else:
            base = names.parse_base(text)
            assert base is not None, text
            missing.add(base)
    replaced = {stored.base for stored in archive.index.replaced(folder.wire, folder.uidvalidity)}
    folded = replaced & missing
    unrecorded: dict[Base, str] = {}
    foreign: list[str] = []
    for name in archive.listing(folder) if present else ():
        text = names.split(name)[0]
        if hash(text) in present:
            found = names.parse_base(text)
            if found is not None and found.uidvalidity == folder.uidvalidity:
                unrecorded[found] = name
            else:
                foreign.append(name)
    return Survey(
        frozenset(missing - folded),
        tuple(unrecorded.items()),
        tuple(foreign),
        folded=frozenset(base.uid for base in folded),
        doubled=folded != replaced,
    )
