"""Who may log in: each archive has a name and a password of its own, and guessing is slow."""

from __future__ import annotations

import asyncio
import hmac
from collections import OrderedDict
from dataclasses import dataclass

from mailmove.serving.channel import Channel
from mailmove.serving.shelf import Shelf

_REMEMBERED = 1000  # addresses that guessed wrong


@dataclass(frozen=True)
class Login:
    """An archive, and what opens it."""

    user: str
    password: str
    shelf: Shelf


class Logins:
    """All logins of a server."""

    def __init__(self, logins: list[Login], *, only_encrypted: bool, separator: str = "+") -> None:
        self._logins = {login.user: login for login in logins}
        self._failures: OrderedDict[str, int] = OrderedDict()
        self._only_encrypted = only_encrypted
        self._separator = separator

    def allowed(self, channel: Channel) -> bool:
        """Whether a password may be sent over this connection."""
        return channel.encrypted or not self._only_encrypted

    async def check(self, channel: Channel, user: str, password: str) -> Login | None:
        """The login of this name and password; None, after a while, when they are none."""
        login = self._logins.get(user)
        expected = login.password if login is not None else ""
        good = hmac.compare_digest(password.encode("utf-8", "replace"), expected.encode())
        if login is not None and good:
            self._failures.pop(channel.peer, None)
            channel.patience = channel.limits.idle
            return login
        failed = self._failures.pop(channel.peer, 0)
        self._failures[channel.peer] = failed + 1
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        await asyncio.sleep(min(channel.limits.slow * 2 ** min(failed, 10), channel.limits.slowest))
        return None

    def folder(self, user: str) -> tuple[str, str]:
        """A user name as POP3 has it, ``ACCOUNT+FOLDER``: the account, and the folder; empty: all of it."""
        if user in self._logins:
            return user, ""
        at = user.find(self._separator)
        while self._separator and at >= 0:
            if user[:at] in self._logins:
                return user[:at], user[at + len(self._separator) :]
            at = user.find(self._separator, at + 1)
        return user, ""


def plain(response: bytes) -> tuple[str, str] | None:
    """User and password of SASL PLAIN (RFC 4616), decoded from base64; None where it is none."""
    import base64
    import binascii

    try:
        parts = base64.b64decode(response, validate=True).decode("utf-8").split("\0")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if len(parts) != 3 or parts[0] not in ("", parts[1]):
        return None
    return parts[1], parts[2]
