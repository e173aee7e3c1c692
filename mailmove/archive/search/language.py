"""What people type into a search box, read as a :class:`~mailmove.archive.search.query.Query`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mailmove.archive.search.query import EVERYWHERE, Mark, Place, Query, Term
from mailmove.errors import UsageError
from mailmove.safe import visible
from mailmove.units import parse_size

FIELDS: dict[str, tuple[Place, ...]] = {
    "from": ("from",),
    "to": ("to",),
    "subject": ("subject",),
    "filename": ("filename",),
}
PLACES: dict[str, tuple[Place, ...]] = {
    "from": ("from",),
    "to": ("to",),
    "subject": ("subject",),
    "text": ("text",),
    "attachments": ("filename", "attachments"),
}
"""What ``--in`` takes."""

OPERATORS = (*FIELDS, "has", "before", "after", "larger", "in", "is", "not")
_MARKS: dict[str, dict[str, Mark]] = {
    "has": {"attachment": "attachment"},
    "is": {"flagged": "flagged", "unread": "unread", "only-here": "only-here"},
}
_HOW = "mailmove help find shows how searches are written."
_OPERATOR = re.compile(rf"({'|'.join(OPERATORS)}):", re.IGNORECASE)
_HOLDS_OPERATOR = re.compile(rf'(?:^|\s)(?:(?:{"|".join(OPERATORS)}):|")', re.IGNORECASE)
_BLANK = re.compile(r"\s+")

Moment = Callable[[str], int]
"""Reads a date or age as Unix seconds; raises UsageError."""


class _Word(NamedTuple):
    """A piece of what was typed: its operators, its value, where the value begins."""

    operators: tuple[str, ...]
    value: str
    at: int


def parse(
    arguments: Iterable[str], moment: Moment, places: Sequence[Place] = EVERYWHERE, excluded: Iterable[str] = ()
) -> Query:
    """Read arguments of a command line; those ``excluded`` must be nowhere. ``places`` are for words without operator.

    An argument with spaces is a phrase, unless it holds an operator or begins a word with a quotation mark.

    :raises UsageError: when one cannot be read; it names the place.
    """
    builder = _Builder(moment, tuple(places))
    for argument in arguments:
        for word in _split(argument):
            builder.take(argument, word)
    for argument in excluded:
        builder.term(argument, EVERYWHERE, excluded=True)
    return builder.query


def _split(argument: str) -> list[_Word]:
    if len(argument) > 1 and argument[0] == "-" and not argument[1].isspace():
        return [_Word(("not", *word.operators), word.value, word.at + 1) for word in _split(argument[1:])]
    if not _HOLDS_OPERATOR.search(argument):
        return [_Word((), argument, 0)]
    found: list[_Word] = []
    at = 0
    while at < len(argument):
        if argument[at].isspace():
            at += 1
            continue
        word, at = _word(argument, at)
        found.append(word)
    return found


def _word(argument: str, at: int) -> tuple[_Word, int]:
    """The word that begins there, and where it ends."""
    operators: list[str] = []
    while operator := _OPERATOR.match(argument, at):
        if operators and operators[-1] != "not":
            break  # what follows is its value
        operators.append(operator[1].lower())
        at = operator.end()
    if argument[at : at + 1] == '"':
        end = argument.find('"', at + 1)
        if end < 0:
            raise _unreadable(argument, at, "the quotation mark has no other one")
        return _Word(tuple(operators), argument[at + 1 : end], at + 1), end + 1
    end = at
    while end < len(argument) and not argument[end].isspace():
        end += 1
    return _Word(tuple(operators), argument[at:end], at), end


@dataclass(slots=True)
class _Builder:
    moment: Moment
    places: tuple[Place, ...]
    query: Query = field(default_factory=Query)

    def take(self, argument: str, word: _Word) -> None:
        operators = [operator for operator in word.operators if operator != "not"]
        excluded = word.operators.count("not") % 2 == 1
        if not word.value.strip() and word.operators:
            raise _unreadable(argument, word.at, f"{word.operators[-1]}: has nothing to look for")
        try:
            self._take(operators[0] if operators else "", word.value, excluded=excluded)
        except UsageError as error:
            raise _unreadable(argument, word.at, error.what, error.next_step) from None

    def _take(self, operator: str, value: str, *, excluded: bool) -> None:
        query = self.query
        if not operator:
            self.term(value, self.places, excluded=excluded)
        elif operator in FIELDS:
            self.term(value, FIELDS[operator], excluded=excluded)
        elif operator == "in":
            changed = {"outside": (*query.outside, value)} if excluded else {"folders": (*query.folders, value)}
            self.query = replace(query, **changed)  # type: ignore[arg-type]
        elif operator in _MARKS:
            self._mark(operator, value, excluded=excluded)
        elif excluded:
            raise UsageError(f"not: does not go with {operator}:", _HOW)
        elif operator == "larger":
            size = parse_size(value)
            self.query = replace(query, larger=max(size, query.larger or 0))
        elif operator == "before":
            bound = self.moment(value)
            self.query = replace(query, before=bound if query.before is None else min(bound, query.before))
        else:
            self.query = replace(query, since=max(self.moment(value), query.since or 0))

    def _mark(self, operator: str, value: str, *, excluded: bool) -> None:
        known = _MARKS[operator]
        mark = known.get(value.lower())
        if mark is None:
            raise UsageError(f"{operator}: takes {', '.join(known)}, not {visible(value)}", _HOW)
        query = self.query
        self.query = (
            replace(query, unmarked=(*query.unmarked, mark)) if excluded else replace(query, marks=(*query.marks, mark))
        )

    def term(self, text: str, places: tuple[Place, ...], *, excluded: bool) -> None:
        words = _BLANK.sub(" ", text).strip()
        if words:
            self.query = replace(self.query, terms=(*self.query.terms, Term(words, places, excluded)))


def _unreadable(argument: str, at: int, what: str, next_step: str = "") -> UsageError:
    return UsageError(
        f"{visible(argument)!r} cannot be read at character {at + 1}: {what}",
        next_step or _HOW,
    )
