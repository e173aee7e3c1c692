"""ENVELOPE and BODYSTRUCTURE (RFC 3501 7.4.2) of any message, however broken: always what the grammar allows.

One bad answer fails a whole FETCH for most programs. So there is never a type without a subtype, a multipart without a
part, or NIL where a string must be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailmove.serving.imap.strings import nstring, string
from mailmove.serving.octets import Octets
from mailmove.serving.parts import Part, count_lines

_MAX_VALUE = 1 << 14  # octets of a field that are told
_MAX_ADDRESSES = 1000
_FOLD = re.compile(rb"[\r\n]+")
_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*+)"?|\\(.)|([()<>,:;])|[ \t]++|[^"\\()<>,:; \t]++|.', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_PARAMETER = re.compile(rb';\s*+([^\s=;"()]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))', re.DOTALL)
_WORD = re.compile(rb"[^\s;()<>@,\\\"/\[\]?=]+")


def envelope(part: Part) -> bytes:
    """The ENVELOPE of a message."""
    from_ = _addresses(part, b"from")
    told = [
        nstring(_value(part, b"date")),
        nstring(_value(part, b"subject")),
        from_,
        *(found if (found := _addresses(part, name)) != b"NIL" else from_ for name in (b"sender", b"reply-to")),
        *(_addresses(part, name) for name in (b"to", b"cc", b"bcc")),
        nstring(_value(part, b"in-reply-to")),
        nstring(_value(part, b"message-id")),
    ]
    return b"(%b)" % b" ".join(told)


def bodystructure(octets: Octets, part: Part, *, extended: bool) -> bytes:
    """The BODYSTRUCTURE of a message, or without what extends it, BODY."""
    kind, _, sub = part.kind.encode("ascii", "replace").partition(b"/")
    if part.parts:
        inner = b"".join(bodystructure(octets, each, extended=extended) for each in part.parts)
        more = b" %b%b" % (_parameters(part, b"content-type"), _extension(part)) if extended else b""
        return b"(%b %b%b)" % (inner, string(sub), more)
    told = [
        string(kind),
        string(sub),
        _type_parameters(part, kind),
        nstring(_value(part, b"content-id")),
        nstring(_value(part, b"content-description")),
        string(part.encoding.encode("utf-8", "replace") or b"7bit"),
        b"%d" % (part.body.end - part.body.start),
    ]
    if part.message is not None:
        told += [envelope(part.message), bodystructure(octets, part.message, extended=extended)]
    if part.message is not None or kind == b"text":
        told.append(b"%d" % count_lines(octets, part.body))
    more = b" %b%b" % (nstring(_value(part, b"content-md5")), _extension(part)) if extended else b""
    return b"(%b%b)" % (b" ".join(told), more)


def _type_parameters(part: Part, kind: bytes) -> bytes:
    """A text without parameters, or what became one because it is no type, is in US-ASCII (RFC 2045 5.2)."""
    told = _parameters(part, b"content-type")
    return b'("charset" "us-ascii")' if told == b"NIL" and kind == b"text" else told


def _extension(part: Part) -> bytes:
    """Disposition, language and location."""
    disposition = _value(part, b"content-disposition")
    word = _WORD.match(disposition) if disposition else None
    told = b"(%b %b)" % (string(word[0]), _parameters(part, b"content-disposition")) if word else b"NIL"
    language = _value(part, b"content-language")
    return b" %b %b %b" % (told, nstring(language), nstring(_value(part, b"content-location")))


def _parameters(part: Part, name: bytes) -> bytes:
    """The parameters of a structured field, as they stand there."""
    pairs = [
        b"%b %b" % (string(found[1]), string(_ESCAPED.sub(rb"\1", found[2]) if found[3] is None else found[3].strip()))
        for found in _PARAMETER.finditer(_value(part, name) or b"")
    ]
    return b"(%b)" % b" ".join(pairs) if pairs else b"NIL"


def _value(part: Part, name: bytes) -> bytes | None:
    """The value of a field on one line; None where there is none."""
    values = part.all(name)
    return _FOLD.sub(b"", values[0])[:_MAX_VALUE] if values else None


def _addresses(part: Part, name: bytes) -> bytes:
    """The addresses of every field of this name (RFC 5322 3.4), NIL for none."""
    value = b", ".join(part.all(name))[:_MAX_VALUE]
    told = [
        b"(%b NIL %b %b)" % (nstring(person), nstring(mailbox), nstring(host))
        for _, (person, mailbox, host) in zip(range(_MAX_ADDRESSES), _mailboxes(_FOLD.sub(b"", value)), strict=False)
    ]
    return b"(%b)" % b"".join(told) if told else b"NIL"


_Address = tuple[bytes | None, bytes | None, bytes | None]


class _Reading:
    """One address while it is read: the words before it, what is in angle brackets, and a comment."""

    def __init__(self) -> None:
        self.words: list[bytes] = []
        self.angle: list[bytes] | None = None
        self.comment: list[bytes] = []
        self.closed = False

    def add(self, text: bytes, depth: int) -> None:
        """A token that is no delimiter."""
        if depth:
            self.comment.append(text)
        elif not self.closed:
            (self.words if self.angle is None else self.angle).append(text)

    def told(self) -> _Address | None:
        """Name, mailbox and host; None where there is nothing."""
        words = b"".join(self.words).strip()
        name = words if self.angle is not None else b"".join(self.comment).strip()
        address = b"".join(words.split() if self.angle is None else self.angle)
        if self.angle is not None and address[:1] == b"@":
            address = address.rpartition(b":")[2]  # a route, which RFC 5322 4.4 has given up
        mailbox, at, host = address.rpartition(b"@")
        if not at:
            mailbox, host = host, b""
        if not (mailbox or host or name):
            return None
        return name or None, mailbox.strip(), host.strip()  # NIL would begin or end a group


def _mailboxes(value: bytes) -> Iterator[_Address]:
    """Name, mailbox and host of each address; (None, name, None) begins a group, three None end it."""
    reading, depth, group = _Reading(), 0, False
    for token in _TOKEN.finditer(value):
        sign = token[3]
        if sign == b"(":
            depth += 1
        elif sign == b")":
            depth = max(0, depth - 1)
        elif depth or sign is None or (reading.angle is not None and sign not in (b">", b",")):
            text = token[0] if token[1] is None else _ESCAPED.sub(rb"\1", token[1])
            reading.add(token[2] or text, depth)
        elif sign == b"<":
            reading.angle = []
        elif sign == b">":
            reading.closed = reading.angle is not None
        elif sign == b":" and not group:
            group = True
            yield None, b"".join(reading.words).strip(), None
            reading = _Reading()
        elif sign in (b",", b";"):
            if (address := reading.told()) is not None:
                yield address
            reading = _Reading()
            if sign == b";" and group:
                group = False
                yield None, None, None
    if (address := reading.told()) is not None:
        yield address
    if group:
        yield None, None, None
