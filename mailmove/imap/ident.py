"""Who is talking (RFC 2971): what we call ourselves, and what the server does.

The latter is worth showing, never worth relying on. Some providers (163.com, 126.com, yeah.net) open no folder for a
client that has not told its name after the login.
"""

from __future__ import annotations

from mailmove import __version__
from mailmove.errors import CommandRefused, Throttled
from mailmove.imap.parse import pairs, parse
from mailmove.imap.wire import Wire

_OURSELVES = b'("name" "mailmove" "version" "%b")' % __version__.encode()


def introduce(wire: Wire) -> None:
    """Tell the server who we are, if it can be told; what it says to that does not matter."""
    if wire.can("ID"):
        try:
            wire.command(b"ID", _OURSELVES)
        except (CommandRefused, Throttled):
            pass


def software(wire: Wire) -> str:
    """Name and version as the server tells them; empty when it does not. Not safe for a terminal."""
    if not wire.can("ID"):
        return ""
    told: dict[str, str] = {}
    try:
        for response in wire.command(b"ID", _OURSELVES):
            if response[0][2:5].upper() == b"ID ":
                for name, value in pairs(parse(response)[2]).items():
                    if isinstance(value, bytes):
                        told[name] = value.decode("utf-8", "replace")
    except CommandRefused:
        return ""
    return " ".join(filter(None, (told.get("NAME"), told.get("VERSION"))))
