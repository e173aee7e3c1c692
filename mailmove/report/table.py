"""Tables: with heads in bold and cut to the width of a terminal, plain and uncut in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size  # no more of rich: its console takes longer to load than most commands

from mailmove.report import fitting

_GAP = 2
_PORTION = 200  # rows


class Column(NamedTuple):
    """A column: its head, whether it holds figures, and what becomes of it where the terminal is too narrow.

    First ``below`` moves its cells below their rows; then what is ``cut`` is cut, down to so many cells; where that is
    not enough, what is ``spare`` is left out before, 1 before 2.
    """

    head: str = ""
    figures: bool = False
    cut: int = 0
    below: bool = False
    spare: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, indent: int = 0) -> Iterator[str]:
    """The lines of a table, its heads, if it has any, first; a column with neither head nor text is left out.

    Cells are shown as they are, so they must be safe already.
    """
    kept = [number for number, column in enumerate(columns) if column.head or any(row[number] for row in rows)]
    if not kept:
        return
    layout = _Layout([columns[number] for number in kept], indent)
    yield from layout.lines([[row[number] for number in kept] for row in rows])


def streamed(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The same of rows that are too many to wait for, with all columns; later ones may need them wider."""
    layout, rows = _Layout(columns), iter(rows)
    while portion := list(islice(rows, _PORTION)):
        yield from layout.lines(portion)


def fits(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, indent: int = 0) -> bool:
    """Whether the terminal is wide enough for all of a table."""
    room = fitting.columns(sys.stdout)
    layout = _Layout(columns, indent)
    layout.measure(rows)
    return room is None or indent + layout.needed <= room


class _Layout:
    """The widths of columns, in cells, as far as their texts are known."""

    def __init__(self, columns: Sequence[Column], indent: int = 0) -> None:
        self._columns = columns
        self._indent = indent
        self._widths = [0] * len(columns)
        self._shown = list(range(len(columns)))
        self._below: list[int] = []
        self._begun = False

    @property
    def needed(self) -> int:
        """The cells that a line takes."""
        return sum(self._widths[number] for number in self._shown) + _GAP * (len(self._shown) - 1)

    def measure(self, rows: Sequence[Sequence[str]]) -> None:
        """Make room for more rows."""
        for number, column in enumerate(self._columns):
            texts = (column.head, *(row[number] for row in rows))
            self._widths[number] = max(self._widths[number], *map(cell_len, texts))

    def lines(self, rows: Sequence[Sequence[str]]) -> Iterator[str]:
        """More rows, each a line, and another for each of its cells that has no place in it."""
        self.measure(rows)
        room = fitting.columns(sys.stdout)
        if room is not None:
            self._fit(max(0, room - self._indent))
        heads = [column.head for column in self._columns]
        if not self._begun and any(heads[number] for number in self._shown):
            plain = room is None or os.environ.get("TERM") in ("dumb", "unknown")
            yield self._line(heads) if plain else f"\x1b[1m{self._line(heads)}\x1b[0m"
        self._begun = True
        for row in rows:
            yield self._line(row)
            yield from (f"{'':{self._indent + 2}}{row[number]}" for number in self._below if row[number])

    def _fit(self, room: int) -> None:
        if self.needed > room:
            self._below += [number for number in self._shown if self._columns[number].below]
            self._shown = [number for number in self._shown if number not in self._below]
        self._spare(room)
        self._cut(room)

    def _spare(self, room: int) -> None:
        """Leave out what can be spared, in its order, until there is room for the others when they are cut."""
        spare = [number for number in self._shown if self._columns[number].spare]
        for number in sorted(spare, key=lambda number: self._columns[number].spare):
            if self.needed - sum(map(self._excess, self._shown)) > room:
                self._shown.remove(number)

    def _cut(self, room: int) -> None:
        """What does not fit is taken from the widest that may be cut; the others are never broken."""
        while self.needed > room and (cut := list(filter(self._excess, self._shown))):
            self._widths[max(cut, key=self._widths.__getitem__)] -= 1

    def _excess(self, number: int) -> int:
        least = self._columns[number].cut
        return max(0, self._widths[number] - least) if least else 0

    def _line(self, row: Sequence[str]) -> str:
        cells = (_cell(self._columns[number], row[number], self._widths[number]) for number in self._shown)
        return (" " * self._indent + (" " * _GAP).join(cells)).rstrip()


def _cell(column: Column, text: str, width: int) -> str:
    spare = width - cell_len(text)
    if spare < 0:
        return set_cell_size(text, width - 1) + "…"
    return " " * spare + text if column.figures else text + " " * spare
