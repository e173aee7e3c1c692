"""One folder's part of an audit: its messages, streamed from the server or taken from the archive's index."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from mailmove.archive.index.headers import Headers
from mailmove.archive.index.headers import scan as scan_headers
from mailmove.archive.index.messages import Known
from mailmove.archive.state.header_cache import HeaderCache
from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused, Disconnected, Throttled
from mailmove.imap import scan
from mailmove.imap.session import Session
from mailmove.jobs.dates import known_dates
from mailmove.jobs.fetching import Opened
from mailmove.jobs.progress import Advance, Progress
from mailmove.mail import fields
from mailmove.model import Folder, Listed, Seen
from mailmove.plan import sync
from mailmove.plan.retention import NO_DATES, Dates
from mailmove.plan.usage import Usage

_CHUNK = 2000  # messages between two reports of progress, or two additions to the cache
_GROUPING = b"DATE FROM LIST-ID"
_SHOWING = b"DATE FROM SUBJECT"

MakeUsage = Callable[[Mapping[int, Known], Dates], Usage]
Take = Callable[[int, Headers], None]
"""Takes the size of a message and its header fields."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The messages of a folder: how many the server counts, what is archived of them, and the messages as they come."""

    uidvalidity: int
    expected: int
    known: Mapping[int, Known]
    messages: Iterable[Listed]


