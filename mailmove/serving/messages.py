"""The messages of a folder in columns: about 100 octets each, so that 100,000 of them fit into the memory of a few."""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    rf"[ 0-3]\d-(?:{'|'.join(_MONTHS)})-\d{{4}} [0-2]\d:[0-5]\d:[0-6]\d [+-][01]\d[0-5]\d", re.IGNORECASE
)
_LENGTH = 26  # octets of an INTERNALDATE
_SHA256 = 32


class Item(NamedTuple):
    """A message as it is served: its UID here and in the archive, and what the archive has on record of it.

    ``date`` is its INTERNALDATE as IMAP writes it, ``flags`` are the server's as last seen, separated by spaces.
    """

    uid: int
    archived: int
    octets: int
    arrival: int
    date: bytes
    flags: str
    sha256: bytes


class Messages(Sequence[Item]):
    """Messages in some order, taken in once and never changed."""

    __slots__ = ("_archived", "_arrivals", "_dates", "_hashes", "flags", "octets", "uids")

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.uids = array("Q")
        self.octets = array("Q")
        self.flags: list[str] = []
        self._archived = array("Q")
        self._arrivals = array("q")
        self._dates = bytearray()
        self._hashes = bytearray()
        texts: dict[str, str] = {}
        for item in items:
            self.uids.append(item.uid)
            self._archived.append(item.archived)
            self.octets.append(item.octets)
            self._arrivals.append(item.arrival)
            self._dates += item.date
            self.flags.append(texts.setdefault(item.flags, item.flags))
            self._hashes += item.sha256

    def __len__(self) -> int:
        return len(self.uids)

    @overload
    def __getitem__(self, at: int, /) -> Item: ...

    @overload
    def __getitem__(self, at: slice, /) -> Messages: ...

    def __getitem__(self, at: int | slice, /) -> Item | Messages:
        places = range(len(self))[at]
        if isinstance(places, range):
            return Messages(map(self.__getitem__, places))
        return Item(
            self.uids[places],
            self._archived[places],
            self.octets[places],
            self._arrivals[places],
            self.date(places),
            self.flags[places],
            self.sha256(places),
        )

    def date(self, at: int) -> bytes:
        """The INTERNALDATE of a message."""
        return bytes(self._dates[at * _LENGTH : (at + 1) * _LENGTH])

    def sha256(self, at: int) -> bytes:
        """The hash of its octets."""
        return bytes(self._hashes[at * _SHA256 : (at + 1) * _SHA256])

    def age(self, at: int) -> tuple[int, bytes]:
        """What puts messages in the order of their arrival, the same each time."""
        return self._arrivals[at], self.sha256(at)


def internaldate(told: str | None, arrival: int) -> bytes:
    """When a message arrived, as its server said where that is a date; else from Unix seconds, in UTC."""
    if told is not None and _DATE.fullmatch(told):
        return told.encode("ascii")
    try:
        moment = time.gmtime(arrival)
    except (OverflowError, ValueError, OSError):
        moment = time.gmtime(0)
    year = min(max(moment.tm_year, 1), 9999)
    day = f"{moment.tm_mday:02d}-{_MONTHS[moment.tm_mon - 1]}-{year:04d}"
    return f"{day} {moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d} +0000".encode()
