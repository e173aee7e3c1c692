"""How many messages a server is told to delete at once."""

from __future__ import annotations

FIRST_PORTION, MAX_PORTION = 62, 4000
PORTION_SECONDS, PORTION_ROUND_TRIPS = 0.2, 4
OWN_SHARE, PATIENCE = 4, 1.0


class Pace:
    """How many messages a portion has: as many as the server deletes in a moment.

    That moment is the time in which what another program changes comes too late. Each portion costs three round trips,
    so that it is longer where those are. And each costs the server something of its own, however few its messages are,
    as a folder's list of UIDs that is written anew: where that is all, smaller portions would only take longer.
    """

    def __init__(self) -> None:
        self.size = FIRST_PORTION
        self._round_trip = float("inf")
        self._least = float("inf")

    def answered(self, seconds: float) -> None:
        """A command that costs the server little took so long."""
        self._round_trip = min(self._round_trip, seconds)

    def expunged(self, messages: int, seconds: float) -> None:
        """So many messages took so long."""
        self.answered(seconds)
        self._least = min(self._least, seconds)
        aim = max(PORTION_SECONDS, PORTION_ROUND_TRIPS * self._round_trip, min(OWN_SHARE * self._least, PATIENCE))
        fitting = messages * aim / max(seconds - self._round_trip, 1e-3)
        self.size = max(FIRST_PORTION, min(int(fitting), 4 * self.size, MAX_PORTION))
