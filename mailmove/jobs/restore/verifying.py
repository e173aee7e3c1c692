"""Is it there, and is it what was sent? What a later look says of messages that a restore has put into a folder."""

from __future__ import annotations

from collections import Counter

from mailmove.archive.index.messages import Entry
from mailmove.archive.proof import reading
from mailmove.archive.record import records
from mailmove.imap import bodies
from mailmove.jobs.restore import contents
from mailmove.jobs.restore.looking import Look
from mailmove.jobs.restore.sending import all_flags, archived
from mailmove.jobs.restore.task import Done, Task, key, now
from mailmove.plan.altered import difference

SAMPLE = 20
"""So many of the messages that no server has a reason to alter are read back all the same."""
_SHOWN = 8 << 20  # octets of a message whose difference is looked for


class Verifying:
    """Compares what is on the server with what was sent, and tells in the outcome of ``done`` what is different."""

    def __init__(self, task: Task, done: Done) -> None:
        self._task = task
        self._done = done
        self._told: set[int] = set()  # UIDs that are known to be not what was sent

    def tell(self, look: Look) -> None:
        """What the server changed of messages that an earlier run has put there."""
        task = self._task
        wanted = {entry.stored.id for entry in task.wanted}
        altered = task.archive.index.altered(task.folder.wire, look.selected.uidvalidity, task.login)
        for uid, what in altered.items():
            put = look.restored.get(uid)
            if put is not None and uid in look.listing and put.source in wanted:
                self._told.add(uid)
                self._done.outcome.changed(bytes.fromhex(put.sha256), what)

    def take_over(self, look: Look) -> None:
        """Messages that a run has put there which ended before it had compared them."""
        if look.since is None:
            return
        wanted = {key(entry): entry for entry in self._task.wanted}
        for uid, put in look.restored.items():
            entry = wanted.get((put.source, bytes.fromhex(put.sha256)))
            if entry is None or uid in self._done.fresh or uid not in look.listing or uid < look.since:
                continue
            self._done.fresh[uid] = entry
            self._done.fragile.add(key(entry))

    def verdict(self, look: Look) -> None:
        """What a look, after all was sent, says of what this run has put there."""
        outcome = self._done.outcome
        lost = Counter(entry.stored.sha256 for entry in look.put if key(entry) in self._done.sent)
        changed = self._changed(look)
        for uid, entry in self._done.fresh.items():
            listed = look.listing.get(uid)
            if listed is None:
                continue
            if uid in changed:
                lost[entry.stored.sha256] -= 1
            outcome.other_date += bool(entry.arrival) and listed.arrival != entry.arrival
            outcome.other_flags += listed.flags != all_flags(entry)
        for sha256, count in lost.items():
            for _ in range(count):
                outcome.refuse(sha256, "the server took it, and does not list it")

    def _changed(self, look: Look) -> set[int]:
        """Which of the messages on the server are not what was sent: of those that a server could alter, or whose size
        is another now, and of a sample of the others.
        """
        task, outcome = self._task, self._done.outcome
        there = {uid: entry for uid, entry in self._done.fresh.items() if uid in look.listing and uid not in self._told}
        hashes = bodies.hashes(task.session.wire, asked) if (asked := self._to_be_read(look, there)) else {}
        outcome.read_back += len(hashes)
        changed = {uid for uid, sha256 in hashes.items() if sha256 != there[uid].stored.sha256}
        lines: list[records.Record] = []
        for uid in sorted(changed):
            what = self._difference(there[uid], uid)
            self._told.add(uid)
            outcome.changed(there[uid].stored.sha256, what)
            at = (task.folder.wire, look.selected.uidvalidity, uid)
            lines.append(records.Altered(*at, now(), hashes[uid].hex(), what, task.login))
        if look.selected.uids_sticky:
            task.archive.record(lines)
        return changed

    def _to_be_read(self, look: Look, there: dict[int, Entry]) -> set[int]:
        doubtful = {
            uid
            for uid, entry in there.items()
            if look.listing[uid].size != entry.stored.base.octets or self._done.could_be_altered(entry)
        }
        others = sorted(there.keys() - doubtful)
        return doubtful | set(others[:: len(others) // SAMPLE + 1])

    def _difference(self, entry: Entry, uid: int) -> str:
        """What is different of a message on the server, in words."""
        if entry.stored.base.octets > _SHOWN:
            return "it is not what was sent"
        with archived(self._task, entry) as proven:
            sent = b"".join(reading.pieces(proven, entry.stored.sha256))
        return difference(sent, contents.octets(self._task.session.wire, uid))
