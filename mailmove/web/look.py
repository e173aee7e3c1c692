"""The look of an account: how full it was, what is archived of it by folder, month and sender, and what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailmove.archive.index.browsing import Held
from mailmove.archive.state.audits import Audits, PastAudit
from mailmove.archive.state.standing import Gauged
from mailmove.errors import Exit
from mailmove.jobs.history import Entry
from mailmove.mail import fields
from mailmove.plan import forecast
from mailmove.plan.gauge import STORAGE
from mailmove.plan.groups import Groups
from mailmove.plan.retention import Tally
from mailmove.report.html import drawings
from mailmove.report.html.drawings import Area
from mailmove.report.html.tables import behind, table
from mailmove.report.html.tags import Content, Html, element
from mailmove.units import format_size, plural, utc

_SENDERS = 15
RUNS = 20


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at. ``folders`` have their titles; ``senders`` are From fields as they stand in messages."""

    account: str
    at: datetime
    audits: Sequence[PastAudit]
    gauge: Gauged | None
    folders: Sequence[tuple[Held, str]]
    months: Sequence[tuple[str, int, int]]
    senders: Sequence[tuple[bytes | None, int, int]]
    runs: Sequence[Entry]


def past(audits: Audits) -> list[PastAudit]:
    """Earlier audits, the first first."""
    return sorted(audits.read(), key=lambda audit: audit.at)


def page(look: Look) -> Html:
    """All of it."""
    return element(
        "div",
        element("h2", look.account),
        _quota(look),
        _folders(look),
        _months(look),
        _senders(look),
        _runs(look),
        class_="look",
    )


def _quota(look: Look) -> Html:
    """How much was used at each audit, and at which rate it grows."""
    of = next((figure for audit in reversed(look.audits) for figure in audit.used if figure.resource == STORAGE), None)
    points = [(audit.at, audit.used[of]) for audit in look.audits if of in audit.used] if of else []
    if not points:
        return _part("Quota over time", element("p", "No audit was made yet: mailmove audit"))
    drawn = _line(points) if len(points) > 1 else None
    rate = forecast.by_audits([forecast.Point(*point) for point in points], look.at)
    grows = f", {format_size(round(rate.per_day))} a day more by {rate.method}" if rate is not None else ""
    said = f"{format_size(points[-1][1])} at the last audit, {utc(points[-1][0]):%Y-%m-%d}{grows}. Now: mailmove audit"
    rows = [(f"{utc(at):%Y-%m-%d %H:%M}", format_size(used)) for at, used in reversed(points)]
    return _part(
        "Quota over time", [_gauge(look.gauge), drawn, element("p", said), behind(table(("Audit (UTC)", "used"), rows))]
    )


def _gauge(seen: Gauged | None) -> Content:
    """How full it was when that was last noted, and when it is full by what was known then."""
    if seen is None or not seen.limit:
        return None
    percent = seen.used * 100 / seen.limit
    said = f"{format_size(seen.used)} of {format_size(seen.limit)}, {int(percent)} % on {utc(seen.at):%Y-%m-%d}"
    full = f"; full on {utc(seen.full):%Y-%m-%d}" if seen.full is not None else ""
    return [element("p", said, full), drawings.gauge(said, percent)]


def _line(points: Sequence[tuple[int, int]]) -> Html:
    first, span = points[0][0], max(1, points[-1][0] - points[0][0])
    most = max(used for _, used in points) or 1
    names = (f"{utc(first):%Y-%m-%d}", f"{utc(points[-1][0]):%Y-%m-%d}", format_size(most))
    places = [((at - first) / span, used / most) for at, used in points]
    return drawings.series(f"Used at {plural(len(points), 'audit')}", places, names)


def _folders(look: Look) -> Html:
    own = [(held, title) for held, title in look.folders if not held.label]
    areas = [Area(title, held.octets, f"{format_size(held.octets)}, {held.messages:,}") for held, title in own]
    rows = [
        (title, held.messages, held.unread, format_size(held.octets))
        for held, title in sorted(own, key=lambda each: -each[0].octets)
    ]
    figures = behind(table(("Folder", "messages", "unread", "size"), rows))
    return _part("Archived, by folder", [drawings.treemap("Folders by size", areas), figures])


def _months(look: Look) -> Content:
    most = max((octets for _, _, octets in look.months), default=0) or 1
    cells = {
        (int(month[:4]), int(month[5:])): (octets / most, f"{format_size(octets)}, {messages:,}")
        for month, messages, octets in look.months
    }
    rows = [(month, messages, format_size(octets)) for month, messages, octets in reversed(look.months)]
    drawn = drawings.calendar("Size by month: the darker, the more", cells)
    return _part("Archived, by month of arrival", [drawn, behind(table(("Month", "messages", "size"), rows))])


def _senders(look: Look) -> Html:
    groups = Groups()
    for raw, messages, octets in look.senders:
        sender = fields.sender(raw)
        groups.add(sender.address or sender.name, sender.name, Tally(messages, octets))
    top, _, rest = groups.top(_SENDERS)
    everything = sum(each.tally.octets for each in top) + rest.octets or 1
    rows = [
        (
            each.name or each.key or "(no sender)",
            each.key,
            each.tally.messages,
            (format_size(each.tally.octets), drawings.bar(each.tally.octets / everything)),
        )
        for each in top
    ]
    return _part("Archived, by sender", table(("Sender", "", "messages", "size"), rows))


def _runs(look: Look) -> Html:
    rows = [
        (
            entry.at[:16].replace("T", " "),
            entry.command,
            ", ".join(f"{number:,} {name}" for name, number in entry.summary.items()),
            "stopped" if entry.exit is None else "" if entry.exit is Exit.DONE else f"exit {int(entry.exit)}",
        )
        for entry in reversed(look.runs)
    ]
    return _part("Runs", table(("When (UTC)", "command", "what", ""), rows))


def _part(title: str, content: Content) -> Html:
    return element("section", element("h3", title), content)
