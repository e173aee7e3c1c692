"""What can go wrong: one class per thing a user can do about it, each owning its exit code.

An error says what happened and what to do next, in one or two lines, and names account, folder and UID where there
are any. Text from a server or a message goes through :func:`mailmove.safe.visible` before it gets into one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """What the process tells its caller. The numbers are stable; the topic exit-codes documents them."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    THRESHOLD = 4
    LOGIN = 5
    UNREACHABLE = 6
    ARCHIVE = 7
    REFUSED = 8
    LACKING = 9
    INTERRUPTED = 130


_MOST_SERIOUS_FIRST = (
    Exit.INTERRUPTED,
    Exit.BUG,
    Exit.USAGE,
    Exit.ARCHIVE,
    Exit.REFUSED,
    Exit.LOGIN,
    Exit.LACKING,
    Exit.PARTIAL,
    Exit.UNREACHABLE,
    Exit.THRESHOLD,
    Exit.DONE,
)


def most_serious(codes: Iterable[Exit]) -> Exit:
    """Choose the exit code of a run over several accounts."""
    return min(codes, key=_MOST_SERIOUS_FIRST.index, default=Exit.DONE)


class MailmoveError(Exception):
    """Something the user can act on: what happened, and what to do next.

    ``kind`` tells a program which: the words are stable, the topic exit-codes documents them.
    """

    exit = Exit.BUG
    kind = "error"

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step

    def bare(self) -> Self:
        """The same without traceback and causes, which keep all that was at work when it was raised."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self

    def __str__(self) -> str:
        return f"{self.what}\n  {self.next_step}" if self.next_step else self.what


class UsageError(MailmoveError):
    """The command line or the configuration cannot be carried out as it stands."""

    exit = Exit.USAGE
    kind = "usage"


class LoginError(MailmoveError):
    """No usable credentials, or the server refused them."""

    exit = Exit.LOGIN
    kind = "no-secret"


class LoginRefused(LoginError):
    """The server refused the credentials that it was given."""

    kind = "login-refused"


class Unreachable(MailmoveError):
    """The server cannot be reached, hung up, or is busy: the next run may succeed."""

    exit = Exit.UNREACHABLE
    kind = "unreachable"


class Throttled(Unreachable):
    """The server asked for a pause of :attr:`wait` seconds."""

    kind = "busy"

    def __init__(self, what: str, wait: float, next_step: str = "") -> None:
        super().__init__(what, next_step)
        self.wait = wait


class Busy(Throttled):
    """The server says that it is busy, and not for how long; some say so for ever of one message or one folder."""


class TooManyConnections(Throttled):
    """The server allows fewer connections at the same time than there are."""


class Exhausted(Unreachable):
    """The provider's limit for today is used up: no pause that a run could make helps."""

    kind = "exhausted"


class Disconnected(Unreachable):
    """The connection is gone or no longer to be trusted; what was under way may be tried on a new one.

    ``wait``: the seconds that should pass before.
    """

    wait = 0.0


class Nonsense(Disconnected):
    """What the server answers to ``command`` is not IMAP: nothing that follows can be told apart any more."""

    command = ""


class ArchiveError(MailmoveError):
    """The archive is locked, damaged, full, missing or not this account's, or its disk fails."""

    exit = Exit.ARCHIVE
    kind = "archive"


class ArchiveLocked(ArchiveError):
    """Another run is working on it: it is as good as it was."""

    kind = "locked"


class ArchiveDamaged(ArchiveError):
    """Something of it, or of what is remembered of it, is not as it was written."""

    kind = "damaged"


class ArchiveMissing(ArchiveError):
    """It is not where it was, or there is none yet."""

    kind = "missing"


class DiskFull(ArchiveError):
    """Its disk has no room left."""

    kind = "full"


class RefusedError(MailmoveError):
    """What was asked is not safe: nothing was done."""

    exit = Exit.REFUSED
    kind = "refused"


class LackingError(MailmoveError):
    """The server cannot do what this needs."""

    exit = Exit.LACKING
    kind = "lacking"


class Interrupted(MailmoveError):
    """Ctrl-C or SIGTERM: the run stopped at a safe point."""

    exit = Exit.INTERRUPTED
    kind = "interrupted"


class CommandRefused(MailmoveError):
    """The server answered a command with NO or BAD (RFC 9051 7.1): the connection is still good.

    ``command`` is its name, ``code`` the response code in upper case (RFC 5530) or an
    empty string, ``text`` the server's words; ``busy``: they are those of :exc:`Busy`.
    """

    exit = Exit.PARTIAL
    kind = "refused-by-server"
    busy = False

    def __init__(self, command: str, status: str, code: str, text: str) -> None:
        super().__init__(f"the server refused {command}: {status} {text}")
        self.command = command
        self.status = status
        self.code = code
        self.text = text
