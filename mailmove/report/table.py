"""Tables: with heads in bold and cut to the width of a terminal, plain and uncut in a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size  # no more of rich: its console takes longer to load than most commands

_LEAST = 16  # cells that a column keeps when it is cut
_GAP = 2
_PORTION = 200  # rows


class Column(NamedTuple):
    """A column: its head, whether it holds figures, and whether it may be cut where the terminal is too narrow."""

    head: str = ""
    figures: bool = False
    cut: bool = False


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


class _Layout:
    """The widths of columns, in cells, as far as their texts are known."""

    def __init__(self, columns: Sequence[Column], indent: int = 0) -> None:
        self._columns = columns
        self._indent = indent
        self._widths = [0] * len(columns)
        self._begun = False

    def lines(self, rows: Sequence[Sequence[str]]) -> Iterator[str]:
        """More rows, each a line."""
        heads = [] if self._begun else [column.head for column in self._columns]
        self._begun = True
        for number, column in enumerate(self._columns):
            texts = (column.head, *(row[number] for row in rows))
            self._widths[number] = max(self._widths[number], *map(cell_len, texts))
        terminal = sys.stdout.isatty()
        if terminal:
            self._cut(shutil.get_terminal_size().columns)
        if any(heads):
            line = self._line(heads)
            yield f"\x1b[1m{line}\x1b[0m" if terminal and os.environ.get("TERM") not in ("dumb", "unknown") else line
        yield from map(self._line, rows)

    def _cut(self, room: int) -> None:
        """What does not fit is taken from the widest that may be cut; the others are never broken."""
        widths = self._widths
        cut = [number for number, column in enumerate(self._columns) if column.cut and widths[number] > _LEAST]
        while cut and self._indent + sum(widths) + _GAP * (len(widths) - 1) > room:
            widest = max(cut, key=widths.__getitem__)
            widths[widest] -= 1
            if widths[widest] == _LEAST:
                cut.remove(widest)

    def _line(self, row: Sequence[str]) -> str:
        cells = map(_cell, self._columns, row, self._widths)
        return (" " * self._indent + (" " * _GAP).join(cells)).rstrip()


def _cell(column: Column, text: str, width: int) -> str:
    spare = width - cell_len(text)
    if spare < 0:
        return set_cell_size(text, width - 1) + "…"
    return " " * spare + text if column.figures else text + " " * spare
