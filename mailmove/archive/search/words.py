"""What of one message goes into the search index, and how it travels from the process that reads it."""

from __future__ import annotations

import struct
from typing import NamedTuple

from mailmove.mail import fields
from mailmove.mail.documents.extractor import Extractor
from mailmove.mail.searchable import searchable
from mailmove.mail.words import folded, prepared

MAX_TEXT = 4 << 20
"""Characters of a message's text, and of that of its attachments, that are searched."""

_FIELDS = {"from_": ("From",), "to_": ("To", "Cc", "Bcc"), "subject": ("Subject",)}
_OTHER = ("Sender", "Reply-To", "List-Id")
_SIZES = struct.Struct(">9I")


class Words(NamedTuple):
    """One message: header fields and names of attachments as :func:`~mailmove.mail.words.folded` makes them, text as
    :func:`~mailmove.mail.words.prepared` does. ``note`` says what could not be read.
    """

    attachments: int = 0
    from_: str = ""
    to_: str = ""
    subject: str = ""
    other: str = ""
    filename: str = ""
    text: str = ""
    attached: str = ""
    note: str = ""

    def packed(self) -> bytes:
        """As octets."""
        texts = [each.encode("utf-8", "replace") for each in self[1:]]
        return _SIZES.pack(self.attachments, *map(len, texts)) + b"".join(texts)


def unpacked(octets: bytes) -> Words:
    """What :meth:`Words.packed` made."""
    attachments, *sizes = _SIZES.unpack_from(octets)
    texts, at = [], _SIZES.size
    for size in sizes:
        texts.append(octets[at : at + size].decode())
        at += size
    return Words(attachments, *texts)


def words(octets: bytes, extractor: Extractor | None) -> Words:
    """Read a message for the search index; nothing raises, whatever it is."""
    found = searchable(octets, extractor)
    notes = list(found.notes)
    attached = "\n".join(each.text for each in found.attachments if each.text)
    if len(found.text) > MAX_TEXT or len(attached) > MAX_TEXT:
        notes.append("the end of its text: it is too long")
    headers = {
        column: folded("\n".join(found.headers[name] for name in names if name in found.headers))
        for column, names in (*_FIELDS.items(), ("other", _OTHER))
    }
    return Words(
        **headers,
        filename=folded("\n".join(each.name for each in found.attachments)),
        text=prepared(found.text[:MAX_TEXT]),
        attached=prepared(attached[:MAX_TEXT]),
        note="\n".join(notes),
        attachments=len(found.attachments),
    )


def headers_only(fields_: tuple[bytes | None, ...]) -> Words:
    """The same of a message of which only From, To, Cc, Subject and List-Id are known, as they stand there."""
    from_, to, cc, subject, list_id = (folded(fields.text(raw)) for raw in fields_)
    return Words(0, from_, "\n".join(filter(None, (to, cc))), subject, list_id)
