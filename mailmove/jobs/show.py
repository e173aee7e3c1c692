"""Show: one message before people's eyes, as text or as a page. Works from the archive alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailmove.archive.index.search import Search
from mailmove.archive.search.filling import MAX_READ
from mailmove.archive.store import Archive
from mailmove.archive.writing import doubted
from mailmove.errors import UsageError
from mailmove.jobs.export import doubting
from mailmove.jobs.get import octets
from mailmove.mail import fields
from mailmove.mail.attachments import attachments
from mailmove.mail.documents.extractor import Extractor
from mailmove.mail.html.page import page
from mailmove.mail.message import Message, parse
from mailmove.mail.quotes import folded
from mailmove.mail.signatures import signatures
from mailmove.mail.text import text
from mailmove.model import Copy, Found
from mailmove.units import format_size

_SHOWN = ("From", "To", "Cc", "Date", "Subject")


@dataclass(frozen=True, slots=True)
class Source:
    """A message, or what came in its place, and its octets, which come once."""

    found: Found
    octets: Iterator[bytes]
    doubted: str = ""
    """Folder and UID of the message that this may not be, as they are typed; then :attr:`doubt` says why."""
    doubt: str = ""
    came: bool = False
    """It is not archived: it came in the message's place and was put aside."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a message is shown: with all its header fields, with long quotations in full."""

    headers: bool = False
    quotes: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for a person, not made safe for a terminal; ``attachments`` are names and octets.

    ``notes`` say what of it cannot be read, ``skipped`` what was left out because it is too much, ``hidden`` how many
    lines of quotations are folded. ``signed`` are signatures that it carries; nobody verified them.
    """

    source: Source
    header: tuple[tuple[str, str], ...]
    text: str
    attachments: tuple[tuple[str, int], ...]
    signed: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]
    hidden: int


def by_id(archive: Archive, sha256: bytes) -> Source:
    """A message by its hash; reading its octets raises ArchiveError when no copy of it is what was archived."""
    with Search(archive.index.path) as search:
        found = search.found([sha256])[0]
    return Source(found, octets(archive, sha256))


def by_name(archive: Archive, message: str) -> Source:
    """The message that ``FOLDER:UID`` means; where something came in its place, that.

    :raises UsageError: when it names none, or several, or nothing of it is there.
    :raises ArchiveError: when it cannot be read.
    """
    one, *more = doubting.named(archive, message)
    if more:
        raise UsageError("one message is shown at a time", "Write FOLDER:UID, as in INBOX:2.")
    named = message if one.doubt else ""
    if one.came is None:
        source = by_id(archive, one.sha256)
        return Source(source.found, source.octets, named, one.doubt)
    copy = Copy(*one.id, on_server=True)
    found = Found(one.sha256, 0, one.came.octets, None, None, None, None, None, (copy,))
    return Source(found, iter((doubted.content(archive, one.came),)), named, one.doubt, came=True)


def letter(source: Source, look: Look) -> Letter:
    """A message to be read in a terminal.

    :raises ArchiveError: when no copy of it is what was archived.
    """
    message, left_out = opened(source)
    header = tuple(_all_fields(message) if look.headers else _few_fields(message))
    attached = tuple((each.name, len(each.content)) for each in attachments(message))
    read = text(message)
    shown, hidden = (read, 0) if look.quotes else folded(read)
    signed, skipped = tuple(signatures(message)), (*message.skipped, *left_out)
    return Letter(source, header, shown, attached, signed, tuple(message.notes), skipped, hidden)


def as_page(source: Source) -> str:
    """A message as a page of HTML that fetches nothing.

    :raises ArchiveError: when no copy of it is what was archived.
    """
    message, left_out = opened(source)
    for what in left_out:
        message.budget.skip(what)
    with Extractor() as extractor:
        return page(message, extractor)


def opened(source: Source) -> tuple[Message, list[str]]:
    """As much of a message as is read, taken apart, and what is said if that is not all of its octets."""
    content = bytearray()
    for piece in source.octets:
        content += piece
        if len(content) >= MAX_READ:
            break
    left_out = [f"what comes after its first {format_size(len(content))}"] if len(content) < source.found.octets else []
    return parse(bytes(content)), left_out


def _few_fields(message: Message) -> Iterator[tuple[str, str]]:
    return ((name, value) for name in _SHOWN for value in message.header(name))


def _all_fields(message: Message) -> Iterator[tuple[str, str]]:
    root = message.root
    return ((name.decode("ascii", "replace"), fields.text(raw, root.charset)) for name, raw in root.header.items)
