"""Whose mailbox is it: a server that ignores as whom it is asked to act, or a template that names one for all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailmove.archive.state.memory import Memory
from mailmove.archive.state.shown import Sight, note
from tests.kit import NOW, Program, message
from tests.servers.scripted import Scripted


@pytest.mark.fault(116)
def test_two_accounts_that_are_shown_one_mailbox_stop_both(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    server = scripted()
    server.store.add("INBOX", *map(message, range(3)), arrival=NOW - timedelta(days=900))
    secret = mailmove.home / "secret"
    secret.write_text("pw\n")
    secret.chmod(0o600)
    del mailmove.env["MAILMOVE_PASSWORD"]
    for name in ("anna", "bert"):
        mailmove.account(server, name=name, user=name, auth_user="master", secret_file=str(secret))
    config = mailmove.home / ".config" / "mailmove" / "config.toml"
    mailmove.configure(f'{config.read_text()}[defaults]\nprune = {{ older_than = "1y" }}\n')
    first = mailmove("run")
    assert first.code == 8 and "bert: export: it is shown the same messages as anna" in first.out
    for command in (["run", "anna"], ["export", "anna"], ["prune", "anna", "--older-than", "1y", "--yes"]):
        done = mailmove(*command)
        assert done.code == 8, command
        if command[0] != "prune":
            assert "the same messages as bert" in done.out + done.err
    assert len(server.store.add("INBOX").mails) == 3


def test_what_makes_two_mailboxes_one(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path))

    def sights(*hashes: bytes, validity: int = 7) -> list[Sight]:
        return [Sight(b"INBOX", validity, uid, sha256) for uid, sha256 in enumerate(hashes, 1)]

    def seen(login: str, found: list[Sight], host: str = "h") -> list[str]:
        return note(memory, host, login, found, {"a", "b", "c"} - {login})

    assert seen("a", sights(b"1", b"2")) == []
    assert seen("b", sights(b"1")) == [], "a greeting to all is one message"
    assert seen("b", sights(b"1", b"3")) == [], "one that differs"
    assert seen("b", sights(b"1", b"2", validity=8)) == []
    assert seen("b", sights(b"1", b"2"), host="other") == []
    assert seen("b", sights(b"1", b"2", b"3")) == ["a"]
    assert seen("a", sights(b"1", b"2")) == ["b"], "both"
    assert seen("b", sights(b"4")) == [] and seen("a", sights(b"1", b"2")) == [], "mended"
    assert note(memory, "h", "c", sights(b"1", b"2"), set()) == [], "one that is not configured any more"
