"""The page of one message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mailmove.archive.index.browsing import Line
from mailmove.mail.message import Message
from mailmove.model import Found, folder_text
from mailmove.report.html.tags import Content, Html, element, joined
from mailmove.units import format_size, plural, short_id
from mailmove.web.pages import Place

_SHOWN = ("From", "To", "Cc", "Date")


@dataclass(frozen=True, slots=True)
class Shown:
    """A message to be shown. ``copies`` say where else it is; ``before`` and ``after`` are its neighbours in a list."""

    found: Found
    message: Message
    attached: Sequence[tuple[str, int]]
    left_out: Sequence[str]
    blocked: Counter[str]
    copies: Sequence[str]
    before: Line | None = None
    after: Line | None = None


def letter(base: str, shown: Shown, place: Place, number: int) -> Html:
    """Header, where it is, attachments, and the frame in which its text stands."""
    found, message = shown.found, shown.message
    here = f"{base}/m/{found.sha256.hex()}"
    subject = next(iter(message.header("subject")), "") or "(no subject)"
    rows = [
        element("div", element("dt", name), element("dd", value))
        for name in _SHOWN
        for value in message.header(name)[:5]
    ]
    frame = element(
        "iframe",
        src=f"{here}/body",
        sandbox="allow-popups allow-popups-to-escape-sandbox",
        referrerpolicy="no-referrer",
        title="The message",
    )
    return joined(
        (
            _ways(base, shown, place, number),
            element("h2", subject),
            element("dl", rows, _where(found, shown.copies)),
            _attached(here, shown),
            _blocked(shown.blocked),
            [element("p", note, class_="note") for note in (*message.notes, *shown.left_out)],
            frame,
        )
    )


def _ways(base: str, shown: Shown, place: Place, number: int) -> Html:
    """To the list, to its neighbours, and to the message itself."""
    here = f"{base}/m/{shown.found.sha256.hex()}"
    beside = [
        element("a", text, href=f"{base}/m/{line.sha256.hex()}{place.address(n=at)}", rel=rel, data_key=letter)
        for text, line, at, rel, letter in (
            ("newer", shown.before, number - 1, "prev", "k"),
            ("older", shown.after, number + 1, "next", "j"),
        )
        if line is not None
    ]
    back = element("a", "list", href=f"{base}/list{place.address(at=number // 100 * 100)}", data_key="u")
    own = [element("a", "source", href=f"{here}/source"), element("a", "EML", href=f"{here}/eml", download=True)]
    return element("nav", back if place.words else None, beside, own, class_="ways")


def _where(found: Found, copies: Sequence[str]) -> Content:
    """Where the message is still: on the server, only here, in which copies."""
    told = [
        element("span", folder_text(copy.folder), " " if copy.on_server else element("i", "only here", class_="only"))
        for copy in found.copies
    ]
    still = sum(copy.on_server for copy in found.copies)
    if still == len(found.copies):
        where = "on the server at the last look, and in this archive"
    elif still:
        where = "in some of these folders on the server at the last look, and in this archive"
    else:
        where = "not on the server any more at the last look: only in this archive"
    if copies:
        where += f"; in the {'copy' if len(copies) == 1 else 'copies'} {', '.join(copies)}"
    facts = (("Folder", told), ("Where", where), ("ID", f"{short_id(found.sha256)}, {format_size(found.octets)}"))
    return [element("div", element("dt", name), element("dd", what)) for name, what in facts]


def _attached(here: str, shown: Shown) -> Content:
    if not shown.attached:
        return None
    links = [
        element("li", element("a", name, " ", element("small", format_size(octets)), href=f"{here}/part/{number}"))
        for number, (name, octets) in enumerate(shown.attached)
    ]
    return element("ul", links, class_="attached", aria_label="Attachments")


def _blocked(blocked: Counter[str]) -> Content:
    if not blocked:
        return None
    were = "was" if blocked.total() == 1 else "were"
    said = f"{plural(blocked.total(), 'thing')} that would be fetched from elsewhere {were} not loaded"
    rows = [element("li", host, " ", element("small", count)) for host, count in blocked.most_common(50)]
    return element("details", element("summary", said), element("ul", rows), class_="blocked")
