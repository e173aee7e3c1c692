"""Secrets that a host refused in this run: one that many accounts share must not be refused for each of them.

Servers lock out whoever tries again and again (fail2ban), with every account that comes from the same address.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from mailmove.cancel import Cancel
from mailmove.errors import LoginRefused
from mailmove.model import Endpoint, Password, Secret
from mailmove.safe import visible

ENOUGH = 3
_PULSE = 0.5  # seconds between two looks whether the user wants to stop

_Key = tuple[str, str, str]


class Refusals:
    """One per run. Until a secret was good once, no more logins are under way with it than may still be refused."""

    def __init__(self) -> None:
        self._refused: Counter[_Key] = Counter()
        self._trying: Counter[_Key] = Counter()
        self._good: set[_Key] = set()
        self._changed = threading.Condition()

    @contextmanager
    def login(self, endpoint: Endpoint, secret: Secret, cancel: Cancel) -> Iterator[None]:
        """Around one login. Tokens are not counted: each is one account's.

        :raises LoginRefused: without trying, when the host refused this secret often enough.
        :raises Interrupted: when the user stops the run.
        """
        if not isinstance(secret, Password):
            yield
            return
        key = (endpoint.host.lower(), endpoint.auth_user, secret.value)
        with self._changed:
            while key not in self._good and 0 < ENOUGH - self._refused[key] <= self._trying[key]:
                self._changed.wait(_PULSE)
                cancel.check()
            if self._refused[key] >= ENOUGH:
                raise LoginRefused(
                    f"{endpoint.host} refused this password {ENOUGH} times in this run: {visible(endpoint.user)} was "
                    "not tried, so that nobody is locked out",
                    "Mend the password that these accounts share, then run the same command again.",
                )
            self._trying[key] += 1
        try:
            yield
        except LoginRefused:
            self._ended(key, refused=True)
            raise
        except BaseException:
            self._ended(key)
            raise
        self._ended(key, good=True)

    def _ended(self, key: _Key, *, refused: bool = False, good: bool = False) -> None:
        with self._changed:
            self._trying[key] -= 1
            self._refused[key] += refused
            if good:
                self._good.add(key)
            self._changed.notify_all()
