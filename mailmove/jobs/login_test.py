"""Account test: log in and look around, as the other commands will; nothing is changed, nothing is fetched."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from mailmove.errors import Exit
from mailmove.imap import ident, quota
from mailmove.imap.folders import look
from mailmove.imap.session import Session
from mailmove.jobs.progress import Progress
from mailmove.model import Endpoint, QuotaRoot, Seen


@dataclass(frozen=True, slots=True)
class LoginTest:
    """What a login found. ``encryption`` is None for a connection in the clear, ``quota`` where none is told."""

    account: str
    endpoint: Endpoint
    encryption: str | None
    software: str
    capabilities: frozenset[str]
    folders: tuple[Seen, ...]
    quota: tuple[QuotaRoot, ...] | None
    problems: tuple[str, ...] = ()
    """What else cannot be seen of its folders, safe for a terminal."""

    @property
    def unopened(self) -> list[Seen]:
        """Folders that hold messages which the server does not let us count."""
        return [seen for seen in self.folders if seen.folder.selectable and seen.status is None]

    @property
    def exit(self) -> Exit:
        """The exit code of this account."""
        return Exit.PARTIAL if self.unopened or self.problems else Exit.DONE


def login_test(account: str, session: Session) -> Generator[Progress, None, LoginTest]:
    """Test one account.

    :raises MailmoveError: of :mod:`mailmove.imap`, when the login does not come about.
    """
    yield from ()
    looked = look(session.wire)
    wire, folders = session.wire, looked.seen
    roots = quota.roots(wire, (seen.folder for seen in folders if seen.folder.selectable))
    return LoginTest(
        account,
        session.endpoint,
        wire.encryption,
        ident.software(wire),
        wire.capabilities,
        folders,
        None if roots is None else tuple(roots),
        (*looked.problems, *(f"{seen.folder.shown}: {seen.doubt}" for seen in folders if seen.doubt)),
    )
