"""One folder's restore: list it, decide what it lacks, append that, and look again."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive.index import headers
from mailmove.archive.index.messages import Entry
from mailmove.archive.proof import reading
from mailmove.archive.proof.rehashing import Proven
from mailmove.archive.record import records
from mailmove.archive.record.records import Restored
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError, CommandRefused, Disconnected, Throttled
from mailmove.imap import folders, internaldate, scan
from mailmove.imap.append import Answer, Appending, Outgoing, append_limit
from mailmove.imap.bodies import bodies
from mailmove.imap.session import Session
from mailmove.jobs.progress import Advance, Progress
from mailmove.jobs.restore.result import PutBack
from mailmove.model import Folder, Listed, MessageId, Selected
from mailmove.plan import mapping
from mailmove.plan import restore as planning
from mailmove.plan.altered import Watch, difference, fragile
from mailmove.plan.mapping import Target
from mailmove.plan.sync import same_message
from mailmove.units import format_size, timestamp

BATCH_MESSAGES = 100
BATCH_OCTETS = 8 << 20
SAMPLE = 20
"""So many of the messages that no server has a reason to alter are read back all the same."""
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
    restored: dict[int, Restored] = field(default_factory=dict)
    window: records.Restoring | None = None
    listing: dict[int, Listed] = field(default_factory=dict)


class FolderRestore:
    """Puts archived messages into one folder; what becomes of them is told in ``outcome``.

    ``login``: the account where it is not the archive's own. ``copies``: see
    :meth:`mailmove.archive.index.deeds.Deeds.copies`; what is learned is added.
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
        self._plain: set[Key] = set()  # messages that go, or went, with those flags only
        self._fresh: dict[int, Entry] = {}  # on the server by now, and to be compared with what was sent
        self._fragile: set[Key] = set()
        self._watches: dict[Key, Watch] = {}
        self._told: set[int] = set()  # UIDs that are known to be not what was sent
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
        self._tell(look)
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
            if error.command == "CREATE":
                self.outcome.other_name = mapping.plain_name(self._folder)
            self.outcome.fail(f"{error.command} refused: {error.text}", self.outcome.planned - self.outcome.restored)

    def _fill(self) -> Work:
        while True:
            try:
                look = self._look(writable=True)
                self._archive.record(look.late)
                self._count_late(look.late)
                self._unverified(look)
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

    def _tell(self, look: _Look) -> None:
        """What the server changed of messages that an earlier run has put there."""
        wanted = {entry.stored.id for entry in self._wanted}
        altered = self._archive.index.altered(self._folder.wire, look.selected.uidvalidity, self._login)
        for uid, what in altered.items():
            put = look.restored.get(uid)
            if put is not None and uid in look.listing and put.source in wanted:
                self._told.add(uid)
                self.outcome.changed(bytes.fromhex(put.sha256), what)

    def _unverified(self, look: _Look) -> None:
        """Messages that a run has put there which ended before it had compared them."""
        if look.window is None or look.window.uidvalidity != look.selected.uidvalidity:
            return
        wanted = {_key(entry): entry for entry in self._wanted}
        for uid, put in look.restored.items():
            entry = wanted.get((put.source, bytes.fromhex(put.sha256)))
            if entry is None or uid in self._fresh or uid not in look.listing or uid < (look.window.uidnext or 0):
                continue
            self._fresh[uid] = entry
            self._fragile.add(_key(entry))

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
        put = [rows[key] for key in decision.put]
        window = self._archive.index.restoring(name, self._login)
        return _Look(selected, put, decision.there, late, restored, window, listing)

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
        there.update(self._alike(listing, [uid for uid in new if not index.with_body(there.get(uid, b""))], taken))
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

    def _alike(
        self, listing: Mapping[int, Listed], unknown: Sequence[int], taken: Collection[MessageId]
    ) -> dict[int, bytes]:
        """What arrived since a restore began, and is one of the messages to be put there but for what the server made
        of its octets: by Message-ID, and size or arrival; by both where it has none.
        """
        waiting = [entry for entry in self._wanted if entry.stored.id not in taken] if unknown else []
        names = {uid: headers.scan(block).message_id for uid, block in self._message_ids(unknown)} if waiting else {}
        found: dict[int, bytes] = {}
        for uid in sorted(names):
            for entry in waiting:
                same = (listing[uid].size == entry.stored.base.octets, (listing[uid].arrival or 0) == entry.arrival)
                if names[uid] == entry.message_id and (any(same) if entry.message_id else all(same)):
                    found[uid] = entry.stored.sha256
                    waiting.remove(entry)
                    break
        return found

    def _message_ids(self, uids: Collection[int]) -> Iterator[tuple[int, bytes]]:
        for uid, block in scan.fields(self._session.wire, uids, b"MESSAGE-ID"):
            if isinstance(block, CommandRefused):
                raise block  # it may be one of those that would be put there a second time
            yield uid, block

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
        blocks = self._message_ids(alike)
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
                self._all_flags &= _key(entry) not in self._plain  # it went only without: so will those to come
                self._count(entry, answer)
                if answer:
                    lines.append(self._restored(selected, answer, entry))
            elif answer.code == "OVERQUOTA":
                full = answer
            elif _key(entry) not in self._plain and _all_flags(entry) != _kept(entry, selected):
                self._plain.add(_key(entry))
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
        if not self._all_flags:
            self._plain.add(_key(entry))
        flags = _kept(entry, selected) if _key(entry) in self._plain else _all_flags(entry)
        try:
            proven = reading.open_copy(self._archive, [stored, *self._archive.index.with_body(stored.sha256)])
            if stored.base.octets > _SMALL:
                watch = self._watches[_key(entry)] = Watch()
                pieces = _streamed(proven, stored.sha256, watch)
                return Outgoing(stored.base.octets, flags, _internaldate(entry), pieces)
            with proven:
                content = b"".join(reading.pieces(proven, stored.sha256))
            if fragile(content):
                self._fragile.add(_key(entry))
        except ArchiveError as error:
            self._fail(entry, error.what)
            return None
        return Outgoing(stored.base.octets, flags, _internaldate(entry), (content,))

    def _verdict(self, look: _Look) -> None:
        """What the second look says of what this run has put there."""
        lost = Counter(entry.stored.sha256 for entry in look.put if _key(entry) in self._sent)
        changed = self._changed(look)
        for uid, entry in self._fresh.items():
            listed = look.listing.get(uid)
            if listed is None:
                continue
            if uid in changed:
                lost[entry.stored.sha256] -= 1
            self.outcome.other_date += bool(entry.arrival) and listed.arrival != entry.arrival
            self.outcome.other_flags += listed.flags != _all_flags(entry)
        for sha256, count in lost.items():
            for _ in range(count):
                self.outcome.refuse(sha256, "the server took it, and does not list it")

    def _changed(self, look: _Look) -> set[int]:
        """Which of the messages on the server are not what was sent: of those that a server could alter, or whose size
        is another now, and of a sample of the others.
        """
        there = {uid: entry for uid, entry in self._fresh.items() if uid in look.listing and uid not in self._told}
        doubtful = {uid for uid, entry in there.items() if self._doubtful(entry, look.listing[uid])}
        others = sorted(there.keys() - doubtful)
        asked = doubtful | set(others[:: len(others) // SAMPLE + 1])
        hashes = self._hashes(asked) if asked else {}
        self.outcome.read_back += len(hashes)
        changed = {uid for uid, sha256 in hashes.items() if sha256 != there[uid].stored.sha256}
        lines: list[records.Record] = []
        for uid in sorted(changed):
            entry, at = there[uid], (self._folder.wire, look.selected.uidvalidity, uid)
            what = self._difference(entry, uid)
            self._told.add(uid)
            self.outcome.changed(entry.stored.sha256, what)
            lines.append(records.Altered(*at, _now(), hashes[uid].hex(), what, self._login))
        if look.selected.uids_sticky:
            self._archive.record(lines)
        return changed

    def _doubtful(self, entry: Entry, listed: Listed) -> bool:
        key = _key(entry)
        watch = self._watches.get(key)
        return listed.size != entry.stored.base.octets or key in self._fragile or (watch is not None and watch.fragile)

    def _difference(self, entry: Entry, uid: int) -> str:
        """What is different of a message on the server, in words."""
        if entry.stored.base.octets > BATCH_OCTETS:
            return "it is not what was sent"
        proven = reading.open_copy(self._archive, [entry.stored, *self._archive.index.with_body(entry.stored.sha256)])
        with proven:
            sent = b"".join(reading.pieces(proven, entry.stored.sha256))
        return difference(sent, self._content(uid))

    def _content(self, uid: int) -> bytes:
        """A message of the folder; empty when it is gone by now."""
        content = b""
        with closing(bodies(self._session.wire, [uid])) as arriving:
            for body in arriving:
                pieces = b"".join(map(bytes, body.pieces()))
                told = body.told()
                if told is not None and told.listed.uid == uid:
                    content = pieces
        return content

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


def _streamed(proven: Proven, sha256: bytes, watch: Watch) -> Iterator[bytes]:
    with proven:
        for piece in reading.pieces(proven, sha256):
            watch.feed(piece)
            yield piece


def _all_flags(entry: Entry) -> frozenset[str]:
    return planning.kept_flags(entry.flags, None)


def _kept(entry: Entry, selected: Selected) -> frozenset[str]:
    """The flags that the server says it keeps."""
    return planning.kept_flags(entry.flags, selected.permanent_flags)


def _internaldate(entry: Entry) -> bytes | None:
    """As the server once sent it, where that is a date; else from the arrival; None: the server is to use its clock."""
    if sent := internaldate.proper((entry.internaldate or "").encode("ascii", "replace")):
        return sent
    return internaldate.from_seconds(entry.arrival) if entry.arrival else None


def _now() -> str:
    return timestamp(datetime.now(UTC))
