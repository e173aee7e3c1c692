"""OAuth 2 (RFC 6749): signing in once, and access tokens from what the sign-in left.

One module for each issuer, of the same form: ``sign_in`` and ``refresh``. The libraries that speak to an issuer are
extras and are imported when needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, cast

from mailmove.accounts.config import Account, OAuthClient
from mailmove.accounts.vault import Vault
from mailmove.errors import LoginError, UsageError
from mailmove.safe import visible

MARGIN = 120.0  # seconds before its end in which a token is not used any more

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Grant:
    """What an issuer gave: an access token for ``lifetime`` seconds and, where it gives a new one, a refresh token."""

    access_token: str = field(repr=False)
    lifetime: float
    refresh_token: str | None = field(repr=False)


class Issuer(Protocol):
    """How to talk to one issuer; a module of this package is one.

    Both raise :exc:`~mailmove.errors.LoginError` when it refuses and :exc:`~mailmove.errors.Unreachable` when it does
    not answer.
    """

    def sign_in(self, client: OAuthClient, user: str, show: Show, /) -> Grant:
        """Let the user sign in with a browser; ``show`` tells what there is to do."""

    def refresh(self, client: OAuthClient, refresh_token: str, /) -> Grant:
        """A new access token."""


def issuer(client: OAuthClient) -> Issuer:
    """The module for a client's issuer.

    :raises UsageError: when its library is not installed.
    """
    try:
        return cast(Issuer, import_module(f"{__package__}.{client.issuer}"))
    except ModuleNotFoundError as error:
        raise UsageError(
            f"OAuth 2 with {client.issuer.capitalize()} needs a library that is not installed ({error.name})",
            f"Install it with mailmove: pip install 'mailmove[{client.issuer}]'",
        ) from None


class Tokens:
    """The access tokens of one account, renewed before they end or when the server refuses one."""

    def __init__(self, account: Account, vault: Vault, grant: Grant | None = None) -> None:
        """``grant`` is what a sign-in has just given."""
        assert account.oauth is not None
        self._name = visible(account.name)
        self._client = account.oauth
        self._vault = vault
        self._grant = grant
        self._end = time.monotonic() + grant.lifetime - MARGIN if grant else 0.0

    def token(self, *, renew: bool) -> str:
        """An access token.

        :raises LoginError: when there was no sign-in, or the issuer does not accept it any more.
        :raises Unreachable: when the issuer does not answer.
        """
        if renew or self._grant is None or time.monotonic() >= self._end:
            self._grant = self._renewed()
            self._end = time.monotonic() + self._grant.lifetime - MARGIN
        return self._grant.access_token

    def _renewed(self) -> Grant:
        again = f"Sign in again: mailmove account password {self._name}"
        refresh_token = self._vault.read()
        if refresh_token is None:
            raise LoginError(f"there is no sign-in for {self._name} in {self._vault.place}", again)
        try:
            grant = issuer(self._client).refresh(self._client, refresh_token)
        except LoginError as error:
            raise LoginError(error.what, again) from None
        if grant.refresh_token and grant.refresh_token != refresh_token:
            self._vault.write(grant.refresh_token)  # the old one may not be accepted again
        return grant
