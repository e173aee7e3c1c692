"""The manual pages, made from the help of the commands when the wheel is built; see man(7) for their language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from mailmove import __version__
from mailmove.cli import command_line, topics


def pages() -> dict[str, str]:
    """Every page by the name of its file: ``mailmove.1``, and one for each command, ``mailmove-account-add.1``."""
    whole = command_line()
    root = typer.Context(whole, info_name="mailmove", **whole.context_settings)
    contexts = list(_contexts(root))
    names = [_name(context) for context in contexts]
    return {f"{_name(context)}.1": "\n".join(_page(context, names)) + "\n" for context in contexts}


def _contexts(context: Any) -> Iterator[Any]:
    """This command and all below it."""
    yield context
    if hasattr(context.command, "commands"):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            yield from _contexts(typer.Context(command, info_name=name, parent=context, **command.context_settings))


def _page(context: Any, names: list[str]) -> Iterator[str]:
    command, name = context.command, _name(context)
    yield f'.TH "{_escaped(name.upper())}" "1" "" "mailmove {__version__}" "mailmove"'
    yield from (".SH NAME", f"{_escaped(name)} \\- {_escaped(command.get_short_help_str(1000).rstrip('.'))}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (".SH SYNOPSIS", f".B {_escaped(context.command_path)}", _escaped(usage))
    yield ".SH DESCRIPTION"
    for paragraph in re.split(r"\n\s*\n", command.help or ""):
        yield from (".PP", _escaped(" ".join(paragraph.split())))
    records = [(one.param_type_name, one.get_help_record(context)) for one in command.get_params(context)]
    for title, kind in (("ARGUMENTS", "argument"), ("OPTIONS", "option")):
        yield from _list(title, [record for each, record in records if each == kind and record])
    if hasattr(command, "commands"):
        below = [(one, command.get_command(context, one)) for one in command.list_commands(context)]
        yield from _list("COMMANDS", [(one, each.get_short_help_str(1000)) for one, each in below])
    exits = topics.read("exit-codes") or ""
    yield from _list("EXIT STATUS", re.findall(r"^\| (\d+) \| (.*?) \|$", exits.replace("`", ""), re.MULTILINE))
    others = [one for one in names if one != name and (name == "mailmove" or one == "mailmove")]
    yield from (".SH SEE ALSO", ", ".join(f"{_escaped(one)}(1)" for one in others))


def _list(title: str, records: list[tuple[str, str]]) -> Iterator[str]:
    """A section of terms and what they mean, if there are any."""
    if records:
        yield f".SH {title}"
    for term, meaning in records:
        yield from (".TP", f".B {_escaped(term)}", _escaped(" ".join(meaning.split())))


def _name(context: Any) -> str:
    return str(context.command_path).replace(" ", "-")


def _escaped(text: str) -> str:
    """Text that means nothing but itself: a hyphen can be searched for and pasted, no line is a request."""
    return re.sub(r"^(?=[.'])", r"\\&", text.replace("\\", r"\e").replace("-", r"\-"))
