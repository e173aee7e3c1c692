"""Which messages may leave the server: a pure function of listing, archive, policy and now.

Every listed message is in exactly one decision: it goes, or it stays for one reason. The rule for one message is cheap
and needs nothing but the message itself, so that a listing of any length can stream through it.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from mailmove.model import Folder, Listed
from mailmove.plan.policy import AgeBy, Keep, Policy, before
from mailmove.plan.rules import FolderAge
from mailmove.plan.sync import Archived, same_message

DAY = 86_400
USABLE_FROM = 365 * DAY
"""A date before 1971 is what software writes that knows none."""


class Stays(Enum):
    """Why a message stays on the server; the value is what a report calls such messages."""

    NEWER = "newer"
    FLAGGED = "flagged"
    DRAFT = "drafts"
    UNREAD = "unread"
    NEWEST = "among the newest"
    UNDATED = "without a usable date"
    FUTURE = "dated in the future"
    RESTORED = "restored lately"
    RECENT_IN_ARCHIVE = "not archived long enough"
    NOT_NEEDED = "not needed for the target"
    LABEL = "kept by another label"
    TWIN = "the same as one that goes"
    UNPROVEN = "not proven"
    BRAKED = "held back"


@dataclass(frozen=True, slots=True)
class Dates:
    """What only the archive, or the message itself, knows of a message's dates, by UID in Unix seconds."""

    sent: Mapping[int, int] = field(default_factory=dict)
    """The Date header; a UID without one that can be read is missing."""
    archived: Mapping[int, int] = field(default_factory=dict)
    """When the archive's copy was verified first."""
    restored: Mapping[int, int] = field(default_factory=dict)
    """When it was put back on the server: its age counts from then."""


NO_DATES = Dates()


class FolderRule:
    """The rule for one folder's messages, compiled from policy, ages and now."""

    __slots__ = ("_archived_before", "_before", "_by_flags", "_by_sent", "_drafts", "_keep", "_now", "keep_newest")

    def __init__(self, ages: FolderAge, policy: Policy, now: datetime, *, drafts: bool = False) -> None:
        """``drafts``: this is a folder of drafts, whatever the flags of its messages."""
        self.keep_newest = policy.keep_newest
        self._now = int(now.timestamp())
        self._before = self._now + 1 if ages.age is None else before(ages.age, now)
        self._archived_before = before(ages.archived_for, now) if ages.archived_for is not None else None
        self._by_sent = policy.age_by is AgeBy.SENT
        self._keep = policy.keep
        self._drafts = drafts and Keep.DRAFTS in policy.keep
        self._by_flags: dict[frozenset[str], Stays | None] = {}

    @property
    def needs_archive(self) -> bool:
        """Whether it asks for dates that only the archive knows."""
        return self._archived_before is not None

    @property
    def needs_sent(self) -> bool:
        """Whether it asks for Date headers."""
        return self._by_sent

    @property
    def instants(self) -> tuple[int, ...]:
        """The Unix seconds that it compares dates with: it cannot tell apart two dates between the same of them."""
        archived = () if self._archived_before is None else (self._archived_before,)
        return (USABLE_FROM, self._before, self._now + 1, *archived)

    def exempt(self, message: Listed) -> Stays | None:
        """Why a message stays whatever the age asked for, or None; by its flags and its arrival alone."""
        arrival = message.arrival
        if arrival is None or arrival < USABLE_FROM:
            return Stays.UNDATED
        if arrival > self._now:
            return Stays.FUTURE
        try:
            return self._by_flags[message.flags]
        except KeyError:
            found = self._by_flags[message.flags] = self._kept_by(message.flags)
            return found

    def stays(self, message: Listed, dates: Dates = NO_DATES) -> Stays | None:
        """Why a message stays, or None when it may go; :attr:`keep_newest` apart."""
        why = self.exempt(message)
        if why is not None:
            return why
        date = message.arrival
        if self._by_sent:
            date = dates.sent.get(message.uid)
            if date is None or date < USABLE_FROM:
                return Stays.UNDATED
            if date > self._now:
                return Stays.FUTURE
        if date is None or date >= self._before:
            return Stays.NEWER
        if dates.restored and dates.restored.get(message.uid, 0) >= self._before:
            return Stays.RESTORED
        if self._archived_before is not None:
            archived = dates.archived.get(message.uid)
            if archived is None or archived >= self._archived_before:
                return Stays.RECENT_IN_ARCHIVE
        return None

    def _kept_by(self, flags: frozenset[str]) -> Stays | None:
        lower = {flag.lower() for flag in flags}
        if Keep.FLAGGED in self._keep and "\\flagged" in lower:
            return Stays.FLAGGED
        if self._drafts or (Keep.DRAFTS in self._keep and "\\draft" in lower):
            return Stays.DRAFT
        if Keep.UNREAD in self._keep and "\\seen" not in lower:
            return Stays.UNREAD
        return None


def is_drafts(folder: Folder, guessed: Mapping[bytes, str]) -> bool:
    """Whether a folder holds drafts, by its special use or, where none is marked so, by its name."""
    return "\\drafts" in (folder.special_use, guessed.get(folder.wire))


@dataclass(slots=True)
class Tally:
    """Messages and their announced octets."""

    messages: int = 0
    octets: int = 0

    def add(self, message: Listed) -> None:
        """Count one more."""
        self.messages += 1
        self.octets += message.size or 0

    def remove(self, message: Listed) -> None:
        """Count one less."""
        self.messages -= 1
        self.octets -= message.size or 0

    def join(self, other: Tally) -> None:
        """Count these as well."""
        self.messages += other.messages
        self.octets += other.octets


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for tally in tallies:
        whole.join(tally)
    return whole


