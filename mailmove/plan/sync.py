"""What an export has to do in a folder so that afterwards the archive holds every message the server lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mailmove.model import FolderStatus, Listed


class Archived(Protocol):
    """What is known of an archived message; see :class:`mailmove.archive.index.messages.Known`."""

    @property
    def arrival(self) -> int:
        """INTERNALDATE in Unix seconds, 0 for none."""

    @property
    def size(self) -> int:
        """RFC822.SIZE as announced when it was archived; its true length where that is not known."""

    @property
    def flags(self) -> frozenset[str]:
        """The server's flags as last seen."""

    @property
    def gone(self) -> bool:
        """It was not on the server at the last look."""


class Settled(Protocol):
    """The state in which a folder was complete; see :class:`mailmove.archive.record.records.Complete`."""

    @property
    def uidvalidity(self) -> int:
        """UIDVALIDITY."""

    @property
    def uidnext(self) -> int | None:
        """UIDNEXT."""

    @property
    def messages(self) -> int:
        """How many messages it had."""

    @property
    def highestmodseq(self) -> int | None:
        """HIGHESTMODSEQ (RFC 7162)."""


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """The decisions for one folder; every listed UID is in exactly one of ``fetch``, ``absent`` and ``held``.

    ``fetch``: not archived; ``suspects`` among them are archived under another announced size or arrival, so that this
    UID may be another message by now. ``absent``: archived, but the file is not where it was, and this run was not
    asked to fetch it again. ``held``: archived. Besides: ``flags`` of the server that changed, from and to; ``gone``
    and ``back``, archived and no longer or again listed.
    """

    fetch: dict[int, Listed]
    suspects: frozenset[int]
    absent: frozenset[int]
    held: int
    flags: dict[int, tuple[frozenset[str], frozenset[str]]]
    gone: frozenset[int]
    back: frozenset[int]

    @property
    def listed(self) -> int:
        """How many messages the server lists."""
        return len(self.fetch) + len(self.absent) + self.held


def unchanged(status: FolderStatus, settled: Settled | None) -> bool:
    """Whether STATUS proves that nothing came, went or, where the server has CONDSTORE, changed its flags."""
    return (
        settled is not None
        and bool(status.uidvalidity)
        and status.uidnext is not None
        and status.uidvalidity == settled.uidvalidity
        and status.uidnext == settled.uidnext
        and status.messages == settled.messages
        and status.highestmodseq == settled.highestmodseq
    )


def same_message(listed: Listed, archived: Archived) -> bool:
    """Whether a listed message can be the archived one: it still announces the same size and arrival.

    Sizes may be estimates (Exchange), so they are compared with what was announced then, where that is known.
    """
    if listed.odd:
        return True  # nothing is known that speaks against it
    return (listed.arrival or 0) == archived.arrival and (listed.size is None or listed.size == archived.size)


def plan_folder(
    listing: Iterable[Listed],
    archived: Mapping[int, Archived],
    lost: Collection[int] = (),
    doubted: Collection[int] = (),
    *,
    refetch: bool = False,
) -> FolderPlan:
    """Compare a listing with what is archived of the folder in the same UIDVALIDITY.

    ``lost`` are archived UIDs whose file is not there or was found altered; with ``refetch`` they are fetched again.
    ``doubted`` are UIDs that were not delivered when last asked for: they are asked for again, archived or not.
    """
    fetch: dict[int, Listed] = {}
    flags: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
    suspects, absent, back, listed_known = set(), set(), set(), set()
    held = 0
    for message in listing:
        record = archived.get(message.uid)
        if record is None:
            fetch[message.uid] = message
            continue
        listed_known.add(message.uid)
        if not same_message(message, record):
            fetch[message.uid] = message
            suspects.add(message.uid)
        elif message.uid in doubted:
            fetch[message.uid] = message
        elif message.uid in lost:
            if refetch:
                fetch[message.uid] = message
            else:
                absent.add(message.uid)
        else:
            held += 1
            if record.flags != message.flags and not message.odd:
                flags[message.uid] = (record.flags, message.flags)
        if record.gone:
            back.add(message.uid)
    gone = frozenset(uid for uid, record in archived.items() if uid not in listed_known and not record.gone)
    return FolderPlan(fetch, frozenset(suspects), frozenset(absent), held, flags, gone, frozenset(back))


def chunks(uids: Iterable[int], sizes: Mapping[int, Listed], most: int, octets: int) -> list[list[int]]:
    """Cut UIDs into the FETCH commands to send: long streams, but not without end."""
    out: list[list[int]] = []
    room = 0
    for uid in sorted(uids):
        size = sizes[uid].size or 0
        if not out or len(out[-1]) >= most or size > room:
            out.append([])
            room = octets
        out[-1].append(uid)
        room -= size
    return out
