"""An account that only a URL names finds the archive that an earlier run made for it elsewhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import NOW, Mailbox, Program, archived, hashes, message, total

COMMANDS = (
    "audit URL --tls none",
    "check URL",
    "check --server URL --tls none",
    "history URL",
    "find message --account URL",
    "account list URL",
    "prune URL --older-than 1y --yes --tls none",
    "restore --all --account URL --yes --tls none",
    "reindex URL",
    "export URL --tls none",
)


@pytest.fixture
def elsewhere(mailbox: Mailbox, mailmove: Program) -> Path:
    """An archive made by ``export URL --archive DIR``."""
    mailbox.fill(map(message, range(3)), arrival=NOW - timedelta(days=800))
    directory = mailmove.home / "stick" / "mail"
    done = mailmove("export", mailbox.url, "--tls", "none", "--archive", directory)
    assert done.code == 0, done.err
    return directory


def usual(mailmove: Program) -> Path:
    """Where archives are unless something else is said."""
    return mailmove.home / "Mail"


def test_every_command_knows_it(mailbox: Mailbox, mailmove: Program, elsewhere: Path) -> None:
    for command in COMMANDS:
        done = mailmove(*command.replace("URL", mailbox.url).split())
        assert done.code == 0, (command, done.out, done.err)
        assert "no archive" not in done.out and "none yet" not in done.out, command
    assert total(archived(elsewhere)) >= hashes(*map(message, range(3)))
    assert not usual(mailmove).exists()


def test_what_is_said_of_a_disk_that_is_gone_names_it(mailbox: Mailbox, mailmove: Program, elsewhere: Path) -> None:
    elsewhere.parent.rename(mailmove.home / "unplugged")
    for command in ("check", "export"):
        done = mailmove(command, mailbox.url, *(("--tls", "none") if command == "export" else ()))
        assert done.code == 7
        assert f"last seen at {elsewhere}" in done.err and "Is a disk not mounted?" in done.err
    assert not usual(mailmove).exists() and not elsewhere.exists()
    done = mailmove("export", mailbox.url, "--tls", "none", "--new-archive")
    assert done.code == 0, done.err
    assert not elsewhere.exists() and usual(mailmove).exists()


def test_of_two_one_is_to_be_named(mailbox: Mailbox, mailmove: Program, elsewhere: Path) -> None:
    other = mailmove.home / "other"
    assert mailmove("export", mailbox.url, "--tls", "none", "--archive", other).code == 0
    done = mailmove("audit", mailbox.url, "--tls", "none")
    assert done.code == 2
    assert str(elsewhere) in done.err and str(other) in done.err and "--archive DIR" in done.err
    assert mailmove("check", mailbox.url, "--archive", other).code == 0


def test_a_configured_account_is_where_the_configuration_says(mailbox: Mailbox, mailmove: Program) -> None:
    mailbox.fill(map(message, range(3)))
    mailmove.account(mailbox)
    before = mailmove("audit", "box")
    assert mailmove("export", "box", "--archive", mailmove.home / "other").code == 0
    after = mailmove("audit", "box")
    assert (after.code, after.err) == (before.code, before.err) == (0, "")
    assert "Local archive: none yet." in after.out and "Local archive: none yet." in before.out
