"""One folder's restore: what goes where, and what this run has done of it so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive.index.messages import Entry
from mailmove.archive.store import Archive
from mailmove.imap.session import Session
from mailmove.jobs.restore.result import PutBack
from mailmove.model import Folder, MessageId
from mailmove.plan.altered import Watch
from mailmove.units import timestamp

Key = tuple[MessageId, bytes]  # a message in the archive; the SHA-256 tells superseded ones apart


def key(entry: Entry) -> Key:
    """What a message is known by."""
    return entry.stored.id, entry.stored.sha256


def now() -> str:
    """The time, as records tell it."""
    return timestamp(datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Task:
    """Messages ``wanted`` in a folder, archived from the folders ``sources``.

    ``login``: the account that the folder is of, where it is not the archive's own.
    """

    session: Session
    archive: Archive
    folder: Folder
    sources: frozenset[bytes]
    wanted: Sequence[Entry]
    login: str | None


@dataclass(slots=True)
class Done:
    """What a run has done, told in ``outcome``.

    ``fresh`` are on the server by now, and to be compared with what was sent; a server may have altered those that are
    ``fragile``, or whose ``watches`` say so.
    """

    outcome: PutBack
    begun: bool = False
    sent: set[Key] = field(default_factory=set)
    failed: set[Key] = field(default_factory=set)
    fresh: dict[int, Entry] = field(default_factory=dict)
    fragile: set[Key] = field(default_factory=set)
    watches: dict[Key, Watch] = field(default_factory=dict)

    def settled(self, entry: Entry) -> bool:
        """Whether nothing more is to be done with a message."""
        return key(entry) in self.sent or key(entry) in self.failed

    def count(self, entry: Entry, uid: int) -> None:
        """A message is on the server, under this UID; 0: it was not told."""
        if key(entry) not in self.sent:
            self.sent.add(key(entry))
            self.outcome.restored += 1
            self.outcome.octets += entry.stored.base.octets
        if uid:
            self.fresh[uid] = entry

    def fail(self, entry: Entry, why: str) -> None:
        """A message cannot go there."""
        if key(entry) not in self.failed:
            self.failed.add(key(entry))
            self.outcome.refuse(entry.stored.sha256, why)

    def could_be_altered(self, entry: Entry) -> bool:
        """Whether a server may have reason to alter this message."""
        watch = self.watches.get(key(entry))
        return key(entry) in self.fragile or (watch is not None and watch.fragile)
