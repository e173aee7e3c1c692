"""What became of messages that were to be deleted from a folder, and why some were left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CHANGED = "it changed since the plan was made"
ODD = "what the server tells of it cannot be read any more"
RELABELLED = "it was given another label since the plan was made"
REPLACED = "its UIDVALIDITY changed: these UIDs are other messages now"
IN_TRASH = "it was moved to Trash, which still has it"
STILL_THERE = "the server answered OK and still has it"
UNPROVEN = "that it is in the archive was not proven a moment ago"
MARKED = r"it is kept, and the server would not take mailmove's \Deleted off it"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the messages that were to be deleted from a folder, each in one of the first three.

    ``gone``: deleted, and not there at another look; ``vanished``: not there when we came; ``left``: there, and why.
    ``unproven`` are those among the left that the archive was not seen to hold just before, ``marked`` those that keep
    our ``\\Deleted``, because the server would not take it off. ``problem`` says why the folder was left early.
    """

    gone: frozenset[int] = frozenset()
    vanished: frozenset[int] = frozenset()
    left: Mapping[int, str] = field(default_factory=dict)
    problem: str = ""
    unproven: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()
