"""Where secrets are kept: a keyring that does not answer, files that others can read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from mailmove.accounts.vault import File, Keyring
from mailmove.errors import LoginError
from tests.servers.keyrings import Hanging, InFile


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = keyring.get_keyring()
    monkeypatch.setenv("HOME", str(tmp_path))
    yield
    keyring.set_keyring(before)


def use(backend: type[KeyringBackend]) -> None:
    keyring.set_keyring(backend())


def test_a_keyring_keeps_replaces_and_forgets() -> None:
    use(InFile)
    kept = Keyring("bob@localhost")
    assert kept.read() is None
    kept.forget()
    kept.write("one")
    kept.write("two")
    assert (kept.read(), Keyring("eve@localhost").read()) == ("two", None)
    kept.forget()
    assert kept.read() is None


@pytest.mark.fault(40)
def test_a_keyring_that_waits_for_a_click_is_not_waited_for() -> None:
    use(Hanging)
    with pytest.raises(LoginError, match=r"did not answer in 0\.01 seconds; is it locked\?"):
        Keyring("bob@localhost", timeout=0.01).read()


def test_a_file_keeps_replaces_and_forgets(tmp_path: Path) -> None:
    kept = File(str(tmp_path / "secrets" / "bob"))
    assert kept.read() is None
    kept.write("one")
    kept.write("two")
    assert kept.read() == "two"
    (tmp_path / "secrets" / "bob").chmod(0o604)
    with pytest.raises(LoginError, match="can be read by others"):
        kept.read()
    kept.forget()
    kept.forget()
    assert kept.read() is None


def test_a_file_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = File(str(tmp_path / "bob"))
    kept.write("one")
    monkeypatch.setattr(os, "fstat", lambda fd: _owned_by(4711, os.stat(fd)))
    with pytest.raises(LoginError, match="can be read by others"):
        kept.read()


def _owned_by(user: int, status: os.stat_result) -> os.stat_result:
    return os.stat_result((*status[:4], user, *status[5:]))


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LoginError, match="cannot be written: "):
        File(str(tmp_path / "file" / "bob")).write("one")
