"""Quota (RFC 9208, RFC 2087): roots, what they limit, how much is used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mailmove.errors import CommandRefused, Disconnected
from mailmove.imap.listline import canonical
from mailmove.imap.parse import Segments, Value, number, parse
from mailmove.imap.wire import Astring, Wire, misleading, sendable
from mailmove.model import Folder, QuotaRoot, Resource

STORAGE_UNIT = 1024  # octets
_BATCH = 100
_MOST = 1 << 22  # octets of all answers


def roots(wire: Wire, folders: Iterable[Folder], *, quick: bool = False) -> list[QuotaRoot] | None:
    """The quota roots of these folders; None when the server has no QUOTA extension.

    Some servers add up every folder for each answer, so only INBOX, the two first others and those with a special use,
    such as a Trash that has a root of its own, are asked; ``quick`` asks INBOX alone. Where these have the same roots,
    all folders do; where not, each is asked. A folder whose root the server will not tell has none here: that is what
    NO means for GETQUOTAROOT.
    """
    if not wire.can("QUOTA"):
        return None
    ordered = sorted(
        (folder for folder in folders if sendable(folder.wire) and not misleading(folder.wire)),
        key=lambda folder: folder.wire != b"INBOX",
    )
    sample = ordered[:1] if quick else ordered[:3] + [folder for folder in ordered[3:] if folder.special_use]
    found: dict[str, tuple[Resource, ...] | None] = {}
    members: dict[bytes, tuple[str, ...]] = {}
    asked = {folder.wire for folder in ordered}
    _gather(_ask(wire, sample), found, members, asked)
    alike = len({members.get(folder.wire, ()) for folder in sample}) <= 1
    if not alike:
        _gather(_ask(wire, [folder for folder in ordered if folder not in sample]), found, members, asked)
    members = {folder: _whole(names, found) for folder, names in members.items()}
    names = dict.fromkeys([name for names in members.values() for name in names] + list(found))
    return [
        QuotaRoot(
            name, found.get(name), frozenset(() if alike else (f for f, roots in members.items() if name in roots))
        )
        for name in names
    ]


def _gather(
    answers: Iterable[Segments],
    found: dict[str, tuple[Resource, ...] | None],
    members: dict[bytes, tuple[str, ...]],
    asked: Collection[bytes],
) -> None:
    """Take what these responses say of the folders that were asked for; also where names are not quoted."""
    for answer in answers:
        word = answer[0][2:12].upper()
        if word.startswith(b"QUOTAROOT "):
            match _values(answer):
                case [_, _, (bytes() | None) as folder, *names] if (name := _name(folder)) in asked:
                    members[name] = tuple(map(_text, names))
                case _:
                    members |= _unquoted(answer[0][12:], asked)
        elif word.startswith(b"QUOTA "):
            match _values(answer):
                case [_, _, *words, list(values)] if words:
                    found[" ".join(map(_text, words))] = _resources(values)


def _name(folder: bytes | None) -> bytes:
    return canonical(b"NIL" if folder is None else folder)


def _unquoted(rest: bytes, asked: Collection[bytes]) -> dict[bytes, tuple[str, ...]]:
    """The folder that stands there without quotes, and its roots."""
    fitting = [name for name in asked if rest == name or rest.startswith(name + b" ")]
    name = max(fitting, key=len, default=b"")
    return {name: tuple(map(_text, _values((rest[len(name) :],))))} if name else {}


def _whole(names: tuple[str, ...], found: Collection[str]) -> tuple[str, ...]:
    """The roots of a folder; one whose name was not quoted looks like many."""
    joined = " ".join(names)
    return (joined,) if joined in found and not any(name in found for name in names) else names


def _ask(wire: Wire, folders: Iterable[Folder]) -> Iterator[Segments]:
    commands = [(b"GETQUOTAROOT", Astring(folder.wire)) for folder in folders]
    plain = [command for command in commands if command[1].isascii()]
    octets = 0
    for start in range(0, len(plain), _BATCH):
        for answer in wire.batch(plain[start : start + _BATCH]):
            if not isinstance(answer, CommandRefused):
                octets += sum(map(len, answer))
                if octets > _MOST:
                    raise wire.broken("the server's answers to GETQUOTAROOT do not end")
                yield answer
    for command in commands:
        if not command[1].isascii():  # a literal may have to wait for the server, so it cannot be sent among others
            try:
                yield from wire.command(*command)
            except CommandRefused:
                continue


def _values(answer: Segments) -> list[Value]:
    """The values of a response; none when it is not IMAP: what a quota is worth no connection hangs on."""
    try:
        return parse(answer)
    except Disconnected:
        return []


def _resources(values: list[Value]) -> tuple[Resource, ...] | None:
    """What a root limits; None when none of it can be understood, which is not the same as no limit."""
    understood = []
    for name, usage, limit in zip(values[::3], values[1::3], values[2::3], strict=False):
        used, most = number(usage), number(limit)
        if isinstance(name, bytes) and used is not None and most is not None:
            unit = STORAGE_UNIT if name.upper() == b"STORAGE" else 1
            understood.append(Resource(name.decode("ascii", "replace").upper(), used * unit, most * unit))
    return tuple(understood) if understood or not values else None


def _text(name: Value) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else ""
