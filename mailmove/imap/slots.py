"""What the sessions of a run share: how many connections to a host may be open, and what it refused."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable

from mailmove.cancel import Cancel
from mailmove.imap.refusals import Refusals

_PULSE = 0.5  # seconds between two looks whether the user wants to stop


class Slots:
    """One per run; ``limit_of`` tells the limit of a host, if there is one to begin with."""

    def __init__(self, limit_of: Callable[[str], int] | None = None) -> None:
        self._limit_of = limit_of or (lambda _host: sys.maxsize)
        self._limits: dict[str, int] = {}
        self._open: Counter[str] = Counter()
        self._changed = threading.Condition()
        self.refusals = Refusals()

    def take(self, host: str, cancel: Cancel) -> None:
        """Wait until one more connection to this host may be opened.

        :raises Interrupted: when the user stops the run.
        """
        with self._changed:
            self._limits.setdefault(host, max(1, self._limit_of(host)))
            while self._open[host] >= self._limits[host]:
                self._changed.wait(_PULSE)
                cancel.check()
            self._open[host] += 1

    def give(self, host: str) -> None:
        """A connection to this host was closed, or did not come about."""
        with self._changed:
            self._open[host] -= 1
            self._changed.notify_all()

    def lower(self, host: str) -> bool:
        """The host refused one more connection: from now on no more than there are.

        Returns whether there is one of ours, whose end is worth waiting for.
        """
        with self._changed:
            self._limits[host] = max(1, self._open[host])
            return self._open[host] > 0
