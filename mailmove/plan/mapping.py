"""Which folder of an account takes the messages of which archived folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mailmove import utf7
from mailmove.errors import RefusedError
from mailmove.model import Folder, folder_text
from mailmove.safe import visible

INBOX = b"INBOX"


@dataclass(frozen=True, slots=True)
class Target:
    """A folder that takes messages, and the archived folders they come from. ``new``: it is to be made."""

    folder: Folder
    new: bool
    sources: tuple[Folder, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the folders go: those that are there, and how names are written there (RFC 2342, RFC 9051 5.1.1)."""

    folders: Sequence[Folder]
    prefix: bytes
    same: bool
    """It is the account that the folders come from."""

    @property
    def delimiter(self) -> bytes | None:
        """What parts the levels of a name."""
        found = (folder.delimiter for folder in self.folders if folder.delimiter)
        return next(found, None)


def targets(sources: Iterable[Folder], everything: Iterable[Folder], place: Place, into: str | None) -> list[Target]:
    """Map each of ``sources``, folders of an archive that holds ``everything``.

    INBOX is INBOX; the same account has a folder of the same name; a folder with a special use goes to the one with
    that use; any other keeps its name, level by level. ``into`` names one folder for all.

    :raises RefusedError: when two folders would become one that were not one before.
    """
    old_prefix = _prefix(everything)
    there = {folder.wire: folder for folder in place.folders}
    found: dict[bytes, Target] = {}
    for source in sources:
        folder = _named(into, place) if into is not None else _counterpart(source, there, place, old_prefix)
        new = folder.wire not in there
        before = found.get(folder.wire)
        if before is not None and into is None and not folder.special_use:
            raise RefusedError(
                f"{before.sources[0].shown} and {source.shown} would both become {folder.shown}",
                "Nothing was done. Restore them one by one: --folder NAME --into OTHER",
            )
        sources_so_far = (*(before.sources if before else ()), source)
        found[folder.wire] = Target(there.get(folder.wire, folder), new, sources_so_far)
    return list(found.values())


def plain_name(folder: Folder) -> str:
    """A name like this folder's that every server takes: letters, digits and few marks, of ASCII where that is known.

    Levels stay levels.
    """
    mark = (folder.delimiter or b"").decode("latin-1")
    levels = folder.name.split(mark) if mark else [folder.name]
    return mark.join(map(_plain, levels))


def _plain(level: str) -> str:
    apart = unicodedata.normalize("NFKD", level)
    plain = "".join(char for char in apart if not unicodedata.combining(char))
    safe = re.sub(r"[^A-Za-z0-9 _-]+", "_", plain).strip(" ")
    return safe if safe.strip("_ ") else f"folder-{level.encode('utf-8', 'surrogateescape').hex()[:16]}"


def _counterpart(source: Folder, there: dict[bytes, Folder], place: Place, old_prefix: bytes) -> Folder:
    if source.wire == INBOX:
        return Folder(INBOX, place.delimiter)
    if place.same and source.wire in there:
        return there[source.wire]
    if source.special_use:
        for folder in place.folders:
            if folder.special_use == source.special_use and folder.selectable:
                return folder
    if place.same:
        return source
    stripped = source.wire.removeprefix(old_prefix)
    levels = stripped.split(source.delimiter) if source.delimiter else [stripped]
    return replace(_joined([folder_text(level) for level in levels], place), attributes=source.attributes)


def _named(name: str, place: Place) -> Folder:
    """A folder as the user names it: with the server's own delimiter, with or without its prefix."""
    wire = INBOX if name.upper() == "INBOX" else _encoded(name)
    known = next((folder for folder in place.folders if folder.wire in (wire, place.prefix + wire)), None)
    if known is not None or wire == INBOX or wire.startswith(place.prefix):
        return known or Folder(wire, place.delimiter)
    return Folder(place.prefix + wire, place.delimiter)


def _joined(levels: Sequence[str], place: Place) -> Folder:
    """Levels as a name there; where one holds the delimiter, that becomes an underscore."""
    mark = place.delimiter.decode("latin-1") if place.delimiter else None
    parts = [_encoded(level.replace(mark, "_") if mark else level) for level in levels]
    return Folder(place.prefix + (place.delimiter or b"_").join(parts), place.delimiter)


def _prefix(folders: Iterable[Folder]) -> bytes:
    """What all folders but INBOX begin with, where that is INBOX and the delimiter, as at some servers."""
    others = [folder for folder in folders if folder.wire != INBOX]
    delimiter = next((folder.delimiter for folder in others if folder.delimiter), None)
    prefix = INBOX + (delimiter or b"")
    return prefix if delimiter and all(folder.wire.startswith(prefix) for folder in others) else b""


def _encoded(name: str) -> bytes:
    try:
        return utf7.encode(name)
    except UnicodeEncodeError:
        raise RefusedError(
            f"{visible(name)} is not a name that IMAP can write", "Name another: --into FOLDER"
        ) from None
