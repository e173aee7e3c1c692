"""Proving, for a plan, that what is to go is in the archive: each message's file is read and hashed again."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence

from mailmove.archive.index.messages import Known, Stored
from mailmove.archive.proof.rehashing import MISSING, Inode, Reading, prove_all
from mailmove.archive.proof.strays import find_evidence
from mailmove.archive.record import records
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive
from mailmove.imap.session import Session
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.jobs.prune.copies import Second
from mailmove.jobs.prune.result import FolderPlan, PrunePlan
from mailmove.jobs.standins import doubts
from mailmove.model import Listed
from mailmove.plan.retention import keep_unproven

Work = Generator[Progress, None, None]


class Prover:
    """Finds the evidence of one plan; what has none stays."""

    def __init__(
        self, session: Session, archive: Archive | None, plan: PrunePlan, seconds: Sequence[Second] = ()
    ) -> None:
        self._session, self._archive, self._plan, self._seconds = session, archive, plan, seconds

    def prove(self, folder: FolderPlan, uids: set[int], read: dict[Inode, Reading]) -> Work:
        """Re-hash the archive's file of every message that is to go."""
        archive, candidates = self._archive, uids - folder.unarchived
        if archive is None or not candidates:
            return
        where = archive.manifest.find(folder.folder.wire, folder.uidvalidity)
        why: dict[int, str] = {}
        before = len(folder.evidence)
        if where is not None:
            stored = archive.index.current(where.wire, where.uidvalidity, candidates - folder.lacking)
            yield from self._hash(folder, archive, where, stored, read, why)
            why |= self._stand_ins(folder, archive, stored)
            for second in self._seconds:
                yield from self._in_copy(folder, archive, second, candidates, why)
        self._plan.verified += len(folder.evidence) - before
        troubles = archive.index.troubles(folder.folder.wire, folder.uidvalidity)
        erased = {rest.uid for rest in archive.index.erased(folder.folder.wire, folder.uidvalidity)}
        for uid in keep_unproven(folder.decisions, candidates, folder.evidence.keys()):
            absent = "it was erased from the archive" if uid in erased else "it is not in the archive"
            folder.unproven[uid] = why.get(uid) or troubles.get(uid, absent)

    def _hash(
        self,
        folder: FolderPlan,
        archive: Archive,
        where: FolderDir,
        stored: Mapping[int, Stored],
        read: dict[Inode, Reading],
        why: dict[int, str],
    ) -> Work:
        """Find evidence for these in the archive right now; ``why`` receives what is wrong with the others."""
        yield Expect(len(stored), sum(one.base.octets for one in stored.values()))
        missing, shown = [], folder.folder.shown
        for verdict in prove_all(archive, where, stored.values(), read):
            self._session.cancel.check()
            uid = verdict.stored.id.uid
            if verdict.evidence is not None:
                folder.evidence[uid] = verdict.evidence
            else:
                why[uid] = verdict.problem
                if verdict.problem == MISSING:
                    missing.append(verdict.stored)
            yield Advance(shown, 1, verdict.stored.base.octets)
        if missing:
            folder.evidence.update((one.message.uid, one) for one in find_evidence(archive, missing, read))

    def _in_copy(
        self, folder: FolderPlan, archive: Archive, second: Second, candidates: Collection[int], why: dict[int, str]
    ) -> Work:
        """Find evidence in a copy for what the archive has some; what has none there has none at all."""
        proven = {uid: one for uid, one in folder.evidence.items() if uid in candidates}
        stored = archive.index.current(folder.folder.wire, folder.uidvalidity, proven)
        yield Expect(len(stored), sum(one.base.octets for one in stored.values()))
        for uid, found in second.prove(proven, stored):
            self._session.cancel.check()
            if isinstance(found, str):
                del folder.evidence[uid]
                why[uid] = found
            else:
                folder.evidence[uid] = found
            yield Advance(folder.folder.shown, 1, stored[uid].base.octets)

    def _stand_ins(self, folder: FolderPlan, archive: Archive, stored: Mapping[int, Stored]) -> dict[int, str]:
        """Take the evidence from what may not be the message; the next export asks for that again."""
        key = folder.folder.wire, folder.uidvalidity
        sizes = {uid: folder.decisions.go[uid].size for uid in stored}
        proven = ((one, folder.evidence[uid]) for uid, one in stored.items() if uid in folder.evidence)
        found = doubts(archive, proven, sizes)
        for uid in found:
            del folder.evidence[uid]
        if not self._plan.dry_run:
            archive.record([records.Trouble(*key, uid, why) for uid, why in found.items()])
        return found


def lacking(folder: FolderPlan, known: Mapping[int, Known]) -> set[int]:
    """Of what goes in a folder, what the archive does not hold as the messages that they are now."""
    return {uid for uid, listed in folder.decisions.go.items() if not _is_archived(listed, known.get(uid))}


def _is_archived(listed: Listed, known: Known | None) -> bool:
    """Whether the archive's record is of this very message: size and arrival as announced when it was archived."""
    return known is not None and (known.size, known.arrival) == (listed.size, listed.arrival)
