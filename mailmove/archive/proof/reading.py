"""Reading messages back: whichever copy still is what was archived, octet for octet, hashed once more on the way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

from mailmove.archive.files import durable
from mailmove.archive.index.messages import Stored
from mailmove.archive.proof import rehashing
from mailmove.archive.proof.rehashing import Proven
from mailmove.archive.proof.strays import find_moved
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveDamaged, ArchiveError
from mailmove.model import folder_text
from mailmove.safe import visible
from mailmove.units import short_id

_PIECE = 1 << 18


def open_copy(archive: Archive, copies: Sequence[Stored]) -> Proven:
    """Open the first of a message's copies whose file hashes right, wherever in the archive a mail program put it.

    :raises ArchiveError: when none does, naming each.
    """
    problems = []
    for stored in copies:
        proven = rehashing.prove(archive, stored)
        if not isinstance(proven, str):
            return proven
        problems.append(f"{visible(folder_text(stored.id.folder))} UID {stored.id.uid}: {proven}")
    for path in find_moved(archive, copies).values():
        with durable.explained(f"opening {visible(path)}"):
            directory = durable.open_below(archive.root, os.path.dirname(path))
            try:
                name = os.path.basename(path)
                return Proven(directory, name, durable.open_file(name, directory))
            except BaseException:
                os.close(directory)
                raise
    raise ArchiveDamaged(
        f"message {short_id(copies[0].sha256)} cannot be read: {'; '.join(problems)}",
        "If the server still has it: mailmove export --refetch. Otherwise restore the file from a copy of the archive.",
    )


def pieces(proven: Proven, sha256: bytes) -> Iterator[bytes]:
    """The octets of an open message; the last of them come only when the whole has this hash.

    :raises ArchiveError: when it was changed since it was opened, or cannot be read.
    """
    digest, held = hashlib.sha256(), b""
    with durable.explained(f"reading {visible(proven.name)}"):
        os.lseek(proven.fd, 0, os.SEEK_SET)
        while piece := os.read(proven.fd, _PIECE):
            digest.update(piece)
            if held:
                yield held
            held = piece
    if digest.digest() != sha256:
        raise ArchiveError(
            f"the file of message {short_id(sha256)} was changed while it was being read", "Run: mailmove check"
        )
    if held:
        yield held
