"""One folder's restore: list it, decide what it lacks, append that, and look again."""

from __future__ import annotations

from collections.abc import Sequence

from mailmove.archive.index.messages import Entry
from mailmove.archive.record.records import Restored
from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused, Disconnected, Throttled
from mailmove.imap import folders
from mailmove.imap.session import Session
from mailmove.jobs.restore.looking import Look, look
from mailmove.jobs.restore.result import PutBack
from mailmove.jobs.restore.sending import Sending, Work, fits, window
from mailmove.jobs.restore.task import Done, Task, key
from mailmove.jobs.restore.verifying import Verifying
from mailmove.model import MessageId
from mailmove.plan import mapping
from mailmove.plan.mapping import Target


class FolderRestore:
    """Puts archived messages into one folder; what becomes of them is told in ``outcome``.

    ``login``: the account where it is not the archive's own. ``copies``: see
    :meth:`mailmove.archive.index.deeds.Deeds.copies`; what is learned is added.
    """

    def __init__(
        self,
        session: Session,
        archive: Archive,
        target: Target,
        wanted: Sequence[Entry],
        login: str | None,
        copies: dict[MessageId, MessageId],
    ) -> None:
        self.outcome = PutBack(target.folder, target.sources, target.new)
        sources = frozenset(source.wire for source in target.sources)
        self._task = Task(session, archive, target.folder, sources, wanted, login)
        self._done = Done(self.outcome)
        self._sending = Sending(self._task, self._done)
        self._verifying = Verifying(self._task, self._done)
        self._copies = copies
        self._new = target.new
        self._closed = False

    def plan(self) -> None:
        """Look, and tell in :attr:`outcome` what there is to do; changes nothing.

        :raises Unreachable: when the server is lost.
        """
        try:
            seen = self._task.session.ask_of_folder(lambda: self._look(writable=False))
        except CommandRefused as error:
            self.outcome.fail(f"{error.command} refused: {error.text}", len(self._task.wanted))
            self._closed = True
            return
        self.outcome.there = seen.held
        self._verifying.tell(seen)
        put = [entry for entry in seen.put if fits(entry, seen.limit, self._done)]
        self.outcome.planned = len(put)
        self.outcome.planned_octets = sum(entry.stored.base.octets for entry in put)

    @property
    def unfinished(self) -> bool:
        """Whether a restore into this folder was begun and is not recorded as ended."""
        return self._task.archive.index.restoring(self._task.folder.wire, self._task.login) is not None

    def run(self) -> Work:
        """Put there what is missing, and look again.

        :raises Unreachable: when the server is lost, and :exc:`~mailmove.errors.CommandRefused` when it has no room:
            what is back by then is in :attr:`outcome`.
        """
        if self._closed:
            return
        try:
            if self._new and self.outcome.planned:
                self._create()
            yield from self._fill()
        except CommandRefused as error:
            if error.code == "OVERQUOTA":
                raise
            if error.command == "CREATE":
                self.outcome.other_name = mapping.plain_name(self._task.folder)
            self.outcome.fail(f"{error.command} refused: {error.text}", self.outcome.planned - self.outcome.restored)

    def _create(self) -> None:
        """Make the folder, unless an attempt that was cut off has made it."""
        session = self._task.session
        try:
            session.ask(lambda: folders.create(session.wire, self._task.folder))
        except CommandRefused as error:
            if error.code != "ALREADYEXISTS":
                raise
        self._new = False

    def _fill(self) -> Work:
        archive, session = self._task.archive, self._task.session
        while True:
            try:
                seen = self._look(writable=True)
                archive.record(seen.late)
                self._count_late(seen.late)
                self._verifying.take_over(seen)
                todo = [entry for entry in seen.put if not self._done.settled(entry)]
                if todo:
                    yield from self._sending.put(seen, todo)
                    continue
                self._verifying.verdict(seen)
                break
            except (Disconnected, Throttled) as error:
                session.failed(error)
        if self.unfinished:
            archive.record([window(self._task, seen.selected, None)])

    def _look(self, *, writable: bool) -> Look:
        return look(self._task, self._copies, self._done.sent, new=self._new, writable=writable)

    def _count_late(self, late: Sequence[Restored]) -> None:
        """What this run had sent, and only learns now that the server took it, or under which UID."""
        wanted = {key(entry): entry for entry in self._task.wanted}
        for each in late if self._done.begun else ():
            entry = wanted.get((each.source, bytes.fromhex(each.sha256)))
            if entry is not None:
                self._done.count(entry, each.uid)
