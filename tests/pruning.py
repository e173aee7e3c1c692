"""Prune and export without a process of their own: for tests that need many runs, or another time of day."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.evidence import waived
from mailmove.imap.deletion import Deletion
from mailmove.imap.outcome import Outcome
from mailmove.imap.session import Session
from mailmove.imap.wire import Wire
from mailmove.jobs.copy.result import Target
from mailmove.jobs.export.result import ExportResult
from mailmove.jobs.export.run import Options as ExportOptions
from mailmove.jobs.export.run import export
from mailmove.jobs.prune.copies import opened as places_of
from mailmove.jobs.prune.plan import Options
from mailmove.jobs.prune.result import PrunePlan, PruneResult
from mailmove.jobs.prune.run import carry_out, decline, plan
from mailmove.model import Endpoint, Folder, Listed, MessageId, Password, Security
from mailmove.plan.policy import Asked, Policy
from mailmove.units import Age, parse_age

T = TypeVar("T")

OLDER_THAN_30D = Asked(age=parse_age("30d"))


def drained(job: Generator[Any, None, T]) -> T:
    """What a job returns."""
    while True:
        try:
            next(job)
        except StopIteration as done:
            result: T = done.value
            return result


def delete(
    wire: Wire, folder: Folder, uidvalidity: int, wanted: Mapping[int, Listed], *, tried: Collection[int] = ()
) -> Outcome:
    """Delete messages of one folder portion by portion, with evidence for each."""
    deed = Deletion(wire, folder, uidvalidity, wanted, tried=tried)
    while uids := deed.portion():
        deed.delete(uids, {uid: waived(MessageId(folder.wire, uidvalidity, uid)) for uid in uids})
    return deed.close()


@dataclasses.dataclass
class Pruner:
    """One account and its archive. ``waits`` are the seconds before each new connection."""

    port: int
    user: str
    home: Path
    waits: tuple[float, ...] = (0.0, 0.0, 0.0)

    @property
    def archive(self) -> Path:
        """The archive's directory."""
        return self.home / "mail"

    @contextmanager
    def opened(self, *, writable: bool = True) -> Iterator[Archive]:
        """The archive."""
        memory = Memory(str(self.home / "state"))
        login = f"{self.user}@localhost:{self.port}"
        with Archive.for_login(login, str(self.archive), memory, writable=writable) as archive:
            yield archive

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A login."""
        endpoint = Endpoint("localhost", self.port, self.user, Security.NONE, timeout=10, retry_waits=self.waits)
        with Session(endpoint, Password("pw"), Cancel()) as session:
            yield session

    def export(self) -> ExportResult:
        """Export everything."""
        with self.opened() as archive, self.session() as session:
            return drained(export(self.user, session, archive, ExportOptions()))

    def __call__(
        self,
        asked: Asked = OLDER_THAN_30D,
        policy: Policy | None = None,
        *,
        now: datetime | None = None,
        after: timedelta = timedelta(),
        agree: bool = True,
        between: Callable[[PrunePlan], object] = lambda _: None,
        copies: Mapping[str, Path] | None = None,
        within: Age | None = None,
        **options: Any,
    ) -> PruneResult:
        """Prune; ``now`` is what the clock says, ``between`` happens while the question is open.

        ``copies`` must hold what goes; ``within``: so long what was hashed there counts.
        """
        laid_down = dataclasses.replace(policy or Policy(), copies=tuple(copies or ()))
        wanted = Options(policy=laid_down, asked=asked, include=asked.folders, **options)
        moment = (now or datetime.now(UTC)) + after
        second = [Target(name, str(path), within) for name, path in (copies or {}).items()]
        with self.opened() as archive, places_of(archive, second, moment) as seconds, self.session() as session:
            planned = drained(plan(self.user, session, archive, wanted, moment, seconds))
            between(planned)
            if not agree or not planned.messages or wanted.dry_run:
                return decline(planned, archive, None, asked=False)
            return drained(carry_out(planned, session, archive, "--yes", asked=False, seconds=seconds))
