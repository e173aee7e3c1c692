"""How much work one message may cost, counted and not timed: the same message always ends at the same place.

A step is a few microseconds at most: a part, a line of a header, a tag, a few hundred octets. All that reads a message
takes time that is linear in the steps it counts, so a message cannot hang its reader; what is left out is named.
"""

from __future__ import annotations

STEPS = 1_000_000
PARTS = 10_000
DEPTH = 50  # of multiparts and messages within each other
OCTETS = 64 << 20  # of all that is opened within a message
OCTETS_A_STEP = 256


class Spent(Exception):
    """Nothing is left of the budget."""


class Budget:
    """What is left for one message, and what was left out of it, in words for a person, none of them a stranger's."""

    def __init__(self, steps: int = STEPS, parts: int = PARTS, depth: int = DEPTH, octets: int = OCTETS) -> None:
        self.steps = steps
        self.parts = parts
        self.depth = depth
        self.octets = octets
        self.used = 0
        self.skipped: list[str] = []

    def spend(self, steps: int = 1) -> None:
        """Count steps before they are taken.

        :raises Spent: when they are more than what is left.
        """
        if steps > self.steps:
            raise Spent
        self.steps -= steps
        self.used += steps

    def read(self, octets: int) -> None:
        """Count the steps that reading octets takes.

        :raises Spent: when they are more than what is left.
        """
        self.spend(1 + octets // OCTETS_A_STEP)

    def part(self) -> None:
        """Count a part.

        :raises Spent: when there were too many.
        """
        if not self.parts:
            raise Spent
        self.parts -= 1
        self.spend(20)

    def may_open(self, octets: int, depth: int) -> bool:
        """Whether what lies so deep within the message is still opened; if not, that is noted."""
        if depth >= self.depth:
            self.skip_depth()
        elif octets > self.octets:
            self.skip("what is in attached messages: it is too large")
        else:
            self.octets -= octets
            return True
        return False

    def skip(self, what: str) -> None:
        """Note what is left out, once."""
        if what not in self.skipped:
            self.skipped.append(what)

    def skip_depth(self) -> None:
        """Note that the levels were too many."""
        self.skip(f"what is nested deeper than {self.depth} levels")