class FolderAudit:
    """Reads the folders of one account, one after the other.

    What the archive's index or an earlier audit knows of a message is not asked for again. Reading raises
    :exc:`~mailmove.errors.CommandRefused` when the server will not show a folder,
    :exc:`~mailmove.jobs.fetching.FolderChanged` when its UIDs change meanwhile, and
    :exc:`~mailmove.errors.Unreachable` when the server is lost.
    """

    def __init__(self, session: Session, archive: Archive | None, cache: HeaderCache) -> None:
        self._session = session
        self._archive = archive
        self._cache = cache
        self._uidvalidity: dict[Folder, int] = {}
        self.untold: dict[Folder, int] = {}
        """How many messages of a folder there are whose header fields the server refuses to tell."""

    def read(
        self, view: Seen, make: MakeUsage, *, sent: bool = False, archived: bool = False, take: Take | None = None
    ) -> Generator[Progress, None, tuple[Usage, int]]:
        """Add a folder up; with it comes how many of the messages that the server counts it did not list.

        ``sent``, ``archived``: it is needed when messages were sent, or since when they are archived; ``take`` is given
        every message's fields.
        """
        opened = Opened(self._session, view.folder)
        before = None
        while True:
            done = 0
            try:
                listing = self._listing(view, opened)
                self._uidvalidity[view.folder] = listing.uidvalidity
                if sent or take or self._restoring(view.folder):
                    listing = replace(listing, messages=list(listing.messages))
                dates = self._dates(opened, listing, archived=archived)
                if sent or take:
                    dates = replace(dates, sent=self._look_at_headers(opened, listing, sent=sent, take=take))
                usage = make(listing.known, dates)
                for chunk in _chunks(listing.messages):
                    usage.add(chunk)
                    done += len(chunk)
                    yield Advance(view.folder.shown, len(chunk), sum(message.size or 0 for message in chunk))
            except (Disconnected, Throttled) as error:
                before = self._session.failed_of_folder(error, before)
                yield Advance(view.folder.shown, -done, 0)
            else:
                return usage, max(0, listing.expected - done)

    def headers(self, folder: Folder, uids: Collection[int]) -> tuple[dict[int, Headers], CommandRefused | None]:
        """Date, From and Subject of a few messages of a folder that was read, and why not of all of them."""
        found: dict[int, Headers] = {}
        uidvalidity = self._uidvalidity[folder]
        if self._archive is not None and uidvalidity:
            archived = self._archive.index.folder_headers(folder.wire, uidvalidity)
            found = {uid: headers for uid, headers in archived if uid in uids}
        missing = [uid for uid in uids if uid not in found]

        def ask() -> list[tuple[int, scan.Block]]:
            opened = Opened(self._session, folder)
            return list(scan.fields(opened.wire(), missing, _SHOWING))

        told = self._session.ask_of_folder(ask) if missing else []
        found |= {uid: scan_headers(block) for uid, block in told if isinstance(block, bytes)}
        return found, next((block for _, block in told if isinstance(block, CommandRefused)), None)

    def _listing(self, view: Seen, opened: Opened) -> Listing:
        wire, status = view.folder.wire, view.status
        assert status is not None
        known = self._known(wire, status.uidvalidity or 0)
        if known and self._settled(view):
            present = [uid for uid, record in known.items() if not record.gone]
            if len(present) == status.messages:
                archived = (_listed(uid, known[uid], known[uid].flags) for uid in present)
                return Listing(status.uidvalidity or 0, status.messages, known, archived)
        connection = opened.wire()
        selected = opened.selected
        if selected.uidvalidity != (status.uidvalidity or 0):
            known = self._known(wire, selected.uidvalidity)
        messages: Iterable[Listed] = ()
        if selected.exists and known:
            messages = _completed(known, scan.flags(connection), lambda uids: scan.listing(connection, uids, []))
        elif selected.exists:
            messages = scan.listing(connection, strays=[])  # they lack in what is counted
        return Listing(selected.uidvalidity, selected.exists, known, messages)

    def _known(self, wire: bytes, uidvalidity: int) -> dict[int, Known]:
        return self._archive.index.known(wire, uidvalidity) if self._archive and uidvalidity else {}

    def _settled(self, view: Seen) -> bool:
        """Whether the index holds all that there is to know of a folder, the flags included (RFC 7162)."""
        assert self._archive is not None and view.status is not None
        complete = self._archive.index.complete(view.folder.wire, view.status.uidvalidity or 0)
        return view.status.highestmodseq is not None and sync.unchanged(view.status, complete)

    def _restoring(self, folder: Folder) -> bool:
        """Whether a restore into a folder was cut short, so that what it put there can only be told by UID."""
        return self._archive is not None and self._archive.index.restoring(folder.wire) is not None

    def _dates(self, opened: Opened, listing: Listing, *, archived: bool) -> Dates:
        if self._archive is None:
            return NO_DATES
        index, wire, uids = self._archive.index, opened.folder.wire, (message.uid for message in listing.messages)
        return known_dates(index, wire, listing.uidvalidity, uids, sent=False, archived=archived)

    def _look_at_headers(self, opened: Opened, listing: Listing, *, sent: bool, take: Take | None) -> dict[int, int]:
        """Give every message's fields to ``take``, and return when each was sent."""
        sizes = {message.uid: message.size or 0 for message in listing.messages}
        dates: dict[int, int] = {}
        for uid, headers in self._all_headers(opened, listing.uidvalidity, sizes):
            if sent and (date := fields.sent(headers.date)) is not None:
                dates[uid] = date
            if take:
                take(sizes[uid], headers)
        return dates

    def _all_headers(self, opened: Opened, uidvalidity: int, uids: Collection[int]) -> Iterator[tuple[int, Headers]]:
        """The header fields of each of these messages, from wherever they are; empty ones where nobody tells them."""
        folder, left = opened.folder.wire, set(uids)
        if uidvalidity:
            gone = []
            for uid, headers in self._archive.index.folder_headers(folder, uidvalidity) if self._archive else ():
                if uid in left:
                    left.discard(uid)
                    yield uid, headers
            for uid, headers in self._cache.read(folder, uidvalidity) if left else ():
                if uid in left:
                    left.discard(uid)
                    yield uid, headers
                elif uid not in uids:
                    gone.append(uid)
            self._cache.forget(folder, gone)
        if left:
            self.untold[opened.folder] = 0
            for chunk in _chunks(self._fetched(opened, sorted(left))):
                if uidvalidity:
                    self._cache.add(folder, uidvalidity, chunk)
                left.difference_update(uid for uid, _ in chunk)
                yield from chunk
        for uid in left:
            yield uid, Headers()

    def _fetched(self, opened: Opened, uids: Iterable[int]) -> Iterator[tuple[int, Headers]]:
        for uid, block in scan.fields(opened.wire(), uids, _GROUPING):
            if isinstance(block, bytes):
                yield uid, scan_headers(block)
            else:
                self.untold[opened.folder] += 1


def _listed(uid: int, record: Known, flags: frozenset[str]) -> Listed:
    return Listed(uid, record.arrival or None, record.size, flags)


def _completed(
    known: Mapping[int, Known],
    present: Mapping[int, frozenset[str] | None],
    ask: Callable[[Collection[int]], Iterable[Listed]],
) -> Iterator[Listed]:
    """The messages that are present: dates and sizes as archived, where they are, and asked for otherwise."""
    unknown = []
    for uid, flags in present.items():
        record = known.get(uid)
        if record is not None and flags is not None:
            yield _listed(uid, record, flags)
        else:
            unknown.append(uid)
    if unknown:
        yield from ask(unknown)


T = TypeVar("T")


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    source = iter(items)
    while chunk := list(islice(source, _CHUNK)):
        yield chunk
