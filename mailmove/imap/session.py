"""A login that lasts: connects, and connects again after the connection broke, with bounded patience."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TypeVar

from mailmove.cancel import Cancel
from mailmove.errors import (
    Busy,
    CommandRefused,
    Disconnected,
    Exhausted,
    Nonsense,
    Throttled,
    TooManyConnections,
    Unreachable,
)
from mailmove.imap import ident
from mailmove.imap.connection import connect
from mailmove.imap.slots import Slots
from mailmove.imap.wire import Wire
from mailmove.model import Endpoint, Secret
from mailmove.safe import visible

PAUSES = 3
"""So often a server that says it is busy, and not for how long, is waited for; then it refuses what it was asked."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Session:
    """A login at one server; :attr:`wire` is a live connection, made when first asked for."""

    def __init__(self, endpoint: Endpoint, secret: Secret, cancel: Cancel, slots: Slots | None = None) -> None:
        """``slots`` are those of the run, where other sessions may be open."""
        self.endpoint = endpoint
        self._slots = slots or Slots()
        self.cancel = cancel
        self._secret = secret
        self._failures = 0
        self._pauses = 0
        self._believing = True
        self._known_good = False
        self._wire: Wire | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def wire(self) -> Wire:
        """The connection.

        :raises Unreachable: and the other errors of :func:`mailmove.imap.connection.connect`.
        """
        if self._wire is not None and self._wire.usable:
            return self._wire
        self.close()
        while True:
            self.cancel.check()
            try:
                self._wire = self._opened()
            except TooManyConnections as error:
                if not self._slots.lower(self.endpoint.host):
                    self._again(error)
            except Unreachable as error:
                self._again(error)
            else:
                self._known_good = True
                where = f"{visible(self.endpoint.host)}:{self.endpoint.port}"
                log.info("connected to %s, %s", where, self._wire.encryption or "not encrypted")
                return self._wire

    def _opened(self) -> Wire:
        """A connection, once there is a slot for it."""
        self._slots.take(self.endpoint.host, self.cancel)
        try:
            with self._slots.refusals.login(self.endpoint, self._secret, self.cancel):
                connection = connect(self.endpoint, self._secret, self.cancel)
            wire = Wire(connection, self.cancel)
            try:
                ident.introduce(wire)
            except BaseException:
                wire.close()
                raise
        except BaseException:
            self._slots.give(self.endpoint.host)
            raise
        wire.believing = self._believing
        return wire

    def ask(self, question: Callable[[], T]) -> T:
        """Ask the server something that changes nothing; asked again when the connection is lost or a pause wanted.

        :raises Unreachable: once attempts are used up.
        """
        while True:
            try:
                return question()
            except (Disconnected, Throttled) as error:
                self.failed(error)

    def ask_of_folder(self, question: Callable[[], T]) -> T:
        """The same of one folder: an answer that makes no sense, and on a new connection neither, costs that alone.

        :raises Unreachable: once attempts are used up, which many such folders in a row do as well.
        :raises CommandRefused: when it makes no sense twice.
        """
        before = None
        while True:
            try:
                return question()
            except (Disconnected, Throttled) as error:
                before = self.failed_of_folder(error, before)

    def failed(self, error: Unreachable) -> None:
        """Account for a failure: drop the connection if it was that, then wait before the next attempt, or give up.

        A server that was busy each time, and did not say for how long, is from then on taken to refuse what it was
        asked: it may mean this one message or folder.

        :raises Unreachable: the error, once attempts are used up.
        """
        if not isinstance(error, Busy):
            self._again(error)
        elif self._pauses < PAUSES and self._failures < len(self.endpoint.retry_waits):
            self._pauses += 1
            self._again(error)
        else:
            log.info("%s; from now on that counts as a refusal", error)
            self._believing = False
            self._failures = 0
            if self._wire is not None:
                self._wire.believing = False

    def failed_of_folder(self, error: Unreachable, before: Unreachable | None) -> Unreachable:
        """The same for a question about one folder; ``before`` is how it failed the last time. Returns ``error``.

        :raises Unreachable: the error, once attempts are used up.
        :raises CommandRefused: when neither answer made sense.
        """
        if isinstance(error, Nonsense) and isinstance(before, Nonsense):
            raise CommandRefused(error.command, "OK", "", error.what) from None
        self.failed(error)
        return error

    def _again(self, error: Unreachable) -> None:
        """Wait before the next attempt.

        :raises Unreachable: the error, once attempts are used up.
        """
        log.info("%s", error)
        if isinstance(error, Disconnected):
            self.close()  # what is left of an answer must not be taken for that of the next command
        first_try = not self._known_good and not isinstance(error, Disconnected | Throttled)
        waits = self.endpoint.retry_waits
        if first_try or isinstance(error, Exhausted) or self._failures >= len(waits):
            raise error  # a wrong host name does not get better by waiting
        wait = waits[self._failures] * random.uniform(0.75, 1.25)
        if isinstance(error, Busy):
            wait = max(wait, min(error.wait, max(waits)))  # nobody asked for so much
        elif isinstance(error, Throttled | Disconnected):
            wait = max(wait, error.wait)
        self._failures += 1
        if wait:
            log.info("trying again in %.0f s", wait)
        self.cancel.wait(wait)

    def progressed(self) -> None:
        """Something was achieved: patience starts anew."""
        self._failures = 0
        self._pauses = 0

    def close(self) -> None:
        """Log out, if there is a connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
            self._slots.give(self.endpoint.host)
