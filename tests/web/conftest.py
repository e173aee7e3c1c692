"""An archive, and its page as a browser that was let in asks for it, without a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from mailmove.cancel import Cancel
from mailmove.serving.shelf import Shelf
from mailmove.web.app import App
from mailmove.web.door import Door
from mailmove.web.exchange import Request, Response
from mailmove.web.letters import Extractors
from mailmove.web.library import Book
from tests.serving.conftest import Shelved, shelved

__all__ = ["shelved"]

PORT = 4711
HOST = {"host": f"127.0.0.1:{PORT}"}


class Visitor:
    """Somebody who was let in."""

    def __init__(self, app: App, door: Door) -> None:
        self._app = app
        self.headers = dict(HOST)
        entered = app.answer(Request("GET", "/enter", ticket(door), HOST))
        self.headers["cookie"] = entered.headers["Set-Cookie"].partition(";")[0]

    def ask(self, url: str, form: dict[str, list[str]] | None = None) -> tuple[Response, bytes]:
        """An answer, and all of its body."""
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = self.headers | ({"origin": f"http://{HOST['host']}"} if form else {})
        response = self._app.answer(Request("POST" if form else "GET", parts.path, query, headers, form or {}))
        return response, b"".join(response.body)

    def page(self, url: str, form: dict[str, list[str]] | None = None) -> str:
        """A page that is there."""
        response, body = self.ask(url, form)
        assert response.status == 200, body
        return body.decode()


def ticket(door: Door) -> dict[str, str]:
    """The query of its address."""
    return {"ticket": door.url.partition("ticket=")[2]}


@pytest.fixture
def visit(shelved: Shelved) -> Iterator[Callable[[], Visitor]]:
    """Gives somebody who was let in to see the archive."""
    extractors, cancel = Extractors(), Cancel()

    def come() -> Visitor:
        shelf = Shelf("box", str(shelved.path), shelved.memory)
        book = Book(shelf, cancel)
        book.make_ready()
        door = Door(PORT)
        return Visitor(App([book], door, extractors), door)

    yield come
    cancel.set()
    extractors.close()
