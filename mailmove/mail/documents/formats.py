"""Which documents are read, known by how they begin: what senders say of them is often wrong."""

from __future__ import annotations

from enum import IntEnum

_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOOKED_AT = 1 << 16


class Format(IntEnum):
    """A kind of document, by its number between the two processes."""

    PDF = 1
    RTF = 2
    PAGE = 4  # HTML that is made harmless; never found in octets
    OFFICE = 3  # a ZIP file of XML: Office Open XML (ECMA-376), OpenDocument (ISO 26300)


def format_of(octets: bytes) -> Format | None:
    """The format of a document; None: none that is read."""
    if octets.startswith(b"PK\x03\x04"):
        return Format.OFFICE
    if octets[:16].lstrip().startswith(b"{\\rtf"):
        return Format.RTF
    return Format.PDF if b"%PDF-" in octets[:1024] else None


def is_encrypted(octets: bytes) -> bool:
    """Whether this is an Office document that needs a password ([MS-OFFCRYPTO] 1.3)."""
    return octets.startswith(_OLE) and (_ENCRYPTED in octets[:_LOOKED_AT] or _ENCRYPTED in octets[-_LOOKED_AT:])
