"""Get: messages out of the archive into files. Works from the archive alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import count

from mailmove import replacing
from mailmove.archive.files import disk, durable, layout
from mailmove.archive.index.search import Search
from mailmove.archive.proof import reading, rehashing
from mailmove.archive.store import Archive
from mailmove.errors import UsageError
from mailmove.mail import fields
from mailmove.mail.attachments import attachments
from mailmove.mail.message import parse
from mailmove.model import Found
from mailmove.safe import visible
from mailmove.units import utc

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_MAX_STEM = 100
_BLANK = re.compile(r"\s+")
_UNSAFE = re.compile(r"""[/\\:*?"<>|%\x00-\x1f\x7f]""")  # on one system or another


def octets(archive: Archive, sha256: bytes) -> Iterator[bytes]:
    """A message, octet for octet, hashed on the way.

    :raises ArchiveError: when no copy of it is what was archived.
    """
    with reading.open_copy(archive, archive.index.with_body(sha256)) as proven:
        yield from reading.pieces(proven, sha256)


def save(archive: Archive, sha256: bytes, directory: str) -> str:
    """Write a message to a file named by its date and subject, unless it is there already; returns the path.

    :raises ArchiveError: when it cannot be read, or not be written.
    """
    with Search(archive.index.path) as search:
        found = search.found([sha256])[0]
    with durable.explained(f"writing to {visible(directory)}"):
        opened = _directory(directory)
        try:
            name = message_name(found, ".eml", disk.longest_name(opened))
            name = _there(opened, name, sha256) or _write_new(opened, name, octets(archive, sha256))
        finally:
            os.close(opened)
    return os.path.join(directory, name)


def save_page(found: Found, page: str, directory: str) -> str:
    """Write a page of HTML to a new file named like the message; returns the path.

    :raises ArchiveError: when it cannot be written.
    """
    with durable.explained(f"writing to {visible(directory)}"):
        opened = _directory(directory)
        try:
            name = _write_new(opened, message_name(found, ".html", disk.longest_name(opened)), (page.encode(),))
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


def message_name(found: Found, ending: str, longest: int = layout.NAME_MAX) -> str:
    """``2025-04-02 Fattura 118.eml``: the day a message arrived or was sent, and its subject, safe on every system."""
    moment = found.arrival or fields.sent(found.date)
    day = f"{utc(moment).astimezone():%Y-%m-%d}" if moment else "undated"
    subject = _BLANK.sub(" ", _UNSAFE.sub(" ", fields.text(found.subject))).strip(" .")[:_MAX_STEM].strip(" .")
    return layout.safe_part(f"{day} {subject or 'no subject'}{ending}", longest)


def safe_name(name: str, longest: int = layout.NAME_MAX) -> str:
    """The name a sender gave a file as one that is safe on every file system, and leads nowhere else."""
    stem, dot, extension = name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    if not stem:
        return layout.safe_part((dot + extension)[:_MAX_STEM], longest)
    return layout.safe_part(stem[:_MAX_STEM] + dot + extension[:_MAX_STEM], longest)


def _directory(path: str) -> int:
    os.makedirs(path, exist_ok=True)
    if not os.path.isdir(path):
        raise UsageError(f"{visible(path)} is not a directory", "Name another: -o DIR")
    return durable.open_dir(path)


def _there(directory: int, name: str, sha256: bytes) -> str | None:
    """The file of this name, or of this name with a number, that holds these octets; None: there is none."""
    wanted, numbered = name, _numbered(name)
    while os.access(wanted, os.F_OK, dir_fd=directory, follow_symlinks=False):
        if _holds(directory, wanted, sha256):
            return wanted
        wanted = next(numbered)
    return None


def _numbered(name: str) -> Iterator[str]:
    """The same name with a number, for a file that is there already."""
    stem, dot, extension = name.rpartition(".")
    return (f"{stem}-{number}{dot}{extension}" if stem else f"{name}-{number}" for number in count(2))


def _holds(directory: int, name: str, sha256: bytes) -> bool:
    try:
        fd = durable.open_file(name, directory)
    except OSError:
        return False
    try:
        return rehashing.digest_of(fd)[1] == sha256
    finally:
        os.close(fd)


def _write_new(directory: int, name: str, pieces: Iterable[bytes]) -> str:
    """Write a file that is not there yet, under this name or with a number; one that fails leaves nothing behind."""
    wanted, numbered = name, _numbered(name)
    while True:
        try:
            fd = os.open(wanted, _NEW, 0o600, dir_fd=directory)
            break
        except FileExistsError:
            wanted = next(numbered)
    try:
        try:
            for piece in pieces:
                replacing.write_all(fd, piece)
        finally:
            os.close(fd)
    except BaseException:
        os.unlink(wanted, dir_fd=directory)
        raise
    return wanted
