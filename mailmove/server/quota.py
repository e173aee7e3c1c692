"""Quota (RFC 9208, RFC 2087): roots, what they limit, how much is used."""

from __future__ import annotations

from collections.abc import Iterable

from mailmove.errors import CommandRefused
from mailmove.model import Folder, QuotaRoot, Resource
from mailmove.server.parse import Value, number, parse
from mailmove.server.wire import Astring, Wire

STORAGE_UNIT = 1024  # octets


def roots(wire: Wire, folders: Iterable[Folder]) -> list[QuotaRoot] | None:
    """The quota roots of these folders; None when the server has no QUOTA extension.

    A folder whose root the server will not tell has none here: that is what NO means for GETQUOTAROOT.
    """
    if not wire.can("QUOTA"):
        return None
    found: dict[str, tuple[Resource, ...]] = {}
    members: dict[str, set[bytes]] = {}
    commands = [(b"GETQUOTAROOT", Astring(folder.wire)) for folder in folders if folder.wire.isascii()]
    for answer in wire.batch(commands):
        if isinstance(answer, CommandRefused):
            continue
        word = answer[0][2:12].upper()
        if word.startswith(b"QUOTAROOT "):
            match parse(answer):
                case [_, _, bytes(folder), *names]:
                    for name in names:
                        members.setdefault(_text(name), set()).add(bytes(folder))
        elif word.startswith(b"QUOTA "):
            match parse(answer):
                case [_, _, name, list(values)]:
                    found[_text(name)] = tuple(_resources(values))
    return [
        QuotaRoot(name, found.get(name, ()), frozenset(members.get(name, ())))
        for name in dict.fromkeys([*found, *members])
    ]


def _resources(values: list[Value]) -> Iterable[Resource]:
    for name, usage, limit in zip(values[::3], values[1::3], values[2::3], strict=False):
        used, most = number(usage), number(limit)
        if isinstance(name, bytes) and used is not None and most is not None:
            unit = STORAGE_UNIT if name.upper() == b"STORAGE" else 1
            yield Resource(name.decode("ascii", "replace").upper(), used * unit, most * unit)


def _text(name: Value) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else ""
