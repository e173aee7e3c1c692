"""A folder that a rule meant, found again under whatever name it has by now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mailmove.model import Listed, Seen
from mailmove.plan.sync import Archived, same_message


@dataclass(frozen=True, slots=True)
class Home:
    """A folder that a rule meant, as it was then. ``mailboxid`` is RFC 8474's, None where the server tells none."""

    rule: str
    wire: bytes
    uidvalidity: int
    mailboxid: str | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Where a home may be: ``certain`` is it, ``possible`` has to be held against what is known of its messages."""

    certain: tuple[Seen, ...] = ()
    possible: tuple[Seen, ...] = ()


def look_for(home: Home, views: Iterable[Seen], ids: Mapping[bytes, str], last: int) -> Candidates:
    """Find a home by its MAILBOXID, else by its UIDVALIDITY, which many folders may share.

    ``ids`` are the MAILBOXIDs that the server tells, by wire name; ``last`` is the highest UID that is known of the
    home, 0 for none: a folder never gives out a lower UIDNEXT again (RFC 9051 2.3.1.1).
    """
    views = [view for view in views if view.folder.selectable]
    if home.mailboxid is not None:
        certain = tuple(view for view in views if ids.get(view.folder.wire) == home.mailboxid)
        if certain:
            return Candidates(certain)
    fitting = [view for view in views if _fits(view, home, ids, last)]
    certain = tuple(view for view in fitting if view.folder.wire == home.wire)
    return Candidates(certain) if certain else Candidates(possible=tuple(fitting) if last else ())


def _fits(view: Seen, home: Home, ids: Mapping[bytes, str], last: int) -> bool:
    status = view.status
    if status is None or status.uidvalidity != home.uidvalidity:
        return False
    another = home.mailboxid is not None and ids.get(view.folder.wire, home.mailboxid) != home.mailboxid
    return not another and (status.uidnext is None or status.uidnext > last)


def is_same(listing: Collection[Listed], known: Mapping[int, Archived]) -> bool:
    """Whether a folder is the one that these messages are known of: most UIDs in both are the same messages."""
    both = [listed for listed in listing if listed.uid in known]
    same = sum(same_message(listed, known[listed.uid]) for listed in both)
    return same > 0 and same * 2 >= len(both)
