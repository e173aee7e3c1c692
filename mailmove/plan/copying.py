"""Which way a copy may go: how two journals stand to each other, and which message files have to come."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Standing(Enum):
    """How the journal of a copy stands to that of the archive."""

    LEVEL = "level"
    """It is the same, to the octet."""
    BEHIND = "behind"
    """It is a beginning of it: copying goes on."""
    AHEAD = "ahead"
    """The archive's is a beginning of the copy's: the archive was set back, and the copy may be the better one."""
    DIVERGED = "diverged"
    """Neither is a beginning of the other."""


def standing(ours: int, theirs: int, same: int) -> Standing:
    """How they stand, by their lengths in octets, of which the first ``same`` are the same."""
    if same < min(ours, theirs):
        return Standing.DIVERGED
    if ours == theirs:
        return Standing.LEVEL
    return Standing.BEHIND if theirs < ours else Standing.AHEAD


@dataclass(slots=True)
class Choice:
    """What is to be done for one folder; every message that it should hold is in exactly one of these, or in place.

    Messages are told by the base of their file name; ``renamed`` has the flag letters that each is to have.
    """

    new: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    """Neither here nor there."""
    unsure: list[str] = field(default_factory=list)
    """There already, but not on record there: a run was stopped, or somebody put it there."""
    renamed: dict[str, str] = field(default_factory=dict)


def choose(
    expected: Iterable[str], ours: Mapping[str, str], theirs: Mapping[str, str], unrecorded: Container[str]
) -> Choice:
    """Decide for a folder: ``ours`` and ``theirs`` are the flag letters of the files in either place, by base."""
    choice = Choice()
    for base in expected:
        if base not in theirs:
            (choice.new if base in ours else choice.absent).append(base)
            continue
        if base in unrecorded:
            choice.unsure.append(base)
        if ours.get(base, theirs[base]) != theirs[base]:
            choice.renamed[base] = ours[base]
    return choice


def in_places(messages: int, copies: Iterable[int]) -> list[tuple[int, int]]:
    """How many of an archive's messages lie in how many places, most places first: pairs of places and messages.

    ``copies`` are how many each of its copies holds. What a copy holds is always the beginning of the archive.
    """
    held = sorted((min(count, messages) for count in copies), reverse=True)
    bounds = [messages, *held, 0]
    found = [(place, bounds[place - 1] - bounds[place]) for place in range(1, len(bounds))]
    return [(place, count) for place, count in reversed(found) if count]
