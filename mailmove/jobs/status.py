"""Status: how an account stands, by its archive's journal and what runs left in the state directory. Asks no server."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailmove.archive.state.proofs import Proofs
from mailmove.archive.state.standing import Attempt, Gauged, Standing
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError, Exit
from mailmove.jobs.copy.result import Target
from mailmove.jobs.progress import Progress
from mailmove.units import parse_timestamp

__all__ = ["Attempt", "Gauged", "Status", "merged", "status"]  # a status is made of them


@dataclass(frozen=True, slots=True)
class Fresh:
    """Of ``held`` messages in a copy ``proven`` were hashed within a time, such as ``7d``."""

    within: str
    held: int
    proven: int


@dataclass(frozen=True, slots=True)
class Status:
    """How one account stands at a moment. ``messages`` and ``octets`` are None while there is no archive.

    ``unusable`` is why its archive cannot be read; ``missing``: the configuration does not have it any more.
    """

    account: str
    now: datetime
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    gauge: Gauged | None = None
    policy: bool = False
    messages: int | None = None
    octets: int | None = None
    unusable: ArchiveError | None = None
    missing: bool = False
    pending: Mapping[str, int] = field(default_factory=dict)
    """By the names or directories of copies: how many messages that were erased here may lie there still."""
    proven: Mapping[str, Fresh] = field(default_factory=dict)
    """By the names of copies: how much there is proven for as long as the owner lets it count."""

    @property
    def failing(self) -> dict[str, Attempt]:
        """The commands whose last run failed."""
        return {command: one for command, one in self.attempts.items() if one.since is not None}

    @property
    def well(self) -> bool:
        """Whether it needs nobody."""
        exported = self.attempts.get("export")
        return not (self.missing or self.unusable or self.failing or self.pending) and exported is not None

    def age(self, command: str) -> int | None:
        """How many seconds ago a command last came to a good end; None: never."""
        attempt = self.attempts.get(command)
        return None if attempt is None or attempt.good is None else int(self.now.timestamp()) - attempt.good

    @property
    def exit(self) -> Exit:
        """The exit code of this account: what cannot be read is no answer."""
        return self.unusable.exit if self.unusable is not None else Exit.DONE


def status(
    account: str,
    archive: Archive | ArchiveError | None,
    noted: Standing,
    now: datetime,
    *,
    policy: bool,
    copies: Collection[Target] = (),
) -> Generator[Progress, None, Status]:
    """Put together what is known of one account; ``archive`` may be why there is none to look at.

    ``copies`` are those of the configuration; none of them is looked at.
    """
    yield from ()
    known = Status(account, now, noted.attempts, noted.gauge, policy)
    if archive is None or isinstance(archive, ArchiveError):
        return Status(account, now, noted.attempts, noted.gauge, policy, unusable=archive)
    messages, octets = archive.index.count()
    attempts = merged(_recorded(archive), known.attempts)
    left = archive.index.pending()
    pending = {one.name or one.place: left[one.copy] for one in archive.index.copied() if one.copy in left}
    proven = dict(_fresh(archive, copies, now))
    return Status(account, now, attempts, noted.gauge, policy, messages, octets, pending=pending, proven=proven)


def _fresh(archive: Archive, copies: Collection[Target], now: datetime) -> Iterator[tuple[str, Fresh]]:
    known = {line.name: line for line in archive.index.copied()}
    for target in copies:
        if target.within is not None and (line := known.get(target.name)) is not None:
            proofs = Proofs(archive.memory, archive.manifest.uuid, line.copy)
            since = int(target.within.cutoff(now).timestamp())
            yield target.name, Fresh(target.within.text, line.messages, proofs.count(since))


def merged(recorded: Mapping[str, Attempt], noted: Mapping[str, Attempt]) -> dict[str, Attempt]:
    """What the journal and the state directory say together: the later run, and the later good end of the two.

    The journal knows nothing of a run that never got as far as the archive, the state directory nothing of runs before
    there was one, or on another machine.
    """
    both = {**noted, **recorded}
    for command, one in noted.items():
        other = recorded.get(command, one)
        later = other if other.at > one.at else one
        goods = [each.good for each in (one, other) if each.good is not None]
        good = max(goods, default=None)
        since = later.since if later.since is None or good is None or later.since > good else later.at
        both[command] = Attempt(later.at, later.exit, good, since, later.what, later.kind)
    return both


def _recorded(archive: Archive) -> dict[str, Attempt]:
    attempts: dict[str, Attempt] = {}
    for run in archive.index.runs():
        at = int(parse_timestamp(run.at).timestamp())
        if run.command == "prune" and run.exit == Exit.REFUSED and not run.summary.get("deleted"):
            continue  # also what somebody looked at and declined: no failure
        attempts[run.command] = attempts.get(run.command, Attempt(0)).then(at, run.exit)
    return attempts
