"""What is looked for, as options of a command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mailmove.archive.index.search import Query

From = Annotated[list[str] | None, typer.Option("--from", metavar="TEXT", help="Words in From.")]
To = Annotated[list[str] | None, typer.Option("--to", metavar="TEXT", help="Words in To or Cc.")]
Subject = Annotated[list[str] | None, typer.Option("--subject", metavar="TEXT", help="Words in Subject.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="DATE|AGE", help="Arrived on that day or later: 2024-12-31, 30d, 2y.")
]
Before = Annotated[str | None, typer.Option("--before", metavar="DATE|AGE", help="Arrived before that.")]
LargerThan = Annotated[str | None, typer.Option("--larger-than", metavar="SIZE", help="Larger than, such as 5MB.")]
OnlyHere = Annotated[
    bool, typer.Option("--only-here", help="Only what the server did not have any more at the last look.")
]


def query(
    text: Sequence[str] | None,
    from_: Sequence[str] | None,
    to: Sequence[str] | None,
    subject: Sequence[str] | None,
    since: str | None,
    before: str | None,
    larger_than: str | None,
    only_here: bool,
) -> Query:
    """What these options look for.

    :raises UsageError: when a date, age or size is none.
    """
    from mailmove.archive.index.search import Query, folded
    from mailmove.streams import typed
    from mailmove.units import parse_age, parse_size

    def words(given: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(folded(word) for each in given or () for word in typed(each).split())

    def moment(given: str | None) -> int | None:
        return int(parse_age(given).cutoff(datetime.now(UTC)).timestamp()) if given else None

    return Query(
        words=words(text),
        from_=words(from_),
        to=words(to),
        subject=words(subject),
        since=moment(since),
        before=moment(before),
        larger=parse_size(larger_than) if larger_than else None,
        only_here=only_here,
    )
