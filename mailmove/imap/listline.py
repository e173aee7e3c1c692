"""Reading LIST and STATUS responses (RFC 9051 7.3.1 and 7.3.4), also where names stand there without their quotes."""

from __future__ import annotations

import re

from mailmove.imap.parse import Malformed, Segments, Value, number, pairs, parse, unescaped
from mailmove.model import Folder, FolderStatus

_MAX_UID = 2**32 - 1

_LIST = re.compile(rb'\* LIST +\(([^()"]*)\) +(NIL|"\\?[^"]?"|[^\s()"]) +', re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"(?= *\Z| +\(.*[)}] *\Z)', re.DOTALL)
_LITERAL = re.compile(rb"~?\{\d+\}")
_EXTENDED = re.compile(rb' +\("?(?:CHILDINFO|OLDNAME)"? +\(.*\)\) *\Z', re.IGNORECASE | re.DOTALL)
_STATUS = re.compile(rb"\* STATUS +(\S.*?) *(\([^()]*\)) *\Z", re.IGNORECASE | re.DOTALL)


def read_list(segments: Segments) -> Folder | None:
    """The folder that a LIST response names; None when it cannot be told which."""
    found = _LIST.match(segments[0])
    rest = segments[0][found.end() :] if found else b""
    name = _name((rest, *segments[1:]))
    if not found or name is None or (len(segments) == 1 and _LITERAL.fullmatch(rest)):  # a literal longer than any
        return None
    delimiter = None if found[2].upper() == b"NIL" else found[2].strip(b'"')[-1:] or None
    words = frozenset(word.decode("ascii", "replace").lower() for word in found[1].split())
    return Folder(canonical(name), delimiter, words)


def read_status(segments: Segments) -> tuple[bytes | None, FolderStatus | None]:
    """The name in a STATUS response, and what it says of that folder; None: it cannot be told."""
    try:
        match parse(segments):
            case [_, _, bytes() as told, list(inner)]:
                return canonical(told), _status(inner)
    except Malformed:
        pass
    values: Value
    found = _STATUS.match(segments[0]) if len(segments) == 1 else None
    name = _name((found[1],)) if found else None
    if not found or name is None:
        return None, None
    try:
        (values,) = parse((found[2],))
    except Malformed:
        return canonical(name), None
    return canonical(name), _status(values)


def canonical(name: bytes) -> bytes:
    """A wire name as it is kept: INBOX is INBOX in any case (RFC 9051 5.1)."""
    return b"INBOX" if name.upper() == b"INBOX" else bytes(name)


def _name(segments: Segments) -> bytes | None:
    """The name that the rest of a response is: quoted, a literal, or else the rest itself, as mail programs read it."""
    text = segments[0]
    if quoted := _QUOTED.match(text):
        return unescaped(quoted[1])
    if len(segments) > 1:
        return segments[1] if _LITERAL.fullmatch(text) else None
    text = text.rstrip(b" ")
    if text.startswith(b'"'):  # quotes inside that are not escaped
        return unescaped(text[1:-1]) if len(text) > 2 and text.endswith(b'"') else None
    return _EXTENDED.sub(b"", text) or None


def _status(values: Value) -> FolderStatus | None:
    told = pairs(values)
    messages = number(told.get("MESSAGES"))
    if messages is None:
        return None
    return FolderStatus(
        messages=messages,
        uidnext=number(told.get("UIDNEXT"), _MAX_UID + 1),
        uidvalidity=number(told.get("UIDVALIDITY"), _MAX_UID),
        highestmodseq=number(told.get("HIGHESTMODSEQ")),
        unseen=number(told.get("UNSEEN")),
        size=number(told.get("SIZE")),
    )
