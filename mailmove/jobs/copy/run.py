"""Copy an archive to another place: message files first, then as much of the journal as was there at the beginning."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive.files import disk, durable, names
from mailmove.archive.index.messages import Stored
from mailmove.archive.mending.adoption import set_aside
from mailmove.archive.proof import strays
from mailmove.archive.proof.rehashing import ALTERED, MISSING, digest_at
from mailmove.archive.record import manifest, records
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive
from mailmove.archive.writing.intake import Intake
from mailmove.cancel import Cancel
from mailmove.copies import directory, journals, reading
from mailmove.copies.directory import Copy
from mailmove.errors import Interrupted, MailmoveError, RefusedError, most_serious
from mailmove.jobs.copy.result import Copied, CopyResult, Fault, ReadBack, Target
from mailmove.jobs.erase import erase_in, erased_in
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.plan.copying import Choice, Standing, choose, standing
from mailmove.safe import visible
from mailmove.units import timestamp

_AT_ONCE = 5000
"""So many messages are written before they are read back."""
_SAMPLE = 20
"""Of a sample one in so many is read back."""

Work = Generator[Progress, None, None]


def copy(archive: Archive, target: Target, asked: ReadBack, cancel: Cancel) -> Generator[Progress, None, Copied]:
    """Bring one copy of an archive up to where the archive is now; what fails is in the result.

    Killed at any moment, the same again ends it.
    """
    began = time.monotonic()
    result = Copied(target)
    try:
        with _opened(archive, target, result) as there:
            yield from _Copying(archive, there, asked, cancel, result).run()
    except MailmoveError as error:
        result.failed = error.bare()
    result.seconds = time.monotonic() - began
    return result


def copy_all(
    account: str, archive: Archive, targets: Iterable[Target], asked: ReadBack, cancel: Cancel
) -> Generator[Progress, None, CopyResult]:
    """Bring these copies on, one after the other, and take a note of them where the archive is open for writing."""
    result = CopyResult(account, archive.path, asked)
    for target in targets:
        result.copies.append((yield from copy(archive, target, asked, cancel)))
    if archive.writable and any(one.done for one in result.copies):
        record(archive, result.copies, asked)
    return result


def record(archive: Archive, done: Iterable[Copied], asked: ReadBack) -> None:
    """Tell the archive's journal which copies are complete.

    :raises ArchiveError: when it cannot be written.
    """
    now = timestamp(datetime.now(UTC))
    whole = [one for one in done if one.done]
    lines: list[records.Record] = [
        records.Copied(
            copy=one.id,
            name=one.target.name,
            place=one.target.path,
            at=now,
            octets=one.journal,
            messages=one.held,
            read_back=asked.value,
        )
        for one in whole
    ]
    for one in whole:
        lines += erased_in(archive, one.id, one.erasures)
    summary = {"copies": len(whole), "new": sum(one.new for one in whole)}
    archive.record([*lines, records.Run("copy", now, int(most_serious(one.exit for one in done)), summary)])


def _opened(archive: Archive, target: Target, result: Copied) -> Copy:
    """The copy, begun where there is none.

    :raises RefusedError: when what is there must not be written to.
    """
    path = target.path
    _must_be_apart(archive.path, path)
    if not directory.is_copy(path):
        _must_be_new(archive, target)
    with durable.explained(f"reading {visible(archive.path)}"):
        first = journals.first_line(archive.meta)
    there = directory.begin(path, archive.manifest, first)
    assert there.mark is not None
    result.id = there.mark.id
    if not there.writable:
        result.notes.append("its disk has no locks: let no other run copy there at the same time")
    if disk.is_same(there.root, archive.root):
        result.notes.append("it lies on the same disk as the archive: that is no second place")
    return there


def _must_be_apart(one: str, other: str) -> None:
    if os.path.realpath(one) == os.path.realpath(other):
        raise RefusedError(
            f"{visible(other)} is the archive itself", "Name a directory on another disk, in the configuration as well."
        )
    a, b = (os.path.realpath(path) + os.sep for path in (one, other))
    if a.startswith(b) or b.startswith(a):
        raise RefusedError(
            f"{visible(other)} and the archive at {visible(one)} lie one inside the other",
            "Name a directory on another disk.",
        )


def _must_be_new(archive: Archive, target: Target) -> None:
    """See to it that a copy that was there once is not begun anew on an empty mount point."""
    for known in archive.index.copied():
        if known.place == target.path or (target.name and known.name == target.name):
            raise RefusedError(
                f"the copy that was at {visible(known.place)} on {visible(known.at[:10])} is not at "
                f"{visible(target.path)}",
                "Is its disk not mounted? For a new one there: give it another name and directory.",
            )


@dataclass(slots=True)
class _Fresh:
    """A message that was written in this run."""

    folder: FolderDir
    name: str
    stored: Stored


@dataclass
class _Unrecorded:
    """The bases of messages that the copy's journal does not know; read only where one is asked for."""

    meta: int
    start: int
    end: int
    _bases: set[str] | None = field(default=None)

    def __contains__(self, base: object) -> bool:
        if self._bases is None:
            with durable.explained("reading the archive's journal"):
                self._bases = set(journals.new_bases(self.meta, self.start, self.end))
        return base in self._bases


