"""Groups of commands: what all of them understand may stand before the command, as with git, docker and pip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from typer.core import TyperGroup


@dataclass
class Line:
    """The command line as it is understood, filled in from left to right; every context has it as its ``obj``."""

    command: str = ""
    """Which command it is, such as ``account add``."""
    words: tuple[str, ...] = ()
    """What the command is told: the words that follow it, and before them the options that came before it."""


class Group(TyperGroup):
    """Hands the options that stand before a command on to it, so that they mean there what they mean behind it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the group's own options and keep how they were written."""
        ctx.ensure_object(Line).words = tuple(args)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command, and what it is told."""
        line = ctx.ensure_object(Line)
        before = line.words[: len(line.words) - len(args)]
        if before[-1:] == ("--",):  # it ended the group's options, not the command's
            before = before[:-1]
        name, command, rest = super().resolve_command(ctx, args)
        line.command, line.words = f"{line.command} {name}".lstrip(), (*before, *rest)
        return name, command, list(line.words)
