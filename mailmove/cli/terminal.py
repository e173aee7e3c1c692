"""Talking with whoever sits at the terminal: questions and remarks on standard error, answers from standard input."""

from __future__ import annotations

import shutil
import sys
import textwrap


def attended() -> bool:
    """Whether somebody can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def say(text: str) -> None:
    """Tell something on the way to the result."""
    width = min(100, shutil.get_terminal_size().columns)
    print(textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False), file=sys.stderr, flush=True)


def ask(question: str, default: str = "") -> str:
    """Ask for a line."""
    print(f"{question} [{default}]: " if default else f"{question}: ", end="", file=sys.stderr, flush=True)
    return input().strip() or default


def confirm(question: str) -> bool:
    """Ask for a yes; everything else is a no."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return input().strip().lower() in {"y", "yes"}
