"""Options that stand before the command mean what they mean behind it, and none of them gets lost."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from mailmove.cli import COMMANDS, command_line
from mailmove.cli.groups import Line
from mailmove.cli.prune import _by_hand

COMMON = ("-q", "-v", "--json", "--config FILE", "-qvc FILE", "--verbose --verbose", "--config=FILE --quiet")


def understood(words: str) -> tuple[Line, dict[str, Any]]:
    """Which command a line is, what it is told, and the parameters that come of it; nothing is run."""
    line, command, rest = Line(), command_line(), words.split()
    context = command.make_context("mailmove", list(rest), obj=line)
    while hasattr(context.command, "commands"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    return line, context.params


@pytest.mark.parametrize("given", COMMON)
@pytest.mark.parametrize("command", ["export", "account list", "account test"])
def test_before_the_command_is_behind_it(given: str, command: str) -> None:
    behind = understood(f"{command} {given}")
    assert understood(f"{given} {command}") == behind
    assert behind[1] != understood(command)[1]
    if " " in command:
        group, name = command.split()
        assert understood(f"{group} {given} {name}") == behind


def test_what_stands_in_several_places_adds_up() -> None:
    line, parameters = understood("-v -c ONE account -v -c TWO list -v -c THREE me@x.example")
    assert line == Line("account list", ("-v", "-c", "ONE", "-v", "-c", "TWO", "-v", "-c", "THREE", "me@x.example"))
    assert parameters["verbose"] == 3
    assert parameters["config"] == "THREE"  # the last one, as when all stand in one place
    assert parameters["accounts"] == ("me@x.example",)


def test_the_end_of_options_is_the_groups_own() -> None:
    line, parameters = understood("-q -- account -- list -v")
    assert line.words == ("-q", "-v")
    assert parameters["quiet"] and parameters["verbose"] == 1


@pytest.mark.parametrize("words", ["--json get 1a", "-q account show me", "account -v remove me", "-q demo"])
def test_an_option_that_the_command_does_not_know_is_refused(words: str) -> None:
    with pytest.raises(Exception, match="No such option"):
        understood(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_name_of_a_command_is_no_option_value(name: str) -> None:
    line, parameters = understood(f"--config {name} find {name}")
    assert (line.command, parameters["config"], parameters["text"]) == ("find", name, (name,))


def test_what_prune_says_to_do_by_hand_has_what_stood_before_it() -> None:
    line, _ = understood("-q -c FILE prune --yes --older-than 30d")
    assert _by_hand(line.words, "") == "mailmove prune -c FILE --older-than 30d"


@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_help_loads_the_command_line_and_nothing_that_it_leads_to(asked: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mailmove", asked], capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    ours = {name.split(".")[1] for name in loaded if name.startswith("mailmove.")}
    assert "cli" in ours
    assert ours <= {"cli", "errors", "report", "safe", "streams"}
    assert not loaded & {"imapclient", "keyring", "rich", "ssl", "sqlite3", "tempfile", "tomllib", "webbrowser"}
