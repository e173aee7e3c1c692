"""Get and show: messages out of the archive, into files or before people's eyes. Works from the archive alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mailmove.archive import disk, doubted, durable, layout, proof, reading
from mailmove.archive.search import Search
from mailmove.archive.store import Archive
from mailmove.errors import UsageError
from mailmove.jobs import doubting
from mailmove.jobs.find import read_message
from mailmove.mail.attachments import attachments
from mailmove.mail.message import parse
from mailmove.mail.text import text
from mailmove.model import Copy, Found
from mailmove.safe import visible
from mailmove.units import short_id

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_MAX_STEM = 100


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for a person, not made safe for a terminal; ``attachments`` are names and octets.

    ``notes`` say what of it cannot be read, ``skipped`` what was left out because it is too much.
    """

    found: Found
    header: tuple[tuple[str, str], ...]
    text: str
    attachments: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]
    doubted: str = ""
    """Folder and UID of the message that this may not be, as they are typed; then :attr:`doubt` says why."""
    doubt: str = ""
    came: bool = False
    """It is not archived: it came in the message's place and was put aside."""


def octets(archive: Archive, sha256: bytes) -> Iterator[bytes]:
    """A message, octet for octet, hashed on the way.

    :raises ArchiveError: when no copy of it is what was archived.
    """
    with reading.open_copy(archive, archive.index.with_body(sha256)) as proven:
        yield from reading.pieces(proven, sha256)


def save(archive: Archive, sha256: bytes, directory: str) -> str:
    """Write a message to ``<ID>.eml``, unless it is there already; returns the path.

    :raises ArchiveError: when it cannot be read, or not be written.
    """
    name = f"{short_id(sha256)}.eml"
    path = os.path.join(directory, name)
    with durable.explained(f"writing {visible(path)}"):
        opened = _directory(directory)
        try:
            if not _holds(opened, name, sha256):
                name = _write_new(opened, name, octets(archive, sha256))
        finally:
            os.close(opened)
    return os.path.join(directory, name)


def save_attachments(archive: Archive, sha256: bytes, directory: str) -> list[str]:
    """Write a message's attachments under their own names, made safe; nothing is overwritten. Returns the paths.

    :raises ArchiveError: when the message cannot be read, or one cannot be written.
    """
    paths = []
    message = parse(b"".join(octets(archive, sha256)))
    with durable.explained(f"writing to {visible(directory)}"):
        opened = _directory(directory)
        try:
            for attachment in attachments(message):
                name = _write_new(opened, safe_name(attachment.name, disk.longest_name(opened)), (attachment.content,))
                paths.append(os.path.join(directory, name))
        finally:
            os.close(opened)
    return paths


def letter(archive: Archive, sha256: bytes) -> Letter:
    """A message to be shown.

    :raises ArchiveError: when no copy of it is what was archived.
    """
    with Search(archive.index.path) as search:
        found = search.found([sha256])[0]
    return _letter(found, octets(archive, sha256))


def named_letter(archive: Archive, message: str) -> Letter:
    """The message that ``FOLDER:UID`` means, to be shown; where something came in its place, that.

    :raises UsageError: when it names none, or several, or nothing of it is there.
    :raises ArchiveError: when it cannot be read.
    """
    one, *more = doubting.named(archive, message)
    if more:
        raise UsageError("one message is shown at a time", "Write FOLDER:UID, as in INBOX:2.")
    if one.came is None:
        shown = letter(archive, one.sha256)
    else:
        copy = Copy(*one.id, on_server=True)
        found = Found(one.sha256, 0, one.came.octets, None, None, None, None, None, (copy,))
        shown = _letter(found, iter((doubted.content(archive, one.came),)))
    return replace(shown, doubted=message if one.doubt else "", doubt=one.doubt, came=one.came is not None)


def _letter(found: Found, pieces: Iterator[bytes]) -> Letter:
    message, left_out = read_message(pieces, found.octets)
    header = tuple((name, value) for name in ("From", "To", "Cc", "Date", "Subject") for value in message.header(name))
    attached = tuple((each.name, len(each.content)) for each in attachments(message))
    read = text(message)
    return Letter(found, header, read, attached, tuple(message.notes), (*message.skipped, *left_out))


def safe_name(name: str, longest: int = layout.NAME_MAX) -> str:
    """The name a sender gave a file as one that is safe on every file system, and leads nowhere else."""
    stem, dot, extension = name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    if not stem:
        return layout.safe_part((dot + extension)[:_MAX_STEM], longest)
    return layout.safe_part(stem[:_MAX_STEM] + dot + extension[:_MAX_STEM], longest)


def _directory(path: str) -> int:
    os.makedirs(path, exist_ok=True)
    if not os.path.isdir(path):
        raise UsageError(f"{visible(path)} is not a directory")
    return durable.open_dir(path)


def _holds(directory: int, name: str, sha256: bytes) -> bool:
    try:
        fd = durable.open_file(name, directory)
    except OSError:
        return False
    try:
        return proof.digest_of(fd)[1] == sha256
    finally:
        os.close(fd)


def _write_new(directory: int, name: str, pieces: Iterable[bytes]) -> str:
    """Write a file that is not there yet, under this name or with a number; one that fails leaves nothing behind."""
    stem, dot, extension = name.rpartition(".")
    number, wanted = 1, name
    while True:
        try:
            fd = os.open(wanted, _NEW, 0o600, dir_fd=directory)
            break
        except FileExistsError:
            number += 1
            wanted = f"{stem}-{number}{dot}{extension}" if stem else f"{name}-{number}"
    try:
        try:
            for piece in pieces:
                durable.write_all(fd, piece)
        finally:
            os.close(fd)
    except BaseException:
        os.unlink(wanted, dir_fd=directory)
        raise
    return wanted
