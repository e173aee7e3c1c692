"""One folder's export: list it, compare with the archive, fetch what is missing, follow what changed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime

from mailmove.archive import surveying
from mailmove.archive.files.names import Base
from mailmove.archive.mending.adoption import adopt, change_flags, set_aside
from mailmove.archive.mending.folding import fold
from mailmove.archive.proof.rehashing import prove_all
from mailmove.archive.proof.strays import find_moved
from mailmove.archive.record import records
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive
from mailmove.archive.writing.writer import Writer
from mailmove.errors import CommandRefused, Unreachable
from mailmove.imap import internaldate, scan
from mailmove.imap.session import Session
from mailmove.jobs.export.result import FolderResult
from mailmove.jobs.fetching import Fetched, FolderChanged, Opened, fetch
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.model import Folder, Listed
from mailmove.plan import sync
from mailmove.units import plural, timestamp

MANY = 10
"""A folder that suddenly is empty after holding so many messages is worth a word."""

BUSY_FOLDERS = 3
"""So many folders in a row that the server is too busy for: then it is not the folders."""

Work = Generator[Progress, None, None]


class FolderExport:
    """Exports one folder after the other into one archive.

    ``after`` collects what is to be recorded once every message before it is, ``complete`` what comes last of all.
    """

    def __init__(self, session: Session, archive: Archive, writer: Writer, *, refetch: bool, labels: bool) -> None:
        """``labels``: record each message's Gmail labels."""
        self.after: list[records.Record] = []
        self.complete: list[records.Record] = []
        self._session = session
        self._archive = archive
        self._writer = writer
        self._refetch = refetch
        self._labels = labels
        self._busy = 0
        self._looked_at: list[FolderDir] = []

    def fold(self) -> None:
        """Leave one file of each message that is archived a second time as its restored copy."""
        for where in self._looked_at:
            fold(self._archive, where)

    def run(self, folder: Folder, outcome: FolderResult, expected: Expect) -> Work:
        """Export a folder; what goes wrong with it or its messages is told in ``outcome``.

        ``expected`` is what progress was promised for it.

        :raises Unreachable: when the server is lost; ``outcome`` then names what is not fetched yet.
        """
        opened = Opened(self._session, folder)
        try:
            listing = opened.listing()
            if opened.unlisted:
                outcome.fail(f"{plural(opened.unlisted, 'message')} that the server counts are not in its listing")
            for line in opened.strays:
                outcome.fail(f"one message is missing, because this line cannot be read: {line}")
            for listed in listing:
                if listed.odd:
                    outcome.fail(
                        f"prune keeps it, for what the server tells of it cannot be read: {listed.odd}", listed.uid
                    )
            yield Expect(-expected.messages, -expected.octets)
            if opened.selected.uids_sticky:
                yield from self._by_uid(opened, listing, outcome)
            else:
                yield from self._by_hash(opened, listing, outcome)
            self._busy = 0
        except CommandRefused as error:
            outcome.fail(f"{error.command} refused: {error.status} {error.text}")
            self._busy += error.busy
            if self._busy == BUSY_FOLDERS:
                raise Unreachable(
                    f"the server is busy, whatever the folder: {error.text}", "Run again later."
                ) from None
        except FolderChanged as changed:
            outcome.fail(str(changed))

    def _by_uid(self, opened: Opened, listing: list[Listed], outcome: FolderResult) -> Work:
        """The ordinary way: a message is identified by UIDVALIDITY and UID."""
        archive, selected, wire = self._archive, opened.selected, opened.folder.wire
        self._retire(opened.folder, selected.uidvalidity, outcome)
        archive.prepare([(opened.folder, selected.uidvalidity)])
        where = archive.folder(wire, selected.uidvalidity)
        self._looked_at.append(where)
        self._writer.enter(where)
        survey = surveying.survey(archive, where)
        if survey.unrecorded:
            adopted = adopt(archive, where, survey.unrecorded, {listed.uid: listed for listed in listing})
            outcome.notes += [f"what is not a whole message file was moved to {path}" for path in adopted.aside]
            if adopted.erased:
                outcome.notes.append(f"has {plural(adopted.erased, 'file')} of erased messages, put back by somebody")
        listing = self._without_erased(where, listing, outcome)
        missing = self._missing(where, survey.missing, outcome)
        altered = self._altered(where) if self._refetch else {}
        known = archive.index.known(wire, selected.uidvalidity)
        for uid in survey.folded:  # listed again, it is to have a file of its own again
            del known[uid]
        troubles = archive.index.troubles(wire, selected.uidvalidity)
        lost = missing | altered.keys()
        plan = sync.plan_folder(listing, known, lost, troubles.keys(), refetch=self._refetch)
        if opened.unlisted:
            plan = replace(plan, gone=frozenset())  # not listed is not gone
        del listing, known
        outcome.listed = plan.listed
        if not plan.listed and len(plan.gone) >= MANY:
            outcome.notes.append(f"is empty on the server now; the archive keeps its {len(plan.gone):,} messages")
        accepted = self._accepted(where, plan.absent)
        if accepted:
            outcome.accepted = len(accepted)
            outcome.notes.append(f"has {plural(len(accepted), 'message')} whose file is missing, and accepted so")
        for uid in sorted(plan.absent - accepted):
            outcome.fail("its file is no longer in the archive; export --refetch fetches it again", uid)
        yield Expect(len(plan.fetch), sum(listed.size or 0 for listed in plan.fetch.values()))
        with archive.opened(where) as directory:
            for uid in sorted(altered.keys() & plan.fetch.keys()):
                path = set_aside(archive, directory, altered[uid])
                outcome.notes.append(f"UID {uid}: the altered file was moved to {path}")
        fetched = Fetched(taken=archive.index.taken(wire, selected.uidvalidity), unwanted=archive.index.erased_bodies())
        try:
            wanted = yield from self._link(opened.folder, plan.fetch, outcome)
            yield from fetch(self._session, opened, wanted, troubles, self._writer, fetched)
        finally:
            self._account(opened, plan, fetched, outcome)
        self._follow(where, plan)
        if self._labels:
            self._label(where, opened, outcome)
        if not outcome.failures and not accepted and not outcome.erased:
            left = plan.listed - len(fetched.vanished)
            state = records.Complete(wire, where.uidvalidity, selected.uidnext, left, selected.highestmodseq)
            self.complete.append(state)

    def _by_hash(self, opened: Opened, listing: list[Listed], outcome: FolderResult) -> Work:
        """A server without lasting UIDs: everything is fetched each time, and what the archive holds is dropped again.

        Each body counts as often as the folder holds it: two equal messages are two.
        """
        archive, folder = self._archive, opened.folder
        archive.prepare([(folder, 0)])
        where = archive.folder(folder.wire, 0)
        self._writer.enter(where)
        outcome.listed = len(listing)
        outcome.notes.append("the server gives it no lasting UIDs: it is fetched whole each time, and never pruned")
        yield Expect(len(listing), sum(listed.size or 0 for listed in listing))
        known: dict[bytes, int] = {}
        last = 0
        for stored in archive.index.stored(folder.wire, 0):
            known[stored.sha256] = known.get(stored.sha256, 0) + 1
            last = max(last, stored.id.uid)
        fetched = Fetched(known=known, next_uid=last + 1, unwanted=archive.index.erased_bodies())
        plan = sync.plan_folder(listing, {})
        try:
            yield from fetch(self._session, opened, plan.fetch, (), self._writer, fetched)
        finally:
            self._account(opened, plan, fetched, outcome)

    def _retire(self, folder: Folder, uidvalidity: int, outcome: FolderResult) -> None:
        """What is archived in another UIDVALIDITY of this folder is not on the server any more, as that."""
        for old in self._archive.manifest.folders:
            if old.wire != folder.wire or old.uidvalidity in (0, uidvalidity):
                continue
            known = self._archive.index.known(old.wire, old.uidvalidity)
            left = frozenset(uid for uid, record in known.items() if not record.gone)
            if left:
                self.after.append(records.Gone(old.wire, old.uidvalidity, left, _now()))
                outcome.renumbered = f"its UIDVALIDITY changed from {old.uidvalidity} to {uidvalidity}"
                outcome.notes.append(
                    f"{outcome.renumbered}: what was archived before ({plural(len(left), 'message')}) is kept in a "
                    "directory of its own"
                )

    def _missing(self, where: FolderDir, missing: frozenset[Base], outcome: FolderResult) -> frozenset[int]:
        """Archived UIDs whose file is nowhere in the archive; one that a mail program moved is still there."""
        if not missing:
            return frozenset()
        current = self._archive.index.current(where.wire, where.uidvalidity)
        lost = {uid: stored for uid, stored in current.items() if stored.base in missing}
        moved = find_moved(self._archive, lost.values())
        if moved:
            outcome.notes.append(f"{plural(len(moved), 'message')} found where a mail program put them")
        return frozenset(lost.keys() - {stored.id.uid for stored in moved})

    def _without_erased(self, where: FolderDir, listing: list[Listed], outcome: FolderResult) -> list[Listed]:
        """What was erased is not fetched again; a UID that announces another arrival may be another message."""
        gone = {(rest.uid, rest.arrival) for rest in self._archive.index.erased(where.wire, where.uidvalidity)}
        left = [listed for listed in listing if (listed.uid, listed.arrival or 0) not in gone]
        outcome.erased = len(listing) - len(left)
        return left

    def _accepted(self, where: FolderDir, absent: frozenset[int]) -> frozenset[int]:
        """Which of these somebody accepts to be missing."""
        accepted = self._archive.index.accepted(where.wire, where.uidvalidity) if absent else set()
        current = self._archive.index.current(where.wire, where.uidvalidity, absent)
        return frozenset(uid for uid, stored in current.items() if (uid, stored.sha256) in accepted)

    def _altered(self, where: FolderDir) -> dict[int, str]:
        """UIDs whose file is there and not what was archived, with the file's name."""
        current = self._archive.index.current(where.wire, where.uidvalidity)
        verdicts = prove_all(self._archive, where, current.values())
        return {v.stored.id.uid: v.name for v in verdicts if v.problem and v.name is not None}

    def _link(
        self, folder: Folder, fetch: dict[int, Listed], outcome: FolderResult
    ) -> Generator[Progress, None, dict[int, Listed]]:
        """Take from the archive what the server says it already holds; returns what is left to fetch."""
        if not any(listed.object_id for listed in fetch.values()):
            return fetch
        self._writer.flush()  # from here on the index knows all that came so far
        left = {}
        for uid, listed in fetch.items():
            arrived = internaldate.from_seconds(listed.arrival).decode() if listed.arrival is not None else None
            sources = self._archive.index.with_object(listed.object_id, listed.size) if listed.object_id else []
            if any(self._writer.keep_twin(source, listed, arrived) for source in sources):
                outcome.linked += 1
                yield Advance(folder.shown, 1, listed.size or 0)
            else:
                left[uid] = listed
        return left

    def _account(self, opened: Opened, plan: sync.FolderPlan, fetched: Fetched, outcome: FolderResult) -> None:
        """Put what became of each message into the result, also when the run was stopped."""
        good = fetched.kept.keys() - fetched.failed.keys()
        outcome.fetched = len(good)
        outcome.octets = fetched.octets
        outcome.vanished = len(fetched.vanished)
        outcome.erased += len(fetched.erased)
        if outcome.erased:
            outcome.notes.append(f"has {plural(outcome.erased, 'message')} erased here once: not fetched again")
        outcome.archived = plan.held + outcome.fetched + outcome.linked
        for uid, why in sorted(fetched.failed.items()):
            outcome.fail(why, uid, doubted=uid in fetched.doubted)
            self.after.append(records.Trouble(opened.folder.wire, opened.selected.uidvalidity, uid, why))
        unsettled = outcome.listed - outcome.archived - outcome.vanished - len(fetched.erased)
        unsettled -= len(plan.absent) + len(fetched.failed)
        if unsettled:
            outcome.fail(f"{plural(unsettled, 'message')} not fetched yet")
        if again := len(plan.suspects & good):
            outcome.notes.append(
                f"{plural(again, 'message')} announced another size or arrival than when archived: "
                "fetched again, and nothing replaced"
            )

    def _follow(self, where: FolderDir, plan: sync.FolderPlan) -> None:
        """Record what changed on the server for messages that are archived."""
        key, now = (where.wire, where.uidvalidity), _now()
        if plan.gone:
            self.after.append(records.Gone(*key, plan.gone, now))
        if plan.back:
            self.after.append(records.Present(*key, plan.back, now))
        if not plan.flags:
            return
        changed = self._archive.index.current(*key, plan.flags.keys())
        changes: dict[Base, tuple[frozenset[str], frozenset[str]]] = {}
        for uid, change in plan.flags.items():
            changes[changed[uid].base] = change
            self.after.append(records.Flags(*key, uid, tuple(sorted(change[1]))))
        change_flags(self._archive, where, changes)

    def _label(self, where: FolderDir, opened: Opened, outcome: FolderResult) -> None:
        """Record the labels that are not as they were."""
        known = self._archive.index.labels(where.wire, where.uidvalidity)
        strays: list[str] = []
        for uid, labels in self._session.ask_of_folder(lambda: scan.labels(opened.wire(), strays=strays)).items():
            if labels is None:
                outcome.fail("its labels cannot be read", uid)
            elif labels != known.get(uid, ()):
                self.after.append(records.Labels(where.wire, where.uidvalidity, uid, labels))
        for line in dict.fromkeys(strays):
            outcome.fail(f"the labels of one message cannot be read: {line}")


def _now() -> str:
    return timestamp(datetime.now(UTC))