class _Copying:
    """One copy being brought on."""

    def __init__(self, archive: Archive, there: Copy, asked: ReadBack, cancel: Cancel, result: Copied) -> None:
        self._archive, self._there, self._asked, self._cancel, self._result = archive, there, asked, cancel, result
        self._fresh: list[_Fresh] = []

    def run(self) -> Work:
        """Compare, copy, read back, and only then bring the journal on.

        :raises MailmoveError: of either place; what has come stays.
        """
        archive, there, result = self._archive, self._there, self._result
        cut = archive.index.position.offset  # first of all: what is recorded up to here is in the index
        with durable.explained(f"comparing the journals of {visible(archive.path)} and {visible(there.path)}"):
            found = journals.compare(archive.meta, there.meta)
        _must_follow(standing(found.ours, found.theirs, found.same), archive.path, there.path)
        about = manifest.load(archive.meta, manifest.NAME)
        there.follow(about)
        result.erasures = archive.index.runs_that_erased()
        result.erased = erase_in(there, archive)  # before the journal there says so: killed in between, the same again
        unrecorded = _Unrecorded(archive.meta, found.recorded, max(cut, found.recorded))
        stopped: Interrupted | None = None
        with Intake(there, there.must_hold) as intake:
            try:
                for folder in about.folders:
                    yield from self._folder(intake, folder, unrecorded)
            except Interrupted as error:
                stopped = error
            intake.flush()
            self._read_back()
        if stopped is not None:
            raise stopped
        there.must_be_there()
        end = max(cut, found.theirs)
        with durable.explained(f"writing the journal of {visible(there.path)}"):
            journals.bring_on(archive.meta, there.meta, found.theirs, end)
        there.came_to(end, timestamp(datetime.now(UTC)))
        result.journal, result.done = end, True

    def _folder(self, intake: Intake, folder: FolderDir, unrecorded: _Unrecorded) -> Work:
        archive, there, result = self._archive, self._there, self._result
        to = there.manifest.find(folder.wire, folder.uidvalidity)
        assert to is not None, "the copy follows the archive's folders"
        ours, theirs = _letters(archive.listing(folder)), _letters(there.listing(to))
        spare = {str(stored.base) for stored in archive.index.replaced(folder.wire, folder.uidvalidity)}
        expected = (base for base in archive.index.bases(folder.wire, folder.uidvalidity) if base not in spare)
        counted: list[str] = []
        choice = choose(_each(expected, counted), ours, theirs, unrecorded)
        result.messages += len(counted)
        result.held += len(counted) - len(choice.new) - len(choice.absent)
        self._rename(to, theirs, choice)
        self._look_again(to, theirs, choice)
        if not (choice.new or choice.absent):
            return
        wanted = set(choice.new) | set(choice.absent)
        some = [one for one in archive.index.stored(folder.wire, folder.uidvalidity) if str(one.base) in wanted]
        yield Expect(len(some), sum(one.base.octets for one in some))
        accepted = archive.index.accepted(folder.wire, folder.uidvalidity)
        elsewhere = strays.find_moved(archive, [one for one in some if str(one.base) not in ours])
        intake.enter(to)
        for stored in some:
            self._cancel.check()
            path = elsewhere.get(stored)
            letters = ours.get(str(stored.base), names.letters_for(stored.flags))
            problem = MISSING
            if path is not None or str(stored.base) in ours:
                problem = self._take(intake, folder, to, stored, letters, path)
            if problem == MISSING and (stored.id.uid, stored.sha256) in accepted:
                result.accepted += 1
            elif problem:
                result.faults.append(Fault(folder.shown, stored.id.uid, problem))
            yield Advance(folder.shown, 1, stored.base.octets)
            if len(self._fresh) >= _AT_ONCE:
                intake.flush()
                self._read_back()

    def _take(
        self, intake: Intake, folder: FolderDir, to: FolderDir, stored: Stored, letters: str, path: str | None
    ) -> str:
        """Bring one message over; what is wrong with it, in words."""
        archive, result = self._archive, self._result
        name = names.join(str(stored.base), self._there.manifest.separator, letters)
        try:
            source = _source(archive, folder, stored, letters, path)
        except OSError as error:
            return MISSING if isinstance(error, FileNotFoundError) else f"its file cannot be opened: {error.strerror}"
        try:
            wanted = (stored.base.octets, stored.sha256)
            problem = intake.take(source, name, wanted, stored.base.arrival)
        finally:
            os.close(source)
        if not problem:
            result.new += 1
            result.held += 1
            result.octets += stored.base.octets
            if self._asked is ReadBack.ALL or (self._asked is ReadBack.SAMPLE and _sampled(stored)):
                self._fresh.append(_Fresh(to, name, stored))
        return problem

    def _rename(self, to: FolderDir, theirs: dict[str, str], choice: Choice) -> None:
        """Give the files of the copy the flags that those of the archive have."""
        if not choice.renamed:
            return
        separator = self._there.manifest.separator
        self._there.must_hold()
        changes = [
            (names.join(base, separator, theirs[base]), names.join(base, separator, letters))
            for base, letters in choice.renamed.items()
        ]
        with self._there.opened(to) as fd, durable.explained(f"renaming messages in {visible(to.path)}"):
            directory.reflag(fd, changes)
        theirs.update(choice.renamed)
        self._result.renamed += len(choice.renamed)

    def _look_again(self, to: FolderDir, theirs: dict[str, str], choice: Choice) -> None:
        """Hash what is there without a record; what is not what its name says is put aside and comes anew."""
        separator = self._there.manifest.separator
        with self._there.opened(to) as fd:
            for base in choice.unsure:
                self._cancel.check()
                name = names.join(base, separator, theirs[base])
                said = names.parse_base(base)
                assert said is not None
                try:
                    octets, sha256 = digest_at(fd, name)
                except OSError:
                    octets, sha256 = -1, b""
                if (octets, sha256.hex()[:32]) != (said.octets, said.digest):
                    set_aside(self._there, fd, name)
                    choice.new.append(base)
                    self._result.held -= 1

    def _read_back(self) -> None:
        """Read what was written just now from the disk; what does not come back as it was written is put aside."""
        fresh, self._fresh = self._fresh, []
        result = self._result
        for one in fresh:
            self._cancel.check()
            with self._there.opened(one.folder) as fd:
                digest, cached = reading.read_back(fd, one.name)
                result.cached |= cached
                if digest == (one.stored.base.octets, one.stored.sha256):
                    result.read_back += 1
                    continue
                set_aside(self._there, fd, one.name)
            result.held -= 1
            result.new -= 1
            result.faults.append(
                Fault(one.folder.shown, one.stored.id.uid, f"{ALTERED} on its way: its disk gives back something else")
            )


