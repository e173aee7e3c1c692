"""Proving a copy again, and mending it or the archive from the other: every file in either place is read and hashed."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from datetime import datetime

from mailmove.archive.files import durable, names
from mailmove.archive.index.messages import Stored
from mailmove.archive.mending.adoption import set_aside
from mailmove.archive.proof import strays
from mailmove.archive.proof.rehashing import MISSING, Inode, Reading, Verdict, prove_all
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive
from mailmove.archive.tree import Tree
from mailmove.archive.writing.intake import Intake
from mailmove.cancel import Cancel
from mailmove.copies import journals
from mailmove.copies.directory import Copy
from mailmove.copies.recall import Recall
from mailmove.errors import Interrupted, MailmoveError, RefusedError
from mailmove.evidence import Evidence
from mailmove.jobs.copy.result import Fault, Mended, Second, Target
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.plan.copying import Standing, standing
from mailmove.safe import visible

Work = Generator[Progress, None, None]


def check(archive: Archive, target: Target, cancel: Cancel, now: datetime) -> Generator[Progress, None, Second]:
    """Prove every message of one copy again; what fails is in the result. Changes nothing there.

    What is proven ``now`` is remembered on this machine, where that is to count for a while.

    :raises Interrupted: when somebody stops it.
    """
    result = Second(target)
    try:
        with Copy.open(target.path, locked=False) as there:
            behind = _not_there_yet(archive, there)
            recall = Recall(there, archive.memory, target.within, now) if target.within is not None else None
            for folder in archive.manifest.folders:
                yield from _check_folder(archive, there, folder, behind, cancel, result, recall)
    except Interrupted:
        raise
    except MailmoveError as error:
        result.failed = error.bare()
    return result


def mend(archive: Archive, target: Target, cancel: Cancel) -> Generator[Progress, None, Mended]:
    """Put what is missing or altered in the archive, which is open for writing, back from a copy; and put aside what is
    altered in the copy, so that copying brings it anew. Only what hashes right in the one place comes to the other.

    :raises MailmoveError: of either place; what was mended stays so.
    """
    result = Mended()
    with Copy.open(target.path) as there:
        _not_there_yet(archive, there)
        with Intake(archive, archive.must_hold) as intake:
            for folder in archive.manifest.folders:
                yield from _mend_folder(archive, there, folder, intake, cancel, result)
    return result


def _not_there_yet(archive: Archive, there: Copy) -> set[str]:
    """The bases of messages that came after the copy was last brought on.

    :raises RefusedError: when it is not a copy of this archive as it is.
    """
    if there.manifest.uuid != archive.manifest.uuid:
        raise RefusedError(f"{visible(there.path)} is a copy of another archive", "Name the account that it is of.")
    with durable.explained(f"comparing the journals of {visible(archive.path)} and {visible(there.path)}"):
        found = journals.compare(archive.meta, there.meta)
        if standing(found.ours, found.theirs, found.same) in (Standing.AHEAD, Standing.DIVERGED):
            raise RefusedError(
                f"the journal of the copy at {visible(there.path)} is no beginning of the archive's",
                "One of the two was set back or changed: mailmove help copies.",
            )
        return set(journals.new_bases(archive.meta, found.recorded, archive.index.position.offset))


def _check_folder(
    archive: Archive,
    there: Copy,
    folder: FolderDir,
    behind: set[str],
    cancel: Cancel,
    result: Second,
    recall: Recall | None,
) -> Work:
    proven: list[Evidence] = []
    accepted = archive.index.accepted(folder.wire, folder.uidvalidity)
    stored = list(archive.index.stored(folder.wire, folder.uidvalidity))
    yield Expect(len(stored), sum(one.base.octets for one in stored))
    for verdict in _verdicts(there, folder, stored, result.read):
        cancel.check()
        if verdict.problem == MISSING and str(verdict.stored.base) in behind:
            result.behind += 1
        elif verdict.problem == MISSING and (verdict.stored.id.uid, verdict.stored.sha256) in accepted:
            result.accepted += 1
        elif verdict.problem:
            result.faults.append(Fault(folder.shown, verdict.stored.id.uid, verdict.problem))
        else:
            result.good += 1
        if verdict.evidence is not None and recall is not None:
            proven.append(verdict.evidence)
        yield Advance(folder.shown, 1, verdict.stored.base.octets)
    where = there.manifest.find(folder.wire, folder.uidvalidity)
    if recall is not None and where is not None:
        recall.note(where, proven)


def _mend_folder(
    archive: Archive, there: Copy, folder: FolderDir, intake: Intake, cancel: Cancel, result: Mended
) -> Work:
    stored = list(archive.index.stored(folder.wire, folder.uidvalidity))
    yield Expect(2 * len(stored), 2 * sum(one.base.octets for one in stored))
    harmed: dict[str, Verdict] = {}
    accepted = archive.index.accepted(folder.wire, folder.uidvalidity)
    for verdict in _verdicts(archive, folder, stored, {}):
        cancel.check()
        if verdict.problem:
            harmed[str(verdict.stored.base)] = verdict
        yield Advance(folder.shown, 1, verdict.stored.base.octets)
    moved = strays.find_moved(archive, [one.stored for one in harmed.values() if one.problem == MISSING])
    for one in moved:
        del harmed[str(one.base)]
    good: set[str] = set()
    for verdict in _verdicts(there, folder, stored, {}):
        cancel.check()
        base = str(verdict.stored.base)
        if not verdict.problem:
            good.add(base)
        elif verdict.name is not None:
            _put_aside(there, folder, verdict.name)
            result.put_aside += 1
        yield Advance(folder.shown, 1, verdict.stored.base.octets)
    for base, verdict in harmed.items():
        why = _bring_back(archive, there, folder, verdict, intake) if base in good else verdict.problem
        if why == MISSING and (verdict.stored.id.uid, verdict.stored.sha256) in accepted:
            continue
        if why:
            result.lost.append(Fault(folder.shown, verdict.stored.id.uid, why))
        else:
            result.mended += 1


def _bring_back(archive: Archive, there: Copy, folder: FolderDir, verdict: Verdict, intake: Intake) -> str:
    """Put a message of the copy into the archive; why not, in words. What is altered there is put aside first."""
    stored = verdict.stored
    source = there.manifest.find(folder.wire, folder.uidvalidity)
    assert source is not None, "it was just read there"
    with there.opened(source) as fd:
        name = there.locate(fd, stored.base, stored.flags)
        if name is None:
            return MISSING
        with durable.explained(f"opening {visible(name)}"):
            file = durable.open_file(name, fd)
    try:
        letters = names.split(verdict.name or name)[1]
        if verdict.name is not None:
            _put_aside(archive, folder, verdict.name)
        intake.enter(folder)
        wanted = (stored.base.octets, stored.sha256)
        return intake.take(
            file, names.join(str(stored.base), archive.manifest.separator, letters), wanted, stored.base.arrival
        )
    finally:
        os.close(file)


def _put_aside(tree: Tree, folder: FolderDir, name: str) -> None:
    where = tree.manifest.find(folder.wire, folder.uidvalidity)
    assert where is not None
    tree.must_hold()
    with tree.opened(where) as fd:
        set_aside(tree, fd, name)


def _verdicts(tree: Tree, folder: FolderDir, stored: Iterable[Stored], read: dict[Inode, Reading]) -> Iterable[Verdict]:
    where = tree.manifest.find(folder.wire, folder.uidvalidity)
    if where is None:
        return [Verdict(one, None, MISSING) for one in stored]
    return prove_all(tree, where, stored, read)
