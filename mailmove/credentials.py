"""Passwords and tokens: where they come from, in order, and never where others can see them.

Environment (one account only), the configured command, the keyring, a prompt at a terminal; the first that answers.
"""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

from mailmove.config import Account
from mailmove.errors import LoginError
from mailmove.model import Password, Secret
from mailmove.safe import visible

VARIABLE = "MAILMOVE_PASSWORD"
SERVICE = "mailmove"
COMMAND_TIMEOUT = 60.0
KEYRING_TIMEOUT = 15.0


class TokenCommand:
    """OAuth 2 access tokens printed by a program of the user's."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def token(self, *, renew: bool) -> str:
        """Run the program; it is the one that knows when a token is too old, so ``renew`` just runs it again."""
        what = f"token_command of {visible(self._account.name)}"
        return _checked(_output(self._account.token_command, what), what).value


def resolve(account: Account, *, alone: bool) -> Secret:
    """Find the secret of an account; ``alone``: it is the only account of this run.

    :raises LoginError: when there is none, or its source fails.
    """
    if alone and (password := os.environ.get(VARIABLE)):
        return _checked(password, VARIABLE)
    if account.token_command:
        return TokenCommand(account)
    if account.password_command:
        what = f"password_command of {visible(account.name)}"
        return _checked(_output(account.password_command, what), what)
    problem = ""
    try:
        if (password := from_keyring(account.endpoint.login)) is not None:
            return _checked(password, "the keyring")
    except LoginError as error:
        problem = error.what
    if sys.stdin.isatty() and sys.stderr.isatty():
        return _checked(getpass.getpass(f"Password for {visible(account.endpoint.login)}: "), "the prompt")
    raise LoginError(
        f"there is no password for {visible(account.name)}" + (f": {problem}" if problem else ""),
        f"Store it with: keyring set {SERVICE} {visible(account.endpoint.login)}; or set password_command in the "
        "configuration.",
    )


def from_keyring(login: str, timeout: float = KEYRING_TIMEOUT) -> str | None:
    """The password that the desktop's secret store has for a login.

    :raises LoginError: when the store is absent, locked, or does not answer in time.
    """
    answer: list[str | None] = []
    failure: list[str] = []

    def ask() -> None:
        try:
            import keyring

            answer.append(keyring.get_password(SERVICE, login))
        except Exception as error:  # noqa: BLE001 - backends raise whatever they like
            failure.append(visible(str(error)) or type(error).__name__)

    thread = threading.Thread(target=ask, daemon=True)  # a locked store may wait for a click for ever
    thread.start()
    thread.join(timeout)
    if answer:
        return answer[0]
    raise LoginError(f"the keyring {'failed: ' + failure[0] if failure else f'did not answer in {timeout:g} seconds'}")


def _output(argv: Sequence[str], what: str) -> str:
    """The first line that a program prints."""
    try:
        done = subprocess.run(
            [os.path.expanduser(argv[0]), *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LoginError(f"{what} did not finish in {COMMAND_TIMEOUT:g} seconds") from None
    except OSError as error:
        raise LoginError(f"{what} cannot be run: {error.strerror}: {visible(argv[0])}") from None
    lines = done.stdout.decode("utf-8", "replace").split("\n")
    if done.returncode or not lines or not lines[0]:
        said = visible(done.stderr.strip().splitlines()[-1]) if done.stderr.strip() else "it printed nothing"
        raise LoginError(f"{what} failed (exit {done.returncode}): {said}", f"Try it by hand: {visible(argv[0])} …")
    return lines[0]


def _checked(password: str, source: str) -> Password:
    if any(char in password for char in "\r\n\0"):
        raise LoginError(f"the password from {source} holds a control character, which IMAP cannot carry")
    return Password(password)
