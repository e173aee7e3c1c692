"""How things are said everywhere: paths, durations, lists of UIDs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from datetime import timedelta

from mailmove.plan.retention import Stays
from mailmove.safe import visible
from mailmove.units import uid_ranges

_NAMED = 10  # ranges of UIDs


def path(text: str) -> str:
    """A path with the home directory as ``~``."""
    home = os.path.expanduser("~")
    return visible("~" + text[len(home) :] if text == home or text.startswith(home + os.sep) else text, 1000)


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``14 min``, ``3 h 20 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def percent(number: float | None) -> str:
    """``92 %``, rounded down: 100 % is really full. ``-`` where it is not known."""
    return "-" if number is None else f"{int(number)} %"


def hundredths(percent: float | None) -> float | None:
    """The same for a program: rounded down as well, so that both say the same."""
    return None if percent is None else math.floor(percent * 100) / 100


def stays(number: int, why: Stays) -> str:
    """``3,290 newer``, ``1 draft``."""
    return f"{number:,} {'draft' if why is Stays.DRAFT and number == 1 else why.value}"


def ago(age: timedelta) -> str:
    """``just now``, ``12 minutes ago``, ``5 hours ago``, ``3 days ago``."""
    minutes = max(0, int(age.total_seconds())) // 60
    if minutes < 2:
        return "just now"
    if minutes < 100:
        return f"{minutes} minutes ago"
    hours = minutes // 60
    return f"{hours} hours ago" if hours < 48 else f"{hours // 24} days ago"


def uid_set(numbers: Iterable[int]) -> str:
    """``4711``, ``1:3,9``: a sequence set (RFC 9051 9), for programs."""
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in uid_ranges(numbers))


def uids(numbers: Iterable[int]) -> str:
    """``UID 4711``, ``UIDs 1-3, 9``; of many ranges the first, and how many more messages there are."""
    ranges = list(uid_ranges(numbers))
    told = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    if len(ranges) > _NAMED:
        told[_NAMED:] = [f"and {sum(last - first + 1 for first, last in ranges[_NAMED:]):,} more (--json names all)"]
    text = ", ".join(told)
    return f"UID {text}" if len(ranges) == 1 and ranges[0][0] == ranges[0][1] else f"UIDs {text}"
