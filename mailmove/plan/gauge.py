"""How full an account is: what each quota root counts and limits, as far as anybody says, and which is the tightest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from mailmove.errors import UsageError
from mailmove.model import QuotaRoot
from mailmove.plan.retention import Tally
from mailmove.safe import visible

STORAGE = "STORAGE"
MESSAGE = "MESSAGE"


_COUNTED = 0.9  # of the sizes announced, what a quota counts at least
_SPREAD = 1.003  # messages are not alike: those that go may have fewer line ends than most


class Source(Enum):
    """Who says so."""

    SERVER = "server"
    CONFIGURED = "configured"
    """Used is the sum of all sizes, the limit stands in the configuration."""
    SUM = "sum"
    """Used is the sum of all sizes, and nobody names a limit."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One resource of one quota root (RFC 9208 5): ``STORAGE`` in octets, ``MESSAGE`` in messages, others as they are.

    ``limit`` is None where there is none or none is known. ``folders`` are the wire names it counts; empty: all.
    """

    root: str
    resource: str
    used: int
    limit: int | None
    source: Source
    folders: frozenset[bytes] = frozenset()

    @property
    def percent(self) -> float | None:
        """How full; None without a limit, and for a limit of 0, of which there is no per cent."""
        return self.after(0)

    @property
    def frees(self) -> bool:
        """Whether deleting messages makes it lower by what they are worth."""
        return self.resource in (STORAGE, MESSAGE)

    def after(self, freed: int) -> float | None:
        """How full once so much is freed."""
        return max(0, self.used - freed) * 100 / self.limit if self.limit else None

    def worth(self, tally: Tally) -> int:
        """What messages count for here."""
        return tally.messages if self.resource == MESSAGE else tally.octets

    def counts(self, wire: bytes) -> bool:
        """Whether the messages of this folder count here."""
        return not self.folders or wire in self.folders


@dataclass(frozen=True, slots=True)
class Quota:
    """The gauges of an account, never none, and in ``lacking`` why some limit is not known or does not exist.

    ``unlimited``: the server says that there is no limit, which is not the same as saying nothing.
    """

    gauges: tuple[Gauge, ...]
    lacking: str = ""
    unlimited: bool = False

    @property
    def tightest(self) -> Gauge:
        """The fullest that pruning can help, else the first."""
        helped = [gauge for gauge in self.gauges if gauge.frees] or self.gauges
        return max(helped, key=lambda gauge: -1.0 if gauge.percent is None else gauge.percent)

    def above(self, percent: float) -> list[Gauge]:
        """The gauges that are fuller than so many per cent."""
        return [gauge for gauge in self.gauges if gauge.percent is not None and gauge.percent > percent]

    @property
    def judged(self) -> bool:
        """Whether it can be said at all how full the account is."""
        return self.unlimited or any(gauge.percent is not None for gauge in self.gauges)


def quota(roots: Sequence[QuotaRoot] | None, total: int, configured: int | None = None) -> Quota:
    """What is known of an account's quota.

    ``roots`` is None without QUOTA; ``total`` is the sum of all sizes in octets, ``configured`` a limit in octets that
    stands in wherever the server names none.
    """
    found = [
        Gauge(root.name, resource.name, resource.usage, resource.limit, Source.SERVER, root.folders)
        for root in roots or ()
        for resource in root.resources or ()
    ]
    storage = [gauge for gauge in found if gauge.resource == STORAGE]
    lacking = "" if any(gauge.limit for gauge in storage) else _lacking(roots, storage)
    if not storage or (lacking and configured):
        source = Source.CONFIGURED if configured else Source.SUM
        found.insert(0, Gauge("", STORAGE, total, configured, source))
    unlimited = roots is not None and all(root.resources == () for root in roots)
    return Quota(tuple(found), lacking, unlimited)


def _lacking(roots: Sequence[QuotaRoot] | None, storage: Iterable[Gauge]) -> str:
    if roots is None:
        return "the server has no QUOTA extension"
    if any(root.resources is None for root in roots):
        return "the server's answer about its quota cannot be understood"
    if any(storage):
        return "the server says that the limit is 0"
    return "the server names no limit for storage"


def announced(octets: int, used: int, total: int) -> int:
    """How many octets of announced sizes free so many of a quota of which ``used`` are, where all sizes are ``total``.

    Some servers count each line's end as one octet in their quota and as two in RFC822.SIZE (Courier): a few per cent,
    which a target is missed by. A larger difference is none of counting, and is left alone.
    """
    if octets <= 0 or not total * _COUNTED <= used < total:
        return octets
    return int(octets * total / used * _SPREAD) + 1


def parse_percent(text: str) -> float:
    """Read ``90%`` or ``90``.

    :raises UsageError: for anything else.
    """
    found = re.fullmatch(r"\s*(\d{1,3}(?:\.\d+)?)\s*%?\s*", text)
    if not found:
        raise UsageError(f"{visible(text)!r} is no share of a quota", "Write it as in 90%.")
    return float(found[1])
