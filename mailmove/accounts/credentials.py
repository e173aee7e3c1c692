"""Passwords and tokens: where they come from, in order, and never where others can see them.

OAuth 2 where the account says so. Else environment (one account only), the configured command, the keyring or a file,
a prompt at a terminal; the first that answers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from mailmove import streams
from mailmove.accounts import vault
from mailmove.accounts.config import Account
from mailmove.cancel import Cancel
from mailmove.errors import LoginError
from mailmove.model import Password, Secret
from mailmove.safe import visible

VARIABLE = "MAILMOVE_PASSWORD"
COMMAND_TIMEOUT = 60.0
_PULSE = 0.5  # seconds between two looks whether the user wants to stop
_keyring = (
    threading.Lock()
)  # its backends need not bear several questions at a time, nor does who is asked to unlock it


class TokenCommand:
    """OAuth 2 access tokens printed by a program of the user's."""

    def __init__(self, account: Account, cancel: Cancel) -> None:
        self._account = account
        self._cancel = cancel

    def token(self, *, renew: bool) -> str:
        """Run the program; it is the one that knows when a token is too old, so ``renew`` just runs it again."""
        what = f"token_command of {visible(self._account.name)}"
        return _checked(_output(self._account.token_command, what, self._cancel), what).value


def may_ask(account: Account, *, alone: bool) -> bool:
    """Whether finding the secret may come to asking for it at the terminal."""
    elsewhere = account.oauth or account.token_command or account.password_command or (alone and from_environment())
    return not elsewhere and sys.stdin.isatty() and sys.stderr.isatty()


def resolve(account: Account, *, alone: bool, cancel: Cancel | None = None) -> Secret:
    """Find the secret of an account; ``alone``: it is the only account of this run.

    :raises LoginError: when there is none, or its source fails.
    :raises Interrupted: when the user stops the run meanwhile.
    """
    cancel = cancel or Cancel()
    if account.oauth:
        from mailmove.accounts.oauth import Tokens

        return Tokens(account, vault.of(account))
    if alone and (given := from_environment()):
        return given
    if account.token_command:
        return TokenCommand(account, cancel)
    if account.password_command:
        what = f"password_command of {visible(account.name)}"
        return _checked(_output(account.password_command, what, cancel), what)
    problem = ""
    kept = vault.of(account)
    try:
        with _keyring:
            password = kept.read()
        if password is not None:
            return _checked(password, kept.place)
    except LoginError as error:
        problem = str(error)
    if sys.stdin.isatty() and sys.stderr.isatty():
        return ask(account)
    if account.name == account.endpoint.login:  # named by a URL
        remedy = f"Set {VARIABLE} for this run, or keep account and password: mailmove account add"
    else:
        remedy = (
            f"Store it with: mailmove account password {visible(account.name)}; or set password_command in the "
            "configuration."
        )
    raise LoginError(f"there is no password for {visible(account.name)}" + (f": {problem}" if problem else ""), remedy)


def from_environment() -> Password | None:
    """The password that the environment has for the one account that is meant."""
    password = os.environ.get(VARIABLE)
    return _checked(password, VARIABLE) if password else None


def ask(account: Account) -> Password:
    """Ask at the terminal, without echo.

    :raises LoginError: when what is typed cannot be a password.
    :raises EOFError: at the end of input.
    """
    typed = streams.ask(f"Password for {visible(account.endpoint.login)}: ", echo=False)
    if typed is None:
        raise EOFError
    return _checked(typed, "the prompt")


def _output(argv: Sequence[str], what: str, cancel: Cancel) -> str:
    """The first line that a program prints."""
    try:
        process = subprocess.Popen(
            [os.path.expanduser(argv[0]), *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise LoginError(f"{what} cannot be run: {error.strerror}: {visible(argv[0])}", "Correct it there.") from None
    with process:
        try:
            printed, complaint = _ended(process, what, cancel)
        except BaseException:
            process.kill()
            raise
    cancel.check()  # Ctrl-C at a terminal reaches the program too, which is not what it failed of
    lines = printed.decode("utf-8", "replace").split("\n")
    if process.returncode or not lines or not lines[0]:
        said = visible(complaint.strip().splitlines()[-1]) if complaint.strip() else "it printed nothing"
        raise LoginError(f"{what} failed (exit {process.returncode}): {said}", f"Try it by hand: {visible(argv[0])} …")
    return lines[0]


def _ended(process: subprocess.Popen[bytes], what: str, cancel: Cancel) -> tuple[bytes, bytes]:
    """What a program has printed and complained of at its end."""
    end = time.monotonic() + COMMAND_TIMEOUT
    while time.monotonic() < end:
        cancel.check()
        try:
            return process.communicate(timeout=_PULSE)
        except subprocess.TimeoutExpired:
            continue
    raise LoginError(f"{what} did not finish in {COMMAND_TIMEOUT:g} seconds", "Does it wait for somebody?")


def _checked(password: str, source: str) -> Password:
    if any(char in password for char in "\r\n\0"):
        raise LoginError(
            f"the password from {source} holds a control character, which IMAP cannot carry", "Save it there once more."
        )
    return Password(password)
