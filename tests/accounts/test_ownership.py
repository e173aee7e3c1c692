"""Who else can write to a file, as the rights on it and on every directory above it say."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from mailmove.accounts import config
from mailmove.accounts.ownership import writable_by_others
from mailmove.errors import RefusedError

COMMAND = '[account.box]\nhost = "mail.example"\n{} = ["echo", "pw"]\n'
OWN, OTHER = pwd.getpwuid(os.geteuid()), 4711


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "above" / "near" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(COMMAND.format("password_command"))
    for each in (path.parent.parent, path.parent, path):
        each.chmod(0o700)
    return path


@pytest.mark.fault(62)
@pytest.mark.parametrize("key", ["password_command", "token_command"])
@pytest.mark.parametrize("mode", [0o702, 0o722, 0o777])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_configuration_that_anybody_can_write_to_names_no_command(
    file: Path, key: str, mode: int, level: int
) -> None:
    file.write_text(COMMAND.format(key))
    assert config.load(str(file)).accounts
    where = [file, *file.parents][level]
    where.chmod(mode)
    with pytest.raises(RefusedError, match=f"names a command, and others can write to {where}:"):
        config.load(str(file))
    file.write_text('[account.box]\nhost = "mail.example"\n')
    assert config.load(str(file)).accounts, "without a command it is no program"


@pytest.mark.fault(62)
@pytest.mark.parametrize(
    ("group", "members", "harmless"),
    [(OWN.pw_name, [], True), (OWN.pw_name, [OWN.pw_name], True), (OWN.pw_name, ["eve"], False), ("users", [], False)],
)
def test_a_group_is_the_owners_own_when_it_has_its_name_and_nobody_else(
    file: Path, group: str, members: list[str], harmless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o660)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group((group, "x", gid, members)))
    assert writable_by_others(str(file)) == (None if harmless else str(file))


@pytest.mark.fault(62)
def test_a_group_or_an_owner_without_a_name_is_others(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(gid: int) -> grp.struct_group:
        raise KeyError(gid)

    monkeypatch.setattr(grp, "getgrgid", nobody)
    file.parent.chmod(0o770)
    assert writable_by_others(str(file)) == str(file.parent)


@pytest.mark.fault(62)
def test_what_belongs_to_somebody_else_is_theirs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert writable_by_others(str(file)) is None
    if os.geteuid() == 0:
        os.chown(file, OTHER, OTHER)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    assert writable_by_others(str(file)) is not None


@pytest.mark.fault(62)
def test_a_link_is_as_safe_as_the_ways_to_it_and_to_what_it_names(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "dotfiles" / "config.toml"
    link.parent.mkdir(mode=0o700)
    link.symlink_to(file)
    assert writable_by_others(str(link)) is None
    link.parent.chmod(0o777)
    assert writable_by_others(str(link)) == str(link.parent)
    link.parent.chmod(0o1777)
    assert writable_by_others(str(link)) is None, "only its owner can rename it"
    file.chmod(0o606)
    assert writable_by_others(str(link)) == str(file)
