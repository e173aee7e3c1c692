r"""Deleting on a server: by UID, in an unchanged folder, one command at a time, and believed only after another look.

All of mailmove's deletions are in :meth:`Deletion.delete`, which takes :class:`~mailmove.evidence.Evidence` for each
message and deletes none without. It sends UID STORE ``\Deleted``, looks at the flags once more, and sends UID EXPUNGE
of the same UIDs (RFC 4315 2.1), so that what other clients have marked stays. It never sends EXPUNGE, which would take
their marks for its own, nor CLOSE, which expunges (RFC 9051 6.4.1), nor a command before the last one is answered.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping

from mailmove.errors import CommandRefused, LackingError
from mailmove.evidence import Proof, clock
from mailmove.imap import fetchline, scan
from mailmove.imap.folders import select
from mailmove.imap.marks import DELETED, flags_of, is_marked, is_odd, lower
from mailmove.imap.outcome import (
    CHANGED,
    IN_TRASH,
    MARKED,
    ODD,
    RELABELLED,
    REPLACED,
    STILL_THERE,
    UNPROVEN,
    Outcome,
)
from mailmove.imap.pace import Pace
from mailmove.imap.parse import Segments
from mailmove.imap.wire import Argument, Astring, Wire
from mailmove.model import Folder, Listed, MessageId, Selected
from mailmove.units import LONG_LINE, parse_uid_set, uid_sets

CALM_LOOKS = 3

_UIDVALIDITY = re.compile(rb"\* OK \[UIDVALIDITY (\d{1,10})\]", re.IGNORECASE)
_MODIFIED = re.compile(rb"\[MODIFIED ([0-9:,]+)\]", re.IGNORECASE)


Labels = Mapping[int, frozenset[str]]
"""Gmail's labels of messages, by UID."""


class _Replaced(Exception):
    """The folder is not the one that was opened."""


def must_be_able(wire: Wire) -> None:
    """See to it that messages can be deleted by UID.

    :raises LackingError: without UIDPLUS (RFC 4315; part of IMAP4rev2).
    """
    if not (wire.can("UIDPLUS") or wire.can("IMAP4REV2")):
        raise LackingError(
            "the server lacks UIDPLUS: it can only expunge everything that any program has marked as deleted",
            "Nothing was deleted. Ask the provider for UIDPLUS, or delete by hand what mailmove export has saved.",
        )


