"""Completion in the shell: what may come next on a command line, from the commands, configuration and archives.

No server is asked. A shell has no place for an error while it completes: what cannot be read offers no words.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from typer._click.shell_completion import CompletionItem, ShellComplete

from mailmove.accounts import config as configuration
from mailmove.archive import glance
from mailmove.cli.environment import COMPLETES, config_path, state_directory
from mailmove.errors import MailmoveError

_END = "\x01"  # stands where the cursor is; nobody types it


class Asked(ShellComplete):
    """A shell that asks; only the search for words is Click's, how shells are spoken to is here."""

    def source_vars(self) -> dict[str, Any]:
        """Nothing: the scripts are in :mod:`mailmove.cli.shells`."""
        return {}

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one at the cursor, and that one as far as it is typed."""
        (*words, typed), self.quoted = _words(os.environ.get("_MAILMOVE_LINE", ""))
        option, equals, value = typed.partition("=")
        self.before, self.typed = (option + equals, value) if equals and option.startswith("-") else ("", typed)
        return words[1:], typed

    def format_completion(self, item: CompletionItem) -> str:
        """A word as the shell wants it."""
        word, help_ = str(item.value), item.help or ""
        match os.environ[COMPLETES]:
            case "bash":
                return word if self.quoted else _for_bash(word, self.typed)
            case "zsh":
                word = (self.before + word).replace("\\", "\\\\").replace(":", "\\:")
                return f"{word}:{help_}" if help_ else word
            case _:
                return f"{self.before}{word}\t{help_}" if help_ else self.before + word

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """What may stand there; nothing that a terminal would act on."""
        return [item for item in super().get_completions(args, incomplete) if str(item.value).isprintable()]


def answer(command: Any, obj: Any) -> None:
    """Print the words that may stand at the cursor."""
    if found := Asked(command, {"obj": obj}, "mailmove", COMPLETES).complete():
        print(found)


def accounts(given: Mapping[str, Any]) -> list[str]:
    """The names of all accounts."""
    try:
        return [account.name for account in configuration.load(config_path(given.get("config"))).accounts]
    except MailmoveError:
        return []


def folders(given: Mapping[str, Any]) -> list[str]:
    """The folders of the archives that are meant."""
    return sorted({name for archive in _archives(given) for name in _readable(glance.folders, archive)})


def runs(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The runs of the archives that are meant."""
    return [run for archive in _archives(given) for run in _readable(glance.runs, archive, state_directory())]


def _readable(look: Any, *about: str) -> list[Any]:
    try:
        return list(look(*about))
    except MailmoveError:
        return []


def _archives(given: Mapping[str, Any]) -> Iterator[str]:
    """Where the archives are that the line names so far; none named: all."""
    named = [given.get("archive"), given.get("account"), *(given.get("accounts") or ()), *(given.get("archives") or ())]
    names = [name for each in named if each for name in ([each] if isinstance(each, str) else each)]
    yield from (os.path.expanduser(name) for name in names if os.sep in name and "://" not in name)
    if given.get("archive"):
        return
    try:
        known = configuration.load(config_path(given.get("config"))).accounts
    except MailmoveError:
        return
    for account in known:
        if not names or any(account.name.startswith(name) for name in names):
            yield os.path.expanduser(account.archive)


def _words(line: str) -> tuple[list[str], bool]:
    """The words of a line up to the cursor, the last one as far as it is typed; and whether that is inside quotes."""
    for closing in ("", '"', "'"):
        try:
            *words, last = shlex.split(line + _END + closing)
        except ValueError:
            continue
        return [*words, last.removesuffix(_END)], bool(closing)
    return ["mailmove", ""], False


def _for_bash(word: str, typed: str) -> str:
    """Bash takes ``@``, ``:`` and ``=`` for ends of words and replaces only what is after the last of them."""
    start = max(typed.rfind(mark) for mark in "@:=") + 1
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", word[start:])
