"""Accounts from a list, ``[accounts]``: a CSV file, or what a program prints, read anew by each run.

A line that cannot be used costs its account alone.
"""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mailmove.errors import UsageError
from mailmove.safe import visible

_SAVED = "Save it again: text in UTF-8, with commas between the columns."
COLUMNS = ("address", "template", "host", "user", "auth_user", "archive", "secret_file")
"""No command is among them: whoever may write the list may not run programs for that."""
TIMEOUT = 60  # seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """An account of the list: its name, its own values, and the line it stands in."""

    name: str
    values: dict[str, Any]
    line: int


def printed(command: Sequence[str]) -> bytes:
    """What a program prints.

    :raises UsageError: when it fails: that is no empty list.
    """
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else "it did not end"
        raise UsageError(
            f"the command of [accounts] cannot be run: {told}", f"Try it by hand: {visible(command[0])}"
        ) from None
    if done.returncode:
        raise UsageError(
            f"the command of [accounts] failed (exit {done.returncode})", f"Try it by hand: {visible(command[0])}"
        )
    return done.stdout


def entries(text: bytes, where: str) -> Iterator[Entry | str]:
    """The accounts of a list, UTF-8 with or without a mark, and in words what cannot be used.

    :raises UsageError: when its columns cannot be understood: then none of it can be.
    """
    try:
        rows = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), strict=True)
        columns = [column.strip() for column in next(rows, [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{visible(where)}: not a CSV file in UTF-8: {visible(str(error))}", _SAVED) from None
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown or "address" not in columns or len(set(columns)) < len(columns):
        what = f"unknown column {visible(unknown[0])!r}" if unknown else "each column once, address among them"
        raise UsageError(
            f"{visible(where)}: its first line names the columns: {what}", f"Allowed: {', '.join(COLUMNS)}."
        )
    seen: dict[str, int] = {}
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield f"line {rows.line_num}: {visible(str(error))}"
            continue
        if row is None:
            return
        if not any(row):
            continue
        values = {column: value.strip() for column, value in zip(columns, row, strict=False) if value.strip()}
        name = values.pop("address", "")
        if len(row) != len(columns) or not name or name.startswith("-"):
            what = "no address" if len(row) == len(columns) else f"{len(row)} columns in place of {len(columns)}"
            yield f"line {rows.line_num}: {what}"
        elif name in seen:
            yield f"line {rows.line_num}: {visible(name)} stands in line {seen[name]} already"
        else:
            seen[name] = rows.line_num
            yield Entry(name, values, rows.line_num)