def _must_follow(found: Standing, ours: str, theirs: str) -> None:
    if found is Standing.AHEAD:
        raise RefusedError(
            f"the copy at {visible(theirs)} is ahead of the archive at {visible(ours)}: the archive was set back",
            "The copy may be the better one. Nothing was changed; mailmove help broken-disk tells how to go on.",
        )
    if found is Standing.DIVERGED:
        raise RefusedError(
            f"the journals of the copy at {visible(theirs)} and of the archive at {visible(ours)} have come apart",
            "One was changed without the other. Nothing was changed; name a new directory for another copy.",
        )


def _source(archive: Archive, folder: FolderDir, stored: Stored, letters: str, path: str | None) -> int:
    """The archive's file of a message, open; ``path`` where somebody put it elsewhere.

    :raises OSError: when it is not there, or no file.
    """
    if path is not None:
        above = durable.open_below(archive.root, os.path.dirname(path))
        name: str | None = os.path.basename(path)
    else:
        above = durable.open_below(archive.root, f"{folder.path}/cur")
        name = names.join(str(stored.base), archive.manifest.separator, letters)
    try:
        try:
            return durable.open_file(str(name), above)
        except FileNotFoundError:  # an export gave it other flags meanwhile
            name = archive.locate(above, stored.base, stored.flags)
            if name is None:
                raise
            return durable.open_file(name, above)
    finally:
        os.close(above)


def _sampled(stored: Stored) -> bool:
    return int.from_bytes(stored.sha256[:2], "big") % _SAMPLE == 0


def _letters(listing: Iterable[str]) -> dict[str, str]:
    """Flag letters by base."""
    return dict(map(names.split, listing))


def _each(bases: Iterable[str], counted: list[str]) -> Iterator[str]:
    for base in bases:
        counted.append(base)
        yield base
