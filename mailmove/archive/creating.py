"""Making an archive where there is none; and whether there is one."""

from __future__ import annotations

import os
import uuid

from mailmove import replacing
from mailmove.archive import mark
from mailmove.archive.files import disk, durable, names, weak
from mailmove.archive.place import META, check_owner
from mailmove.archive.record import journal, manifest
from mailmove.errors import ArchiveDamaged, ArchiveError
from mailmove.safe import visible


def exists(path: str) -> bool:
    """Whether there is an archive at ``path``.

    :raises ArchiveError: when something else is there.
    """
    if any(os.path.lexists(os.path.join(path, META, name)) for name in (manifest.NAME, mark.NAME)):
        return True
    try:
        inside = set(os.listdir(path))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise durable.failure(f"opening {visible(path)}", error) from error
    if inside - {META}:
        raise ArchiveError(
            f"{visible(path)} is not empty and not a mailmove archive", "Name another directory for the archive."
        )
    if inside and _begun(os.path.join(path, META, journal.NAME)):
        raise ArchiveDamaged(
            f"{visible(path)} has lost its {META}/{manifest.NAME}", "Restore that file from a copy of the archive."
        )
    return False


def _begun(path: str) -> bool:
    """Whether a journal holds more than the line that begins it."""
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16).count(b"\n") > 1
    except FileNotFoundError:
        return False


def create(path: str, login: str) -> None:
    """Make an empty archive; a crash leaves one that is whole, or none."""
    with durable.explained(f"making {visible(path)}"):
        durable.make_path(path)
        root = durable.open_dir(path)
        try:
            check_owner(root, path)
            durable.make_private(root)
            must_hold_names(root, path)
            meta = durable.make_below(root, META)
            try:
                replacing.flush(root)  # a killed run may have made it
                identity = str(uuid.uuid4())
                journal.Journal.create(meta, [manifest.beginning(identity)])
                manifest.save(manifest.Manifest(identity, login, weak.separator(meta)), meta)
            finally:
                os.close(meta)
        finally:
            os.close(root)


def must_hold_names(root: int, path: str) -> None:
    """See to it that the disk of an open directory takes the names of message files.

    :raises ArchiveError: when it does not.
    """
    if disk.longest_name(root) < names.LONGEST:
        raise ArchiveError(
            f"the disk of {visible(path)} takes names of {disk.longest_name(root)} octets at most",
            f"Message files need {names.LONGEST}. Keep the archive on another disk.",
        )
