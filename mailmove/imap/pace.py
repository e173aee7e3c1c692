"""How many messages a server is told to delete at once."""

from __future__ import annotations

FIRST_PORTION, MAX_PORTION = 62, 4000
PORTION_SECONDS, PORTION_ROUND_TRIPS = 0.2, 4
OWN_SHARE, PATIENCE = 8, 1.0
GROWTH = 8


class Pace:
    """How many messages a portion has: as many as the server deletes in a moment.

    That moment is the time in which what another program changes comes too late. Each portion costs three round trips,
    so that it is longer where those are. And each costs the server something of its own, however few its messages are,
    as a folder's list of UIDs that is written anew: where that is most of it, smaller portions would only take longer.
    """

    def __init__(self) -> None:
        self.size = FIRST_PORTION
        self._round_trip = float("inf")
        self._smallest: tuple[int, float] | None = None

    def answered(self, seconds: float) -> None:
        """A command that costs the server little took so long."""
        self._round_trip = min(self._round_trip, seconds)

    def expunged(self, messages: int, seconds: float) -> None:
        """So many messages took so long."""
        self.answered(seconds)
        took = max(seconds - self._round_trip, 1e-3)
        least = FIRST_PORTION if self._smallest else 2 * FIRST_PORTION  # there must be two to compare
        own = self._own(messages, took)
        aim = max(PORTION_SECONDS, PORTION_ROUND_TRIPS * self._round_trip, min(OWN_SHARE * own, PATIENCE), 2 * own)
        fitting = messages * (aim - own) / max(took - own, 1e-3)
        self.size = min(max(least, min(int(fitting), GROWTH * messages)), MAX_PORTION)

    def _own(self, messages: int, took: float) -> float:
        """What no message costs, by the line through this portion and the smallest one."""
        if self._smallest is None or messages <= self._smallest[0]:
            self._smallest = messages, took
            return 0.0
        few, least = self._smallest
        return min(max(0.0, least - few * (took - least) / (messages - few)), took)
