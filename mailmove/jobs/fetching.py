"""Fetching a folder's messages into the archive, whatever the server does meanwhile.

A FETCH that fails is taken apart until the message it fails on is alone; everything else still comes home.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from mailmove.archive.writing import doubted
from mailmove.archive.writing.incoming import Incoming
from mailmove.archive.writing.writer import Writer
from mailmove.errors import CommandRefused, Disconnected, Throttled
from mailmove.imap import scan
from mailmove.imap.bodies import bodies
from mailmove.imap.fetchline import Told
from mailmove.imap.folders import select
from mailmove.imap.session import Session
from mailmove.imap.wire import Wire
from mailmove.jobs.progress import TELL_EVERY, Advance, Progress
from mailmove.model import Folder, Listed, MessageId, Selected
from mailmove.plan import standin
from mailmove.plan.sync import chunks

COMMAND_MESSAGES = 5000
COMMAND_OCTETS = 512 << 20
ALONE = 8
"""So many messages in a row may be refused by a server that says it is busy: then another one tells what is true."""


@dataclass(slots=True)
class Fetched:
    """What became of the messages that were asked for, by UID; each is in one of them."""

    kept: dict[int, int] = field(default_factory=dict)
    """UID to a fingerprint of what was received."""
    octets: int = 0
    vanished: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    doubted: set[int] = field(default_factory=set)
    """Of those failed: something came that may not be the message, and was put aside."""
    taken: Mapping[int, set[bytes]] = field(default_factory=dict)
    """SHA-256 that somebody took for a message after a look, by UID."""
    unwanted: Collection[bytes] = frozenset()
    """SHA-256 of what was erased from the archive: it is not kept again, whatever its UID is now."""
    erased: set[int] = field(default_factory=set)
    """UIDs of such messages."""
    known: dict[bytes, int] | None = None
    """Without lasting UIDs: how many of each body, by SHA-256, the archive held before."""
    next_uid: int = 1
    """Without lasting UIDs: the number that the next new message gets instead."""


class FolderChanged(Exception):
    """UIDs of a moment ago do not mean the same messages any more; says why."""


class Opened:
    """A folder, opened read-only on whatever connection the session has; opened again when that changes."""

    def __init__(self, session: Session, folder: Folder) -> None:
        self.folder = folder
        self.selected: Selected
        self.unlisted = 0
        """How many messages the server says are there and did not list."""
        self.strays: list[str] = []
        """Lines of the listing that cannot be read, and name no message; safe for a terminal."""
        self._session = session
        self._wire: Wire | None = None

    def wire(self) -> Wire:
        """A connection with the folder selected.

        :raises FolderChanged: when its UIDVALIDITY is not the one of before, or it has none to compare.
        :raises CommandRefused: when the server will not open it.
        """
        wire = self._session.wire
        if wire is not self._wire:
            before = self.selected if self._wire is not None else None
            self.selected = select(wire, self.folder)
            if before is not None and before.uidvalidity != self.selected.uidvalidity:
                raise FolderChanged("its UIDVALIDITY changed while it was being exported; run export again")
            if before is not None and not self.selected.uids_sticky:
                raise FolderChanged("the connection was lost, and its UIDs with it; run export again")
            self._wire = wire
        return wire

    def listing(self) -> list[Listed]:
        """Every message of the folder, listed once without interruption.

        :raises FolderChanged, CommandRefused: as :meth:`wire`.
        """
        listed = self._session.ask_of_folder(self._list)
        if len(listed) < self.selected.exists:  # were the others expunged meanwhile?
            self.selected = self._session.ask_of_folder(lambda: select(self.wire(), self.folder))
            listed = self._session.ask_of_folder(self._list)
        self.unlisted = max(0, self.selected.exists - len(listed), len(self.strays))
        return listed

    def present(self, uids: Collection[int]) -> set[int]:
        """Which of these messages the folder still has."""
        return self._session.ask_of_folder(lambda: {listed.uid for listed in scan.listing(self.wire(), uids)})

    def _list(self) -> list[Listed]:
        wire = self.wire()
        self.strays = []
        return list(scan.listing(wire, strays=self.strays)) if self.selected.exists else []


def fetch(
    session: Session,
    opened: Opened,
    wanted: Mapping[int, Listed],
    last: Collection[int],
    writer: Writer,
    result: Fetched,
) -> Iterator[Progress]:
    """Fetch ``wanted`` into ``writer``, those in ``last`` at the end and one by one.

    ``result`` tells what became of each.

    :raises Unreachable: when the server cannot be reached any more; what came so far is in ``result``.
    :raises CommandRefused: when it refuses every message, as if it were busy.
    """
    first = [uid for uid in wanted if uid not in last]
    queue = deque((uids, 1) for uids in chunks(first, wanted, COMMAND_MESSAGES, COMMAND_OCTETS))
    queue.extend(([uid], 2) for uid in sorted(last) if uid in wanted)
    alone = 0
    while queue:
        uids, attempt = queue.popleft()
        before = len(result.kept)
        problem: Exception | None = None
        try:
            yield from _one_command(opened, uids, wanted, writer, result)
        except CommandRefused as error:
            if error.command != "UID FETCH":
                raise  # the folder, not a message
            problem = error
        except (Disconnected, Throttled) as error:
            problem = error
        if len(result.kept) > before:
            session.progressed()
            alone = 0
        left = [uid for uid in uids if not (uid in result.kept or uid in result.failed or uid in result.erased)]
        if not left:
            pass
        elif problem is None:
            still = opened.present(left)
            result.vanished.update(uid for uid in left if uid not in still)
            if attempt == 1 and still:
                queue.append((sorted(still), 2))
            else:
                result.failed.update(dict.fromkeys(still, "the server answered OK without the message"))
        elif isinstance(problem, Throttled) or len(result.kept) > before:
            queue.appendleft((left, 1))
        elif len(left) > 1:
            # A broken connection points at the first message not received; a refusal at any of them.
            cut = 1 if isinstance(problem, Disconnected) else len(left) // 2
            queue.appendleft((left[cut:], 1))
            queue.appendleft((left[:cut], 1))
        elif isinstance(problem, CommandRefused):
            result.failed[left[0]] = f"the server refuses it: {problem.text}"
            alone += problem.busy and left[0] not in last
            if alone > ALONE:
                raise problem  # it is the server, or all of the folder
            if alone == ALONE and queue:
                uids, attempt = queue.pop()
                queue.extend([(uids[:-1], attempt)] if len(uids) > 1 else [])
                queue.appendleft((uids[-1:], attempt))
        elif attempt == 1:
            queue.appendleft((left, 2))
        else:
            result.failed[left[0]] = f"the connection breaks each time: {problem}"
        if isinstance(problem, Disconnected | Throttled):
            session.failed(problem)


def _one_command(
    opened: Opened, uids: list[int], wanted: Mapping[int, Listed], writer: Writer, result: Fetched
) -> Iterator[Progress]:
    told_octets = told_messages = 0
    asked = set(uids)
    wire = opened.wire()
    with closing(bodies(wire, uids)) as arriving:
        for body in arriving:
            incoming = writer.begin()
            try:
                octets = 0
                for piece in body.pieces():
                    incoming.write(piece)
                    octets += len(piece)
                    if octets >= TELL_EVERY:
                        yield Advance(opened.folder.shown, 0, octets)
                        octets = 0
                told = body.told()
            except BaseException:
                incoming.discard()
                raise
            kept = _settle(opened, told, incoming, asked, wanted, writer, result)
            if kept:
                wire.wanted()
            else:
                wire.unwanted(incoming.octets)
            told_octets += octets
            told_messages += kept
            if told_octets >= TELL_EVERY:
                yield Advance(opened.folder.shown, told_messages, told_octets)
                told_octets = told_messages = 0
    if told_messages:
        yield Advance(opened.folder.shown, told_messages, told_octets)


def _settle(
    opened: Opened,
    told: Told | None,
    incoming: Incoming,
    asked: set[int],
    wanted: Mapping[int, Listed],
    writer: Writer,
    result: Fetched,
) -> bool:
    """Keep a message that was received whole, if it is one that was asked for; whether it was."""
    uid = told.listed.uid if told is not None else 0
    if told is None or uid not in asked:
        incoming.discard()
        return False
    if incoming.sha256 in result.unwanted:
        incoming.discard()
        result.erased.add(uid)
        return True
    fingerprint = int.from_bytes(incoming.sha256[:8], "big")
    if uid in result.kept:
        incoming.discard()
        if result.kept[uid] != fingerprint:
            result.failed[uid] = "the server sent two different messages under this UID"
        return False
    if not incoming.octets and (told.listed.size or wanted[uid].size):
        incoming.discard()
        result.failed[uid] = "the server sent an empty message in its place"
        return False
    why = _doubt(incoming, told.listed, wanted[uid])
    if why and incoming.sha256 not in result.taken.get(uid, ()):
        doubted.keep(writer.archive, incoming, MessageId(opened.folder.wire, opened.selected.uidvalidity, uid))
        result.doubted.add(uid)
        result.failed[uid] = why
        return True
    result.kept[uid] = fingerprint
    result.octets += incoming.octets
    listed = told.listed
    if result.known is not None:
        sha256 = incoming.sha256
        if result.known.get(sha256, 0):
            result.known[sha256] -= 1
            incoming.discard()
            return True
        listed = listed._replace(uid=result.next_uid)
        result.next_uid += 1
    internaldate = told.internaldate.decode("ascii", "replace") if told.internaldate is not None else None
    writer.keep(incoming, listed, internaldate)
    return True


def _doubt(incoming: Incoming, told: Listed, listed: Listed) -> str:
    """Why what was received may not be the message, by either size that was announced for it; empty: it is."""
    sizes = dict.fromkeys((listed.size, told.size))
    if sizes.keys() == {incoming.octets} and incoming.header_fields.message_id is not None:
        return ""
    head = incoming.head(standin.HEAD)
    return next(filter(None, (standin.doubt(size, incoming.octets, head) for size in sizes)), "")
