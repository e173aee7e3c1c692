"""Talking with whoever sits at the terminal: questions and remarks on standard error, answers from standard input."""

from __future__ import annotations

import shutil
import sys
import textwrap

from mailmove import streams


def attended() -> bool:
    """Whether somebody can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def say(text: str) -> None:
    """Tell something on the way to the result."""
    width = min(100, shutil.get_terminal_size().columns)
    print(textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False), file=sys.stderr, flush=True)


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
    answer = streams.ask(prompt)
    if answer is None:
        raise EOFError
    return answer
