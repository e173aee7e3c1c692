"""The archives that are looked through, each always as it is now."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from mailmove.archive.index.browsing import Browsing, Held, Line
from mailmove.archive.index.search import Search
from mailmove.archive.search.query import Query
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.errors import MailmoveError, UsageError
from mailmove.jobs.find import FindResult, Options, find
from mailmove.jobs.progress import Expect, Progress
from mailmove.model import Found, folder_text
from mailmove.serving.octets import Octets, opened
from mailmove.serving.shelf import Shelf, Snapshot

T = TypeVar("T")

_ORDERS = 8  # folders whose order is kept


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages of a list that has ``total``, from the one at ``at`` on."""

    lines: Sequence[Line]
    at: int
    total: int
    notes: Sequence[str] = ()


class View:
    """An archive at one moment."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._lock = threading.Lock()
        self._orders: OrderedDict[Held, array[int]] = OrderedDict()

    @property
    def archive(self) -> Archive:
        """The archive, which is read only."""
        return self.snapshot.archive

    @cached_property
    def held(self) -> list[Held]:
        """Its folders and labels."""
        with Browsing(self.archive.index.path) as browsing:
            return browsing.held()

    @property
    def first(self) -> Held | None:
        """The folder that is shown first: the INBOX, if there is one."""
        return next(iter(sorted(self.held, key=lambda each: each.wire.upper() != b"INBOX")), None)

    def page(self, held: Held, at: int, most: int) -> Page:
        """Some messages of a folder, the newest first."""
        with Browsing(self.archive.index.path) as browsing, self._lock:
            order = self._orders.get(held)
            if order is None:
                order = self._orders[held] = browsing.order(held.wire, held.uidvalidity, held.label)
            self._orders.move_to_end(held)
            while len(self._orders) > _ORDERS:
                self._orders.popitem(last=False)
            return Page(browsing.lines(order[at : at + most]), at, len(order))

    def newest(self, hashes: Sequence[bytes]) -> list[Line]:
        """These messages as lines of a list."""
        with Browsing(self.archive.index.path) as browsing:
            return browsing.newest(hashes)

    def verified(self, sha256: bytes) -> str | None:
        """When a message was archived first."""
        with Browsing(self.archive.index.path) as browsing:
            return browsing.verified(sha256)

    def message(self, sha256: bytes) -> Found:
        """All that is on record of a message.

        :raises UsageError: when there is none.
        """
        if self.archive.index.with_body(sha256):
            with Search(self.archive.index.path) as search:
                for found in search.found([sha256]):
                    return found
        raise UsageError("no archived message has this ID")

    @contextmanager
    def octets(self, sha256: bytes) -> Iterator[Octets]:
        """A message's octets, hashed before the first of them goes out.

        :raises ArchiveError: when no copy of it is what was archived.
        """
        stored = self.snapshot.copies(sha256)
        if not stored:
            raise UsageError("no archived message has this ID")
        with opened(self.snapshot, stored[0]) as octets:
            yield octets

    def title(self, held: Held) -> str:
        """What a folder is called, not made safe for anything."""
        if held.label:
            return held.label.removeprefix("\\")
        folder = self.archive.manifest.find(held.wire, held.uidvalidity)
        name = folder_text(held.wire)
        return f"{name} (UIDVALIDITY {held.uidvalidity})" if folder is not None and folder.retired else name


class Book:
    """One archive; ``indexed`` is how much of what its search index lacked is read by now, None: it lacks nothing."""

    def __init__(self, shelf: Shelf, cancel: Cancel) -> None:
        self.name = shelf.name
        self._shelf = shelf
        self._cancel = cancel
        self._lock = threading.Lock()
        self._searching = threading.Lock()
        self._view: View | None = None
        self.indexed: tuple[int, int] | None = (0, 0)
        self.failed: MailmoveError | None = None
        """Why it could not be made ready for searches."""

    def view(self) -> View:
        """The archive as it is now.

        :raises ArchiveError: when it cannot be read.
        """
        snapshot = self._shelf.snapshot()
        with self._lock:
            if self._view is None or self._view.snapshot is not snapshot:
                self._view = View(snapshot)
            return self._view

    def open(self) -> None:
        """Do before the first page is asked for what it waits for longest.

        :raises ArchiveError: when the archive cannot be read.
        """
        view = self.view()
        if view.first is not None:
            view.page(view.first, 0, 0)

    def make_ready(self) -> None:
        """Let the search index know all that is archived: a long work the first time."""
        try:
            self._find(self.view(), Options(Query(), limit=1))
        except MailmoveError as error:
            self.failed = error
        finally:
            self.indexed = None

    def find(self, query: Query, at: int, most: int) -> Page:
        """Some of the messages that a search finds, the newest first.

        :raises MailmoveError: as :func:`mailmove.jobs.find.find`.
        """
        view = self.view()
        with self._searching:
            result = self._find(view, Options(query, most, at))
        lines = view.newest([hit.found.sha256 for hit in result.messages])
        return Page(lines, at, result.found, (*result.notes, *result.unread))

    def _find(self, view: View, options: Options) -> FindResult:
        expected = done = 0

        def tell(news: Progress) -> None:
            nonlocal expected, done
            if isinstance(news, Expect):
                expected += news.messages
            else:
                done += news.messages
            if self.indexed is not None:
                self.indexed = done, expected

        with ExitStack() as until:  # there is a limit: all of it is read by then
            return finish(find(self.name, view.archive, options, until, self._cancel), tell)


def finish(job: Generator[Progress, None, T], tell: Callable[[Progress], None] = lambda _: None) -> T:
    """Do a job to its end, and tell how far it is."""
    while True:
        try:
            tell(next(job))
        except StopIteration as end:
            result: T = end.value
            return result
