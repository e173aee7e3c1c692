"""Secret stores for tests, named in PYTHON_KEYRING_BACKEND: one that works, and others."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class InFile(KeyringBackend):
    """Keeps passwords in a file of the home directory."""

    priority = 1

    @property
    def _path(self) -> Path:
        return Path(os.environ["HOME"]) / "keyring.json"

    def _all(self) -> dict[str, str]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path.write_text(json.dumps(self._all() | {f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        held = self._all()
        if held.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("not there")
        self._path.write_text(json.dumps(held))


class Locked(InFile):
    """Nobody unlocks it."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("Failed to unlock the collection!")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.get_password(service, username)


class Hanging(InFile):
    """Waits for a click that never comes."""

    def get_password(self, service: str, username: str) -> str | None:
        threading.Event().wait()
        return None


class Saboteur(InFile):
    """Works, but when it is given a password, the configuration becomes something that cannot be written."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        (Path(os.environ["HOME"]) / ".config" / "mailmove" / "config.toml").mkdir(parents=True, exist_ok=True)
