"""What a command says to do next can be pasted as it stands: it means the same account, archive and configuration."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import NOW, Done, Program, message
from tests.servers.scripted import Scripted


@pytest.fixture
def server(scripted: Callable[..., Scripted]) -> Scripted:
    server: Scripted = scripted()
    server.store.add("INBOX", *map(message, range(3)), arrival=NOW - timedelta(days=400))
    return server


@pytest.fixture(params=["configured", "one-off"])
def named(request: pytest.FixtureRequest, server: Scripted, mailmove: Program, tmp_path: Path) -> list[object]:
    """How an account is named: by name in a file elsewhere, which has another account, or by URL and directory."""
    if request.param == "one-off":
        return [f"imap://user@localhost:{server.port}", "--archive", tmp_path / "a b", "--tls", "none"]
    mailmove.account(server, name="work", password_command=["echo", "pw"])
    mailmove.account(server, name="other", user="other")
    path = mailmove.home / ".config" / "mailmove" / "config.toml"
    elsewhere: Path = path.rename(tmp_path / "my own.toml")
    return ["work", "--config", elsewhere]


def pasted(mailmove: Program, said: str, before: str = "Next:") -> Done:
    """Run what was said to be next; words after it explain it."""
    (line,) = re.findall(rf"^ *{before} (mailmove .*?)(?:     .*)?$", said, re.MULTILINE)
    done = mailmove(*shlex.split(line)[1:])
    assert done.code == 0, (line, done.out, done.err)
    return done


def test_what_a_local_command_says_to_do_next(named: list[object], mailmove: Program) -> None:
    done = mailmove("export", *named)
    assert done.code == 0
    assert "nothing found" in pasted(mailmove, done.out).out
    assert "Next:" not in mailmove("export", *named).out
    local = [word for word in named if word not in ("--tls", "none")]
    account, *files = local
    compared = pasted(mailmove, mailmove("check", *named).out)
    assert "Every message here is on the server" in compared.out
    assert "re-hashes" not in pasted(mailmove, mailmove("check", "--quick", *named).out).out
    assert "Subject:" in pasted(mailmove, mailmove("find", "--account", account, *files).out).out
    pasted(mailmove, mailmove("reindex", *local).out)
    assert mailmove("prune", "--older-than", "30d", "--yes", *named).code == 0
    last = mailmove("history", *local, "--json").json["accounts"][0]["runs"][-1]["id"]
    back = shlex.join(["mailmove", "restore", "--run", last, "--account", *map(str, local)])
    assert f"Next: {back} " in mailmove("history", account, last, *files).out


def test_what_prune_says_to_do_next(named: list[object], mailmove: Program) -> None:
    done = mailmove("prune", "--older-than", "30d", "--yes", *named)
    assert "3 messages, each re-hashed" in pasted(mailmove, done.out).out


@pytest.mark.parametrize("command", ["check", "history", "find", "show"])
def test_where_there_is_no_archive_yet_it_says_how_to_make_it(
    named: list[object], mailmove: Program, command: str
) -> None:
    account, *options = (word for word in named if command == "check" or word not in ("--tls", "none"))
    words = {"find": ("--account", account), "show": ("0123", "--account", account)}.get(command, (account,))
    done = mailmove(command, *words, *options)
    assert done.code == 7
    if command == "check" or "--config" in options:
        pasted(mailmove, done.err, "Run:")
    else:  # a command that asks no server was not told how to connect
        assert f"Run: mailmove export {account} --archive " in done.err
