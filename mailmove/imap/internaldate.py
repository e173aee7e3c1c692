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
_PROPER = re.compile(rb"[ \d]\d-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}")
_ODD = re.compile(
    rb"""\s*(?:(?P<weekday>[a-z]{3}),?\s+)?
    (?: (?P<day>\d{1,2})[-\s](?P<month>[a-z]{3,9})[-\s](?P<year>\d{4})\s+
      | (?P<iso>\d{4}-\d{2}-\d{2})[T\s]\s*)
    (?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*
    (?: (?P<hours>[+-]\d{2})(?::?(?P<minutes>\d{2}))?(?:\s*\([^()]*\))? | GMT | UTC? | Z)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_WEEKDAYS = (b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun")
_FULL_MONTHS = tuple(b"january february march april may june july august september october november december".split())
_LONGEST = 64
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST = (date.min.toordinal() - _EPOCH) * 86_400
_LAST = (date.max.toordinal() + 1 - _EPOCH) * 86_400 - 1


def to_seconds(text: bytes) -> int | None:
    """Unix seconds, or None when it is not a date that exists.

    What some servers send instead of a ``date-time`` is read where it can mean only one thing; a time without zone, or
    with a zone that several countries call so, cannot.
    """
    if len(text) == 26:
        day, minute, second, zone = _day(text[:11]), _minute(text[11:17]), _second(text[17:21]), _zone(text[21:])
        if day is not None and minute is not None and second is not None and zone is not None:
            return _in_range(day + minute + second - zone)
    return _odd(text) if len(text) <= _LONGEST else None


def _in_range(seconds: int) -> int | None:
    return seconds if _FIRST <= seconds <= _LAST else None  # in UTC it may be before the year 1, or after 9999


def proper(text: bytes) -> bytes | None:
    """The same moment as APPEND takes it: as it was sent where that is a ``date-time``; None: it is no date."""
    seconds = to_seconds(text)
    if seconds is None:
        return None
    return text if _PROPER.fullmatch(text) else from_seconds(seconds)


def from_seconds(seconds: int, zone_minutes: int = 0) -> bytes:
    """Unix seconds as APPEND takes them (RFC 9051 6.3.12)."""
    moment = datetime(1970, 1, 1, tzinfo=timezone(timedelta(minutes=zone_minutes))) + timedelta(
        seconds=seconds + zone_minutes * 60
    )
    month = list(_MONTHS)[moment.month - 1].decode().title()
    return f"{moment.day:02d}-{month}-{moment.year:04d} {moment:%H:%M:%S %z}".encode()


@lru_cache(maxsize=1024)
def _odd(text: bytes) -> int | None:
    """A moment in another notation (RFC 5322, ISO 8601, a digit too few): by the same parts, written as they should."""
    found = _ODD.fullmatch(text)
    if not found:
        return None
    written = _written(found)
    day = _day(written) if written else None
    minute = _minute(b" %b:%b" % (found["hour"].rjust(2, b"0"), found["minute"]))
    second = _second(b":%b " % (found["second"] or b"00"))
    zone = _zone(found["hours"] + (found["minutes"] or b"00")) if found["hours"] else 0
    if day is None or minute is None or second is None or zone is None:
        return None
    if found["weekday"] and _WEEKDAYS[(day // 86_400 + 3) % 7] != found["weekday"].lower():
        return None  # it contradicts itself
    return _in_range(day + minute + second - zone)


def _written(found: re.Match[bytes]) -> bytes | None:
    """The day as ``date-day-fixed`` writes it."""
    if found["iso"]:
        year, number, day = found["iso"].split(b"-")
        months = list(_MONTHS)
        return b"%b-%b-%b" % (day, months[int(number) - 1], year) if 1 <= int(number) <= 12 else None
    month = found["month"].lower()
    if len(month) > 3 and month not in _FULL_MONTHS:
        return None
    return b"%b-%b-%b" % (found["day"].rjust(2), month[:3], found["year"])


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
