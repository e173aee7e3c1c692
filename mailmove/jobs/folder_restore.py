"""One folder's restore: list it, decide what it lacks, append that, and look again."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive import headers, reading, records
from mailmove.archive.index import Entry
from mailmove.archive.proof import Proven
from mailmove.archive.records import Restored
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError, CommandRefused, Disconnected, Throttled
from mailmove.jobs.progress import Advance, Progress
from mailmove.jobs.results import PutBack
from mailmove.model import Folder, Listed, MessageId, Selected
from mailmove.plan import restore as planning
from mailmove.plan.mapping import Target
from mailmove.plan.sync import same_message
from mailmove.server import folders, internaldate, scan
from mailmove.server.append import Answer, Appending, Outgoing, append_limit
from mailmove.server.bodies import bodies
from mailmove.server.session import Session
from mailmove.units import format_size, timestamp

BATCH_MESSAGES = 100
BATCH_OCTETS = 8 << 20
_SMALL = 1 << 20  # octets of a message that is read and proven before it is sent; a larger one is proven on its way

Work = Generator[Progress, None, None]
Key = tuple[MessageId, bytes]  # a message in the archive; the SHA-256 tells superseded ones apart


@dataclass(slots=True)
class _Look:
    """A folder at one look: what it lacks, and which UIDs an earlier run has put there without recording it."""

    selected: Selected
    put: list[Entry] = field(default_factory=list)
    there: int = 0
    late: list[Restored] = field(default_factory=list)
    listing: dict[int, Listed] = field(default_factory=dict)


class FolderRestore:
    """Puts archived messages into one folder; what becomes of them is told in ``outcome``.

    ``login``: the account where it is not the archive's own. ``copies``: see
    :meth:`mailmove.archive.index.Index.copies`; what is learned is added.
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
        self._session = session
        self._archive = archive
        self._folder = target.folder
        self._sources = {source.wire for source in target.sources}
        self._wanted = wanted
        self._login = login
        self._copies = copies
        self._new = target.new
        self._closed = False
        self._begun = False
        self._sent: set[Key] = set()
        self._failed: set[Key] = set()
        self._all_flags = True  # PERMANENTFLAGS tells what a client may STORE; nearly every server takes more in APPEND
        self._fresh: dict[int, Entry] = {}
        self._limit: int | None = None

    def plan(self) -> None:
        """Look, and tell in :attr:`outcome` what there is to do; changes nothing.

        :raises Unreachable: when the server is lost.
        """
        try:
            look = self._session.ask(lambda: self._look(writable=False))
        except CommandRefused as error:
            self.outcome.fail(f"{error.command} refused: {error.text}", len(self._wanted))
            self._closed = True
            return
        self.outcome.there = look.there
        put = [entry for entry in look.put if self._fits(entry)]
        self.outcome.planned = len(put)
        self.outcome.planned_octets = sum(entry.stored.base.octets for entry in put)

    @property
    def unfinished(self) -> bool:
        """Whether a restore into this folder was begun and is not recorded as ended."""
        return self._archive.index.restoring(self._folder.wire, self._login) is not None

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
            self.outcome.fail(f"{error.command} refused: {error.text}", self.outcome.planned - self.outcome.restored)

    def _fill(self) -> Work:
        while True:
            try:
                look = self._look(writable=True)
                self._archive.record(look.late)
                self._count_late(look.late)
                settled = self._sent | self._failed
                todo = [entry for entry in look.put if _key(entry) not in settled]
                if todo:
                    yield from self._put(look, todo)
                    continue
                self._verdict(look)
                break
            except (Disconnected, Throttled) as error:
                self._session.failed(error)
        if self.unfinished:
            self._archive.record([self._window(look.selected, None)])

    def _count_late(self, late: Sequence[Restored]) -> None:
        """What this run had sent, and only learns now that the server took it, or under which UID."""
        wanted = {_key(entry): entry for entry in self._wanted}
        for each in late if self._begun else ():
            entry = wanted.get((each.source, bytes.fromhex(each.sha256)))
            if entry is not None:
                self._count(entry, each.uid)

    def _count(self, entry: Entry, uid: int) -> None:
        """A message is on the server, under this UID where that is known."""
        if _key(entry) not in self._sent:
            self._sent.add(_key(entry))
            self.outcome.restored += 1
            self.outcome.octets += entry.stored.base.octets
        if uid:
            self._fresh[uid] = entry

    def _create(self) -> None:
        """Make the folder, unless an attempt that was cut off has made it."""
        try:
            self._session.ask(lambda: folders.create(self._session.wire, self._folder))
        except CommandRefused as error:
            if error.code != "ALREADYEXISTS":
                raise
        self._new = False

    def _look(self, *, writable: bool) -> _Look:
        """List the folder and decide what it lacks."""
        wire, name = self._session.wire, self._folder.wire
        if self._new:
            selected, listing = _NOTHING, {}
            self._limit = append_limit(wire, _INBOX)
        else:
            selected = folders.select(wire, self._folder, writable=writable)
            listing = {each.uid: each for each in scan.listing(wire)} if selected.exists else {}
            self._limit = append_limit(wire, self._folder)
        known, restored = self._known(selected)
        there: dict[int, bytes] = {}
        for uid, listed in listing.items():
            if uid in known and same_message(listed, known[uid]):
                there[uid] = known[uid].stored.sha256
            elif uid in restored:
                there[uid] = bytes.fromhex(restored[uid].sha256)
        late = self._late(selected, listing, there, restored)
        restored |= {each.uid: each for each in late}
        wanted = {entry.stored.sha256 for entry in self._wanted}
        rows = {_key(entry): entry for entry in self._wanted}
        rows |= {_key(known[uid]): known[uid] for uid, sha256 in there.items() if uid in known and sha256 in wanted}
        present = {(known[uid].stored.id, sha256) for uid, sha256 in there.items() if uid in known}
        present |= {(each.source, bytes.fromhex(each.sha256)) for uid, each in restored.items() if uid in there}
        if self._login is None:
            self._copies.update((MessageId(name, selected.uidvalidity, each.uid), each.source) for each in late)
        questions = [
            planning.Row(
                key, key[1], group=key[0][:2], root=planning.root(key[0], self._copies), present=key in present
            )
            for key in sorted(rows, key=self._sent.__contains__)  # where UIDs tell nothing, a twin not sent is lacking
        ]
        decision = planning.decide(questions, Counter(there.values()))
        unknown = [listed for uid, listed in listing.items() if uid not in there]
        if decision.put and unknown:
            there |= self._compare([rows[key] for key in decision.put], unknown)
            decision = planning.decide(questions, Counter(there.values()))
        return _Look(selected, [rows[key] for key in decision.put], decision.there, late, listing)

    def _known(self, selected: Selected) -> tuple[dict[int, Entry], dict[int, Restored]]:
        """What the archive knows of the folder's UIDs: archived from there, and put there by a restore."""
        if not selected.uids_sticky:
            return {}, {}
        name, uidvalidity, index = self._folder.wire, selected.uidvalidity, self._archive.index
        archived = index.entries(name, uidvalidity) if self._login is None else ()
        known = {entry.stored.id.uid: entry for entry in archived if entry.current}
        return known, index.restored(name, uidvalidity, self._login)

    def _late(
        self,
        selected: Selected,
        listing: Mapping[int, Listed],
        there: dict[int, bytes],
        restored: Mapping[int, Restored],
    ) -> list[Restored]:
        """Messages that arrived since a restore began, and are what it had to put there: its work, not recorded yet.

        Whatever else arrived since is known by its octets as well, and added to ``there``.
        """
        name, index = self._folder.wire, self._archive.index
        window = index.restoring(name, self._login)
        if window is None or not selected.uids_sticky or window.uidvalidity != selected.uidvalidity:
            return []
        new = [uid for uid in listing if uid >= (window.uidnext or 0) and uid not in restored]
        there.update(self._hashes([uid for uid in new if uid not in there]))
        taken = {each.source for uid, each in restored.items() if uid in there}
        late = []
        for uid in sorted(set(new) & there.keys()):
            here = MessageId(name, selected.uidvalidity, uid)
            for entry in sorted(index.entries_with(there[uid]), key=self._likelihood):
                source = entry.stored.id
                listed = self._login is None and source[:2] == here[:2] and source.uid in there
                if not listed and source not in taken:
                    taken.add(source)
                    late.append(Restored(*here, window.at, source, there[uid].hex(), self._login))
                    break
        return late

    def _likelihood(self, entry: Entry) -> int:
        """What a message in this folder was restored from: this run's own, from a folder of this name, or any other."""
        if entry.stored.id.folder in self._sources:
            return 0
        return 1 if entry.stored.id.folder == self._folder.wire else 2

    def _compare(self, lacking: Sequence[Entry], unknown: Sequence[Listed]) -> dict[int, bytes]:
        """Which messages that the archive does not know by UID are some of ``lacking``: by size and Message-ID, then
        by their octets.
        """
        sizes = {size for entry in lacking for size in (entry.stored.base.octets, entry.size)}
        names = {entry.message_id for entry in lacking}
        alike = [listed.uid for listed in unknown if listed.size in sizes or listed.size is None]
        blocks = scan.fields(self._session.wire, alike, b"MESSAGE-ID")
        return self._hashes([uid for uid, block in blocks if headers.scan(block).message_id in names])

    def _hashes(self, uids: Collection[int]) -> dict[int, bytes]:
        """SHA-256 of messages of the folder, fetched."""
        hashes: dict[int, bytes] = {}
        with closing(bodies(self._session.wire, uids)) as arriving:
            for body in arriving:
                digest = hashlib.sha256()
                for piece in body.pieces():
                    digest.update(piece)
                told = body.told()
                if told is not None and told.listed.uid in uids:
                    hashes[told.listed.uid] = digest.digest()
        return hashes

    def _fits(self, entry: Entry) -> bool:
        octets = entry.stored.base.octets
        if self._limit is None or octets <= self._limit:
            return True
        why = f"the server takes messages of up to {format_size(self._limit)} only"
        self._fail(entry, f"{why}, it has {format_size(octets)}")
        return False

    def _fail(self, entry: Entry, why: str) -> None:
        if _key(entry) not in self._failed:
            self._failed.add(_key(entry))
            self.outcome.refuse(entry.stored.sha256, why)

    def _put(self, look: _Look, todo: Sequence[Entry]) -> Work:
        """Append messages in batches, each recorded before the next is sent; while one is sent, the next is read."""
        uidnext = look.selected.uidnext or max(look.listing, default=0) + 1
        self._archive.record([self._window(look.selected, uidnext)])
        self._begun = True
        queue = deque(_batches(entry for entry in todo if self._fits(entry)))
        sent: list[Entry] = []
        sending: Appending | None = None
        while queue or sending:
            ready = self._ready(queue.popleft(), look.selected) if queue else []
            if sending is not None:
                again = self._account(sent, sending.answers(), look.selected)
                queue.extendleft([entry] for entry in reversed(again))
                yield Advance(self._folder.shown, len(sent), sum(entry.stored.base.octets for entry in sent))
                sending = None
            if ready:
                sent = [entry for entry, _ in ready]
                outgoing = [each for _, each in ready]
                sending = Appending(self._session.wire, self._folder, look.selected.uidvalidity, outgoing)

    def _account(self, sent: Sequence[Entry], answers: Sequence[Answer], selected: Selected) -> list[Entry]:
        """Record what became of a batch; returns those that are to be tried again, alone.

        :raises CommandRefused: when the server has no room.
        """
        if len(sent) > 1 and all(isinstance(answer, CommandRefused) for answer in answers):
            return list(sent)  # which of them is it?
        self._session.progressed()
        lines: list[records.Record] = []
        again = []
        full: CommandRefused | None = None
        for entry, answer in zip(sent, answers, strict=True):
            if not isinstance(answer, CommandRefused):
                self._count(entry, answer)
                if answer:
                    lines.append(self._restored(selected, answer, entry))
            elif answer.code == "OVERQUOTA":
                full = answer
            elif self._all_flags and _flags(entry, None) != _flags(entry, selected.permanent_flags):
                self._all_flags = False
                again.append(entry)
            else:
                self._fail(entry, f"the server refuses it: {answer.text}")
        self._archive.record(lines)
        if full is not None:
            raise full
        return again

    def _ready(self, batch: Sequence[Entry], selected: Selected) -> list[tuple[Entry, Outgoing]]:
        """A batch read from the archive, without the messages that it cannot give."""
        made = [(entry, self._outgoing(entry, selected)) for entry in batch]
        return [(entry, outgoing) for entry, outgoing in made if outgoing is not None]

    def _outgoing(self, entry: Entry, selected: Selected) -> Outgoing | None:
        """A message ready to be sent, or None when the archive cannot give it."""
        stored = entry.stored
        flags = _flags(entry, None if self._all_flags else selected.permanent_flags)
        try:
            proven = reading.open_copy(self._archive, [stored, *self._archive.index.with_body(stored.sha256)])
            if stored.base.octets > _SMALL:
                return Outgoing(stored.base.octets, flags, _internaldate(entry), _streamed(proven, stored.sha256))
            with proven:
                content = b"".join(reading.pieces(proven, stored.sha256))
        except ArchiveError as error:
            self._fail(entry, error.what)
            return None
        return Outgoing(stored.base.octets, flags, _internaldate(entry), (content,))

    def _verdict(self, look: _Look) -> None:
        """What the second look says of what this run has put there."""
        lost = Counter(entry.stored.sha256 for entry in look.put if _key(entry) in self._sent)
        for uid, entry in self._fresh.items():
            listed = look.listing.get(uid)
            if listed is None:
                continue
            sha256, octets = entry.stored.sha256, entry.stored.base.octets
            if listed.size != octets and self._hashes([uid]).get(uid) != sha256:
                self.outcome.refuse(sha256, "the server changed it: it is there, and not what was sent")
                lost[sha256] -= 1
            self.outcome.other_date += bool(entry.arrival) and listed.arrival != entry.arrival
            self.outcome.other_flags += listed.flags != _flags(entry, None)
        for sha256, count in lost.items():
            for _ in range(count):
                self.outcome.refuse(sha256, "the server took it, and does not list it")

    def _restored(self, selected: Selected, uid: int, entry: Entry) -> Restored:
        key = (self._folder.wire, selected.uidvalidity, uid)
        return Restored(*key, _now(), entry.stored.id, entry.stored.sha256.hex(), self._login)

    def _window(self, selected: Selected, uidnext: int | None) -> records.Restoring:
        return records.Restoring(self._folder.wire, selected.uidvalidity, uidnext, _now(), self._login)


