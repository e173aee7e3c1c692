"""The copies that a prune needs: open and locked from before the question until after the last EXPUNGE.

What goes has evidence in each of them besides that in the archive; where one cannot be asked, nothing goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from mailmove.archive.files import disk, durable
from mailmove.archive.index.messages import Stored
from mailmove.archive.proof.rehashing import MISSING, Inode, Reading, prove_all
from mailmove.archive.proof.witness import Witness
from mailmove.archive.record.records import ProvenAt
from mailmove.archive.store import Archive
from mailmove.copies import directory, journals
from mailmove.copies.directory import Copy
from mailmove.errors import MailmoveError, RefusedError
from mailmove.evidence import Evidence
from mailmove.plan.copying import Standing, standing
from mailmove.safe import visible

_KEPT = "Nothing was deleted. Bring its disk back and run: mailmove copy"


@dataclass(frozen=True)
class Second:
    """A copy that must hold what goes; ``name`` is what the configuration calls it."""

    name: str
    copy: Copy
    witness: Witness
    _read: dict[Inode, Reading] = field(default_factory=dict)

    def prove(
        self, proven: Mapping[int, Evidence], stored: Mapping[int, Stored]
    ) -> Iterator[tuple[int, Evidence | str]]:
        """Of these messages of one folder, by UID, the evidence that the copy holds them as well; or why not."""
        known = {uid: one for uid, one in stored.items() if uid in proven}
        where = next((one.id for one in known.values()), None)
        folder = self.copy.manifest.find(where.folder, where.uidvalidity) if where is not None else None
        for verdict in prove_all(self.copy, folder, tuple(known.values()), self._read) if folder is not None else ():
            uid = verdict.stored.id.uid
            if verdict.evidence is not None:
                del known[uid]
                yield uid, replace(proven[uid], besides=(*proven[uid].besides, verdict.evidence))
            elif verdict.problem != MISSING:
                del known[uid]
                yield uid, f"in the copy {self.name} {verdict.problem}"
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


def record(run: str, seconds: Iterable[Second], at: str) -> list[ProvenAt]:
    """What the journal says of the copies in which all was proven that a run deletes."""
    return [ProvenAt(run, second.copy.identity, second.name, "sha256", at) for second in seconds]


@contextmanager
def opened(archive: Archive, wanted: Mapping[str, str]) -> Iterator[Sequence[Second]]:
    """The copies of these names and directories, each locked; the archive is locked before, they in the order of ids.

    :raises RefusedError: when one is not there, is no second place, or not of this archive as it is.
    """
    with ExitStack() as stack:
        found = [(_identity(name, path), name, path) for name, path in wanted.items()]
        yield [stack.enter_context(_second(archive, name, path)) for _, name, path in sorted(found)]


@contextmanager
def _second(archive: Archive, name: str, path: str) -> Iterator[Second]:
    try:
        copy = Copy.open(path)
    except MailmoveError as error:
        raise _refused(name, error.what) from error
    with copy:
        _must_be_second(archive, copy, name)
        yield Second(name, copy, Witness(copy))


def _identity(name: str, path: str) -> str:
    try:
        return directory.identity(path)
    except MailmoveError as error:
        raise _refused(name, error.what) from error


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
