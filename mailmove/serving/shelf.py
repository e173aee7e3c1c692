"""An archive as it is served: its folders and messages at one moment, and how a newer moment is noticed."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mailmove.archive.files.names import Base
from mailmove.archive.index.headers import Headers
from mailmove.archive.index.index import explained
from mailmove.archive.index.messages import Row, Stored
from mailmove.archive.place import META
from mailmove.archive.record import journal, manifest
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError
from mailmove.model import MessageId
from mailmove.safe import visible
from mailmove.serving import folders
from mailmove.serving.folders import Contents, Kind, Mailbox
from mailmove.serving.uids import OwnUids

_LISTINGS = 200_000  # messages whose listings are kept for the next program that asks

Stamp = tuple[tuple[int, int, int, int], ...]
Opener = Callable[[], Archive]


class Item(NamedTuple):
    """A message of a folder as it is served: its UID here, and what the archive has on record of it."""

    uid: int
    row: Row


@dataclass(frozen=True)
class Listing:
    """The messages of a folder in the order of their UIDs, as they were at one moment."""

    mailbox: Mailbox
    uidvalidity: int
    uidnext: int
    items: tuple[Item, ...]

    @cached_property
    def unseen(self) -> int:
        r"""How many are not ``\\Seen``."""
        return sum("\\seen" not in item.row.flags.lower() for item in self.items)


class Snapshot:
    """An archive at one moment. It is let go of when nobody looks at it any more."""

    def __init__(self, archive: Archive, own: OwnUids, stamp: Stamp) -> None:
        self.archive = archive
        self.stamp = stamp
        self._own = own
        self._lock = threading.RLock()
        self._listings: OrderedDict[bytes, Listing] = OrderedDict()
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
            found = self._listings.get(mailbox.name)
            if found is None:
                found = self._listings[mailbox.name] = self._listed(mailbox)
            self._listings.move_to_end(mailbox.name)
            while len(self._listings) > 1 and sum(len(each.items) for each in self._listings.values()) > _LISTINGS:
                self._listings.popitem(last=False)
            return found

    def stored(self, mailbox: Mailbox, item: Item) -> Stored:
        """Where the octets of a message are."""
        row = item.row
        base = Base(row.arrival, mailbox.uidvalidity, row.uid, row.octets, row.sha256.hex()[:32])
        flags = frozenset(row.flags.split())
        return Stored(MessageId(mailbox.wire, mailbox.uidvalidity, row.uid), base, row.sha256, flags)

    def copies(self, sha256: bytes) -> list[Stored]:
        """The messages of the archive that have these octets."""
        with self._reading():
            return self.archive.index.with_body(sha256)

    def headers(self, stored: Stored) -> Headers:
        """The header fields of a message, as the index has them."""
        with self._reading():
            return self.archive.index.headers(stored)

    def once(self) -> Iterator[tuple[Mailbox, Item]]:
        """Every message of the archive, equal ones once, the oldest arrival first."""
        held: list[tuple[Mailbox, Row]] = []
        with self._reading():
            for directory in self.archive.manifest.folders:
                box = Mailbox(b"", None, None, Kind.WHOLE, directory.wire, directory.uidvalidity)
                held += ((box, row) for row in self.archive.index.rows(box.wire, box.uidvalidity))
        held.sort(key=lambda one: (one[1].arrival, one[1].sha256))
        seen: set[bytes] = set()
        for box, row in held:
            if row.sha256 not in seen:
                seen.add(row.sha256)
                yield box, Item(row.uid, row)

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
        rows = self._rows(mailbox.wire, mailbox.uidvalidity) if mailbox.kind is not Kind.EMPTY else []
        uidvalidity = mailbox.uidvalidity
        if mailbox.kind in (Kind.WHOLE, Kind.EMPTY):
            whole = tuple(
                Item(row.uid, row) for row in rows if row.current and folders.lasts(mailbox.uidvalidity, row.uid)
            )
            return Listing(mailbox, uidvalidity, max((item.uid for item in whole), default=0) + 1, whole)
        if mailbox.kind is Kind.LABEL:
            labels = self.archive.index.labels(mailbox.wire, uidvalidity)
            rows = [row for row in rows if row.current and mailbox.label in labels.get(row.uid, ())]
        else:
            rows = [row for row in rows if not (row.current and folders.lasts(uidvalidity, row.uid))]
        named = {f"{row.uid} {row.arrival} {row.sha256.hex()}": row for row in rows}
        numbered = self._own.number(mailbox.key, named)
        items = sorted((Item(numbered.uids[name], row) for name, row in named.items()), key=lambda item: item.uid)
        return Listing(mailbox, numbered.uidvalidity, numbered.uidnext, tuple(items))

    def _rows(self, wire: bytes, uidvalidity: int) -> list[Row]:
        """What the archive has of a folder; of a message that was put back, whose file serves two UIDs, the later."""
        rows = self.archive.index.rows(wire, uidvalidity)
        spare = {(old.id.uid, old.sha256) for old in self.archive.index.replaced(wire, uidvalidity)}
        return [row for row in rows if (row.uid, row.sha256) not in spare] if spare else rows


class Shelf:
    """One archive for all that are served from it, always as it is now.

    Every method raises :exc:`~mailmove.errors.ArchiveError` when the archive cannot be read; what was read before stays
    good.
    """

    def __init__(self, name: str, path: str, memory: Memory, opener: Opener) -> None:
        self.name = name
        self.path = path
        self._memory = memory
        self._opener = opener
        self._lock = threading.Lock()
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
        archive = self._opener()
        uuid = archive.manifest.uuid
        self._index = archive.index.path
        try:
            own = self._own.setdefault(uuid, OwnUids(self._memory, uuid))
            return Snapshot(archive, own, self._stamp() or ())
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
