"""INTERNALDATE (RFC 9051 9, ``date-time``): when a message arrived."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_DATE_TIME = re.compile(rb"([ \d]\d-[A-Za-z]{3}-\d{4}) (\d\d):(\d\d):(\d\d) ([+-]\d{4})")
_EPOCH = date(1970, 1, 1).toordinal()


def to_seconds(text: bytes) -> int | None:
    """Unix seconds, or None when it is not a date that exists."""
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return None
    day, zone = _day(found[1]), _zone(found[5])
    hour, minute, second = int(found[2]), int(found[3]), int(found[4])
    if day is None or zone is None or hour > 23 or minute > 59 or second > 60:
        return None
    return day + hour * 3600 + minute * 60 + second - zone


def from_seconds(seconds: int, zone_minutes: int = 0) -> bytes:
    """Unix seconds as APPEND takes them (RFC 9051 6.3.12)."""
    moment = datetime(1970, 1, 1, tzinfo=timezone(timedelta(minutes=zone_minutes))) + timedelta(
        seconds=seconds + zone_minutes * 60
    )
    month = list(_MONTHS)[moment.month - 1].decode().title()
    return f"{moment.day:02d}-{month}-{moment.year:04d} {moment:%H:%M:%S %z}".encode()


@lru_cache(maxsize=4096)
def _day(text: bytes) -> int | None:
    day, month, year = text.split(b"-")
    try:
        return (date(int(year), _MONTHS[month.lower()], int(day)).toordinal() - _EPOCH) * 86_400
    except (KeyError, ValueError):
        return None


@lru_cache(maxsize=256)
def _zone(text: bytes) -> int | None:
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    if minutes > 24 * 60 or text[3:5] > b"59":
        return None
    return minutes * (-60 if text[:1] == b"-" else 60)
