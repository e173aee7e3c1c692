"""An index damaged where opening it does not look: every command says the one same thing, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.exported import Archived
from tests.kit import Mailbox, Program

COMMANDS = [
    ("account", "list"),
    ("audit",),
    ("check",),
    ("check", "--quick"),
    ("export",),
    ("find", "order"),
    ("get", "{id}"),
    ("history",),
    ("prune", "--older-than", "1y", "--yes"),
    ("restore", "--all", "--dry-run"),
    ("show", "{id}"),
    (),
]
LOOKED_AT_ON_OPENING = {"meta", "folder", "sqlite_autoindex_folder_1"}


def index_of(program: Program) -> Path:
    (path,) = program.home.glob("state/index/*.sqlite")
    return path


def damage(index: Path) -> None:
    """Overwrite the first page of every table but those."""
    with closing(sqlite3.connect(index)) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
        pages = dict(db.execute("SELECT name, rootpage FROM sqlite_master"))
    with index.open("r+b") as file:
        for name in pages.keys() - LOOKED_AT_ON_OPENING:
            file.seek((pages[name] - 1) * size)
            file.write(b"\xa5" * size)


@pytest.mark.fault(7)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_so_and_deleting_it_helps(mailbox: Mailbox, mailmove: Program, words: Sequence[str]) -> None:
    Archived(mailbox, mailmove)
    chosen = mailmove("find", "--json").json["accounts"][0]["messages"][0]["id"]
    command = [word.format(id=chosen) for word in words]
    index = index_of(mailmove)
    damage(index)
    done = mailmove(*command)
    assert done.code == 7, done.out + done.err
    said, remedy = done.err.splitlines()[:2]
    assert said.partition(": ")[2].startswith(f"the index {index} is damaged: ")
    assert remedy.strip().startswith("Delete it and run the same command again")
    assert mailbox.uids("INBOX") != []
    index.unlink()
    assert mailmove(*command).code == 0


def test_of_several_the_one_that_is_damaged_is_named(mailbox: Mailbox, mailmove: Program) -> None:
    Archived(mailbox, mailmove)
    chosen = mailmove("find", "--json").json["accounts"][0]["messages"][0]["id"]
    index = index_of(mailmove)
    other = Mailbox(mailbox.kind, mailbox.host, mailbox.port, f"{mailbox.user}-other")
    mailmove.account(other, name="other")
    assert mailmove("export", "other").code == 0
    damage(index)
    assert str(index) in mailmove("get", chosen).err
    index.unlink()
    assert mailmove("get", chosen).code == 0
