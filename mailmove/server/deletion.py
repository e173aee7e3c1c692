r"""Deleting on a server: by UID, in an unchanged folder, one command at a time, and believed only after another look.

All of mailmove's deletions are in :func:`delete`. It sends UID STORE ``\Deleted`` and UID EXPUNGE of the same UIDs
(RFC 4315 2.1), so that what other clients have marked stays. It never sends EXPUNGE, which would take their marks for
its own, nor CLOSE, which expunges (RFC 9051 6.4.1), nor a command before the last one is answered.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mailmove.errors import CommandRefused, LackingError
from mailmove.model import Folder, Listed, Selected
from mailmove.server import scan
from mailmove.server.folders import select
from mailmove.server.wire import Argument, Astring, Wire
from mailmove.units import LONG_LINE, parse_uid_set, uid_sets

DELETED = "\\deleted"

CHANGED = "it changed since the plan was made"
REPLACED = "its UIDVALIDITY changed: these UIDs are other messages now"
IN_TRASH = "it was moved to Trash, which still has it"
STILL_THERE = "the server answered OK and still has it"

_UIDVALIDITY = re.compile(rb"\* OK \[UIDVALIDITY (\d{1,10})\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the messages that were to be deleted from a folder, each in one of the three.

    ``gone``: deleted, and not there at another look; ``vanished``: not there when we came; ``left``: there, and why.
    ``problem`` says why the folder was left early.
    """

    gone: frozenset[int] = frozenset()
    vanished: frozenset[int] = frozenset()
    left: Mapping[int, str] = field(default_factory=dict)
    problem: str = ""


Look = tuple[Selected, dict[int, Listed]]
"""A folder as it was opened, and those of the messages asked for that are in it."""


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


def delete(
    wire: Wire,
    folder: Folder,
    uidvalidity: int,
    wanted: Mapping[int, Listed],
    *,
    again: bool = False,
    trash: Folder | None = None,
) -> Outcome:
    r"""Delete exactly these messages, each only if it still is as ``wanted`` lists it: size, arrival and flags.

    A folder whose UIDVALIDITY is another one, or where any of these UIDs is another message, loses nothing. What is
    left in the end is not left marked, unless it was marked before. ``again``: an earlier attempt may have marked them.
    ``trash``: here expunging would only take a label away (Gmail); they are moved to this folder, and expunged there.

    :raises LackingError: without UIDPLUS.
    :raises Disconnected: and the other errors of :class:`~mailmove.server.wire.Wire`; what is gone is unknown then,
        and calling this again with ``again`` finishes it.
    """
    must_be_able(wire)
    try:
        before, now = _open(wire, folder, uidvalidity, wanted)
    except _Replaced as error:
        return Outcome(left=dict.fromkeys(wanted, str(error)), problem=str(error))
    missing = frozenset(wanted.keys() - now.keys())
    left = {uid: CHANGED for uid, listed in now.items() if not _unchanged(listed, wanted[uid], again=again)}
    going = now.keys() - left.keys()
    answered: set[int] = set()
    problem = ""
    try:
        for chosen in uid_sets(going, LONG_LINE):
            if trash is not None:
                verb = b"UID MOVE" if wire.can("MOVE") else b"UID COPY"  # Gmail moves what is copied to Trash
                _send(wire, uidvalidity, verb, chosen.encode(), Astring(trash.wire))
            else:
                _send(wire, uidvalidity, b"UID STORE", chosen.encode(), rb"+FLAGS.SILENT (\Deleted)")
                _send(wire, uidvalidity, b"UID EXPUNGE", chosen.encode())
            answered |= parse_uid_set(chosen)
        after, there = _look_again(wire, folder, uidvalidity, going)
        if _contradicts(before, after, len(going) - len(there)):
            problem = "the server says they are gone, and that the folder is as full as before"
            there = {uid: now[uid] for uid in going}
    except _Replaced as error:  # which of them are gone can no longer be asked
        left.update(dict.fromkeys(going - answered, str(error)))
        return Outcome(frozenset(answered), missing, left, str(error))
    except CommandRefused as error:
        problem = f"the server refused {error.command}: {error.text or error.status}"
        there = scan.find(wire, going)
    ours = [uid for uid, listed in there.items() if is_marked(listed) and not is_marked(wanted[uid])]
    if ours:
        try:
            unmark(wire, folder, uidvalidity, ours)
        except CommandRefused:
            pass  # what is left is told all the same
    left.update(dict.fromkeys(there, problem or STILL_THERE))
    gone = frozenset(going - there.keys())
    if again:
        gone, missing = gone | missing, frozenset()
    if trash is not None:
        stuck = _empty(wire, trash, {wanted[uid].object_id for uid in gone} - {None})
        left.update({uid: IN_TRASH for uid in gone if wanted[uid].object_id in stuck})
        gone -= left.keys()
    return Outcome(gone, missing, left, problem)


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
    ours = [uid for uid, listed in now.items() if is_marked(listed) and uid not in others]
    for chosen in uid_sets(ours, LONG_LINE):
        wire.command(b"UID STORE", chosen.encode(), rb"-FLAGS.SILENT (\Deleted)")
    return Outcome(frozenset(uids) - now.keys(), left=dict.fromkeys(now, "the run was interrupted"))


def _open(wire: Wire, folder: Folder, uidvalidity: int, wanted: Mapping[int, Listed]) -> Look:
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
        if (listed.size, listed.arrival) != (wanted[uid].size, wanted[uid].arrival):
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


def _send(wire: Wire, uidvalidity: int, *words: Argument) -> None:
    """Run one command to its end, and notice when the folder is replaced under it."""
    replaced = False
    for response in wire.responses(*words):
        found = _UIDVALIDITY.match(response[0])
        replaced = replaced or (found is not None and int(found[1]) != uidvalidity)
    if replaced:
        raise _Replaced(REPLACED)


def _look_again(wire: Wire, folder: Folder, uidvalidity: int, uids: Collection[int]) -> Look:
    """Which of these are in the folder, opened anew: not as the session before remembers it."""
    selected = select(wire, folder)
    if selected.uidvalidity != uidvalidity:
        raise _Replaced(REPLACED)
    return selected, scan.find(wire, uids)


def _contradicts(before: Selected, after: Selected, gone: int) -> bool:
    """Whether the number of messages belies that so many are gone; others may only have come since."""
    if not gone or before.uidnext is None or after.uidnext is None:
        return False
    return after.exists > before.exists - gone + (after.uidnext - before.uidnext)


def _unchanged(now: Listed, planned: Listed, *, again: bool) -> bool:
    return _flags(now, again) == _flags(planned, again)


def _flags(listed: Listed, but_deleted: bool) -> frozenset[str]:
    lower = frozenset(flag.lower() for flag in listed.flags)
    return lower - {DELETED} if but_deleted else lower


def is_marked(listed: Listed) -> bool:
    r"""Whether a message carries ``\Deleted``."""
    return any(flag.lower() == DELETED for flag in listed.flags)