class Deletion:
    r"""The deletion of messages of one folder, over one connection: portion by portion, then another look.

    Ask :meth:`portion` for UIDs until there are none, each time :meth:`delete` them, and end with :meth:`close`. Each
    message goes only if it still is as ``wanted`` lists it: size, arrival and flags. A folder whose UIDVALIDITY is
    another one, or where any of these UIDs is another message, loses nothing. What is left in the end is not left
    marked, unless it was marked before.

    ``tried`` are those that an earlier attempt may have marked. ``trash``: here expunging would only take a label away
    (Gmail); messages are moved to this folder, and expunged there, if they have no other ``labels`` than before.

    Every method raises :exc:`~mailmove.errors.Disconnected` and the other errors of
    :class:`~mailmove.imap.wire.Wire`; what is gone is unknown then, and another one with :attr:`tried` finds out.
    """

    def __init__(
        self,
        wire: Wire,
        folder: Folder,
        uidvalidity: int,
        wanted: Mapping[int, Listed],
        *,
        tried: Collection[int] = (),
        trash: Folder | None = None,
        labels: Labels | None = None,
    ) -> None:
        """Open the folder and look at the messages.

        :raises LackingError: without UIDPLUS.
        """
        must_be_able(wire)
        self.tried = set(tried)
        """Those that may carry a mark of ours."""
        self._wire, self._folder, self._uidvalidity, self._wanted = wire, folder, uidvalidity, wanted
        self._trash, self._labels = trash, labels or {}
        self._earlier = frozenset(tried)
        self._now: dict[int, Listed] = dict(wanted)
        self._left: dict[int, str] = {}
        self._unproven: set[int] = set()
        self._answered: set[int] = set()
        self._marked: set[int] = set()
        self._problem = ""
        self._replaced = False
        self._queue: list[int] = []
        self._pace = Pace()
        try:
            self._before, self._now = _open(wire, folder, uidvalidity, wanted)
        except _Replaced as error:
            self._replace(str(error))
            return
        for uid, listed in self._now.items():
            if is_odd(listed, wanted[uid]):
                self._left[uid] = ODD
            elif not self._is_as_wanted(uid, listed.flags):
                self._left[uid] = CHANGED
        self._release({uid: flags_of(self._now[uid]) for uid in self._left})
        self._queue = sorted(self._now.keys() - self._left.keys(), reverse=True)

    def portion(self) -> list[int]:
        """The UIDs that are to go next, not more than the server deletes in a moment; none at the end."""
        if not self._queue:
            return []
        some = self._queue[: -self._pace.size - 1 : -1]
        some = sorted(parse_uid_set(next(uid_sets(some, LONG_LINE))))
        del self._queue[-len(some) :]
        return some

    def delete(self, uids: Iterable[int], proof: Proof) -> None:
        r"""Delete these messages, those for which ``proof`` holds valid evidence; the others are left.

        What gets other flags before the last look is answered, by a program besides, is unmarked and left.
        """
        now = clock()
        proven = []
        for uid in uids:
            evidence = proof.get(uid)
            if evidence and evidence.proves(MessageId(self._folder.wire, self._uidvalidity, uid), now):
                proven.append(uid)
            else:
                self._left[uid] = UNPROVEN
                self._unproven.add(uid)
        if not proven:
            return
        try:
            if self._trash is not None:
                self._move(proven, self._trash)
            else:
                self._expunge(proven)
        except _Replaced as error:  # which of them are gone can no longer be asked
            self._replace(str(error))
        except CommandRefused as error:
            self._stop(error)

    def leave(self, why: Mapping[int, str]) -> None:
        """Keep these of the last portion: the archive was seen not to hold them."""
        self._left.update(why)
        self._unproven.update(why)

    def close(self) -> Outcome:
        """Look at the folder again, opened anew, and tell what became of every message."""
        going = self._now.keys() - self._left.keys()
        there: dict[int, Listed] = {}
        if not self._replaced:
            try:
                there = self._look_again(going)
            except _Replaced as error:
                self._replace(str(error))
                going = self._now.keys() - self._left.keys()
        missing = self._wanted.keys() - self._now.keys()
        gone = (going - there.keys()) | (missing & self._earlier)
        left = dict.fromkeys(there, self._problem or STILL_THERE) | self._left
        if self._trash is not None and not self._replaced:
            stuck = _empty(self._wire, self._trash, {self._wanted[uid].object_id for uid in gone} - {None})
            left |= {uid: IN_TRASH for uid in gone if self._wanted[uid].object_id in stuck}
            gone -= left.keys()
        return Outcome(
            frozenset(gone),
            frozenset(missing - self._earlier),
            left,
            self._problem,
            frozenset(self._unproven),
            frozenset(self._marked),
        )

    def _expunge(self, uids: list[int]) -> None:
        modified, since = self._mark(uids)
        self._left.update(dict.fromkeys(modified & set(uids), CHANGED))
        going, differing = self._look([uid for uid in uids if uid not in modified], since)
        while differing:  # nothing may come between the last look and EXPUNGE
            self._left.update(differing)
            self._release(dict.fromkeys(differing, frozenset({DELETED})))
            going, differing = self._look(going, since)
        if going:
            began = time.monotonic()
            self._send(b"UID EXPUNGE", _set(going))
            self._pace.expunged(len(going), time.monotonic() - began)
            self._answered.update(going)

    def _mark(self, uids: list[int]) -> tuple[set[int], int | None]:
        r"""Set ``\Deleted``, where the server can only on what did not change since the folder was opened (RFC 7162).

        Returns which it says did change, and the modification sequence that the mark gave to the others, if it tells.
        """
        modseq = self._before.highestmodseq if self._wire.can("CONDSTORE") or self._wire.can("QRESYNC") else None
        condition = b"(UNCHANGEDSINCE %d) " % modseq if modseq else b""
        self.tried.update(uids)
        told: dict[int, int] = {}
        for segments in self._send(b"UID STORE", _set(uids), condition + rb"+FLAGS.SILENT (\Deleted)"):
            if (found := fetchline.modseq(segments)) is not None:
                told[found[0]] = found[1]
        refused = _MODIFIED.search(self._wire.completion) if modseq else None
        modified = parse_uid_set(refused[1].decode()) if refused else set()
        marked = [told.get(uid) for uid in uids if uid not in modified]
        return modified, None if not modseq or None in marked else min(filter(None, marked), default=None)

    def _look(self, uids: list[int], since: int | None = None) -> tuple[list[int], dict[int, str]]:
        """Which of these still are as wanted, and what became of the others; what is not there is in neither.

        ``since``: what the server does not name has not changed since then.
        """
        item = b"(UID FLAGS X-GM-LABELS)" if self._trash is not None else b"(UID FLAGS)"
        item += b" (CHANGEDSINCE %d)" % since if since else b""
        for _ in range(CALM_LOOKS) if uids else ():
            began, calm = time.monotonic(), True
            now: dict[int, str] = dict.fromkeys(uids, "") if since else {}
            for segments in self._send(b"UID FETCH", _set(uids), item):
                if (told := fetchline.state(segments)) is None:
                    continue
                uid, flags, labels = told
                calm = calm and uid is not None  # or who knows which of them another program changed
                if uid in self._now:  # more than one response about it: each has to be as wanted
                    now[uid] = now.get(uid) or self._differs(uid, flags, labels)
            self._pace.answered(time.monotonic() - began)
            if calm:
                differing = {uid: why for uid in uids if (why := now.get(uid))}
                return [uid for uid in uids if now.get(uid) == ""], differing
        return [], dict.fromkeys(uids, CHANGED)

    def _differs(self, uid: int, flags: frozenset[str] | None, labels: frozenset[str] | None) -> str:
        """Why a message is not as it was wanted, if so."""
        if flags is None:
            return ODD
        if not self._is_as_wanted(uid, flags):
            return CHANGED
        if self._trash is not None and (labels is None or labels - self._labels.get(uid, frozenset())):
            return RELABELLED
        return ""

    def _is_as_wanted(self, uid: int, flags: frozenset[str]) -> bool:
        ignored = {DELETED} if uid in self.tried else set()
        return lower(flags) - ignored == lower(self._wanted[uid].flags) - ignored

    def _move(self, uids: list[int], trash: Folder) -> None:
        going, differing = self._look(uids)
        self._left.update(differing)
        if going:
            self.tried.update(going)
            verb = b"UID MOVE" if self._wire.can("MOVE") else b"UID COPY"  # Gmail moves what is copied to Trash
            self._send(verb, _set(going), Astring(trash.wire))
            self._answered.update(going)

    def _ours(self, flags: Mapping[int, frozenset[str]]) -> list[int]:
        """Which of these carry a mark that only we can have set."""
        return [
            uid
            for uid, found in flags.items()
            if uid in self.tried and DELETED in lower(found) and not is_marked(self._wanted[uid])
        ]

    def _release(self, flags: Mapping[int, frozenset[str]]) -> None:
        """Take our mark off those of these that carry it, in the folder as it is open; tried again at the end."""
        try:
            if ours := self._ours(flags):
                self._send(b"UID STORE", _set(ours), rb"-FLAGS.SILENT (\Deleted)")
        except CommandRefused as error:
            self._stop(error)

    def _look_again(self, going: Collection[int]) -> dict[int, Listed]:
        """Which of these are in the folder, opened anew; what is left is left without a mark of ours."""
        after = select(self._wire, self._folder)
        if after.uidvalidity != self._uidvalidity:
            raise _Replaced(REPLACED)
        found = scan.find(self._wire, self._now.keys())
        there = {uid: listed for uid, listed in found.items() if uid in going}
        if ours := self._ours({uid: flags_of(listed) for uid, listed in found.items()}):
            try:
                unmark(self._wire, self._folder, self._uidvalidity, ours)
            except CommandRefused:
                self._marked.update(ours)
                self._left.update(dict.fromkeys(ours, MARKED))
        if _contradicts(self._before, after, len(going) - len(there)):
            self._problem = "the server says they are gone, and that the folder is as full as before"
            return {uid: self._now[uid] for uid in going}
        return there

    def _stop(self, error: CommandRefused) -> None:
        """The server refuses: nothing more goes."""
        self._problem = f"the server refused {error.command}: {error.text or error.status}"
        self._queue.clear()

    def _replace(self, why: str) -> None:
        """The folder is another one now: nothing more goes, and what was marked in it cannot be looked at."""
        self._replaced, self._problem = True, why
        self._queue.clear()
        for uid in self._now.keys() - self._answered - self._left.keys():
            self._left[uid] = why
        self._marked |= {uid for uid in self.tried & self._left.keys() if not is_marked(self._wanted[uid])}

    def _send(self, *words: Argument) -> list[Segments]:
        return _send(self._wire, self._uidvalidity, *words)


