"""A selected folder as one session sees it: its messages change only when the session is told (RFC 3501 7.4.1)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from mailmove.serving.imap import strings
from mailmove.serving.imap.parser import Ranges
from mailmove.serving.messages import Messages
from mailmove.serving.shelf import Listing, Snapshot


class Selected:
    r"""The folder, its messages by sequence number, and what this session did to ``\\Seen``."""

    def __init__(self, snapshot: Snapshot, listing: Listing, *, examined: bool) -> None:
        self.snapshot = snapshot
        self.mailbox = listing.mailbox
        self.uidvalidity = listing.uidvalidity
        self.examined = examined
        self.items = listing.items
        self._seen: dict[int, bool] = {}

    def flags(self, at: int) -> bytes:
        """The flags of a message, with what this session made of them."""
        mine = self._seen.get(self.items.uids[at]) if self._seen else None
        text = self.items.flags[at]
        if mine is False:
            text = " ".join(flag for flag in text.split() if flag.lower() != "\\seen")
        return strings.flags(text, seen=mine is True)

    def is_seen(self, at: int) -> bool:
        r"""Whether it is ``\\Seen``."""
        return self._seen.get(self.items.uids[at], "\\seen" in self.items.flags[at].lower())

    def see(self, at: int, seen: bool = True) -> bool:
        r"""Set ``\\Seen`` or take it away, for this session; whether that changes anything."""
        changed = self.is_seen(at) is not seen
        if changed:
            self._seen[self.items.uids[at]] = seen
        return changed

    def chosen(self, ranges: Ranges, *, by_uid: bool) -> list[int]:
        """The indices of the messages that a sequence set means; numbers that there are not mean none."""
        if not self.items:
            return []
        last = self.items.uids[-1] if by_uid else len(self.items)
        found: set[int] = set()
        for first, second in ranges:
            low, high = sorted((last if first is None else first, last if second is None else second))
            if by_uid:
                found.update(range(bisect_left(self.items.uids, low), bisect_right(self.items.uids, high)))
            else:
                found.update(range(low - 1, min(high, len(self.items))))
        return sorted(found)

    def update(self, snapshot: Snapshot, listing: Listing) -> Iterator[bytes]:
        """Become a newer listing; the responses that say so."""
        before, now = self.items, listing.items
        self.snapshot = snapshot
        if before.uids == now.uids and before.flags == now.flags:
            self.items = now
            return
        there = set(now.uids)
        gone = [number for number, uid in enumerate(before.uids, 1) if uid not in there]
        yield from (b"* %d EXPUNGE\r\n" % number for number in reversed(gone))
        was = dict(zip(before.uids, before.flags, strict=True))
        last = before.uids[-1] if before else 0
        # One with a lower UID, whose turn came late, is seen at the next SELECT: numbers only grow at the end.
        late = any(uid < last and uid not in was for uid in now.uids)
        self.items = Messages(item for item in now if item.uid in was or item.uid > last) if late else now
        if len(self.items) > len(before) - len(gone):
            yield b"* %d EXISTS\r\n" % len(self.items)
        for at, (uid, flags) in enumerate(zip(self.items.uids, self.items.flags, strict=True)):
            if was.get(uid, flags) != flags:
                self._seen.pop(uid, None)
                yield b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (at + 1, uid, self.flags(at))


def keywords(items: Messages) -> bytes:
    """The flags that a folder knows: IMAP's own and those that its messages have."""
    system = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
    texts = set(items.flags)
    told = {flag for text in texts for flag in strings.flags(text).decode().split() if not flag.startswith("\\")}
    return " ".join((*system, *sorted(told)[:200])).encode()
