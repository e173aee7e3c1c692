"""A record of the journal as a line of JSON.

Octets of a folder's wire name that are not UTF-8 are written as lone surrogates (``\\udcXX``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from mailmove.archive.record.records import KINDS, Message, Record, Unknown
from mailmove.model import MessageId
from mailmove.units import parse_uid_set, uid_ranges

_NAMES = {kind.shape: name for name, kind in KINDS.items()}
_OPTIONAL = {"internaldate", "size", "uidnext", "highestmodseq", "id", "gone", "mailboxid"}
_FRAME, _MUST_FRAME = {"kind"}, {"kind", "must", "needs"}  # what is of the line, not of its value


def to_json(record: Record) -> str:
    """One line, without its end; ASCII only."""
    if isinstance(record, Message):
        return _message_json(record)
    if isinstance(record, Unknown):
        return json.dumps(record.line, separators=(",", ":"))
    kind = _NAMES[type(record)]
    line: dict[str, Any] = {"kind": kind}
    if needs := KINDS[kind].needs:
        line |= {"must": True, "needs": needs}
    for name, value in record._asdict().items():
        if value is not None:
            line[name] = _WRITERS[name](value) if name in _WRITERS else value
    return json.dumps(line, separators=(",", ":"))


def _message_json(m: Message) -> str:
    """The same as for any record, spelt out: an export writes a hundred thousand of these."""
    quoted = encode_basestring_ascii
    date = "" if m.internaldate is None else f',"internaldate":{quoted(m.internaldate)}'
    size = "" if m.size is None else f',"size":{m.size}'
    object_id = "" if m.object_id is None else f',"object_id":{quoted(m.object_id)}'
    linked = ',"linked":true' if m.linked else ""
    return (
        f'{{"kind":"message","folder":{_quoted_wire(m.folder)},"uidvalidity":{m.uidvalidity},"uid":{m.uid}{date}'
        f',"arrival":{m.arrival}{size},"octets":{m.octets},"sha256":"{m.sha256}","flags":{_quoted_list(m.flags)}'
        f',"verified":"{m.verified}"{object_id}{linked}}}'
    )


@lru_cache(maxsize=256)
def _quoted_wire(wire: bytes) -> str:
    return encode_basestring_ascii(wire_text(wire))


@lru_cache(maxsize=4096)
def _quoted_list(words: tuple[str, ...]) -> str:
    return f"[{','.join(map(encode_basestring_ascii, words))}]"


def from_json(line: dict[str, Any]) -> Record:
    """Read what :func:`to_json` wrote.

    :raises KeyError, TypeError, ValueError: when a line of a known kind is not as it should be.
    """
    kind = KINDS.get(line["kind"])
    if kind is None:
        return Unknown(line)
    shape, frame = kind.shape, _MUST_FRAME if kind.needs else _FRAME
    values = {
        name: _READERS[name](value) if name in _READERS else value for name, value in line.items() if name not in frame
    }
    for name in _OPTIONAL & set(shape._fields) - values.keys():
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


_UID_SETS = ("uids", "marked", "unarchived", "left")
_WRITERS: dict[str, Callable[[Any], Any]] = {
    "folder": wire_text,
    **dict.fromkeys(_UID_SETS, _ranges),
    "source": lambda source: [wire_text(source.folder), source.uidvalidity, source.uid],
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "folder": wire_octets,
    **dict.fromkeys(_UID_SETS, lambda text: frozenset(parse_uid_set(text))),
    "flags": tuple,
    "labels": tuple,
    "source": lambda values: MessageId(wire_octets(values[0]), *values[1:]),
}
