"""Getting a secret that logs in, and keeping it: for a new account, and for one whose password has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain, count

from mailmove.accounts import credentials, vault
from mailmove.accounts.config import Account, file_name
from mailmove.accounts.vault import File, Held, Vault
from mailmove.cancel import Cancel
from mailmove.cli import secrets, terminal
from mailmove.cli.options import Setup
from mailmove.cli.running import finish, in_provider_terms
from mailmove.errors import LoginError, LoginRefused, RefusedError
from mailmove.imap.session import Session
from mailmove.jobs.login_test import LoginTest, login_test
from mailmove.model import Secret
from mailmove.safe import visible

ATTEMPTS = 3


def obtain(account: Account) -> tuple[LoginTest, str | None]:
    """Get a secret and log in with it; it is None where a program of the user's tells it each time.

    :raises MailmoveError: when that does not come about; a refusal in the provider's terms.
    """
    return _signed_in(account) if account.oauth else _logged_in(account)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a secret is now, such as ``in the keyring``; ``file``, when that is for want of a usable keyring."""

    place: str
    file: str | None = None
    undo: Callable[[], None] = lambda: None
    """Puts everything back as it was."""


def keep(account: Account, secret: str | None, setup: Setup, *, anew: bool = False) -> Kept:
    """Put a secret where it is to be: in a file beside the configuration where there is no usable keyring.

    With ``anew`` it takes the place of the account's own; else a file that holds another secret is not overwritten
    without a question.

    :raises LoginError: when there is no place.
    :raises RefusedError: when the user does not want it there.
    """
    if secret is None:
        return Kept("told by the command that you named")
    place = vault.of(account)
    if account.secret_file:
        if not anew:
            _refuse_overwriting(account, account.secret_file, secret, setup)
        return _written_to(account.secret_file, secret, setup)
    try:
        return _written(place, secret)
    except LoginError as error:
        if not terminal.attended():
            raise LoginError(
                error.what, "Nothing was saved. Name a file for it: --secret-file; or --password-command."
            ) from None
        terminal.say(f"{error.what}.")
        file = _unused(account, setup)
        if not terminal.confirm(f"Keep it in {visible(file)} instead, a file that only you can read?"):
            raise RefusedError("nothing was saved", "Or give a program that tells it: --password-command") from None
        return replace(_written_to(file, secret, setup), file=file)


def _refuse_overwriting(account: Account, file: str, secret: str, setup: Setup) -> None:
    """Overwrite what is another's, or nobody knows whose, only when the user says so."""
    if not os.path.lexists(file) or vault.File(file).read() == secret:
        return
    others = secrets.sharing(setup.config, account, file)
    holds = secrets.warned(file, others) if others else f"{visible(file)} exists and holds something else"
    if not terminal.attended():
        raise RefusedError(f"{holds}: nothing was saved", "Name another file: --secret-file")
    if not terminal.confirm(f"{holds}. Overwrite it?"):
        raise RefusedError("nothing was saved", "Name another file: --secret-file")


def _unused(account: Account, setup: Setup) -> str:
    """A file for an account's secret that is nobody's yet."""
    wanted = os.path.join(secrets.directory(setup.config.path), file_name(account.name))
    numbered = (f"{wanted}-{number}" for number in count(2))
    return next(file for file in chain([wanted], numbered) if not os.path.lexists(file))


def _written_to(file: str, secret: str, setup: Setup) -> Kept:
    new = not os.path.lexists(file)
    kept = _written(File(file), secret)
    if new:
        setup.memory.note_made(file)
    return kept


def _written(place: Vault, secret: str) -> Kept:
    try:
        before = place.read()
    except LoginError:
        before = None
    if before != secret:
        place.write(secret)
    return Kept(f"in {place.place}", undo=place.forget if before is None else lambda: place.write(before))


def _signed_in(account: Account) -> tuple[LoginTest, str | None]:
    """Sign in and log in with what that gives."""
    tokens, held = _sign_in(account)
    result = _test(account, tokens)
    return result, held.read()


def _logged_in(account: Account) -> tuple[LoginTest, str | None]:
    """Log in by password or a program of the user's; a wrong password may be typed again."""
    if account.password_command or account.token_command:
        return _test(account, credentials.resolve(account, alone=False)), None
    given = credentials.from_environment()
    if given is None and not terminal.attended():
        raise LoginError(
            "there is nobody to ask for the password", f"Set {credentials.VARIABLE}, or use --password-command."
        )
    attempts = 1 if given else ATTEMPTS
    while True:
        attempts -= 1
        password = given or credentials.ask(account)
        try:
            return _test(account, password), password.value
        except LoginRefused as error:
            if not attempts:
                raise LoginRefused(error.what, f"{error.next_step}\n  Nothing was saved.") from None
            terminal.say(error.what)


def _sign_in(account: Account) -> tuple[Secret, Vault]:
    """Let the user sign in; the vault holds what that left, in memory until it is kept somewhere."""
    from mailmove.accounts.oauth import Tokens, issuer

    assert account.oauth is not None
    grant = issuer(account.oauth).sign_in(account.oauth, account.endpoint.user, terminal.say)
    if grant.refresh_token is None:
        raise LoginError(
            "the sign-in gave no refresh token: it would have to be repeated every hour",
            "Does your registration allow offline access? How to make one: mailmove help accounts",
        )
    held = Held(grant.refresh_token)
    return Tokens(account, held, grant), held


def _test(account: Account, secret: Secret) -> LoginTest:
    """Log in and look around.

    :raises MailmoveError: when the login does not come about; a refusal in the provider's terms.
    """
    with Session(account.endpoint, secret, Cancel()) as session:
        try:
            return finish(login_test(account.name, session))
        except LoginRefused as error:
            raise in_provider_terms(error, account) from None
