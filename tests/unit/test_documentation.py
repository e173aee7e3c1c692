"""README, topics and help are whole: every command, every option, one line each; links lead somewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mailmove.cli import command_line, topics
from mailmove.demo.show import STEPS
from tests.kit import topic
from tests.picture import PICTURE, SHOWN

TOP = Path(__file__).parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")
PAGES = {"README.md": README} | {f"mailmove/docs/{name}.md": topic(name) for name in topics.titles()}
ROOT: Any = command_line()


def commands(group: Any = ROOT, before: str = "mailmove") -> Iterator[tuple[str, Any]]:
    """Every command with its name as a user types it, in the order of the help."""
    with typer.Context(group) as context:
        found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    for name, command in found.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


COMMANDS = dict(commands())


def first_line(command: Any) -> str:
    """The first sentence of a command's help, as lists of commands show it."""
    return str(command.get_short_help_str(1000)).rstrip(".")


def test_the_readme_lists_the_commands_as_the_help_does() -> None:
    listed = re.findall(r"^\| `(mailmove [a-z ]+)` \| (.*) \|$", README, re.MULTILINE)
    assert listed == [(name, first_line(command)) for name, command in COMMANDS.items()]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_line_of_a_terminal(name: str) -> None:
    assert len(first_line(COMMANDS[name])) <= 80 - len("  password  ") - 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for parameter in COMMANDS[name].params:
        assert parameter.help, f"{name} {parameter.name}"
        assert not parameter.hidden


DIFFERENT = {"--copies", "--html"}
"""A switch in one command, and in another with a value: ``check`` looks at all copies, ``prune`` needs those named;
``show`` names its page after the message, ``audit`` has no name for its own."""


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_means_the_same_everywhere(name: str) -> None:
    """Where two commands take an option of the same name, one is not a switch and the other a value."""
    for parameter in COMMANDS[name].params:
        for other, command in COMMANDS.items():
            for twin in command.params:
                if set(parameter.opts) & set(twin.opts) - DIFFERENT and parameter.opts[0].startswith("--"):
                    assert parameter.is_flag == twin.is_flag, f"{name} and {other}: {parameter.opts}"


def test_a_short_option_stands_for_the_same_everywhere() -> None:
    long: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for parameter in command.params:
            for short in parameter.opts:
                if short.startswith("-") and not short.startswith("--"):
                    long.setdefault(short, set()).update(opt for opt in parameter.opts if opt.startswith("--"))
    assert {short: names for short, names in long.items() if len(names) != 1} == {}
    assert long["-n"] == {"--dry-run"}


def test_what_readme_and_topics_show_exists() -> None:
    """Each ``mailmove …`` in a line of code is a command, and its options are options of it."""
    text = "\n".join(PAGES.values())
    code = re.findall(r"^ {4}(?:\$ )?(mailmove .*)$", text, re.MULTILINE)
    code += re.findall(r"`(mailmove [^`]*)`", text)
    assert len(code) > 100
    for line in code:
        for text in re.split(r"[;|]", re.sub(r"\s+#.*", "", line)):
            words = text.split()
            if not words or words[0] != "mailmove" or len(words) < 2 or words[1].isupper():
                continue
            name = next((" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in COMMANDS), None)
            if name is None:
                assert words[1] in ROOT.commands or words[1].startswith("-"), line
                continue
            known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"-h", "--help"}
            used = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
            assert used <= known, line


def test_the_readme_leads_to_every_topic_and_stays_a_first_page() -> None:
    links = re.findall(r"^\| \[([a-z-]+)\]\(mailmove/docs/([a-z-]+)\.md\) \|", README, re.MULTILINE)
    assert sorted(links) == [(name, name) for name in topics.titles()]
    assert len(README.splitlines()) <= 260


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)]*)\)", PAGES[page]):
        assert link.startswith("https://") or (TOP / page).parent.joinpath(link).is_file(), link
    for name in re.findall(r"mailmove help ([a-z-]+)", PAGES[page]):
        assert name in topics.titles(), name


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_an_editor(page: str) -> None:
    """No line of prose is longer than a line of code may be; tables and links cannot be broken."""
    for line in PAGES[page].splitlines():
        assert len(line) <= 120 or line.startswith(("|", "    ")) or "](https://" in line, line


def test_the_picture_shows_commands_of_the_demo() -> None:
    text = html.unescape(PICTURE.read_text(encoding="utf-8")).replace("\xa0", " ")
    typed = re.findall(r">\$ (mailmove [^<]*)<", text)
    known = [re.escape(step).replace(r"\{id\}", "[0-9a-f]+") for _, step in STEPS]
    assert len(typed) == len(SHOWN)
    for line in typed:
        assert any(re.fullmatch(step, line) for step in known), line
