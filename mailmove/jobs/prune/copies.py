"""The copies that a prune needs: open and locked from before the question until after the last EXPUNGE.

What goes has evidence in each of them besides that in the archive; where one cannot be asked, nothing goes. The
evidence is made in this run, by reading and hashing; where the owner has said so of a copy, that an earlier run read
and hashed a file there, and the file is unchanged, is enough for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailmove.archive.files import disk, durable
from mailmove.archive.index.messages import Stored
from mailmove.archive.proof.rehashing import MISSING, Inode, Reading, prove_all
from mailmove.archive.proof.witness import Witness
from mailmove.archive.record.records import ProvenAt
from mailmove.archive.store import Archive
from mailmove.copies import directory, journals
from mailmove.copies.directory import Copy
from mailmove.copies.recall import Recall
from mailmove.errors import MailmoveError, RefusedError
from mailmove.evidence import Evidence, How
from mailmove.jobs.copy.result import Target
from mailmove.jobs.prune.result import Relied
from mailmove.plan.copying import Standing, standing
from mailmove.safe import visible
from mailmove.units import timestamp, utc

_KEPT = "Nothing was deleted. Bring its disk back and run: mailmove copy"


@dataclass(frozen=True)
class Second:
    """A copy that must hold what goes; ``name`` is what the configuration calls it."""

    name: str
    copy: Copy
    witness: Witness
    recall: Recall | None = None
    """What earlier runs proved there, where that counts."""
    _read: dict[Inode, Reading] = field(default_factory=dict)

    def prove(
        self, proven: Mapping[int, Evidence], stored: Mapping[int, Stored]
    ) -> Iterator[tuple[int, Evidence | str]]:
        """Of these messages of one folder, by UID, the evidence that the copy holds them as well; or why not."""
        known = {uid: one for uid, one in stored.items() if uid in proven}
        where = next((one.id for one in known.values()), None)
        folder = self.copy.manifest.find(where.folder, where.uidvalidity) if where is not None else None
        if folder is not None and self.recall is not None:
            for one in self.recall.evidence(folder, tuple(known.values())):
                del known[one.message.uid]
                yield one.message.uid, _besides(proven[one.message.uid], one)
        hashed: list[Evidence] = []
        for verdict in prove_all(self.copy, folder, tuple(known.values()), self._read) if folder is not None else ():
            uid = verdict.stored.id.uid
            if verdict.evidence is not None:
                del known[uid]
                hashed.append(verdict.evidence)
                yield uid, _besides(proven[uid], verdict.evidence)
            elif verdict.problem != MISSING:
                del known[uid]
                yield uid, f"in the copy {self.name} {verdict.problem}"
        if folder is not None and self.recall is not None:
            self.recall.note(folder, hashed)
        yield from ((uid, f"it is not in the copy {self.name} yet: mailmove copy brings it there") for uid in known)

    def again(self, proof: Mapping[int, Evidence]) -> tuple[dict[int, Evidence], dict[int, str]]:
        """Of these messages those that are still there, with evidence that is; and why not of the others.

        :raises ArchiveError: when the copy is not the one that was opened.
        """
        mine = {uid: [one for one in proof[uid].besides if one.place == self.copy.identity] for uid in proof}
        good, lost = self.witness.renew(one for some in mine.values() for one in some)
        renewed = {
            uid: replace(proof[uid], besides=(*(o for o in proof[uid].besides if o not in mine[uid]), good[uid]))
            for uid in good
        }
        missing = dict.fromkeys(proof.keys() - good.keys() - lost.keys(), "nothing proves it there")
        return renewed, {uid: f"in the copy {self.name}: {why}" for uid, why in {**lost, **missing}.items()}


@dataclass(frozen=True)
class Places:
    """The archive and its copies, looked at again together."""

    archive: Witness
    seconds: Sequence[Second]

    def must_stand(self) -> None:
        """See to it that each of them, by its path, is the one that was opened.

        :raises ArchiveError: when one is not.
        """
        for witness in (self.archive, *(second.witness for second in self.seconds)):
            witness.must_stand()

    def renew(self, evidence: Iterable[Evidence]) -> tuple[dict[int, Evidence], dict[int, str]]:
        """Evidence, by UID, for those messages of a folder that each place still holds, and why not for the others.

        :raises ArchiveError: when one is not the place that was opened.
        """
        proof, lost = self.archive.renew(evidence)
        for second in self.seconds:
            proof, missing = second.again(proof)
            lost |= missing
        return proof, lost


def relied(seconds: Iterable[Second], evidence: Iterable[Evidence]) -> dict[str, Relied]:
    """By the names of copies, how much of what goes was not hashed there in this run."""
    names = {second.copy.identity: second.name for second in seconds}
    found: dict[str, Relied] = {}
    for one in (other for each in evidence for other in each.besides if other.how is How.UNCHANGED):
        messages, since = found.get(names[one.place], (0, one.since))
        found[names[one.place]] = Relied(messages + 1, min(since, one.since))
    return found


def record(run: str, seconds: Iterable[Second], weaker: Mapping[str, Relied], at: str) -> list[ProvenAt]:
    """What the journal says of the copies in which all was proven that a run deletes."""
    hows = {name: f"unchanged since {timestamp(utc(one.since))}" for name, one in weaker.items()}
    return [
        ProvenAt(run, second.copy.identity, second.name, hows.get(second.name, How.REHASHED.value), at)
        for second in seconds
    ]


@contextmanager
def opened(archive: Archive, wanted: Iterable[Target], now: datetime) -> Iterator[Sequence[Second]]:
    """These copies, each locked; the archive is locked before, they in the order of their ids.

    :raises RefusedError: when one is not there, is no second place, or not of this archive as it is.
    """
    with ExitStack() as stack:
        found = sorted(((_identity(target), target) for target in wanted), key=lambda one: one[0])
        yield [stack.enter_context(_second(archive, target, now)) for _, target in found]


@contextmanager
def _second(archive: Archive, target: Target, now: datetime) -> Iterator[Second]:
    try:
        copy = Copy.open(target.path)
    except MailmoveError as error:
        raise _refused(target.name, error.what) from error
    with copy:
        _must_be_second(archive, copy, target.name)
        recall = Recall(copy, archive.memory, target.within, now) if target.within is not None else None
        yield Second(target.name, copy, Witness(copy), recall)


def _identity(target: Target) -> str:
    try:
        return directory.identity(target.path)
    except MailmoveError as error:
        raise _refused(target.name, error.what) from error


def _besides(here: Evidence, there: Evidence) -> Evidence:
    return replace(here, besides=(*here.besides, there))


def _must_be_second(archive: Archive, copy: Copy, name: str) -> None:
    if copy.manifest.uuid != archive.manifest.uuid:
        raise _refused(name, f"{visible(copy.path)} is a copy of another archive")
    if disk.is_same(copy.root, archive.root):
        raise _refused(name, "it lies on the same disk as the archive, and is no second place")
    with durable.explained(f"comparing the journals of {visible(archive.path)} and {visible(copy.path)}"):
        found = journals.compare(archive.meta, copy.meta)
    if standing(found.ours, found.theirs, found.same) in (Standing.AHEAD, Standing.DIVERGED):
        raise _refused(name, "its journal is no beginning of the archive's: one of the two was set back or changed")


def _refused(name: str, why: str) -> RefusedError:
    return RefusedError(f"the copy {visible(name)}, which must hold what goes, cannot be asked: {why}", _KEPT)
