"""Commands to copy: every one is understood, and means the account, archive and configuration of the one before it."""

from __future__ import annotations

import shlex

import pytest

from mailmove.report.again import ALL, Again
from tests.unit.test_documentation import COMMANDS

EVERYTHING = Again("work", ("--config", "/c.toml", "--archive", "/a b"), ("--tls", "none", "--ca-file", "/ca.pem"))
SUGGESTED = {
    "export": ("--refetch",),
    "check": ("--server",),
    "audit": (),
    "copy": ("--mend",),
    "history": ("20261124-101500",),
    "find": (),
    "show": ("3fa2b1c9d0",),
    "get": ("--attachments", "3fa2b1c9d0"),
    "restore": ("--run", "20261124-101500"),
}


@pytest.mark.parametrize("verb", SUGGESTED)
def test_a_command_understands_what_another_one_suggests(verb: str) -> None:
    program, *words = shlex.split(EVERYTHING.command(verb, *SUGGESTED[verb]))
    command = COMMANDS[f"{program} {verb}"]
    context = command.make_context(verb, words[1:])
    assert (context.params["config"], context.params["archive"]) == ("/c.toml", "/a b")
    named = next(context.params[name] for name in ("account", "accounts", "archives", "what") if name in context.params)
    assert "work" in named


def test_a_command_says_no_more_than_is_needed() -> None:
    assert ALL.command("show", "3fa2") == "mailmove show 3fa2"
    assert Again("work").command("show", "3fa2") == "mailmove show 3fa2 --account work"
    assert Again("work").command("account test") == "mailmove account test work"


def test_an_archive_without_an_account_is_named_by_its_directory() -> None:
    copy = Again("/mnt/copy")
    assert copy.command("check") == "mailmove check /mnt/copy"
    assert copy.command("show", "3fa2") == "mailmove show 3fa2 --account /mnt/copy"
    assert copy.command("export") == "mailmove export ACCOUNT --archive /mnt/copy", "only the user knows whose it is"
