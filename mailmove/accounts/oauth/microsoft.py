"""Microsoft's OAuth 2 by msal: the device code flow (RFC 8628), which needs no browser on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msal
import requests

from mailmove.accounts.config import OAuthClient
from mailmove.accounts.oauth import Grant, Show
from mailmove.errors import LoginError, Unreachable, UsageError
from mailmove.safe import visible

SCOPES = ["https://outlook.office.com/IMAP.AccessAsUser.All"]  # msal adds offline_access: a refresh token
TIMEOUT = 30.0  # seconds

_AUTHORITY = "Write https://login.microsoftonline.com/ and the name of your organisation, or leave it out."
_REGISTRATION = "What the registration needs: mailmove help accounts"


def sign_in(client: OAuthClient, user: str, show: Show) -> Grant:
    """Let the user type a code in a browser anywhere, and wait for it."""
    app = _application(client)
    flow = _asked(lambda: app.initiate_device_flow(SCOPES))
    if "user_code" not in flow:
        raise _refused(flow)
    show(f"Open {visible(str(flow['verification_uri']))} in a browser, type the code {visible(flow['user_code'])}")
    show(f"and sign in as {visible(user)}. Waiting for that …")
    return _grant(_asked(lambda: app.acquire_token_by_device_flow(flow)))


def refresh(client: OAuthClient, refresh_token: str) -> Grant:
    """A new access token, and often a new refresh token."""
    app = _application(client)
    return _grant(_asked(lambda: app.acquire_token_by_refresh_token(refresh_token, SCOPES)))


def _application(client: OAuthClient) -> Any:
    """msal's client. The authority is the user's own word: msal need not ask Microsoft whether it knows it."""
    try:
        return _asked(
            lambda: msal.PublicClientApplication(
                client.client_id, authority=client.authority, instance_discovery=False, timeout=TIMEOUT
            )
        )
    except ValueError as error:
        raise UsageError(f"authority in [oauth.microsoft] cannot be used: {visible(str(error))}", _AUTHORITY) from None


def _asked(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except requests.RequestException as error:
        raise Unreachable(f"Microsoft's sign-in does not answer: {visible(str(error))}", "Try again later.") from None


def _grant(answer: Mapping[str, Any]) -> Grant:
    if "access_token" not in answer:
        raise _refused(answer)
    return Grant(answer["access_token"], float(answer.get("expires_in", 0)), answer.get("refresh_token"))


def _refused(answer: Mapping[str, Any]) -> LoginError:
    described = str(answer.get("error_description") or answer.get("error") or "it gave no reason").splitlines()
    return LoginError(f"Microsoft refuses the sign-in: {visible(described[0])}", _REGISTRATION)
