"""What a NO, BAD or BYE means for us: wait, give up for now, or a refusal of this one command.

Response codes: RFC 5530 3, RFC 9051 7.1, RFC 9208 4.3. Microsoft 365 tells how long to wait in words only.
"""

from __future__ import annotations

import re

from mailmove.errors import (
    Busy,
    CommandRefused,
    Disconnected,
    Exhausted,
    Exit,
    LoginError,
    MailmoveError,
    Throttled,
    TooManyConnections,
    Unreachable,
)
from mailmove.safe import visible

MAX_WAIT = 900.0  # seconds; a longer pause is the next run's
DEFAULT_WAIT = 10.0

_CODE = re.compile(r"\[([A-Z0-9-]+)[^\]]*\]\s*", re.IGNORECASE)
_BACKOFF = re.compile(r"suggested backoff time:?\s*(\d+)\s*(milliseconds|ms|seconds|s)\b", re.IGNORECASE)
_BUSY_CODES = {"UNAVAILABLE", "INUSE", "THROTTLED", "LIMIT"}
_BUSY_WORDS = re.compile(r"throttled|rate limit|try again later", re.IGNORECASE)
_TOO_MANY = re.compile(r"too many (simultaneous )?connections|maximum number of connections", re.IGNORECASE)
_DENIED_CODES = {"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN"}
_CREDENTIALS = re.compile(r"\b(log-?[io]n|auth|credential|pass|user|account)", re.IGNORECASE)
_WRONG = re.compile(r"\b(fail|invalid|incorrect|wrong|bad|unknown|denied|reject|refus)", re.IGNORECASE)
_FOR_NOW = re.compile(r"\b(temporar|internal|backend|process|unavailable|later|down)", re.IGNORECASE)
_DAILY_LIMIT = re.compile(r"bandwidth limits|download limit", re.IGNORECASE)


def code_of(text: str) -> str:
    """The response code at the beginning of a text, in upper case, or an empty string."""
    found = _CODE.match(text)
    return found[1].upper() if found else ""


def busy(text: str) -> Unreachable | None:
    """The pause a server asks for, or None when its text asks for none."""
    if _DAILY_LIMIT.search(text):
        return Exhausted(
            f"the provider's download limit is reached: {visible(text)}",
            "What has come is safe. Run the same command again tomorrow; it goes on where it stopped.",
        )
    if _TOO_MANY.search(text):
        return TooManyConnections(f"the server allows no more connections: {visible(text)}", DEFAULT_WAIT)
    found = _BACKOFF.search(text)
    if found:
        wait = float(found[1]) / (1000 if found[2].lower().startswith("m") else 1)
    elif code_of(text) in _BUSY_CODES or _BUSY_WORDS.search(text):
        return Busy(f"the server is busy: {visible(text)}", DEFAULT_WAIT)
    else:
        return None
    if wait > MAX_WAIT:
        return Unreachable(
            f"the server asks for a pause of {wait / 60:.0f} minutes: {visible(text)}", "Run again then."
        )
    return Throttled(f"the server is busy: {visible(text)}", wait)


def denies_login(text: str) -> bool:
    """Whether a BYE in answer to a login speaks of the credentials, not of the server."""
    if code_of(text) in _DENIED_CODES:
        return True
    spoken = _CREDENTIALS.search(text) and _WRONG.search(text) and not _FOR_NOW.search(text)
    return bool(spoken) and busy(text) is None


def shut_out(text: str) -> LoginError:
    """The error for a login that is accepted, and of no use."""
    return LoginError(
        f"the server accepts the login and then refuses everything: {visible(text)}",
        "Usual causes: IMAP is off for this mailbox; it is another or a shared mailbox; the token is another user's.",
    )


def refused(command: str, status: str, text: str, *, believed: bool = True) -> MailmoveError:
    """The error for a tagged NO or BAD; not ``believed``: busy for who knows how long is a refusal like any other."""
    pause = busy(text)
    if pause is not None and (believed or not isinstance(pause, Busy)):
        return pause
    error = CommandRefused(command, status, code_of(text), visible(text))
    if pause is not None:
        error.busy, error.exit = True, Exit.UNREACHABLE
    return error


def said_bye(text: str) -> Unreachable:
    """The error for a BYE that we did not ask for."""
    pause = busy(text)
    if pause is not None and not isinstance(pause, Busy):
        return pause
    error = Disconnected(f"the server hung up: {visible(text)}")
    error.wait = pause.wait if pause is not None else 0.0
    return error
