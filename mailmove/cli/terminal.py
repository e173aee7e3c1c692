"""Talking with whoever sits at the terminal: questions and remarks on standard error, answers from standard input."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import TextIO

from mailmove import streams
from mailmove.report.fitting import columns, fit


class Fitting(logging.Formatter):
    """Lines of a log that are no wider than the terminal of standard error."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, as :meth:`logging.Formatter.format` has it."""
        return fit(super().format(record), columns(sys.stderr))


def attended() -> bool:
    """Whether somebody can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def say(text: str) -> None:
    """Tell something on the way to the result."""
    tell([text], sys.stderr)


def tell(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Print lines, at a terminal none wider than that; without a ``stream`` on standard output."""
    stream = stream or sys.stdout
    for line in lines:
        print(fit(line, columns(stream)), file=stream)
    stream.flush()


def ask(question: str, default: str = "") -> str:
    """Ask for a line.

    :raises EOFError: at the end of input.
    """
    return _answer(f"{question} [{default}]: " if default else f"{question}: ").strip() or default


def confirm(question: str) -> bool:
    """Ask for a yes; everything else is a no.

    :raises EOFError: at the end of input.
    """
    return _answer(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _answer(prompt: str) -> str:
    answer = streams.ask(fit(prompt.rstrip(), columns(sys.stderr)) + " ")
    if answer is None:
        raise EOFError
    return answer
