"""What the server calls itself (RFC 2971); worth showing, never worth relying on."""

from __future__ import annotations

from mailmove.errors import CommandRefused
from mailmove.server.parse import pairs, parse
from mailmove.server.wire import Wire


def software(wire: Wire) -> str:
    """Name and version as the server tells them; empty when it does not. Not safe for a terminal."""
    if not wire.can("ID"):
        return ""
    told: dict[str, str] = {}
    try:
        for response in wire.command(b"ID", b"NIL"):
            if response[0][2:5].upper() == b"ID ":
                for name, value in pairs(parse(response)[2]).items():
                    if isinstance(value, bytes):
                        told[name] = value.decode("utf-8", "replace")
    except CommandRefused:
        return ""
    return " ".join(filter(None, (told.get("NAME"), told.get("VERSION"))))