_INBOX = Folder(b"INBOX")
_NOTHING = Selected(0, 0, None, None, False, uids_sticky=False)  # a folder that is not there yet


def _key(entry: Entry) -> Key:
    return entry.stored.id, entry.stored.sha256


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Small messages together, a large one alone."""
    batch: list[Entry] = []
    room = BATCH_OCTETS
    for entry in entries:
        octets = entry.stored.base.octets
        if octets > _SMALL:
            yield [entry]
            continue
        if len(batch) >= BATCH_MESSAGES or octets > room:
            yield batch
            batch, room = [], BATCH_OCTETS
        batch.append(entry)
        room -= octets
    if batch:
        yield batch


def _streamed(proven: Proven, sha256: bytes) -> Iterator[bytes]:
    with proven:
        yield from reading.pieces(proven, sha256)


def _flags(entry: Entry, permanent: frozenset[str] | None) -> frozenset[str]:
    return planning.kept_flags(entry.flags, permanent)


def _internaldate(entry: Entry) -> bytes | None:
    """As the server once sent it, where that is a date; else from the arrival; None: the server is to use its clock."""
    if sent := internaldate.proper((entry.internaldate or "").encode("ascii", "replace")):
        return sent
    return internaldate.from_seconds(entry.arrival) if entry.arrival else None


def _now() -> str:
    return timestamp(datetime.now(UTC))
