"""Appending what a folder lacks, in batches: each is recorded before the next is sent; while one is sent, the next is
read from the archive, and proven.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence

from mailmove.archive.index.messages import Entry
from mailmove.archive.proof import reading
from mailmove.archive.proof.rehashing import Proven
from mailmove.archive.record import records
from mailmove.errors import ArchiveError, CommandRefused
from mailmove.imap import internaldate
from mailmove.imap.append import Answer, Appending, Outgoing
from mailmove.jobs.progress import Advance, Progress
from mailmove.jobs.restore.looking import Look
from mailmove.jobs.restore.task import Done, Key, Task, key, now
from mailmove.model import Selected
from mailmove.plan import restore as planning
from mailmove.plan.altered import Watch, fragile
from mailmove.units import format_size

BATCH_MESSAGES = 100
BATCH_OCTETS = 8 << 20
_SMALL = 1 << 20  # octets of a message that is read and proven before it is sent; a larger one is proven on its way

Work = Generator[Progress, None, None]


class Sending:
    """Sends messages into one folder; what becomes of them is told in ``done``."""

    def __init__(self, task: Task, done: Done) -> None:
        self._task = task
        self._done = done
        self._all_flags = True  # PERMANENTFLAGS tells what a client may STORE; nearly every server takes more in APPEND
        self._plain: set[Key] = set()  # messages that go, or went, with those flags only

    def put(self, look: Look, todo: Sequence[Entry]) -> Work:
        """Append messages; the journal tells first that there may be some in the folder which it does not know.

        :raises Unreachable: when the server is lost, and :exc:`~mailmove.errors.CommandRefused` when it has no room.
        """
        task, uidnext = self._task, look.selected.uidnext or max(look.listing, default=0) + 1
        task.archive.record([window(task, look.selected, uidnext)])
        self._done.begun = True
        queue = deque(_batches(entry for entry in todo if fits(entry, look.limit, self._done)))
        sent: list[Entry] = []
        sending: Appending | None = None
        while queue or sending:
            ready = self._ready(queue.popleft(), look.selected) if queue else []
            if sending is not None:
                again = self._account(sent, sending.answers(), look.selected)
                queue.extendleft([entry] for entry in reversed(again))
                yield Advance(task.folder.shown, len(sent), sum(entry.stored.base.octets for entry in sent))
                sending = None
            if ready:
                sent = [entry for entry, _ in ready]
                outgoing = [each for _, each in ready]
                sending = Appending(task.session.wire, task.folder, look.selected.uidvalidity, outgoing)

    def _account(self, sent: Sequence[Entry], answers: Sequence[Answer], selected: Selected) -> list[Entry]:
        """Record what became of a batch; returns those that are to be tried again, alone.

        :raises CommandRefused: when the server has no room.
        """
        if len(sent) > 1 and all(isinstance(answer, CommandRefused) for answer in answers):
            return list(sent)  # which of them is it?
        self._task.session.progressed()
        lines: list[records.Record] = []
        again = []
        full: CommandRefused | None = None
        for entry, answer in zip(sent, answers, strict=True):
            if not isinstance(answer, CommandRefused):
                self._all_flags &= key(entry) not in self._plain  # it went only without: so will those to come
                self._done.count(entry, answer)
                if answer:
                    lines.append(self._restored(selected, answer, entry))
            elif answer.code == "OVERQUOTA":
                full = answer
            elif key(entry) not in self._plain and all_flags(entry) != _kept(entry, selected):
                self._plain.add(key(entry))
                again.append(entry)
            else:
                self._done.fail(entry, f"the server refuses it: {answer.text}")
        self._task.archive.record(lines)
        if full is not None:
            raise full
        return again

    def _restored(self, selected: Selected, uid: int, entry: Entry) -> records.Restored:
        where = (self._task.folder.wire, selected.uidvalidity, uid)
        return records.Restored(*where, now(), entry.stored.id, entry.stored.sha256.hex(), self._task.login)

    def _ready(self, batch: Sequence[Entry], selected: Selected) -> list[tuple[Entry, Outgoing]]:
        """A batch read from the archive, without the messages that it cannot give."""
        made = [(entry, self._outgoing(entry, selected)) for entry in batch]
        return [(entry, outgoing) for entry, outgoing in made if outgoing is not None]

    def _outgoing(self, entry: Entry, selected: Selected) -> Outgoing | None:
        """A message ready to be sent, or None when the archive cannot give it."""
        if not self._all_flags:
            self._plain.add(key(entry))
        flags = _kept(entry, selected) if key(entry) in self._plain else all_flags(entry)
        try:
            return Outgoing(entry.stored.base.octets, flags, _internaldate(entry), self._pieces(entry))
        except ArchiveError as error:
            self._done.fail(entry, error.what)
            return None

    def _pieces(self, entry: Entry) -> Iterable[bytes]:
        """The octets of a message, proven, or to be proven on their way.

        :raises ArchiveError: when no file holds them.
        """
        stored = entry.stored
        proven = archived(self._task, entry)
        if stored.base.octets > _SMALL:
            watch = self._done.watches[key(entry)] = Watch()
            return _streamed(proven, stored.sha256, watch)
        with proven:
            content = b"".join(reading.pieces(proven, stored.sha256))
        if fragile(content):
            self._done.fragile.add(key(entry))
        return (content,)


def window(task: Task, selected: Selected, uidnext: int | None) -> records.Restoring:
    """What the journal is told of a restore that begins at this UID; None: that has ended."""
    return records.Restoring(task.folder.wire, selected.uidvalidity, uidnext, now(), task.login)


def fits(entry: Entry, limit: int | None, done: Done) -> bool:
    """Whether the server takes a message of this size; one that it does not take has failed."""
    octets = entry.stored.base.octets
    if limit is None or octets <= limit:
        return True
    done.fail(entry, f"the server takes messages of up to {format_size(limit)} only, it has {format_size(octets)}")
    return False


def archived(task: Task, entry: Entry) -> Proven:
    """A file of the archive that holds a message.

    :raises ArchiveError: when there is none.
    """
    return reading.open_copy(task.archive, [entry.stored, *task.archive.index.with_body(entry.stored.sha256)])


def all_flags(entry: Entry) -> frozenset[str]:
    """The flags that a message is to get back."""
    return planning.kept_flags(entry.flags, None)


def _kept(entry: Entry, selected: Selected) -> frozenset[str]:
    """The flags that the server says it keeps."""
    return planning.kept_flags(entry.flags, selected.permanent_flags)


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


def _internaldate(entry: Entry) -> bytes | None:
    """As the server once sent it, where that is a date; else from the arrival; None: the server is to use its clock."""
    if sent := internaldate.proper((entry.internaldate or "").encode("ascii", "replace")):
        return sent
    return internaldate.from_seconds(entry.arrival) if entry.arrival else None
