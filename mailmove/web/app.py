"""Which page answers which request."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.resources import files
from itertools import chain, islice

from mailmove.archive.index.browsing import Browsing, Held, Line
from mailmove.archive.search import language
from mailmove.archive.state import standing
from mailmove.archive.state.audits import Audits
from mailmove.errors import MailmoveError, UsageError
from mailmove.jobs.get import message_name, safe_name
from mailmove.jobs.history import history
from mailmove.mail.attachments import attachments
from mailmove.mail.html import remote
from mailmove.mail.html.page import body
from mailmove.report.html.style import DRAWN
from mailmove.report.html.tags import Html, element
from mailmove.safe import visible
from mailmove.units import parse_age, parse_timestamp
from mailmove.web import downloads, letters, look, pages
from mailmove.web.door import Door
from mailmove.web.exchange import BODY_POLICY, FILE_POLICY, Request, Response, download, page
from mailmove.web.library import Book, Page, View, finish
from mailmove.web.look import RUNS, Look, past
from mailmove.web.pages import SIZE, Frame, Place
from mailmove.web.reading import Shown, letter

log = logging.getLogger(__name__)

_WORD = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))+')
_STATIC = {"browse.css": "text/css; charset=utf-8", "browse.js": "text/javascript; charset=utf-8"}
_UNSEEN = {"Referrer-Policy": "no-referrer"}
_IDENTITY = re.compile(r"[0-9a-f]{64}")
_TAKEN = 1000  # messages of a list that are looked up at a time
_IN_ARCHIVE = re.compile(r"/a/(\d{1,4})(/[^?]*)")
_MESSAGE = re.compile(r"/m/([0-9a-f]{64})(?:/(body|source|eml|part)(?:/(\d{1,5}))?)?")


class App:
    """All archives that are looked through."""

    def __init__(self, books: Sequence[Book], door: Door, extractors: letters.Extractors) -> None:
        self._books = books
        self._door = door
        self._extractors = extractors

    def answer(self, request: Request) -> Response:
        """The page that is asked for, or one that says why not."""
        refused = self._door.refuses(request)
        if refused is not None:
            return refused
        try:
            return self._answer(request)
        except UsageError as error:
            return _wrong(error, HTTPStatus.BAD_REQUEST)
        except MailmoveError as error:
            return _wrong(error, HTTPStatus.SERVICE_UNAVAILABLE)
        except Exception as error:
            log.exception("%s", visible(request.path))
            bug = MailmoveError(
                f"this is a bug: {type(error).__name__}", "Please report it with what the terminal says."
            )
            return _wrong(bug, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD", "POST"):
            return _missing(HTTPStatus.METHOD_NOT_ALLOWED)
        if request.path.startswith("/static/"):
            return _static(request.path.removeprefix("/static/"))
        if request.path == "/":
            return self._accounts()
        inside = _IN_ARCHIVE.fullmatch(request.path)
        if inside is None or int(inside[1]) >= len(self._books):
            return _missing()
        return _Reader(self, int(inside[1])).answer(request, inside[2])

    def _accounts(self) -> Response:
        if len(self._books) == 1:
            return _elsewhere("/a/0/")
        links = [element("li", element("a", book.name, href=f"/a/{at}/")) for at, book in enumerate(self._books)]
        return page(pages.head(""), element("main", element("h1", "mailmove"), element("ul", links, class_="books")))

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """Address and name of every archive."""
        return [(f"/a/{at}/", book.name) for at, book in enumerate(self._books)]

    def book(self, number: int) -> Book:
        """The archive of this number."""
        return self._books[number]

    def shown(self, view: View, sha256: bytes) -> bytes:
        """The text of a message as a page, harmless."""
        message, left_out = letters.read(view, sha256)
        for what in left_out:
            message.budget.skip(what)
        with self._extractors.one() as extractor:
            return body(message, extractor).encode("utf-8", "replace")


class _Reader:
    """One archive, for one request."""

    def __init__(self, app: App, number: int) -> None:
        self._app = app
        self._book = app.book(number)
        self._base = f"/a/{number}"
        self._view = self._book.view()

    def answer(self, request: Request, path: str) -> Response:
        wanted = _MESSAGE.fullmatch(path)
        if request.method == "POST":
            return self._download(request) if path == "/download" else _missing(HTTPStatus.METHOD_NOT_ALLOWED)
        if path == "/":
            return self._first()
        if path == "/list":
            return self._list(request)
        if path == "/look":
            return self._look()
        if wanted is None:
            return _missing()
        sha256, what, number = bytes.fromhex(wanted[1]), wanted[2], wanted[3]
        parts: dict[str | None, Callable[[], Response]] = {
            None: lambda: self._letter(request, sha256),
            "body": lambda: Response((self._app.shown(self._view, sha256),), policy=BODY_POLICY, headers=_UNSEEN),
            "source": lambda: self._source(sha256),
            "eml": lambda: self._eml(sha256),
            "part": lambda: self._part(sha256, int(number or 0)),
        }
        return parts[what]()

    def _first(self) -> Response:
        """The INBOX, or what stands first."""
        first = self._view.first
        if first is None:
            return self._framed("", pages.notice("Nothing is archived yet.", "Run: mailmove export"))
        return _elsewhere(f"{self._base}/list{Place({'f': pages.key(first)}).address()}")

    def _look(self) -> Response:
        view = self._view
        archive = view.archive
        with Browsing(archive.index.path) as browsing:
            months, senders = browsing.months(), browsing.senders()
        seen = Look(
            self._book.name,
            datetime.now(UTC),
            past(Audits(archive.memory, archive.manifest.login)),
            standing.read(archive.memory, archive.manifest.login).gauge,
            [(held, view.title(held)) for held in view.held],
            months,
            senders,
            finish(history(self._book.name, archive, None, RUNS)).entries,
        )
        return self._framed("Look", look.page(seen))

    def _list(self, request: Request) -> Response:
        found = self._waits(request) or self._found(request, SIZE)
        if isinstance(found, Response):
            return found
        place, title, part = found
        if "rows" in request.query:
            return Response((pages.block(self._base, part, place).encode("utf-8", "replace"),))
        return self._framed(title, pages.listed(self._base, title, part, place), request)

    def _waits(self, request: Request) -> Response | None:
        """What is said while the search index is being made."""
        now = self._book.indexed
        if "q" not in request.query or now is None:
            return None
        done = f"{now[0]:,} of {now[1]:,} messages" if now[1] else "Looking for what is new"
        told = pages.notice("The search index is being made", f"{done}. The search begins by itself as soon as it is.")
        return self._framed("Search", told, request, refresh=2)

    def _found(self, request: Request, most: int) -> tuple[Place, str, Page]:
        """Some of the list that a request names."""
        at, query = _number(request.query.get("at")), request.query.get("q")
        if query is not None:
            if self._book.failed is not None:
                raise self._book.failed
            found = language.parse(_WORD.findall(query), _moment)
            return Place({"q": query}), f"Search: {query}", self._book.find(found, at, most)
        held = self._held(request.query.get("f", ""))
        return Place({"f": pages.key(held)}), self._view.title(held), self._view.page(held, at, most)

    def _held(self, wanted: str) -> Held:
        for held in self._view.held:
            if pages.key(held) == wanted:
                return held
        raise UsageError("there is no such folder in this archive")

    def _letter(self, request: Request, sha256: bytes) -> Response:
        found = self._view.message(sha256)
        message, left_out = letters.read(self._view, sha256)
        attached = [(each.name, len(each.content)) for each in attachments(message)]
        place, number, before, after = self._beside(request)
        shown = Shown(found, message, attached, left_out, remote.hosts(message), self._copies(sha256), before, after)
        title = next(iter(message.header("subject")), "")
        return self._framed(title, letter(self._base, shown, place, number), request, letter=True)

    def _beside(self, request: Request) -> tuple[Place, int, Line | None, Line | None]:
        """In which list the reader is, the message's number there, and its neighbours."""
        words = {name: request.query[name] for name in ("q", "f") if name in request.query}
        if not words or "n" not in request.query:
            return Place({}), 0, None, None
        number = _number(request.query["n"])
        start = max(0, number - 1)
        waits = "q" in words and self._book.indexed is not None
        lines = [] if waits else list(self._found(replace(request, query={**words, "at": str(start)}), 3)[2].lines)
        before = lines[0] if number and lines else None
        after = lines[number - start + 1] if len(lines) > number - start + 1 else None
        return Place(words), number, before, after

    def _copies(self, sha256: bytes) -> list[str]:
        """The copies of this archive that a message lies in, as far as is on record."""
        since = self._view.verified(sha256)
        return [
            f"{copy.name or copy.place} ({copy.at[:10]})"
            for copy in self._view.archive.index.copied()
            if since is not None and parse_timestamp(since) <= parse_timestamp(copy.at)
        ]

    def _source(self, sha256: bytes) -> Response:
        return Response(letters.delivered(self._view, sha256), "text/plain; charset=utf-8", policy=FILE_POLICY)

    def _eml(self, sha256: bytes) -> Response:
        found = self._view.message(sha256)
        return download(message_name(found, ".eml"), letters.delivered(self._view, sha256), found.octets)

    def _part(self, sha256: bytes, number: int) -> Response:
        message, _ = letters.read(self._view, sha256)
        for attachment in islice(attachments(message), number, number + 1):
            return download(safe_name(attachment.name), (attachment.content,), len(attachment.content))
        return _missing()

    def _download(self, request: Request) -> Response:
        """What was chosen in a list, or all of it."""
        hashes = self._chosen(request)
        first = next(hashes, None)
        if first is None:
            raise UsageError("nothing is chosen", "Choose messages in the list, or all.")
        kind, chosen = request.form.get("as", [""])[-1], chain((first,), hashes)
        name = f"{safe_name(self._book.name.rpartition('/')[2])} {datetime.now():%Y-%m-%d}"
        if kind == "zip":
            return download(f"{name}.zip", downloads.zipped(self._view, chosen))
        if kind == "mbox":
            return download(f"{name}.mbox", downloads.mbox(self._view, chosen))
        if next(hashes, None) is not None:
            raise UsageError("a message file holds one message", "Choose one of them, or take a zip or an mbox.")
        return self._eml(first)

    def _chosen(self, request: Request) -> Iterator[bytes]:
        if "all" not in request.form:
            identities = request.form.get("id", [])
            if not all(map(_IDENTITY.fullmatch, identities)):
                raise UsageError("that is not the ID of a message")
            yield from map(bytes.fromhex, dict.fromkeys(identities))
            return
        at, words = 0, {name: values[-1] for name, values in request.form.items() if name in ("q", "f")}
        while True:
            part = self._found(replace(request, query={**words, "at": str(at)}), _TAKEN)[2]
            yield from (line.sha256 for line in part.lines)
            at += _TAKEN
            if at >= part.total:
                return

    def _framed(
        self, title: str, content: Html, request: Request | None = None, *, letter: bool = False, refresh: int = 0
    ) -> Response:
        query = request.query if request is not None else {}
        folders = [(held, self._view.title(held)) for held in self._view.held]
        frame = Frame(self._base, self._book.name, folders, self._app.addresses, query.get("f", ""), query.get("q", ""))
        return page(pages.head(title, refresh), pages.framed(frame, content, letter=letter))


def _wrong(error: MailmoveError, status: HTTPStatus) -> Response:
    return page(pages.head("Not so"), element("main", pages.notice(error.what, error.next_step)), status)


def _missing(status: HTTPStatus = HTTPStatus.NOT_FOUND) -> Response:
    return page(pages.head("Not here"), element("main", pages.notice("There is no such page.")), status)


def _elsewhere(address: str) -> Response:
    return Response((b"",), status=HTTPStatus.SEE_OTHER, headers={"Location": address})


def _static(name: str) -> Response:
    if name == "drawings.css":
        return Response((DRAWN.encode(),), _STATIC["browse.css"])
    if name not in _STATIC:
        return _missing()
    return Response((files("mailmove.web").joinpath("static", name).read_bytes(),), _STATIC[name])


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _moment(given: str) -> int:
    return int(parse_age(given).cutoff(datetime.now(UTC)).timestamp())
