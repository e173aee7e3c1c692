"""What a job is opened with: its account's archive and login, and the person at the terminal."""

from __future__ import annotations

import logging
import os
import queue
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mailmove import streams
from mailmove.accounts.config import Account
from mailmove.archive.creating import exists
from mailmove.archive.record import newer
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.cli.options import Place
from mailmove.errors import (
    ArchiveMissing,
    RefusedError,
    UsageError,
)
from mailmove.imap.slots import Slots
from mailmove.jobs.progress import Progress
from mailmove.model import Secret
from mailmove.report.again import ALL, Again
from mailmove.report.fitting import columns, fit
from mailmove.safe import visible

if TYPE_CHECKING:
    from mailmove.archive.mending import salvage
    from mailmove.imap.session import Session
    from mailmove.jobs.copy.result import Target

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """Something for the person at the terminal; ``answer`` receives the line, or None at the end of input.

    What could not be shown whole is not answered: ``answer`` receives the error.
    """

    text: Sequence[str]
    prompt: str
    answer: queue.SimpleQueue[str | RefusedError | None]

    def put(self) -> None:
        """Ask it.

        :raises KeyboardInterrupt: instead of an answer; then the answer is None.
        """
        answer: str | RefusedError | None = None
        try:
            streams.show(fit("\n".join(self.text), columns(sys.stdout)) + "\n", sys.stdout)
            streams.show(self.prompt, sys.stderr)
            answer = streams.line()
        except (OSError, ValueError) as error:
            answer = RefusedError(f"the question could not be shown whole: {error}", "Nothing was done. Run it again.")
        finally:
            self.answer.put(answer)


@dataclass(frozen=True)
class Work:
    """One account's share of a run: what its job is opened with."""

    place: Place
    cancel: Cancel
    _memory: Memory
    _secret: Secret | None
    _slots: Slots = field(default_factory=Slots)
    _told: queue.SimpleQueue[tuple[Place, Any]] = field(default_factory=queue.SimpleQueue)
    again: Again = ALL
    untold: list[Progress] = field(default_factory=list, compare=False)
    """What whoever watches does not know yet."""

    @property
    def name(self) -> str:
        """How the account, or the archive without one, is called."""
        return self.place.name

    @property
    def account(self) -> Account:
        """The account.

        :raises UsageError: when only an archive directory was named.
        """
        if self.place.account is None:
            raise UsageError(f"{visible(self.place.name)} names an archive, not an account", "Name its account or URL.")
        return self.place.account

    def copies(self) -> tuple[Target, ...]:
        """The second places of the archive that the configuration names.

        :raises UsageError: when only an archive directory was named, or there are none.
        """
        from mailmove.jobs.copy.result import Target

        copies = self.account.copies
        if not copies:
            raise UsageError(
                f"no copies are laid down for {visible(self.name)}", "Name the directory, or see: mailmove help copies"
            )
        return tuple(Target(name, os.path.abspath(one.path), one.proven_within) for name, one in copies.items())

    def tell(self) -> None:
        """Let whoever watches know."""
        self._told.put((self.place, tuple(self.untold)))
        self.untold.clear()

    def ask(self, text: Sequence[str], prompt: str) -> str | None:
        """Show a text at the terminal and wait for an answer; None at the end of input.

        :raises Interrupted: when the answer is Ctrl-C.
        :raises RefusedError: when not all of it could be shown.
        """
        self.tell()  # later it would look as if something were done after a no
        question = Question(text, prompt, queue.SimpleQueue())
        self._told.put((self.place, question))
        answer = question.answer.get()
        self.cancel.check()
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    @property
    def has_secret(self) -> bool:
        """Whether the account's secret is known already."""
        return self._secret is not None

    def session(self) -> Session:
        """A login at the account's server, connecting when first used."""
        assert self._secret is not None, "run(..., login=True) comes first"
        from mailmove.imap.session import Session  # late: what reads an archive loads no IMAP

        return Session(self.account.endpoint, self._secret, self.cancel, self._slots)

    @property
    def has_archive(self) -> bool:
        """Whether there is an archive, or there was one and is none any more, which must not be taken for none.

        One that the same login has elsewhere, by another ``--archive``, does not count.

        :raises ArchiveError: when something else is in its place.
        """
        path = os.path.abspath(self.place.archive)
        if exists(path):
            return True
        remembered = self._memory.recall(self.account.endpoint.login)
        return path in remembered or bool(remembered and not any(map(exists, remembered)))

    def archive(self, *, writable: bool, new: bool = False) -> Archive:
        """The archive; with ``writable`` it is locked, and made if the account never had one.

        :raises ArchiveError: when it cannot be used.
        """
        opened = self._archive(writable=writable, new=new)
        if opened.newer:
            log.warning("%s", newer.note(opened.newer, opened.path))
        return opened

    def _archive(self, *, writable: bool, new: bool) -> Archive:
        if self.place.account is None:
            return Archive.open(self.place.archive, self._memory, writable=writable)
        if not writable and not self.has_archive:
            raise ArchiveMissing(f"{visible(self.name)} has no archive yet", f"Run: {self.again.command('export')}")
        login = self.account.endpoint.login
        return Archive.for_login(login, self.place.archive, self._memory, writable=writable, new=new)

    def mend(self) -> salvage.Salvaged:
        """Make the archive one that can be opened; see :func:`mailmove.archive.mending.salvage.mend`."""
        from mailmove.archive.mending import salvage

        return salvage.mend(self.place.archive, self._memory)

    @contextmanager
    def archive_and_session(self, *, new: bool = False) -> Iterator[tuple[Archive, Session]]:
        """The archive, locked, and a login.

        An archive that cannot be used stops this before the login; one that there is not yet is made only after it, so
        that a mistyped host or user leaves none.
        """
        with self.session() as session:
            if not self.has_archive:
                _ = session.wire
            with self.archive(writable=True, new=new) as archive:
                yield archive, session
