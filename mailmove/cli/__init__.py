"""The command line: each command parses, runs one job, renders its result; errors become exit codes here."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from mailmove import __version__
from mailmove.cli import options
from mailmove.cli.environment import COMPLETES
from mailmove.cli.groups import Group, Line
from mailmove.cli.terminal import say, tell
from mailmove.errors import Exit, MailmoveError, UsageError

# As they are needed: first look, then copy, then let go, then by itself, then get back. Each is in the module of its
# name.
COMMANDS = (
    "account",
    "audit",
    "export",
    "prune",
    "run",
    "schedule",
    "status",
    "history",
    "check",
    "copy",
    "accept",
    "seal",
    "erase",
    "reindex",
    "find",
    "show",
    "get",
    "serve",
    "browse",
    "restore",
    "demo",
    "help",
)

_TAGLINE = "Makes room in a full mailbox without losing mail: archive every message at home, then delete the old ones."
_DEEDS = {
    "export",
    "prune",
    "run",
    "copy",
    "accept",
    "seal",
    "erase",
    "schedule",
    "reindex",
    "restore",
    "account add",
    "account password",
    "account rebind",
    "account remove",
}


class _Commands(Group):
    """The commands, each from the module of its name once it is wanted: typer takes a while for each."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, or None."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = _command(cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command; for another word, one that is like it."""
        if args[0] not in COMMANDS:
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def command_line() -> Any:
    """The whole command line, as a group of commands."""
    whole = typer.Typer(
        name="mailmove",
        cls=_Commands,
        help=_TAGLINE,
        add_completion=False,
        rich_markup_mode=None,  # rich would double the time until help appears
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    whole.callback(invoke_without_command=True)(main)
    return typer.main.get_command(whole)


def _command(name: str) -> Any:
    module = import_module(f"mailmove.cli.{name}")
    if name == "account":
        alone = module.app
    else:
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(getattr(module, name))
    command = typer.main.get_command(alone)
    command.name = name
    return command


@options.takes(*options.OUTPUT)
def main(
    given: options.Given,
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    install_completion: Annotated[
        bool, typer.Option("--install-completion", help="Let this shell complete words: bash, zsh or fish.")
    ] = False,
    show_completion: Annotated[
        bool, typer.Option("--show-completion", help="Print the script that does so, to install it by hand.")
    ] = False,
) -> None:
    """Makes room in a full mailbox without losing mail: archive every message at home, then delete the old ones."""
    if version:
        print(f"mailmove {__version__}")
        raise typer.Exit(Exit.DONE)
    if install_completion or show_completion:
        from mailmove.cli import shells

        print((shells.install() if install_completion else shells.script()).rstrip())
        raise typer.Exit(Exit.DONE)
    if context.invoked_subcommand is None:
        raise typer.Exit(_next_step(given))


def _next_step(given: options.Given) -> int:
    """``mailmove`` alone: how things stand, without asking any server, and what to do next."""
    from mailmove.report import overview as report
    from mailmove.report import words

    if given.json:
        raise UsageError("--json prints the result of a command", "Name one, such as: mailmove account list --json")
    setup = given.setup()
    places = setup.select(None) if setup.config.accounts else setup.found()
    if not places:
        tell([f"There is no account yet in {words.path(setup.config.path)}.", options.NO_ACCOUNT])
        tell(["Just to see it at work on sample mail: mailmove demo"])
        return Exit.DONE
    from mailmove.cli.looking import look
    from mailmove.cli.running import conclude

    outcomes = look(setup, places)
    exit_code = conclude(outcomes)
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    if given.quiet:
        return exit_code
    if not setup.config.accounts:
        tell([f"There is no account yet in {words.path(setup.config.path)}, but there is mail in:"])
    tell(report.next_step(results) if setup.config.accounts else report.without_account(results))
    return exit_code


def run_program() -> None:
    """Run the command line and exit the process."""
    from mailmove.streams import Streams, settle

    settle()
    os.umask(0o077)
    streams, arguments, line = Streams(), sys.argv[1:], Line()
    code = _run(arguments, line)
    sys.exit(streams.finish(code, deed=line.command in _DEEDS, json="--json" in arguments))


def _run(arguments: list[str], line: Line) -> int:
    try:
        try:
            command = command_line()
            if COMPLETES in os.environ:
                from mailmove.cli import completing

                completing.answer(command, line)
                return int(Exit.DONE)
            with command.make_context("mailmove", list(arguments), obj=line) as context:
                command.invoke(context)
            return int(Exit.DONE)
        except typer.Exit as done:
            return done.exit_code
    except MailmoveError as error:
        _log(error)
        say(f"mailmove: {error}")
        return int(error.exit)
    except (KeyboardInterrupt, EOFError, typer.Abort):
        begin = "\n" if sys.stderr.isatty() else ""  # the terminal has shown ^C, and stays in its line
        print(f"{begin}mailmove: interrupted", file=sys.stderr)
        return int(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort of the program
        return _unexpected(error, arguments)


def _log(error: Exception) -> None:
    """What ended the run, for --log-file."""
    from mailmove.cli.said import said

    said.error("%s: %s", type(error).__name__, error)


def _unexpected(error: Exception, arguments: list[str]) -> int:
    show = getattr(error, "show", None)  # a mistake on the command line, as typer words it
    if show is not None and hasattr(error, "exit_code"):
        show()
        return int(Exit.USAGE)
    if "-vv" in arguments or "--verbose" in arguments:
        import traceback

        traceback.print_exception(error)
    _log(error)
    say(f"mailmove: this is a bug: {type(error).__name__}: {error}")
    say("  Nothing is lost. Please report it with the output of the same command and -vv.")
    return int(Exit.BUG)
