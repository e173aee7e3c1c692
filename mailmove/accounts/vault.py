"""Where a secret is kept on this machine: the desktop's keyring, or a file that only its owner can read."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from mailmove.accounts.config import Account
from mailmove.errors import LoginError
from mailmove.replacing import replace_file
from mailmove.safe import visible

SERVICE = "mailmove"
TIMEOUT = 15.0  # seconds
_MAX_OCTETS = 1 << 16

_FAILURES = {
    "NoKeyringError": "there is no keyring in this session",
    "KeyringLocked": "the keyring is locked",
    "InitError": "the keyring cannot be opened",
    "PasswordSetError": "the keyring keeps nothing",
}
"""What errors of the library mean, whose own words are for programmers."""

T = TypeVar("T")


class Vault(Protocol):
    """One secret's place. Every method raises :exc:`~mailmove.errors.LoginError` when the place cannot be used."""

    @property
    def place(self) -> str:
        """Where that is, in words."""

    def read(self) -> str | None:
        """The secret; None: there is none."""

    def write(self, secret: str) -> None:
        """Keep a secret instead of the one before."""

    def forget(self) -> None:
        """Keep none."""


def of(account: Account) -> Vault:
    """Where an account's password or, with OAuth 2, its refresh token is kept."""
    return File(account.secret_file) if account.secret_file else Keyring(account.endpoint.login)


class Keyring:
    """The desktop's secret store, as the keyring package finds it."""

    place = "the keyring"

    def __init__(self, login: str, timeout: float = TIMEOUT) -> None:
        self._login = login
        self._timeout = timeout

    def read(self) -> str | None:
        """Ask for the secret; a locked store may ask the user first."""
        secret: str | None = self._ask(lambda keyring: keyring.get_password(SERVICE, self._login))
        return secret

    def write(self, secret: str) -> None:
        """Store it, and see whether it is really there: a keyring that keeps nothing says nothing."""
        self._ask(lambda keyring: keyring.set_password(SERVICE, self._login, secret))
        if self.read() != secret:
            raise LoginError("the keyring of this session keeps nothing")

    def forget(self) -> None:
        """Delete it, if it is there."""
        if self.read() is not None:
            self._ask(lambda keyring: keyring.delete_password(SERVICE, self._login))

    def _ask(self, question: Callable[[Any], T]) -> T:
        answer: list[T] = []
        failure: list[str] = []

        def ask() -> None:
            try:
                import keyring  # late: it takes 0.2 s, and most runs ask nothing

                answer.append(question(keyring))
            except Exception as error:  # noqa: BLE001 - backends raise whatever they like
                failure.append(_FAILURES.get(type(error).__name__, f"the keyring failed: {visible(str(error), 80)}"))

        thread = threading.Thread(target=ask, daemon=True)  # a locked store may wait for a click for ever
        thread.start()
        thread.join(self._timeout)
        if answer:
            return answer[0]
        raise LoginError(
            failure[0] if failure else f"the keyring did not answer in {self._timeout:g} seconds; is it locked?"
        )


class File:
    """A file of mode 0600."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)

    @property
    def place(self) -> str:
        """Its path."""
        return visible(self._path)

    def read(self) -> str | None:
        """The first line of the file, which must not be readable by others."""
        try:
            with open(self._path, "rb") as file:
                status = os.fstat(file.fileno())
                if status.st_mode & 0o077 or status.st_uid not in (0, os.geteuid()):
                    raise LoginError(
                        f"{self.place} can be read by others", f"Make it yours alone: chmod 600 {self.place}"
                    )
                text = file.read(_MAX_OCTETS)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LoginError(f"{self.place} cannot be read: {error.strerror}") from None
        return text.decode("utf-8", "replace").partition("\n")[0] or None

    def write(self, secret: str) -> None:
        """Replace the file, not a link to it; a crash leaves the old or the new one, whole."""
        path = os.path.realpath(self._path)
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            replace_file(path, f"{secret}\n".encode())
        except OSError as error:
            raise LoginError(f"{self.place} cannot be written: {error.strerror}") from None

    def forget(self) -> None:
        """Remove the file."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise LoginError(f"{self.place} cannot be removed: {error.strerror}") from None


class Held:
    """Nowhere but in memory: until a sign-in has proved itself."""

    place = "memory"

    def __init__(self, secret: str | None) -> None:
        self._secret = secret

    def read(self) -> str | None:
        """The secret."""
        return self._secret

    def write(self, secret: str) -> None:
        """Hold another."""
        self._secret = secret

    def forget(self) -> None:
        """Hold none."""
        self._secret = None
