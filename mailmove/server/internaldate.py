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
_DAY = re.compile(rb"[ \d]\d-[A-Za-z]{3}-\d{4}")
_MINUTE = re.compile(rb" (\d\d):(\d\d)")
_SECOND = re.compile(rb":(\d\d) ")
_ZONE = re.compile(rb"[+-]\d{4}")
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST = (date.min.toordinal() - _EPOCH) * 86_400
_LAST = (date.max.toordinal() + 1 - _EPOCH) * 86_400 - 1


def to_seconds(text: bytes) -> int | None:
    """Unix seconds, or None when it is not a date that exists."""
    if len(text) != 26:
        return None
    day, minute, second, zone = _day(text[:11]), _minute(text[11:17]), _second(text[17:21]), _zone(text[21:])
    if day is None or minute is None or second is None or zone is None:
        return None
    seconds = day + minute + second - zone
    return seconds if _FIRST <= seconds <= _LAST else None  # in UTC it may be before the year 1, or after 9999


def from_seconds(seconds: int, zone_minutes: int = 0) -> bytes:
    """Unix seconds as APPEND takes them (RFC 9051 6.3.12)."""
    moment = datetime(1970, 1, 1, tzinfo=timezone(timedelta(minutes=zone_minutes))) + timedelta(
        seconds=seconds + zone_minutes * 60
    )
    month = list(_MONTHS)[moment.month - 1].decode().title()
    return f"{moment.day:02d}-{month}-{moment.year:04d} {moment:%H:%M:%S %z}".encode()


@lru_cache(maxsize=4096)
def _day(text: bytes) -> int | None:
    if not _DAY.fullmatch(text):
        return None
    day, month, year = text.split(b"-")
    try:
        return (date(int(year), _MONTHS[month.lower()], int(day)).toordinal() - _EPOCH) * 86_400
    except (KeyError, ValueError):
        return None


@lru_cache(maxsize=2048)
def _minute(text: bytes) -> int | None:
    found = _MINUTE.fullmatch(text)
    if not found:
        return None
    hour, minute = int(found[1]), int(found[2])
    return hour * 3600 + minute * 60 if hour < 24 and minute < 60 else None


@lru_cache(maxsize=128)
def _second(text: bytes) -> int | None:
    found = _SECOND.fullmatch(text)
    return int(found[1]) if found and int(found[1]) < 61 else None


@lru_cache(maxsize=256)
def _zone(text: bytes) -> int | None:
    if not _ZONE.fullmatch(text):
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    if minutes > 24 * 60 or text[3:5] > b"59":
        return None
    return minutes * (-60 if text[:1] == b"-" else 60)
