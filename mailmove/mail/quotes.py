"""Quotations in a text: long ones are what people have read already."""

from __future__ import annotations

import re
from itertools import groupby

_SHORT = 3  # lines of a quotation that is shown all the same: an answer may stand right below it
_QUOTED = re.compile(r"\s{0,3}>")
_ORIGINAL = re.compile(
    r"-{2,}\s?(Original Message|Ursprüngliche Nachricht|Messaggio originale|Message d'origine|Mensaje original|"
    r"Oorspronkelijk bericht|Mensagem original)\s?-{2,}",
    re.IGNORECASE,
)


def folded(text: str) -> tuple[str, int]:
    """The text with each long quotation folded into one line, and how many lines that hides."""
    lines = text.splitlines()
    end = next((at for at, line in enumerate(lines) if _ORIGINAL.match(line)), len(lines))
    if not any(line.strip() for line in lines[:end]):
        end = len(lines)  # nothing but what was sent before
    quotes = _quoted(lines[:end]) + [True] * (len(lines) - end)
    told: list[str] = []
    hidden = 0
    for quoted, group in groupby(zip(quotes, lines, strict=True), key=lambda each: each[0]):
        run = [line for _, line in group]
        if quoted and len(run) > _SHORT:
            told.append(f"[{len(run)} quoted lines]")
            hidden += len(run)
        else:
            told += run
    return "\n".join(told), hidden


def _quoted(lines: list[str]) -> list[bool]:
    """Which lines are quoted; empty ones are where they stand among such lines."""
    found = [_QUOTED.match(line) is not None for line in lines]
    since = None  # the first of the empty lines that follow a quoted one
    for at, line in enumerate(lines):
        if found[at] and since is not None:
            found[since:at] = [True] * (at - since)
        if line.strip():
            since = at + 1 if found[at] else None
    return found
