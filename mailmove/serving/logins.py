"""Who may log in: each archive has a name and a password of its own, and guessing is slow."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections import OrderedDict
from dataclasses import dataclass

from mailmove.serving.channel import Channel
from mailmove.serving.shelf import Shelf

_REMEMBERED = 1000  # addresses that guessed wrong


class NotEncrypted(Exception):
    """Passwords are taken over TLS only, and this connection has none."""


class Wrong(Exception):
    """There is no such user, or that is not the password."""

    def __init__(self) -> None:
        super().__init__("no such user or password; see: mailmove serve --show-login")


class NoPlain(Exception):
    """What was said is no answer to SASL PLAIN (RFC 4616)."""

    def __init__(self) -> None:
        super().__init__("that is no answer to PLAIN")


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

    def must_be_allowed(self, channel: Channel) -> None:
        """See to it that no password is taken where others could listen.

        :raises NotEncrypted: when they could.
        """
        if not self.allowed(channel):
            raise NotEncrypted

    async def plain(self, channel: Channel, response: bytes | None) -> tuple[str, str]:
        """User and password by SASL PLAIN; where nothing came with the command they are asked for.

        :raises NotEncrypted: where others could listen.
        :raises NoPlain: when what comes is something else; also ``*``, by which a program gives up (RFC 4954 4).
        """
        self.must_be_allowed(channel)
        if response is None:
            await channel.write(b"+ \r\n")
            response = await channel.line()
        return _plain(response)

    async def check(self, channel: Channel, user: str, password: str) -> Login:
        """The login of this name and password.

        :raises NotEncrypted: where others could listen.
        :raises Wrong: after a while, when they are none.
        """
        self.must_be_allowed(channel)
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
        raise Wrong

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


def _plain(response: bytes) -> tuple[str, str]:
    try:
        parts = base64.b64decode(response, validate=True).decode("utf-8").split("\0")
    except ValueError:
        raise NoPlain from None
    if len(parts) != 3 or parts[0] not in ("", parts[1]):
        raise NoPlain
    return parts[1], parts[2]
