"""Tables: with heads in bold and cut to the width of a terminal, plain and uncut in a pipe."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_LEAST = 16  # cells that a column keeps when it is cut


class Column(NamedTuple):
    """A column: its head, whether it holds figures, and whether it may be cut where the terminal is too narrow."""

    head: str = ""
    figures: bool = False
    cut: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, indent: int = 0) -> Iterator[str]:
    """The lines of a table, its heads, if it has any, first; a column with neither head nor text is left out.

    Cells are shown as they are, so they must be safe already.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    kept = [number for number, column in enumerate(columns) if column.head or any(row[number] for row in rows)]
    if not kept:
        return
    columns, rows = [columns[number] for number in kept], [[row[number] for number in kept] for row in rows]
    out = io.StringIO()
    terminal = sys.stdout.isatty()
    console = Console(file=out, force_terminal=terminal)
    widths = [
        max(cell_len(column.head), *(cell_len(row[number]) for row in rows), 0) for number, column in enumerate(columns)
    ]
    cut = [number for number, column in enumerate(columns) if column.cut and widths[number] > _LEAST]
    while terminal and cut and indent + sum(widths) + 2 * (len(widths) - 1) > console.width:
        widest = max(cut, key=widths.__getitem__)  # what does not fit is taken from it; the others are never broken
        widths[widest] -= 1
        if widths[widest] == _LEAST:
            cut.remove(widest)
    heads = any(column.head for column in columns)
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=heads, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        made.add_column(
            Text(column.head),
            width=width,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if column.figures else "left",
        )
    for row in rows:
        made.add_row(*map(Text, row))
    console.width = indent + sum(widths) + 2 * len(widths)
    console.print(Padding(made, (0, 0, 0, indent), expand=False))
    for line in out.getvalue().splitlines():
        yield line.rstrip()
