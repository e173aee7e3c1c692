"""The command line: each command parses, runs one job, renders its result; errors become exit codes here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer
from typer.core import TyperGroup

from mailmove import __version__
from mailmove.cli import options
from mailmove.errors import Exit, MailmoveError

# As they are needed: first look, then copy, then let go, then get back. Each is in the module of its name.
COMMANDS = (
    "account",
    "audit",
    "export",
    "prune",
    "history",
    "check",
    "reindex",
    "find",
    "show",
    "get",
    "restore",
    "demo",
)

_TAGLINE = "Makes room in a full mailbox without losing mail: archive every message at home, then delete the old ones."
_DEEDS = {
    "export",
    "prune",
    "reindex",
    "restore",
    "account add",
    "account password",
    "account rebind",
    "account remove",
}


class _InOrder(TyperGroup):
    """Lists commands in the order of a day's work; typer puts groups last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return sorted(self.commands, key=COMMANDS.index)


def app(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these commands; typer takes a while for each."""
    whole = typer.Typer(
        name="mailmove",
        cls=_InOrder,
        help=_TAGLINE,
        add_completion=False,
        rich_markup_mode=None,  # rich would double the time until help appears
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    whole.callback(invoke_without_command=True)(main)
    for name in names:
        module = import_module(f"mailmove.cli.{name}")
        if name == "account":
            whole.add_typer(module.app, name=name)
        else:
            whole.command(name)(getattr(module, name))
    return whole


def main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Makes room in a full mailbox without losing mail: archive every message at home, then delete the old ones."""
    if version:
        print(f"mailmove {__version__}")
        raise typer.Exit(Exit.DONE)
    if context.invoked_subcommand is None:
        raise typer.Exit(_next_step())


def _next_step() -> int:
    """``mailmove`` alone: how things stand, without asking any server, and what to do next."""
    from mailmove.report import overview as report
    from mailmove.report import words

    setup = options.setup()
    if not setup.config.accounts:
        print(f"There is no account yet in {words.path(setup.config.path)}.\n{options.NO_ACCOUNT}")
        print("Just to see it at work on sample mail: mailmove demo")
        return Exit.DONE
    from mailmove.cli.looking import look
    from mailmove.cli.running import conclude

    outcomes = look(setup, setup.select(None))
    exit_code = conclude(outcomes)
    for line in report.next_step(outcome.result for outcome in outcomes if outcome.result is not None):
        print(line)
    return exit_code


def run() -> None:
    """Run the command line and exit the process."""
    from mailmove.streams import Streams, settle

    settle()
    os.umask(0o077)
    streams, arguments = Streams(), sys.argv[1:]
    deed = not _DEEDS.isdisjoint((*arguments[:1], " ".join(arguments[:2])))
    sys.exit(streams.finish(_run(arguments), deed=deed, json="--json" in arguments))


def _run(arguments: list[str]) -> int:
    try:
        try:
            named = [name for name in arguments[:1] if name in COMMANDS]
            command = typer.main.get_command(app(named or COMMANDS))
            with command.make_context("mailmove", arguments) as context:
                command.invoke(context)
            return int(Exit.DONE)
        except typer.Exit as done:
            return done.exit_code
    except MailmoveError as error:
        print(f"mailmove: {error}", file=sys.stderr)
        return int(error.exit)
    except (KeyboardInterrupt, EOFError, typer.Abort):
        print("mailmove: interrupted", file=sys.stderr)
        return int(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort of the program
        return _unexpected(error, arguments)


def _unexpected(error: Exception, arguments: list[str]) -> int:
    show = getattr(error, "show", None)  # a mistake on the command line, as typer words it
    if show is not None and hasattr(error, "exit_code"):
        show()
        return int(Exit.USAGE)
    if "-vv" in arguments or "--verbose" in arguments:
        import traceback

        traceback.print_exception(error)
    print(f"mailmove: this is a bug: {type(error).__name__}: {error}", file=sys.stderr)
    print("  Nothing is lost. Please report it with the output of the same command and -vv.", file=sys.stderr)
    return int(Exit.BUG)
