"""Which messages a server could alter while it takes them, and what it did to one.

Cyrus makes an X of each octet above 0x7F in a header (``munge8bit``), Dovecot 0x80 of each NUL; others mend line ends,
end the last line, or fold what is too long for RFC 5322. Nearly all such changes keep the size, so that no listing
shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LONG = 998  # octets of a line without its end (RFC 5322 2.1.1)
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_HIGH = re.compile(rb"[\x80-\xff]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Watch:
    """Reads a message as it passes and tells whether a server could alter it: it is not as RFC 5322 and 9051 want it.

    That is an octet above 0x7F in the header, a NUL or another control character, CR or LF alone, a line that is too
    long, no end of the last line, or no header.
    """

    def __init__(self) -> None:
        self._found = False
        self._line = b""  # that has not ended yet
        self._header = True
        self._first = True

    @property
    def fragile(self) -> bool:
        """Whether it could, of what has passed."""
        return self._found or bool(self._line) or self._header

    def feed(self, piece: bytes) -> None:
        """The next octets of the message."""
        if self._found:
            return
        lines, end, self._line = (self._line + piece).rpartition(b"\n")
        self._found = len(self._line) > _LONG + 1 or (bool(end) and self._odd(lines + end))

    def _odd(self, lines: bytes) -> bool:
        if self._header and self._odd_header(lines):
            return True
        return (
            _CONTROL.search(lines) is not None
            or _BARE.search(lines) is not None
            or any(len(line) > _LONG + 1 for line in lines.split(b"\n"))
        )

    def _odd_header(self, lines: bytes) -> bool:
        found = re.match(rb"\r\n", lines) or _EMPTY_LINE.search(lines)
        self._header = found is None
        header = lines[: found.start()] if found else lines
        first, self._first = self._first, False
        return (first and (not header or header.startswith((b"From ", b">From ")))) or _HIGH.search(header) is not None


def fragile(message: bytes) -> bool:
    """The same of a whole message."""
    watch = Watch()
    watch.feed(message)
    return watch.fragile


def difference(sent: bytes, there: bytes) -> str:
    """What of a message is not as it was sent, in words: ``3 octets above 0x7F in its header are X now``."""
    if len(sent) == len(there):
        return _octets(sent, there)
    if _lines(sent) == _lines(there):
        return "its line ends are others now"
    more = len(there) - len(sent)
    count = f"{abs(more):,} octet{'' if abs(more) == 1 else 's'} {'more' if more > 0 else 'fewer'}"
    head, body = _split(sent)
    head_there, body_there = _split(there)
    if body == body_there and head != head_there:
        return f"its header has {count}" if abs(more) else "its header is another one now"
    return f"it has {count}"


def _octets(sent: bytes, there: bytes) -> str:
    """The same where the size is as it was: which octets are others now, and what they are."""
    places = [at for at, (one, other) in enumerate(zip(sent, there, strict=True)) if one != other]
    end = len(_header(sent))
    before, now = {sent[at] for at in places}, {there[at] for at in places}
    count = f"{len(places):,} octet{'' if len(places) == 1 else 's'}"
    what = f"{count} above 0x7F" if all(octet > 0x7F for octet in before) else f"{count} that {_was(before, places)}"
    where = " in its header" if places and places[-1] < end else " in its text" if places and places[0] >= end else ""
    verb = "is" if len(places) == 1 else "are"
    return f"{what}{where} {verb} {_named(now)} now"


def _was(octets: Iterable[int], places: list[int]) -> str:
    return f"{'was' if len(places) == 1 else 'were'} {_named(octets)}"


def _named(octets: Iterable[int]) -> str:
    """A few octets in words: ``X``, ``NUL``, ``0x80``."""
    some = sorted(octets)
    if len(some) > 3:
        return "others"
    return " or ".join("NUL" if one == 0 else chr(one) if 0x20 < one < 0x7F else f"0x{one:02X}" for one in some)


def _lines(message: bytes) -> bytes:
    """A message whatever its line ends are."""
    return _BARE.sub(b"\n", message.replace(b"\r\n", b"\n")).rstrip(b"\n")


def _header(message: bytes) -> bytes:
    return _split(message)[0]


def _split(message: bytes) -> tuple[bytes, bytes]:
    found = _EMPTY_LINE.search(message)
    return (message[: found.start()], message[found.end() :]) if found else (message, b"")