def _set(uids: Iterable[int]) -> bytes:
    """A portion's UIDs, which fit on one line."""
    return ",".join(uid_sets(uids, LONG_LINE)).encode()


def unmark(
    wire: Wire, folder: Folder, uidvalidity: int, uids: Collection[int], others: Collection[int] = ()
) -> Outcome:
    r"""Take ``\Deleted`` off messages that an interrupted :func:`delete` marked; nothing can be lost by that.

    Those in ``others`` had the mark before, and keep it. ``gone`` are those that the folder does not hold any more.

    :raises CommandRefused: when the folder cannot be opened or changed.
    """
    if select(wire, folder, writable=True).uidvalidity != uidvalidity:
        return Outcome(left=dict.fromkeys(uids, REPLACED), problem=REPLACED)
    now = scan.find(wire, uids)
    ours = [uid for uid, listed in now.items() if DELETED in lower(flags_of(listed)) and uid not in others]
    for chosen in uid_sets(ours, LONG_LINE):
        wire.command(b"UID STORE", chosen.encode(), rb"-FLAGS.SILENT (\Deleted)")
    return Outcome(frozenset(uids) - now.keys(), left=dict.fromkeys(now, "the run was interrupted"))


def _open(
    wire: Wire, folder: Folder, uidvalidity: int, wanted: Mapping[int, Listed]
) -> tuple[Selected, dict[int, Listed]]:
    """Open a folder for writing and find these messages in it.

    :raises _Replaced: when it, or one of them, is not what it was.
    """
    selected = select(wire, folder, writable=True)
    if not uidvalidity or selected.uidvalidity != uidvalidity:
        raise _Replaced(REPLACED)
    if selected.read_only:
        raise _Replaced("it is read-only")
    now = scan.find(wire, wanted.keys())
    for uid, listed in now.items():
        before = wanted[uid]
        if not is_odd(listed, before) and (listed.size, listed.arrival) != (before.size, before.arrival):
            raise _Replaced(f"UID {uid} announces another size or arrival than before: it is another message now")
    return selected, now


