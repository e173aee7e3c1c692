"""What is looked for, as options of a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mailmove.safe import visible

if TYPE_CHECKING:
    from mailmove.archive.search.query import Query

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Messages by ID, as mailmove find lists them.")
]
Words = Annotated[
    list[str] | None, typer.Option("--find", metavar="TEXT", help="Messages with these words, as find finds them.")
]
From = Annotated[list[str] | None, typer.Option("--from", metavar="TEXT", help="Words in From.")]
To = Annotated[list[str] | None, typer.Option("--to", metavar="TEXT", help="Words in To or Cc.")]
Subject = Annotated[list[str] | None, typer.Option("--subject", metavar="TEXT", help="Words in Subject.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="DATE|AGE", help="Arrived on that day or later: 2024-12-31, 30d, 2y.")
]
Before = Annotated[str | None, typer.Option("--before", metavar="DATE|AGE", help="Arrived before that.")]
LargerThan = Annotated[str | None, typer.Option("--larger-than", metavar="SIZE", help="Larger than, such as 5MB.")]
In = Annotated[
    list[str] | None,
    typer.Option("--in", metavar="PLACE", help="TEXT only there: subject, from, to, text, attachments."),
]
Not = Annotated[list[str] | None, typer.Option("--not", metavar="TEXT", help="Only messages without these words.")]
OnlyHere = Annotated[
    bool, typer.Option("--only-here", help="Only what the server did not have any more at the last look.")
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """These options, as they were given."""

    text: Sequence[str] | None = None
    from_: Sequence[str] | None = None
    to: Sequence[str] | None = None
    subject: Sequence[str] | None = None
    without: Sequence[str] | None = None
    places: Sequence[str] | None = None
    folder: Sequence[str] | None = None
    since: str | None = None
    before: str | None = None
    larger_than: str | None = None
    only_here: bool = False

    def query(self) -> Query:
        """What they look for.

        :raises UsageError: when one cannot be read.
        """
        from mailmove.archive.search import language
        from mailmove.archive.search.query import EVERYWHERE, Term
        from mailmove.errors import UsageError
        from mailmove.streams import typed
        from mailmove.units import parse_size

        for place in self.places or ():
            if place.lower() not in language.PLACES:
                known = ", ".join(language.PLACES)
                raise UsageError(f"--in does not take {visible(place)}", f"It takes {known}.")
        places = [where for place in self.places or () for where in language.PLACES[place.lower()]]
        found = language.parse(
            map(typed, self.text or ()), _moment, places or EVERYWHERE, excluded=map(typed, self.without or ())
        )
        fields = (("from", self.from_), ("to", self.to), ("subject", self.subject))
        terms = tuple(
            Term(word, language.FIELDS[name])
            for name, given in fields
            for each in given or ()
            for word in typed(each).split()
        )
        return replace(
            found,
            terms=(*found.terms, *terms),
            folders=(*found.folders, *(self.folder or ())),
            since=_tighter(max, found.since, _moment(self.since) if self.since else None),
            before=_tighter(min, found.before, _moment(self.before) if self.before else None),
            larger=_tighter(max, found.larger, parse_size(self.larger_than) if self.larger_than else None),
            marks=(*found.marks, "only-here") if self.only_here else found.marks,
        )


def _moment(given: str) -> int:
    from mailmove.units import parse_age

    return int(parse_age(given).cutoff(datetime.now(UTC)).timestamp())


def _tighter(of: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return of(one, other)
