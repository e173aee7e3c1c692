"""The lines of the journal: what was archived, what changed, what was done. Frozen values and their JSON.

Folders are named by their wire name; octets of it that are not UTF-8 are written as lone surrogates (``\\udcXX``).
Times are UTC to the second. Unknown kinds of lines are kept and skipped, so that an older mailmove can read on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from mailmove.units import parse_uid_set, uid_ranges


class MessageId(NamedTuple):
    """The identity of a message on a server (RFC 9051 2.3.1.1): never a sequence number, date or Message-ID."""

    folder: bytes
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message is in the archive: written after its file is durable.

    ``internaldate`` is as the server sent it, ``arrival`` the same in Unix seconds (0: none); ``size`` is RFC822.SIZE
    as announced, ``octets`` the true length. ``linked`` names the server's object id when the body was not fetched but
    taken from another message that the server says is the same.
    """

    kind: ClassVar[str] = "message"
    folder: bytes
    uidvalidity: int
    uid: int
    internaldate: str | None
    arrival: int
    size: int | None
    octets: int
    sha256: str
    flags: tuple[str, ...]
    verified: str
    object_id: str | None = None
    linked: bool = False


@dataclass(frozen=True, slots=True)
class Flags:
    """The server's flags of a message changed to these."""

    kind: ClassVar[str] = "flags"
    folder: bytes
    uidvalidity: int
    uid: int
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """The server no longer lists these; the archive keeps them."""

    kind: ClassVar[str] = "gone"
    folder: bytes
    uidvalidity: int
    uids: frozenset[int]
    at: str


@dataclass(frozen=True, slots=True)
class Present:
    """The server lists these again."""

    kind: ClassVar[str] = "present"
    folder: bytes
    uidvalidity: int
    uids: frozenset[int]
    at: str


@dataclass(frozen=True, slots=True)
class Complete:
    """Everything the folder held at this state is archived; while STATUS says the same, nothing needs a look."""

    kind: ClassVar[str] = "complete"
    folder: bytes
    uidvalidity: int
    uidnext: int | None
    messages: int
    highestmodseq: int | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message that the server lists and does not deliver; the next run asks for it last and alone."""

    kind: ClassVar[str] = "trouble"
    folder: bytes
    uidvalidity: int
    uid: int
    why: str


@dataclass(frozen=True, slots=True)
class Run:
    """A command was carried out on this archive."""

    kind: ClassVar[str] = "run"
    command: str
    at: str
    exit: int
    summary: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A line of a kind this version does not know."""

    kind: ClassVar[str] = "unknown"
    line: dict[str, Any]


Record = Message | Flags | Gone | Present | Complete | Trouble | Run | Unknown


def to_json(record: Record) -> str:
    """One line, without its end; ASCII only."""
    if isinstance(record, Unknown):
        return json.dumps(record.line, separators=(",", ":"))
    line: dict[str, Any] = {"kind": record.kind}
    for name in record.__slots__:
        value = getattr(record, name)
        if value is None or value is False:
            continue
        line[name] = _WRITERS[name](value) if name in _WRITERS else value
    return json.dumps(line, separators=(",", ":"))


def from_json(line: dict[str, Any]) -> Record:
    """Read what :func:`to_json` wrote.

    :raises KeyError, TypeError, ValueError: when a line of a known kind is not as it should be.
    """
    shape = _KINDS.get(line["kind"])
    if shape is None:
        return Unknown(line)
    values = {
        name: _READERS[name](value) if name in _READERS else value for name, value in line.items() if name != "kind"
    }
    for name in _OPTIONAL & set(shape.__slots__) - values.keys():
        values[name] = None
    record: Record = shape(**values)
    return record


def wire_text(wire: bytes) -> str:
    """A wire name for JSON; :func:`wire_octets` gives it back exactly."""
    return wire.decode("utf-8", "surrogateescape")


def wire_octets(text: str) -> bytes:
    """The wire name that :func:`wire_text` wrote."""
    return text.encode("utf-8", "surrogateescape")


def _ranges(uids: frozenset[int]) -> str:
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in uid_ranges(uids))


_KINDS: dict[str, Any] = {shape.kind: shape for shape in (Message, Flags, Gone, Present, Complete, Trouble, Run)}
_WRITERS: dict[str, Callable[[Any], Any]] = {"folder": wire_text, "uids": _ranges}
_READERS: dict[str, Callable[[Any], Any]] = {
    "folder": wire_octets,
    "uids": lambda text: frozenset(parse_uid_set(text)),
    "flags": tuple,
}
_OPTIONAL = {"internaldate", "size", "uidnext", "highestmodseq"}