def _empty(wire: Wire, trash: Folder, names: Collection[str | None]) -> set[str | None]:
    """Expunge from Trash the messages of these names (X-GM-MSGID); which of them it still has."""

    def held() -> dict[int, str | None]:
        return {listed.uid: listed.object_id for listed in scan.listing(wire) if listed.object_id in names}

    selected = select(wire, trash, writable=True)
    for chosen in uid_sets(held() if selected.exists else (), LONG_LINE):
        _send(wire, selected.uidvalidity, b"UID STORE", chosen.encode(), rb"+FLAGS.SILENT (\Deleted)")
        _send(wire, selected.uidvalidity, b"UID EXPUNGE", chosen.encode())
    return set(held().values()) if select(wire, trash).exists else set()


def _send(wire: Wire, uidvalidity: int, *words: Argument) -> list[Segments]:
    """Run one command to its end, and notice when the folder is replaced under it."""
    responses = wire.command(*words)
    for response in responses:
        found = _UIDVALIDITY.match(response[0])
        if found is not None and int(found[1]) != uidvalidity:
            raise _Replaced(REPLACED)
    return responses


def _contradicts(before: Selected, after: Selected, gone: int) -> bool:
    """Whether the number of messages belies that so many are gone; others may only have come since."""
    if not gone or before.uidnext is None or after.uidnext is None:
        return False
    return after.exists > before.exists - gone + (after.uidnext - before.uidnext)
