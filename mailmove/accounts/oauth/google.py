"""Google's OAuth 2 by google-auth-oauthlib: the flow for installed programs, answered to a port of this machine."""

from __future__ import annotations

import contextlib
import sys
import webbrowser
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import google.auth.exceptions
import oauthlib.oauth2
import requests
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import InstalledAppFlow, WSGITimeoutError

from mailmove.accounts.config import OAuthClient
from mailmove.accounts.oauth import Grant, Show
from mailmove.errors import LoginError, Unreachable
from mailmove.safe import visible

SCOPES = ["https://mail.google.com/"]  # the only one that opens IMAP
PATIENCE = 600  # seconds for the sign-in

T = TypeVar("T")


def sign_in(client: OAuthClient, user: str, show: Show) -> Grant:
    """Open a browser on this machine, or show what to open, and wait for its answer."""
    installed = {
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "auth_uri": client.auth_uri,
        "token_uri": client.token_uri,
    }
    flow = InstalledAppFlow.from_client_config({"installed": installed}, SCOPES)
    show(f"Sign in to Google as {visible(user)} in the browser of this machine. Waiting for that …")
    options = {"access_type": "offline", "prompt": "consent", "login_hint": user}  # else there is no refresh token
    with contextlib.redirect_stdout(sys.stderr):  # what it prints is no result
        credentials: Credentials = _asked(
            lambda: flow.run_local_server(
                host="localhost",
                bind_addr="127.0.0.1",
                port=0,
                open_browser=_has_browser(),
                authorization_prompt_message="If no browser opens, open: {url}",
                success_message="mailmove has its answer. You can close this window.",
                timeout_seconds=PATIENCE,
                **options,
            )
        )
    return _grant(credentials)


def refresh(client: OAuthClient, refresh_token: str) -> Grant:
    """A new access token."""
    credentials = Credentials(  # type: ignore[no-untyped-call]
        None,
        refresh_token=refresh_token,
        token_uri=client.token_uri,
        client_id=client.client_id,
        client_secret=client.client_secret,
    )
    _asked(lambda: credentials.refresh(Request()))  # type: ignore[no-untyped-call]
    return _grant(credentials)


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except WSGITimeoutError:
        raise LoginError(f"nobody signed in within {PATIENCE // 60} minutes", "Run the same command again.") from None
    except (requests.RequestException, google.auth.exceptions.TransportError) as error:
        raise Unreachable(f"Google's sign-in does not answer: {visible(str(error))}", "Try again later.") from None
    except Warning as error:  # oauthlib's way to say that other rights were granted than asked for
        raise LoginError(
            f"the sign-in does not open IMAP: {visible(str(error))}", "Sign in again and allow access to mail."
        ) from None
    except (oauthlib.oauth2.OAuth2Error, google.auth.exceptions.RefreshError) as error:
        raise LoginError(
            f"Google refuses the sign-in: {visible(str(error.args[0] if error.args else error))}",
            "What the registration needs: mailmove help accounts",
        ) from None


def _grant(credentials: Any) -> Grant:
    lifetime = (credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() if credentials.expiry else 0
    return Grant(credentials.token, lifetime, credentials.refresh_token)
