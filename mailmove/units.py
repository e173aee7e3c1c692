"""Sizes, ages and UID sets: how people write them, how the protocol counts them."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from mailmove.errors import UsageError

KB = 1024
_PREFIXES = ("B", "KB", "MB", "GB", "TB", "PB")
_SIZE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(?:([kmgtp])i?)?b?\s*", re.IGNORECASE)


def format_size(octets: int) -> str:
    """Three significant digits in units of 1024, as mail providers count: 1.31 GB, 48.2 MB, 900 B."""
    value = float(octets)
    for prefix in _PREFIXES:
        if abs(value) < 999.5 or prefix == _PREFIXES[-1]:
            break
        value /= KB
    if prefix == "B":
        return f"{octets} B"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {prefix}"


def parse_size(text: str) -> int:
    """Read ``50GB``, ``1.5 GiB`` or ``300M`` as octets; every unit is a power of 1024.

    :raises UsageError: when it is not a size.
    """
    found = _SIZE.fullmatch(text)
    if not found:
        raise UsageError(f"{text!r} is not a size", "Write it as 500MB, 1.5GB or 2TB.")
    power = _PREFIXES.index(f"{found[2]}B".upper()) if found[2] else 0
    return round(float(found[1].replace(",", ".")) * int(KB**power))


@dataclass(frozen=True, slots=True)
class Age:
    """How long mail stays: a number of days, calendar months or years, or a fixed date.

    Days are 86,400 seconds each; months and years follow the local calendar; a date is local midnight.
    """

    text: str
    days: int = 0
    months: int = 0
    on: date | None = None

    def cutoff(self, now: datetime) -> datetime:
        """The aware UTC instant before which mail is old enough, for an aware ``now``."""
        if self.on:
            return _earliest(datetime.combine(self.on, time()))
        if self.days:
            return now.astimezone(UTC) - timedelta(days=self.days)
        local = now.astimezone()
        month = local.year * 12 + local.month - 1 - self.months
        year, month = divmod(month, 12)
        day = min(local.day, calendar.monthrange(year, month + 1)[1])
        wall = datetime(year, month + 1, day, local.hour, local.minute, local.second, local.microsecond)
        return _earliest(wall)


def _earliest(wall: datetime) -> datetime:
    """The UTC instant of a local time; the earlier one where the clocks change and there are two, or none."""
    return min(wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


_AGE = re.compile(r"(\d+)\s*(d|w|mo|y)")
_ROUGH_DAYS = {"d": 1, "w": 7, "mo": 30, "y": 365}


def parse_age(text: str) -> Age:
    """Read ``30d``, ``6w``, ``3mo``, ``2y`` or a date ``2024-12-31``.

    :raises UsageError: for anything else; ``30`` and ``30m`` get a suggestion instead of a guess.
    """
    wanted = text.strip().lower()
    if found := _AGE.fullmatch(wanted):
        number, unit = int(found[1]), found[2]
        if not 0 < number * _ROUGH_DAYS[unit] <= 100 * 366:
            raise UsageError(f"{text!r} is not an age mailmove can use", "Write between 1d and 100y.")
        if unit in "dw":
            return Age(wanted, days=number * _ROUGH_DAYS[unit])
        return Age(wanted, months=number * (12 if unit == "y" else 1))
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", wanted):
        try:
            return Age(wanted, on=date.fromisoformat(wanted))
        except ValueError:
            raise UsageError(f"{text!r} is not a day of the calendar", "Write it as in 2024-12-31.") from None
    if re.fullmatch(r"(19|20)\d\d", wanted):
        raise UsageError(f"{text!r} could be a year or a number of days", f"Write {wanted}-01-01, or {wanted}d.")
    if wanted.isdigit():
        raise UsageError(f"{text!r} has no unit", f"Did you mean {wanted}d (days)?")
    if re.fullmatch(r"\d+m", wanted):
        raise UsageError(f"{text!r} could be minutes or months", f"Did you mean {wanted[:-1]}mo (months)?")
    raise UsageError(f"{text!r} is not an age", "Write 30d, 6w, 3mo, 2y or a date such as 2024-12-31.")


ID_DIGITS = 10


def short_id(sha256: bytes) -> str:
    """The ID under which a message is listed and asked for: 40 bits of the SHA-256 of its octets."""
    return sha256.hex()[:ID_DIGITS]


def plural(number: int, word: str) -> str:
    """``1 message``, ``1,228 messages``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def uid_ranges(uids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Runs of consecutive UIDs, ascending, both ends included."""
    first = last = None
    for uid in sorted(uids):
        if last is not None and uid == last + 1:
            last = uid
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = uid
    if first is not None and last is not None:
        yield first, last


LONG_LINE = 8000
"""Octets of a UID set where long commands pay: servers should take lines of 8,000 octets (RFC 2683 3.2.1.5)."""


def uid_sets(uids: Iterable[int], max_octets: int = 900) -> Iterator[str]:
    """UIDs as IMAP sequence sets (RFC 9051 9, ``sequence-set``), compressed to ranges and cut by command length.

    RFC 2683 3.2.1.5 asks clients to keep command lines near 1,000 octets.
    """
    parts: list[str] = []
    length = 0
    for first, last in uid_ranges(uids):
        part = str(first) if first == last else f"{first}:{last}"
        if parts and length + len(part) + 1 > max_octets:
            yield ",".join(parts)
            parts, length = [], 0
        parts.append(part)
        length += len(part) + 1
    if parts:
        yield ",".join(parts)


def parse_uid_set(text: str) -> set[int]:
    """The UIDs of a sequence set that mailmove itself wrote.

    :raises ValueError: when it is not one.
    """
    uids: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition(":")
        uids.update(range(int(first), int(last or first) + 1))
    return uids


def utc(seconds: int) -> datetime:
    """Unix seconds as an aware UTC datetime; also before 1970, and clamped to what a datetime can hold."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if seconds > 0 else datetime.min.replace(tzinfo=UTC)


def timestamp(moment: datetime) -> str:
    """An aware datetime as the archive's files write it: UTC, whole seconds, ``2026-11-23T10:02:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime:
    """Read what :func:`timestamp` wrote.

    :raises ValueError: when it is not one.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
