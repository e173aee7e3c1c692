"""One look at the folder that is being filled: what it holds of the archive, by which evidence, and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from mailmove.archive.index.messages import Entry
from mailmove.archive.record.records import Restored, Restoring
from mailmove.imap import bodies, folders, scan
from mailmove.imap.append import append_limit
from mailmove.jobs.restore import contents
from mailmove.jobs.restore.task import Key, Task, key
from mailmove.model import Folder, Listed, MessageId, Selected
from mailmove.plan import restore as planning
from mailmove.plan.sync import same_message

_INBOX = Folder(b"INBOX")
_NOTHING = Selected(0, 0, None, None, False, uids_sticky=False)  # a folder that is not there yet


@dataclass(slots=True)
class Look:
    """A folder at one look.

    ``limit``: octets of a message that the server takes; None: any. ``window``: where an earlier run, or this one,
    began. By UID the archive has ``known`` messages from there, and has ``restored`` others to there. So ``there``, of
    the listed ones, are known by their SHA-256; ``late`` were put there by a run that did not record it. What is still
    to be ``put`` is left of all that, and of what is wanted ``held`` are there.
    """

    selected: Selected
    listing: dict[int, Listed]
    limit: int | None
    window: Restoring | None
    known: dict[int, Entry] = field(default_factory=dict)
    restored: dict[int, Restored] = field(default_factory=dict)
    there: dict[int, bytes] = field(default_factory=dict)
    late: list[Restored] = field(default_factory=list)
    put: list[Entry] = field(default_factory=list)
    held: int = 0

    @property
    def since(self) -> int | None:
        """The first UID that a run may have put there which did not end; None: there was no such run."""
        if self.window is None or self.window.uidvalidity != self.selected.uidvalidity:
            return None
        return self.window.uidnext or 0


def look(task: Task, copies: dict[MessageId, MessageId], sent: Collection[Key], *, new: bool, writable: bool) -> Look:
    """List the folder and decide what it lacks; ``new``: there is none yet.

    What is learned of ``copies`` is added; ``sent`` are messages that this run has put there.
    """
    seen = _listed(task, new=new, writable=writable)
    _recognise(task, seen)
    seen.late = _late(task, seen)
    seen.restored |= {each.uid: each for each in seen.late}
    if task.login is None:
        wire, uidvalidity = task.folder.wire, seen.selected.uidvalidity
        copies.update((MessageId(wire, uidvalidity, each.uid), each.source) for each in seen.late)
    _decide(task, seen, copies, sent)
    return seen


def _listed(task: Task, *, new: bool, writable: bool) -> Look:
    wire = task.session.wire
    window = task.archive.index.restoring(task.folder.wire, task.login)
    if new:
        return Look(_NOTHING, {}, append_limit(wire, _INBOX), window)
    selected = folders.select(wire, task.folder, writable=writable)
    listing = {each.uid: each for each in scan.listing(wire)} if selected.exists else {}
    return Look(selected, listing, append_limit(wire, task.folder), window)


def _recognise(task: Task, seen: Look) -> None:
    """What the archive knows by UID: archived from there, or put there by a restore."""
    if not seen.selected.uids_sticky:
        return
    name, uidvalidity, index = task.folder.wire, seen.selected.uidvalidity, task.archive.index
    archived = index.entries(name, uidvalidity) if task.login is None else ()
    seen.known = {entry.stored.id.uid: entry for entry in archived if entry.current}
    seen.restored = index.restored(name, uidvalidity, task.login)
    for uid, listed in seen.listing.items():
        if uid in seen.known and same_message(listed, seen.known[uid]):
            seen.there[uid] = seen.known[uid].stored.sha256
        elif uid in seen.restored:
            seen.there[uid] = bytes.fromhex(seen.restored[uid].sha256)


def _late(task: Task, seen: Look) -> list[Restored]:
    """Messages that arrived since a restore began, and are what it had to put there: its work, not recorded yet.

    Whatever else arrived since is known by its octets as well, and added to ``there``.
    """
    name, index, there = task.folder.wire, task.archive.index, seen.there
    if seen.window is None or seen.since is None or not seen.selected.uids_sticky:
        return []
    new = [uid for uid in seen.listing if uid >= seen.since and uid not in seen.restored]
    there.update(bodies.hashes(task.session.wire, [uid for uid in new if uid not in there]))
    taken = {each.source for uid, each in seen.restored.items() if uid in there}
    there.update(_alike(task, seen, [uid for uid in new if not index.with_body(there.get(uid, b""))], taken))
    late = []
    for uid in sorted(set(new) & there.keys()):
        here = MessageId(name, seen.selected.uidvalidity, uid)
        for entry in sorted(index.entries_with(there[uid]), key=lambda entry: _likelihood(task, entry)):
            source = entry.stored.id
            listed = task.login is None and source[:2] == here[:2] and source.uid in there
            if not listed and source not in taken:
                taken.add(source)
                late.append(Restored(*here, seen.window.at, source, there[uid].hex(), task.login))
                break
    return late


def _alike(task: Task, seen: Look, unknown: Sequence[int], taken: Collection[MessageId]) -> dict[int, bytes]:
    """What arrived since a restore began, and is one of the messages to be put there but for what the server made
    of its octets: by Message-ID, and size or arrival; by both where it has none.
    """
    waiting = [entry for entry in task.wanted if entry.stored.id not in taken] if unknown else []
    names = dict(contents.message_ids(task.session.wire, unknown)) if waiting else {}
    found: dict[int, bytes] = {}
    for uid in sorted(names):
        listed = seen.listing[uid]
        for entry in waiting:
            same = (listed.size == entry.stored.base.octets, (listed.arrival or 0) == entry.arrival)
            if names[uid] == entry.message_id and (any(same) if entry.message_id else all(same)):
                found[uid] = entry.stored.sha256
                waiting.remove(entry)
                break
    return found


def _likelihood(task: Task, entry: Entry) -> int:
    """What a message in this folder was restored from: this run's own, from a folder of this name, or any other."""
    if entry.stored.id.folder in task.sources:
        return 0
    return 1 if entry.stored.id.folder == task.folder.wire else 2


