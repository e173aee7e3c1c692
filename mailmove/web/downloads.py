"""Messages to keep: as a zip of message files with a table of them, or as an mbox. Both are made as they are taken."""

from __future__ import annotations

import csv
import io
import re
import time
import zipfile
from collections.abc import Iterable, Iterator

from mailmove.errors import ArchiveError
from mailmove.jobs.get import message_name
from mailmove.mail import fields
from mailmove.model import Found, folder_text
from mailmove.safe import visible
from mailmove.units import timestamp, utc
from mailmove.web.letters import pieces
from mailmove.web.library import View

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_QUOTED = re.compile(rb"\n(>*+From )")
_BEGUN = re.compile(rb"\n>*+(?:F(?:r(?:o(?:m)?)?)?)?\Z")
_FIRST, _LAST = 315_532_800, 4_354_819_198  # what a zip can say of a file: 1980 to 2107
_HEADS = ("file", "arrived", "from", "to", "subject", "folders", "octets", "sha256")


class _Sink(io.RawIOBase):
    """A file that is written only, and taken away in pieces."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, octets: object) -> int:
        held = bytes(octets)  # type: ignore[call-overload]
        self._held += held
        return len(held)

    def taken(self) -> bytes:
        """What was written since it was last asked."""
        taken = bytes(self._held)
        self._held.clear()
        return taken


def zipped(view: View, hashes: Iterable[bytes]) -> Iterator[bytes]:
    """A zip: each message a file, named by day and subject; a table; and what could not be read, if anything."""
    sink, names, table, faults = _Sink(), set[str](), io.StringIO(), list[str]()
    rows = csv.writer(table)
    rows.writerow(_HEADS)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for sha256 in hashes:
            found = view.message(sha256)
            name = _unused(message_name(found, ".eml"), names)
            try:
                with (
                    view.octets(sha256) as octets,
                    archive.open(_entry(name, found.arrival), "w", force_zip64=True) as file,
                ):
                    for piece in pieces(octets):
                        file.write(piece)
                        yield sink.taken()
            except ArchiveError as error:
                faults.append(f"{name}: {error}\n")
            else:
                rows.writerow(map(_cell, _row(name, found)))
        archive.writestr(_entry("messages.csv", 0), table.getvalue())
        if faults:
            archive.writestr(_entry("NOT IN HERE.txt", 0), "".join(faults))
    yield sink.taken()


def mbox(view: View, hashes: Iterable[bytes]) -> Iterator[bytes]:
    """An mbox (RFC 4155, quoted as mboxrd does: one more ``>``); a message that cannot be read ends it, unfinished."""
    for sha256 in hashes:
        found = view.message(sha256)
        sender = "".join(fields.sender(found.from_).address.split()).encode("ascii", "replace") or b"MAILER-DAEMON"
        yield b"From %b %b\n" % (sender, time.asctime(time.gmtime(found.arrival)).encode())
        with view.octets(sha256) as octets:
            yield from _lines(pieces(octets))
        yield b"\n\n"


def _lines(octets: Iterable[bytes]) -> Iterator[bytes]:
    """Quoted; what may be the beginning of such a line waits for the next piece."""
    held, start = b"\n", 1  # a line begins with the message
    for piece in octets:
        held += piece
        waits = _BEGUN.search(held)
        cut = waits.start() if waits else len(held)
        if cut:
            yield _QUOTED.sub(rb"\n>\1", held[:cut])[start:]
            held, start = held[cut:], 0
    yield _QUOTED.sub(rb"\n>\1", held)[start:]


def _entry(name: str, arrival: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, utc(min(max(arrival, _FIRST), _LAST)).timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


def _unused(name: str, names: set[str]) -> str:
    """The name, or one with a number, that no other has on any file system."""
    stem, _, extension = name.rpartition(".")
    number = 1
    while name.casefold() in names:
        number += 1
        name = f"{stem}-{number}.{extension}"
    names.add(name.casefold())
    return name


def _row(name: str, found: Found) -> Iterator[str]:
    yield name
    yield timestamp(utc(found.arrival)) if found.arrival else ""
    yield from (fields.text(raw) for raw in (found.from_, found.to, found.subject))
    yield ", ".join(folder_text(copy.folder) for copy in found.copies)
    yield from (str(found.octets), found.sha256.hex())


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    shown = visible(text, 1000)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
