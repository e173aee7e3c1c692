"""MAILBOXID: what a folder is called for ever, whatever its name is (RFC 8474 4)."""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.errors import CommandRefused
from mailmove.imap.listline import canonical
from mailmove.imap.parse import pairs, parse
from mailmove.imap.wire import Astring, Wire, sendable
from mailmove.model import Folder

_BATCH = 100


def mailbox_ids(wire: Wire, folders: Iterable[Folder]) -> dict[bytes, str]:
    """The MAILBOXID of these folders by wire name; one that the server does not tell is missing."""
    if not wire.can("OBJECTID"):
        return {}
    names = [f.wire for f in folders if f.selectable and sendable(f.wire) and f.wire.isascii()]
    found: dict[bytes, str] = {}
    for start in range(0, len(names), _BATCH):
        commands = [(b"STATUS", Astring(name), b"(MAILBOXID)") for name in names[start : start + _BATCH]]
        for answer in wire.batch(commands):
            if isinstance(answer, CommandRefused) or answer[0][2:8].upper() != b"STATUS":
                continue
            match parse(answer):
                case [_, _, bytes() as name, list(values)]:
                    match pairs(values).get("MAILBOXID"):
                        case [bytes() as told]:
                            found[canonical(name)] = told.decode("ascii", "replace")
                case _:
                    pass
    return found
