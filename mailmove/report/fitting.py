"""Lines as wide as the terminal: broken between words, never inside one, nor inside a path or a command to copy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TextIO

_TIE = "\ue000"  # a space that is no place for a break; text from outside has no such character (safe.visible)
_WHOLE = re.compile(
    r"(?:^|(?<=: )|(?<=  ))mailmove (?:'[^']*'|[^'])*?(?= {5}|[,.;] |[,.;]?$)"  # a command to copy
    r"|(?:^|(?<=  ))~?/.*?(?= {5}|: |$)"  # a path in a column or line of its own
    r"|\S+://\S+|(?<!\S)~?/\S+"
)
_LABEL = re.compile(r" *(?:- )?(?:\S+ {2,})*")
_WIDEST_LABEL = 24
_LEAST = 16  # cells that are left for text, however narrow the terminal


def columns(stream: TextIO) -> int | None:
    """How many cells a line has in the terminal that a stream leads to; None where it leads elsewhere."""
    if not stream.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def fit(text: str, width: int | None) -> str:
    """The same lines, those that are too wide broken; what stands in a column goes on in it.

    What five spaces set off has a line to itself, and so has a path or command that is wider than the terminal: it is
    not broken. A name that is wider, as of a folder, is broken at the edge, where the terminal would break it.
    """
    if width is None:
        return text
    return "\n".join(piece for line in text.split("\n") for piece in _fitted(line, width))


def _fitted(line: str, width: int) -> Iterator[str]:
    if (len(line) <= width and line.isascii()) or "\x1b" in line:  # the head of a table, which fits and is bold
        yield line
        return
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    if cell_len(line) <= width:
        yield line
        return
    indent, before, after = _margins(line)
    room = max(width - cell_len(after), _LEAST)
    for part, whole in _parts(line[len(before) :], room):
        if whole:
            if before.strip():
                yield before.rstrip()
            yield indent + part
            before = after
            continue
        for piece in Text(re.sub(" {5,}", "\n", part)).wrap(Console(), room, overflow="fold"):
            if said := piece.plain.strip(" "):
                yield before + said.replace(_TIE, " ")
                before = after


def _margins(line: str) -> tuple[str, str, str]:
    """What stands before what has a line to itself, before the first piece of a line, and before the others."""
    from rich.cells import cell_len

    start = " " * (len(line) - len(line.lstrip(" ")))
    found = _LABEL.match(line)
    label = found[0] if found and cell_len(found[0]) <= _WIDEST_LABEL else start
    return f"{start}  ", label, " " * cell_len(label) if label.strip() else f"{start}  "


def _parts(text: str, room: int) -> Iterator[tuple[str, bool]]:
    """What is to be broken, and what is wider than the room and must not be."""
    from rich.cells import cell_len

    so_far, end = "", 0
    for found in _WHOLE.finditer(text):
        so_far += text[end : found.start()]
        end = found.end()
        if cell_len(found[0]) <= room:
            so_far += found[0].replace(" ", _TIE)
        else:
            yield so_far, False
            yield found[0], True
            so_far = ""
            end += len(text[end:]) - len(text[end:].lstrip(",.;: "))
    yield so_far + text[end:], False