class Newest:
    """The last so many messages to arrive in a folder, which :attr:`FolderRule.keep_newest` keeps."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._heap: list[tuple[int, int, Listed]] = []

    def add(self, message: Listed) -> None:
        """One more message, which has a usable arrival."""
        entry = (message.arrival or 0, message.uid, message)
        if len(self._heap) < self._number:
            heapq.heappush(self._heap, entry)
        elif self._number:
            heapq.heappushpop(self._heap, entry)

    def __iter__(self) -> Iterator[Listed]:
        return (message for *_, message in self._heap)


@dataclass(slots=True)
class Decisions:
    """A folder's messages, each in exactly one place: ``go``, or counted in ``stay`` under its one reason.

    ``odd`` names those among the staying whose date cannot be used. Besides: ``changed``, which no longer are the
    message that was archived under their UID; ``days``, how many arrived on each day since 1970 (UTC); ``newest`` and
    ``last``, the newest arrival that can be true, and the arrival of the message that was added last.
    """

    go: dict[int, Listed] = field(default_factory=dict)
    stay: dict[Stays, Tally] = field(default_factory=dict)
    odd: dict[int, Stays] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    days: dict[int, int] = field(default_factory=dict)
    newest: int | None = None
    last: int | None = None

    @property
    def messages(self) -> int:
        """How many messages the folder holds."""
        return len(self.go) + sum(tally.messages for tally in self.stay.values())

    @property
    def octets(self) -> int:
        """Their sizes as announced."""
        return sum(message.size or 0 for message in self.go.values()) + sum(one.octets for one in self.stay.values())

    def keep(self, uids: Iterable[int], why: Stays) -> None:
        """Change the decision for messages that were to go."""
        for uid in uids:
            self.stay.setdefault(why, Tally()).add(self.go.pop(uid))


def decide(
    listing: Iterable[Listed],
    rule: FolderRule,
    dates: Dates = NO_DATES,
    archived: Mapping[int, Archived] | None = None,
) -> Decisions:
    """Decide for every message of a folder's listing, in which each UID comes once.

    ``archived`` is what the archive holds of the folder in the same UIDVALIDITY.
    """
    out = Decisions()
    archived = archived or {}
    newest = Newest(rule.keep_newest)
    last_uid = 0
    for message in listing:
        uid, arrival = message.uid, message.arrival
        record = archived.get(uid)
        if record is not None and not same_message(message, record):
            out.changed.add(uid)
        if uid > last_uid:
            last_uid, out.last = uid, arrival
        why = rule.stays(message, dates)
        if why is None:
            out.go[uid] = message
        else:
            out.stay.setdefault(why, Tally()).add(message)
            if why is Stays.UNDATED or why is Stays.FUTURE:
                out.odd[uid] = why
                if rule.exempt(message) is not None:
                    continue  # it is the arrival that cannot be used, not the Date header
        assert arrival is not None, "a message without arrival is undated"
        day = arrival // DAY
        out.days[day] = out.days.get(day, 0) + 1
        if out.newest is None or arrival > out.newest:
            out.newest = arrival
        newest.add(message)
    out.keep([message.uid for message in newest if message.uid in out.go], Stays.NEWEST)
    return out


def keep_unproven(decisions: Decisions, candidates: Collection[int], proven: Collection[int]) -> set[int]:
    """Keep those of these candidates for which there is no evidence; which they are."""
    unproven = set(candidates) - set(proven)
    decisions.keep(unproven & decisions.go.keys(), Stays.UNPROVEN)
    return unproven


def needed(folders: Mapping[bytes, Decisions], first: Collection[bytes], octets: int) -> dict[bytes, set[int]]:
    """Of the messages that may go those that free so many octets: from the folders in ``first``, then the oldest."""
    queue = sorted(
        (wire not in first, message.arrival or 0, wire, uid)
        for wire, decisions in folders.items()
        for uid, message in decisions.go.items()
    )
    chosen: dict[bytes, set[int]] = {wire: set() for wire in folders}
    for _, _, wire, uid in queue:
        if octets <= 0:
            break
        octets -= folders[wire].go[uid].size or 0
        chosen[wire].add(uid)
    return chosen


def strictest_label(
    folders: Mapping[bytes, Decisions], ids: Mapping[bytes, Mapping[int, str | None]], views: Collection[bytes]
) -> None:
    """Where folders are labels of one message: it goes once, and only when every folder that has it lets it go.

    ``ids`` are the message's identity across folders, by folder and UID, also of folders without decisions, which keep
    what they have. ``views`` show every message without being a label of it.
    """
    held = {
        name
        for wire, by_uid in ids.items()
        for uid, name in by_uid.items()
        if wire not in views and (wire not in folders or uid not in folders[wire].go)
    }
    seen: set[str] = set()
    for wire, decisions in folders.items():
        names = {uid: ids[wire].get(uid) for uid in decisions.go}
        decisions.keep([uid for uid, name in names.items() if name is None or name in held], Stays.LABEL)
        decisions.keep([uid for uid in list(decisions.go) if names[uid] in seen], Stays.TWIN)
        seen.update(name for uid, name in names.items() if uid in decisions.go and name is not None)
