"""Editing config.toml: what the user wrote in it stays, and a bad edit leaves it as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mailmove.accounts import config, configedit
from mailmove.accounts.config import OAuthClient
from mailmove.errors import UsageError

TEXT = """\
# My accounts.  Spacing is mine   too.
archive = "/mail"   # the big disk

[account.work]              # the office
host   = "imap.work.example"
# about the user
user = "w"

# about the private one
[account."me@x.example"]
host = 'imap.x.example'
[account."me@x.example".prune]
older_than = "1y"

# last words
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(TEXT)
    return file


def test_an_account_is_added_at_the_end(path: Path) -> None:
    changed = configedit.add(str(path), "new@y.example", {"host": "h", "port": 1993, "user": None})
    assert path.read_text().startswith(TEXT.rstrip())
    assert path.read_text().endswith('# last words\n\n[account."new@y.example"]\nhost = "h"\nport = 1993\n')
    assert changed == config.load(str(path))
    assert changed.find("new").endpoint.port == 1993
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_first_account_makes_the_file_and_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "config.toml"
    configedit.check(str(path))
    client = OAuthClient("google", "id", "s")
    changed = configedit.add(str(path), "me", {"host": "h", "oauth": "google"}, client)
    assert changed.accounts[0].oauth == client
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_changed_key_changes_nothing_else(path: Path) -> None:
    configedit.change(str(path), "work", {"host": "imap.new.example", "port": None})
    assert path.read_text() == TEXT.replace("imap.work.example", "imap.new.example")
    configedit.change(str(path), "work", {"port": 1993, "user": None})
    assert config.load(str(path)).find("work").endpoint.user == "work"


def test_a_removed_account_takes_its_own_comments_and_no_others(path: Path) -> None:
    configedit.remove(str(path), "work")
    assert path.read_text() == TEXT.partition("\n[account.work]")[0] + TEXT.partition('user = "w"\n')[2]
    configedit.remove(str(path), "me@x.example")
    left = path.read_text()
    assert left.startswith("# My accounts.  Spacing is mine   too.\n") and left.endswith("# last words\n")
    assert "# about the private one" in left
    assert config.load(str(path)).accounts == ()


@pytest.mark.parametrize("name", ["work", "me@x.example"])
def test_what_remains_means_the_same(path: Path, name: str) -> None:
    before = config.load(str(path)).accounts
    assert configedit.remove(str(path), name).accounts == tuple(a for a in before if a.name != name)


def test_an_edit_that_would_not_be_valid_leaves_the_file_alone(path: Path) -> None:
    with pytest.raises(UsageError, match="have the same login"):
        configedit.add(str(path), "twin", {"host": "imap.work.example", "user": "w"})
    with pytest.raises(UsageError, match="unknown key"):
        configedit.change(str(path), "work", {"hots": "x"})
    assert path.read_text() == TEXT
    assert os.listdir(path.parent) == ["config.toml"]


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    configedit.add(str(link), "new", {"host": "h"})
    assert link.is_symlink()
    assert '[account.new]\nhost = "h"' in path.read_text()


def test_what_cannot_be_written_is_said_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        configedit.check(str(tmp_path / "file" / "config.toml"))
    with pytest.raises(UsageError, match="is not a file"):
        configedit.check(str(tmp_path))
