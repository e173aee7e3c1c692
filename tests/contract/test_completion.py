"""Completion: what a shell offers at the cursor, from commands, configuration and archive alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import NOW, Program, message
from tests.servers.scripted import Scripted

ODD = "Angebote: [A] $x"


@pytest.fixture
def archived(scripted: Callable[..., Scripted], mailmove: Program) -> str:
    """An account with an archive, and the run that deleted something; its server is gone."""
    server: Scripted = scripted()
    for folder in ("INBOX", "Posta in uscita", ODD):
        server.store.add(folder, message(1), arrival=NOW - timedelta(days=400))
    mailmove.account(server)
    config = mailmove.home / ".config" / "mailmove" / "config.toml"
    config.write_text(config.read_text().replace("[account.box]", '[account."info@rossi.example"]'))
    assert mailmove("export").code == 0
    assert mailmove("prune", "--older-than", "30d", "--folder", "INBOX", "--yes").code == 0
    run = str(mailmove("history", "--json").json["accounts"][0]["runs"][-1]["id"])
    config.write_text(config.read_text().replace(f"{server.port}", "1"))
    return run


def asked(mailmove: Program, line: str, shell: str = "fish") -> list[str]:
    """What is offered for a line up to the cursor."""
    mailmove.env |= {"_MAILMOVE_COMPLETE": shell, "_MAILMOVE_LINE": line}
    done = mailmove()
    assert (done.code, done.err) == (0, "")
    return [each.partition("\t")[0] for each in done.out.splitlines()]


def test_what_is_offered(archived: str, mailmove: Program) -> None:
    assert asked(mailmove, "mailmove exp") == ["export"]
    assert asked(mailmove, "mailmove -q account li") == ["list"]
    assert asked(mailmove, "mailmove prune --older") == ["--older-than"]
    assert asked(mailmove, "mailmove export info@r") == ["info@rossi.example"]
    assert asked(mailmove, "mailmove find --folder ") == [ODD, "INBOX", "Posta in uscita"]
    assert asked(mailmove, "mailmove find -a info@rossi.example --folder 'Posta i") == ["Posta in uscita"]
    assert asked(mailmove, "mailmove find --folder=Po") == ["--folder=Posta in uscita"]
    assert asked(mailmove, "mailmove find -a nobody --folder P") == []
    assert asked(mailmove, "mailmove restore --run ") == [archived]
    assert asked(mailmove, f"mailmove history {archived[:4]}") == [archived]


def test_what_cannot_be_read_offers_nothing(archived: str, mailmove: Program) -> None:
    (mailmove.home / "box" / ".mailmove" / "archive.toml").write_text("[")
    assert asked(mailmove, "mailmove find --folder ") == []
    assert asked(mailmove, "mailmove restore --run ") == []
    (mailmove.home / ".config" / "mailmove" / "config.toml").write_text("[")
    assert asked(mailmove, "mailmove export ") == []


def test_nothing_slow_is_loaded(archived: str, mailmove: Program) -> None:
    """What may take no time loads no library that it does not need; a server it cannot ask without them."""
    environment = {**mailmove.env, "_MAILMOVE_COMPLETE": "bash", "_MAILMOVE_LINE": "mailmove restore --run "}
    command = [sys.executable, "-X", "importtime", "-m", "mailmove"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert archived in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "mailmove.archive.glance" in loaded
    assert not loaded & {"imapclient", "keyring", "rich", "ssl", "socket", "tomlkit", "tqdm", "mailmove.cli.running"}


SHELLS = {
    "bash": "source script; COMP_LINE='mailmove find --folder '; COMP_POINT=${#COMP_LINE}\n"
    "_mailmove_complete mailmove; printf '%s\\n' \"${COMPREPLY[@]}\"",
    "zsh": "compdef() { : }; _describe() { print -rl -- $found }; source script\n"
    "words=(mailmove find --folder ''); CURRENT=4; _mailmove",
    "fish": "source script; complete -C 'mailmove find --folder '",
}
OFFERED = {
    "bash": ["Angebote:\\ \\[A\\]\\ \\$x", "INBOX", "Posta\\ in\\ uscita"],  # as it is to be typed
    "zsh": ["Angebote\\: [A] $x", "INBOX", "Posta in uscita"],
    "fish": [ODD, "INBOX", "Posta in uscita"],
}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_whole_words(shell: str, archived: str, mailmove: Program, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    program = tmp_path / "mailmove"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mailmove "$@"\n')
    program.chmod(0o755)
    environment = {**mailmove.env, "PATH": f"{tmp_path}:{mailmove.env['PATH']}", "SHELL": shutil.which(shell) or ""}

    def run(command: str) -> str:
        words = [shell, *(["-f"] if shell == "zsh" else []), "-c", command]
        done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.stdout

    run("mailmove --show-completion > script; true")
    assert sorted(run(SHELLS[shell]).splitlines()) == sorted(OFFERED[shell])
    assert "next shell" in run("mailmove --install-completion; true")
    start = {"bash": ".bashrc", "zsh": ".zshrc"}.get(shell)
    once = (mailmove.home / start).read_text() if start else ""
    run("mailmove --install-completion; true")
    assert start is None or once == (mailmove.home / start).read_text() != ""


def test_bash_ends_a_word_at_an_at_sign(archived: str, mailmove: Program) -> None:
    assert asked(mailmove, "mailmove export info@ro", "bash") == ["rossi.example"]
    assert asked(mailmove, "mailmove find --folder 'Posta ", "bash") == ["Posta in uscita"]
