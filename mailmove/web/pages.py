"""The pages, made of what was found; whatever a message or a server said is text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from mailmove.archive.index.browsing import Held, Line
from mailmove.mail import fields
from mailmove.report.find import day
from mailmove.report.html.tags import Content, Html, element, joined
from mailmove.units import format_size, plural
from mailmove.web.library import Page

SIZE = 100
"""Messages that are sent at a time."""
_NEVER_READ = "Words, phrases, from: to: subject: filename: has:attachment before: after: larger: in: is: not:"


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page: the archive's address and name, its folders, where one is, what is looked for."""

    base: str
    account: str
    folders: Sequence[tuple[Held, str]]
    others: Sequence[tuple[str, str]] = ()
    """Addresses and names of all archives."""
    here: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which list a message is: what its address says."""

    words: Mapping[str, str]

    def address(self, **more: object) -> str:
        """Its query, with more in it."""
        return "?" + urlencode({**self.words, **{name: str(value) for name, value in more.items()}})


def key(held: Held) -> str:
    """A folder as addresses say it."""
    label = held.label.encode("utf-8", "surrogateescape").hex()
    return f"{held.uidvalidity}.{held.wire.hex()}" + (f".{label}" if label else "")


def head(title: str, refresh: int = 0) -> Html:
    """The head of a page."""
    return joined(
        (
            element("title", f"{title} - mailmove" if title else "mailmove"),
            element("link", rel="stylesheet", href="/static/browse.css"),
            element("link", rel="stylesheet", href="/static/drawings.css"),
            element("link", rel="icon", href="data:,"),
            element("meta", http_equiv="refresh", content=refresh) if refresh else None,
            element("script", src="/static/browse.js", defer=True),
        )
    )


def framed(frame: Frame, content: Content, *, letter: bool = False) -> Html:
    """Search box, folders, and what is wanted."""
    here = element("h1", element("a", frame.account, href=f"{frame.base}/"))
    switch = element("nav", [element("a", name, href=address) for address, name in frame.others], class_="accounts")
    search = element(
        "form",
        element(
            "input",
            type="search",
            name="q",
            value=frame.query,
            placeholder="Search (/)",
            title=_NEVER_READ,
            aria_label="Search",
        ),
        action=f"{frame.base}/list",
        role="search",
    )
    look = element("li", element("a", "The look of it", href=f"{frame.base}/look"))
    folders = element(
        "nav", element("ul", look, [_folder(frame, *each) for each in frame.folders]), aria_label="Folders"
    )
    side = element("details", element("summary", "Folders"), folders, open=True, id="folders")
    top = element("header", here, search, switch if len(frame.others) > 1 else None)
    return joined((top, element("div", side, element("main", content, class_="letter" if letter else None), id="all")))


def _folder(frame: Frame, held: Held, title: str) -> Html:
    address = key(held)
    name = element("span", title, class_="label" if held.label else None)
    counts = element("small", held.messages, title=f"{format_size(held.octets)}, {held.unread:,} unread")
    link = element(
        "a",
        name,
        counts,
        href=f"{frame.base}/list?{urlencode({'f': address})}",
        aria_current="page" if address == frame.here else None,
    )
    return element("li", link)


def listed(base: str, title: str, page: Page, place: Place) -> Html:
    """A list of messages: one block of it, and where the others are."""
    if not page.total:
        return joined((element("h2", title), _notes(page.notes), element("p", "Nothing here.", class_="empty")))
    older, newer = page.at + SIZE, page.at - SIZE
    pager = element(
        "nav",
        element("a", "newer", href=place.address(at=max(0, newer))) if page.at else None,
        f"{page.at + 1:,}-{page.at + len(page.lines):,} of {page.total:,}",
        element("a", "older", href=place.address(at=older)) if older < page.total else None,
        class_="pager",
    )
    rows = element("div", block(base, page, place), id="rows", data_total=str(page.total), data_size=str(SIZE))
    where = [element("input", type="hidden", name=name, value=value) for name, value in place.words.items()]
    form = element("form", _toolbar(title, page), where, rows, pager, method="post", action=f"{base}/download")
    return joined((_notes(page.notes), form))


def _toolbar(title: str, page: Page) -> Html:
    every = element("label", element("input", type="checkbox", name="all", value="1", id="every"), "all")
    buttons = [
        element("button", name, name="as", value=value, title=f"Download what is chosen as {told}")
        for name, value, told in (("EML", "eml", "a message file"), ("mbox", "mbox", "mbox"), ("ZIP", "zip", "zip"))
    ]
    return element(
        "div",
        element("h2", title),
        element("span", plural(page.total, "message"), id="count"),
        element("span", every, buttons, class_="choose"),
        class_="tools",
    )


def block(base: str, page: Page, place: Place) -> Html:
    """The messages of a page of a list."""
    rows = [_row(base, line, place, page.at + number) for number, line in enumerate(page.lines)]
    return element("ol", rows, data_at=str(page.at), start=str(page.at + 1))


def _row(base: str, line: Line, place: Place, number: int) -> Html:
    sender, identity = fields.sender(line.from_), line.sha256.hex()
    classes = " ".join(
        name
        for name, is_so in (("unread", line.unread), ("flagged", line.flagged), ("gone", not line.on_server))
        if is_so
    )
    marks = [
        element("b", "\u2691", title="flagged", class_="flag") if line.flagged else None,
        element("i", "only here", class_="only") if not line.on_server else None,
        element("small", format_size(line.octets)),
    ]
    link = element(
        "a",
        element("span", sender.name or sender.address or "(no sender)", class_="who", title=sender.shown),
        element("time", day(line.arrival, line.date)),
        element("span", fields.text(line.subject) or "(no subject)", class_="what"),
        element("span", marks, class_="marks"),
        href=f"{base}/m/{identity}{place.address(n=number)}",
    )
    chosen = element("input", type="checkbox", name="id", value=identity, aria_label="Choose")
    return element("li", chosen, link, class_=classes or None)


def notice(title: str, *lines: Content) -> Html:
    """Something that is to be said instead."""
    return joined((element("h2", title), [element("p", line) for line in lines]))


def _notes(notes: Iterable[str]) -> Content:
    return [element("p", note, class_="note") for note in notes]
