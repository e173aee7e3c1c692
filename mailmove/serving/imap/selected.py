"""A selected folder as one session sees it: its messages change only when the session is told (RFC 3501 7.4.1)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from mailmove.serving.imap import strings
from mailmove.serving.imap.parser import Ranges
from mailmove.serving.shelf import Item, Listing, Snapshot


class Selected:
    r"""The folder, its messages by sequence number, and what this session did to ``\\Seen``."""

    def __init__(self, snapshot: Snapshot, listing: Listing, *, examined: bool) -> None:
        self.snapshot = snapshot
        self.mailbox = listing.mailbox
        self.uidvalidity = listing.uidvalidity
        self.examined = examined
        self.items: list[Item] = list(listing.items)
        self._uids: list[int] = [item.uid for item in self.items]
        self._seen: dict[int, bool] = {}

    def flags(self, item: Item) -> bytes:
        """The flags of a message, with what this session made of them."""
        mine = self._seen.get(item.uid) if self._seen else None
        text = item.row.flags
        if mine is False:
            text = " ".join(flag for flag in text.split() if flag.lower() != "\\seen")
        return strings.flags(text, seen=mine is True)

    def is_seen(self, item: Item) -> bool:
        r"""Whether it is ``\\Seen``."""
        return self._seen.get(item.uid, "\\seen" in item.row.flags.lower())

    def see(self, item: Item, seen: bool = True) -> bool:
        r"""Set ``\\Seen`` or take it away, for this session; whether that changes anything."""
        changed = self.is_seen(item) is not seen
        if changed:
            self._seen[item.uid] = seen
        return changed

    def chosen(self, ranges: Ranges, *, by_uid: bool) -> list[int]:
        """The indices of the messages that a sequence set means; numbers that there are not mean none."""
        if not self.items:
            return []
        last = self._uids[-1] if by_uid else len(self.items)
        found: set[int] = set()
        for first, second in ranges:
            low, high = sorted((last if first is None else first, last if second is None else second))
            if by_uid:
                found.update(range(bisect_left(self._uids, low), bisect_right(self._uids, high)))
            else:
                found.update(range(low - 1, min(high, len(self.items))))
        return sorted(found)

    def update(self, snapshot: Snapshot, listing: Listing) -> Iterator[bytes]:
        """Become a newer listing; the responses that say so."""
        before, now = self.items, {item.uid: item for item in listing.items}
        self.snapshot = snapshot
        if len(now) == len(before) and all(map(_same, before, listing.items)):
            return
        gone = [number for number, item in enumerate(before, 1) if item.uid not in now]
        yield from (b"* %d EXPUNGE\r\n" % number for number in reversed(gone))
        kept = [now[item.uid] for item in before if item.uid in now]
        was = {item.uid: item.row.flags for item in before}
        last = self._uids[-1] if self._uids else 0
        # One with a lower UID, whose turn came late, is seen at the next SELECT: numbers only grow at the end.
        new = [item for item in listing.items if item.uid > last]
        self.items = kept + new
        self._uids = [item.uid for item in self.items]
        if new:
            yield b"* %d EXISTS\r\n" % len(self.items)
        for number, item in enumerate(kept, 1):
            if item.row.flags != was[item.uid]:
                self._seen.pop(item.uid, None)
                yield b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (number, item.uid, self.flags(item))


def _same(one: Item, other: Item) -> bool:
    return one.uid == other.uid and one.row.flags == other.row.flags


def keywords(items: Iterable[Item]) -> bytes:
    """The flags that a folder knows: IMAP's own and those that its messages have."""
    system = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
    texts = {item.row.flags for item in items}
    told = {flag for text in texts for flag in strings.flags(text).decode().split() if not flag.startswith("\\")}
    return " ".join((*system, *sorted(told)[:200])).encode()
