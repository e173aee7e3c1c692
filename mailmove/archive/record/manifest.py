"""``archive.toml``: what an archive is, whose it is, and which directory holds which folder."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mailmove import replacing
from mailmove.archive.files import durable, layout
from mailmove.archive.files.names import SEPARATORS
from mailmove.archive.record.jsonline import wire_octets, wire_text
from mailmove.archive.record.records import Beginning
from mailmove.errors import ArchiveDamaged, ArchiveError
from mailmove.model import Folder
from mailmove.safe import visible

NAME = "archive.toml"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class FolderDir:
    """One folder in one UIDVALIDITY, and its directory relative to the archive.

    ``retired``: the folder has another UIDVALIDITY by now. ``special_use`` is what it was for (RFC 6154), as
    ``\\sent``: a restore to another account finds its counterpart by that.
    """

    wire: bytes
    delimiter: bytes | None
    uidvalidity: int
    path: str
    retired: bool = False
    special_use: str | None = None

    @property
    def shown(self) -> str:
        """What reports call it, safe for a terminal: the folder's name, its directory's when it is retired."""
        return visible(self.path) if self.retired else Folder(self.wire).shown


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of ``archive.toml``; ``login`` is :attr:`mailmove.model.Endpoint.login` of the account."""

    uuid: str
    login: str
    separator: str = ":"
    folders: tuple[FolderDir, ...] = ()

    def find(self, wire: bytes, uidvalidity: int) -> FolderDir | None:
        """The directory of a folder in this UIDVALIDITY."""
        return next((f for f in self.folders if f.wire == wire and f.uidvalidity == uidvalidity), None)

    def with_folder(self, folder: Folder, uidvalidity: int, longest: int = layout.NAME_MAX) -> Manifest:
        """Add a folder, or its special use, if that is news; otherwise this very manifest.

        ``longest`` is how many octets a name may have where the archive is.

        Where it had another UIDVALIDITY, the folder's own directory becomes the new one's, and the old one's moves to
        a sibling, ``INBOX (UIDVALIDITY 1700000000)``.
        """
        folders = list(self.folders)
        known = self.find(folder.wire, uidvalidity)
        if known is not None:
            if folder.special_use in (None, known.special_use):
                return self
            folders[folders.index(known)] = replace(known, special_use=folder.special_use)
            return replace(self, folders=tuple(folders))
        wanted = layout.directory(folder.wire, folder.delimiter, longest)
        taken = [f.path for f in folders]
        old = next((f for f in folders if f.wire == folder.wire and not f.retired), None)
        if old is None:
            path = layout.unused(wanted, taken)
        else:
            path = old.path
            sibling = layout.unused(f"{path} (UIDVALIDITY {old.uidvalidity})", taken)
            folders[folders.index(old)] = replace(old, path=sibling, retired=True)
        new = FolderDir(folder.wire, folder.delimiter, uidvalidity, path, special_use=folder.special_use)
        return replace(self, folders=(*folders, new))


def beginning(uuid: str) -> Beginning:
    """The line that begins a journal: which archive it is of."""
    return Beginning(FORMAT, uuid)


def load(directory: int, shown: str) -> Manifest:
    """Read the manifest of a ``.mailmove`` directory.

    :raises ArchiveError: when it is missing, unreadable, or of a newer format.
    """
    with durable.explained(f"reading {shown}"):
        fd = durable.open_file(NAME, directory)
        with os.fdopen(fd, "rb") as file:
            text = file.read()
    try:
        data = tomllib.loads(text.decode("utf-8"))
        made_by = data["format"]
        if isinstance(made_by, int) and made_by > FORMAT:
            raise ArchiveError(
                f"{shown} has archive format {made_by}; this mailmove knows formats up to {FORMAT}",
                "Install a newer mailmove. Nothing was changed.",
            )
        if made_by != FORMAT or data["separator"] not in SEPARATORS:
            raise ValueError("unknown format or separator")
        return Manifest(
            uuid=_text(data["uuid"]),
            login=_text(data["login"]),
            separator=data["separator"],
            folders=tuple(_read_folders(data.get("folder", []))),
        )
    except (KeyError, TypeError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ArchiveDamaged(
            f"{shown} is damaged: {visible(str(error))}", "Nothing was changed. Restore it from a copy of the archive."
        ) from error


def save(manifest: Manifest, directory: int) -> None:
    """Write the manifest; a crash leaves the old or the new one, whole.

    :raises OSError: when the disk does not take it.
    """
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("What this archive is and which directory holds which folder. Written by mailmove."))
    document.add("format", FORMAT)
    document.add("uuid", manifest.uuid)
    document.add("login", manifest.login)
    document.add("separator", manifest.separator)
    tables = tomlkit.aot()
    for folder in manifest.folders:
        table = tomlkit.table()
        table.add("path", folder.path)
        text = wire_text(folder.wire)
        if wire_octets(text) == folder.wire and text.isprintable():
            table.add("wire", text)
        else:
            table.add("wire_hex", folder.wire.hex())
        if folder.delimiter is not None:
            table.add("delimiter", folder.delimiter.decode("latin-1"))
        table.add("uidvalidity", folder.uidvalidity)
        if folder.retired:
            table.add("retired", True)
        if folder.special_use:
            table.add("special_use", folder.special_use)
        tables.append(table)
    if manifest.folders:
        document.add("folder", tables)
    replacing.replace_below(directory, NAME, tomlkit.dumps(document).encode("utf-8"))


def _read_folders(tables: Any) -> Iterator[FolderDir]:
    paths = set()
    for table in tables:
        path = _text(table["path"])
        if any(part in ("", ".", "..") or part.startswith(".") for part in path.split("/")) or "\0" in path:
            raise ValueError(f"folder path {path!r} leads out of the archive")
        if path in paths:
            raise ValueError(f"two folders have the path {path!r}")
        paths.add(path)
        wire = bytes.fromhex(table["wire_hex"]) if "wire_hex" in table else _text(table["wire"]).encode()
        delimiter = table.get("delimiter")
        uidvalidity = table["uidvalidity"]
        if not isinstance(uidvalidity, int):
            raise TypeError("uidvalidity is not a number")
        yield FolderDir(
            wire,
            _text(delimiter).encode("latin-1") if delimiter else None,
            uidvalidity,
            path,
            table.get("retired") is True,
            _text(table["special_use"]) if "special_use" in table else None,
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
