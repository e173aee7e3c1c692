"""Topics of ``mailmove help``: Markdown as a reader sees it, laid out for the width of a terminal; plain in a pipe."""

from __future__ import annotations

import io
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, TableElement, TextElement
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

if TYPE_CHECKING:
    from markdown_it.token import Token

_WIDEST = 100  # cells; longer lines are hard to read
_STYLES = {"markdown.code": "bold", "markdown.link_url": "none", "markdown.link": "none"}


def lines(markdown: str) -> Iterator[str]:
    """A topic, line by line."""
    out, terminal = io.StringIO(), sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, _WIDEST) if terminal else 80
    console = Console(file=out, force_terminal=terminal, width=width, theme=Theme(_STYLES), highlight=False)
    console.print(_Topic(markdown, hyperlinks=False), crop=False)
    for line in out.getvalue().strip("\n").splitlines():
        yield line.rstrip()


class _Heading(TextElement):
    """At the left, where terminals have it, and underlined where nothing is bold."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.stylize("bold")
        yield self.text


class _Code(TextElement):
    """Indented, and not broken where that can be, which is outside of lists: it is there to be copied."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = options.max_width == console.width
        code = textwrap.indent(str(self.text).rstrip(), "    ")
        yield Text(code, no_wrap=whole, overflow="ignore" if whole else "fold")


class _Table(TableElement):
    """Without space around it, nor a head that says nothing."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                table.show_edge = False
                table.show_header = any(str(column.header) for column in table.columns)
            yield table


class _Topic(Markdown):
    elements: ClassVar = Markdown.elements | {
        "heading_open": _Heading,
        "table_open": _Table,
        "fence": _Code,
        "code_block": _Code,
    }

    def __init__(self, markdown: str, **options: Any) -> None:
        super().__init__(markdown, **options)
        for token in self.parsed:
            token.children = _with_links_to_read(token.children or [])


def _with_links_to_read(tokens: list[Token]) -> list[Token]:
    """A link to another topic names the command that shows it; one that says its address, or leads to a file of the
    sources, is its text.
    """
    kept, link = [], True
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrs["href"])
            link = not target.startswith("../") and token.info != "auto"
            token.attrs["href"] = target if ":" in target else f"mailmove help {target.partition('.md')[0]}"
        if link or token.type not in {"link_open", "link_close"}:
            kept.append(token)
    return kept
