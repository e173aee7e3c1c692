"""An archive as it is served: its folders and messages at one moment, and how a newer moment is noticed."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from mailmove.archive.files.names import Base
from mailmove.archive.index.headers import Headers
from mailmove.archive.index.index import explained
from mailmove.archive.index.messages import Row, Stored
from mailmove.archive.place import META
from mailmove.archive.record import journal, manifest
from mailmove.archive.search import catching
from mailmove.archive.search.narrowing import Narrowing
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError
from mailmove.model import MessageId
from mailmove.safe import visible
from mailmove.serving import folders
from mailmove.serving.drop import Drop
from mailmove.serving.folders import Contents, Kind, Mailbox
from mailmove.serving.messages import Item, Messages, internaldate
from mailmove.serving.uids import OwnUids

_KEPT = 300_000  # messages that are held for the next program that asks

T = TypeVar("T", bound=Sized)
Key = TypeVar("Key")
Stamp = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True)
class Listing:
    """The messages of a folder in the order of their UIDs, as they were at one moment."""

    mailbox: Mailbox
    uidvalidity: int
    uidnext: int
    items: Messages

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def unseen(self) -> int:
        r"""How many are not ``\\Seen``."""
        return sum(count for text, count in Counter(self.items.flags).items() if "\\seen" not in text.lower())


class Snapshot:
    """An archive at one moment. It is let go of when nobody looks at it any more."""

    def __init__(self, archive: Archive, own: OwnUids, stamp: Stamp, filling: threading.Lock) -> None:
        self.archive = archive
        self.stamp = stamp
        self._own = own
        self._filling = filling
        self._lock = threading.RLock()
        self._all = _Kept(self._read)  # shared by all that show a directory
        self._listings = _Kept(self._listed)
        self._seen: dict[bytes, tuple[int, int, int, int]] = {}

    def __del__(self) -> None:
        self.archive.close()

    @cached_property
    def mailboxes(self) -> dict[bytes, Mailbox]:
        """The folders to serve, by name on the wire."""
        with self._reading():
            return folders.mailboxes(map(self._contents, self.archive.manifest.folders))

    def status(self, mailbox: Mailbox) -> tuple[int, int, int, int]:
        """Messages, UIDNEXT, UIDVALIDITY and how many are unseen."""
        with self._lock:
            if mailbox.name not in self._seen:
                told = self.listing(mailbox)
                self._seen[mailbox.name] = (len(told.items), told.uidnext, told.uidvalidity, told.unseen)
            return self._seen[mailbox.name]

    def listing(self, mailbox: Mailbox) -> Listing:
        """The messages of a folder.

        :raises ArchiveError: when UIDs of our own cannot be read or kept.
        """
        with self._reading():
            return self._listings.get(mailbox)

    def stored(self, mailbox: Mailbox, item: Item) -> Stored:
        """Where the octets of a message are."""
        base = Base(item.arrival, mailbox.uidvalidity, item.archived, item.octets, item.sha256.hex()[:32])
        flags = frozenset(item.flags.split())
        return Stored(MessageId(mailbox.wire, mailbox.uidvalidity, item.archived), base, item.sha256, flags)

    def copies(self, sha256: bytes) -> list[Stored]:
        """The messages of the archive that have these octets."""
        with self._reading():
            return self.archive.index.with_body(sha256)

    def headers(self, stored: Stored) -> Headers:
        """The header fields of a message, as the index has them."""
        with self._reading():
            return self.archive.index.headers(stored)

    def narrowing(self, *, fill: bool) -> Iterator[Narrowing | None]:
        """What the search index rules out; with ``fill`` after None for each step in which it takes in what is new.

        Where another search is filling it, which may take long, it is used as it is.

        :raises ArchiveError: when it cannot be used.
        """
        if fill and self._filling.acquire(blocking=False):
            try:
                for _ in catching.caught_up(self.archive):
                    yield None
            finally:
                self._filling.release()
        with catching.opened(self.archive) as index:
            yield Narrowing(index)

    @cached_property
    def once(self) -> Drop:
        """Every message of the archive, equal ones once, the oldest arrival first."""
        with self._reading():
            held = [(each.wire, each.uidvalidity) for each in self.archive.manifest.folders]
            return Drop([(Mailbox(b"", None, None, Kind.WHOLE, *each), self._all.get(each)) for each in held])

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, explained(self.archive.index.path):
            yield

    def _contents(self, directory: manifest.FolderDir) -> Contents:
        lasting, others = self.archive.index.lasting(directory.wire, directory.uidvalidity, folders.BELOW)
        if not folders.lasts(directory.uidvalidity):
            lasting, others = 0, lasting + others
        labels = self.archive.index.labels(directory.wire, directory.uidvalidity).values()
        return Contents(directory, bool(lasting), bool(others), frozenset(label for told in labels for label in told))

    def _listed(self, mailbox: Mailbox) -> Listing:
        wire, uidvalidity = mailbox.wire, mailbox.uidvalidity
        if mailbox.kind is Kind.WHOLE:
            whole = self._all.get((wire, uidvalidity))
            if self.archive.index.lasting(wire, uidvalidity, folders.BELOW) != (len(whole), 0):
                whole = Messages(_item(row) for row in self._rows(wire, uidvalidity) if _lasts(row, uidvalidity))
            return Listing(mailbox, uidvalidity, max(whole.uids, default=0) + 1, whole)
        if mailbox.kind is Kind.EMPTY:
            return Listing(mailbox, uidvalidity, 1, Messages())
        if mailbox.kind is Kind.LABEL:
            labels = self.archive.index.labels(wire, uidvalidity)
            rows = [
                row for row in self._rows(wire, uidvalidity) if row.current and mailbox.label in labels.get(row.uid, ())
            ]
        else:
            rows = [row for row in self._rows(wire, uidvalidity) if not _lasts(row, uidvalidity)]
        named = {f"{row.uid} {row.arrival} {row.sha256.hex()}": row for row in rows}
        numbered = self._own.number(mailbox.key, named)
        items = (_item(row)._replace(uid=numbered.uids[name]) for name, row in named.items())
        return Listing(mailbox, numbered.uidvalidity, numbered.uidnext, Messages(sorted(items)))

    def _read(self, directory: tuple[bytes, int]) -> Messages:
        return Messages(map(_item, self._rows(*directory)))

    def _rows(self, wire: bytes, uidvalidity: int) -> Iterator[Row]:
        """What the archive has of a folder; of a message that was put back, whose file serves two UIDs, the later."""
        spare = {(old.id.uid, old.sha256) for old in self.archive.index.replaced(wire, uidvalidity)}
        return (row for row in self.archive.index.rows(wire, uidvalidity) if (row.uid, row.sha256) not in spare)


class _Kept(Generic[Key, T]):
    """What was read last, as far as it is not more than so many messages."""

    def __init__(self, read: Callable[[Key], T]) -> None:
        self._read = read
        self._held: OrderedDict[Key, T] = OrderedDict()

    def get(self, key: Key) -> T:
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = self._read(key)
        self._held.move_to_end(key)
        while len(self._held) > 1 and sum(map(len, self._held.values())) > _KEPT:
            self._held.popitem(last=False)
        return found


def _item(row: Row) -> Item:
    date = internaldate(row.internaldate, row.arrival)
    return Item(row.uid, row.uid, row.octets, row.arrival, date, row.flags, row.sha256)


def _lasts(row: Row, uidvalidity: int) -> bool:
    """Whether its UID stands for it, and programs can carry it."""
    return row.current and folders.lasts(uidvalidity, row.uid)


class Shelf:
    """One archive for all that are served from it, always as it is now.

    Every method raises :exc:`~mailmove.errors.ArchiveError` when the archive cannot be read; what was read before stays
    good.
    """

    def __init__(self, name: str, path: str, memory: Memory) -> None:
        self.name = name
        self.path = path
        self._memory = memory
        self._lock = threading.Lock()
        self._filling = threading.Lock()
        self._own: dict[str, OwnUids] = {}
        self._now = self._opened()

    def snapshot(self) -> Snapshot:
        """The archive as it is now: another one whenever its journal or its folders are not as they were."""
        with self._lock:
            stamp = self._stamp()
            if stamp is not None and stamp != self._now.stamp:
                self._now = self._opened()
            return self._now

    def _opened(self) -> Snapshot:
        archive = Archive.open(self.path, self._memory, writable=False)
        uuid = archive.manifest.uuid
        self._index = archive.index.path
        try:
            own = self._own.setdefault(uuid, OwnUids(self._memory, uuid))
            return Snapshot(archive, own, self._stamp() or (), self._filling)
        except BaseException:
            archive.close()
            raise

    def _stamp(self) -> Stamp | None:
        """What stat(2) says of what an archive is read from; None while its index is being made again."""
        places = [os.path.join(self.path, META, name) for name in (journal.NAME, manifest.NAME)]
        found = []
        for path in places:
            try:
                status = os.stat(path)
            except OSError as error:
                raise ArchiveError(f"{visible(path)} cannot be looked at: {error.strerror}") from None
            found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
        try:
            status = os.stat(self._index)
        except FileNotFoundError:
            return None
        return (*found, (status.st_dev, status.st_ino, 0, 0))