def _decide(task: Task, seen: Look, copies: dict[MessageId, MessageId], sent: Collection[Key]) -> None:
    """What is to be put there; messages that nobody knows are compared with what is lacking before it is."""
    known, there = seen.known, seen.there
    wanted = {entry.stored.sha256 for entry in task.wanted}
    rows = {key(entry): entry for entry in task.wanted}
    rows |= {key(known[uid]): known[uid] for uid, sha256 in there.items() if uid in known and sha256 in wanted}
    present = {(known[uid].stored.id, sha256) for uid, sha256 in there.items() if uid in known}
    present |= {(each.source, bytes.fromhex(each.sha256)) for uid, each in seen.restored.items() if uid in there}
    questions = [
        planning.Row(one, one[1], group=one[0][:2], root=planning.root(one[0], copies), present=one in present)
        for one in sorted(rows, key=sent.__contains__)  # where UIDs tell nothing, a twin not sent is lacking
    ]
    decision = planning.decide(questions, Counter(there.values()))
    unknown = [listed for uid, listed in seen.listing.items() if uid not in there]
    if decision.put and unknown:
        there |= _compared(task, [rows[one] for one in decision.put], unknown)
        decision = planning.decide(questions, Counter(there.values()))
    seen.put, seen.held = [rows[one] for one in decision.put], decision.there


def _compared(task: Task, lacking: Sequence[Entry], unknown: Sequence[Listed]) -> dict[int, bytes]:
    """Which messages that the archive does not know by UID are some of ``lacking``: by size and Message-ID, then
    by their octets.
    """
    sizes = {size for entry in lacking for size in (entry.stored.base.octets, entry.size)}
    names = {entry.message_id for entry in lacking}
    alike = [listed.uid for listed in unknown if listed.size in sizes or listed.size is None]
    found = contents.message_ids(task.session.wire, alike)
    return bodies.hashes(task.session.wire, [uid for uid, name in found if name in names])
