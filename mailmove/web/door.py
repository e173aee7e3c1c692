"""Who comes in: the browser that this user opened, once, and from then on no other.

Other users of this machine reach the port as well, and so does every web page that this user has open. So the way in is
a ticket that is good once and for a minute, turned into a cookie; every request must name this host, which keeps out
names that an attacker lets lead here (DNS rebinding), and must come from the page itself: a cookie knows no ports, so
that another program's page at the same address counts as the same site (RFC 6265 8.5).
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

from mailmove.report.html.tags import element, joined
from mailmove.web.exchange import Request, Response, page

TICKET = 60.0  # seconds
ENTRANCE = "/enter"
_OURS = ("same-origin", "none")  # Sec-Fetch-Site (Fetch Metadata): a link of the page, or what the user typed


class Door:
    """The door of one run."""

    def __init__(self, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"mailmove-{port}"
        self._session = secrets.token_urlsafe(32)
        self._clock = clock
        self._until = clock() + TICKET
        self._lock = threading.Lock()
        self._ticket: str | None = secrets.token_urlsafe(32)
        self.url = f"http://127.0.0.1:{port}{ENTRANCE}?ticket={self._ticket}"
        """Where the browser is to go."""

    def refuses(self, request: Request) -> Response | None:
        """What is answered instead; None: it may come in."""
        if request.headers.get("host") not in self._hosts:
            return _no("This is not the host that you asked for.", HTTPStatus.MISDIRECTED_REQUEST)
        if request.path == ENTRANCE:
            return self._enter(request)
        if not hmac.compare_digest(self._shown(request).encode(), self._session.encode()):
            return _no("Only the browser that mailmove opened can look in. Run mailmove browse again.")
        if request.headers.get("sec-fetch-site", "none") not in _OURS:
            return _no("Another page asked for this.")
        if request.method == "POST" and request.headers.get("origin") != f"http://{request.headers['host']}":
            return _no("Another page sent this.")
        return None

    def _enter(self, request: Request) -> Response:
        with self._lock:
            ticket, self._ticket = self._ticket, None if self._is_good(request) else self._ticket
        if ticket is None or self._ticket is not None:
            return _no("This link was good once, for a minute. Run mailmove browse again.")
        # Not a redirect: that would still come from where the browser was before, and a strict cookie stays at home.
        again = element("meta", http_equiv="refresh", content="0; url=/")
        entered = page(joined((again, element("title", "mailmove"))), element("a", "Go on", href="/"))
        cookie = f"{self._cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
        return Response(entered.body, headers={"Set-Cookie": cookie})

    def _is_good(self, request: Request) -> bool:
        given = request.query.get("ticket", "")
        known = self._ticket is not None and hmac.compare_digest(given.encode(), self._ticket.encode())
        return known and self._clock() <= self._until

    def _shown(self, request: Request) -> str:
        try:
            cookie = SimpleCookie(request.headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return cookie.value if cookie is not None else ""


def _no(why: str, status: HTTPStatus = HTTPStatus.FORBIDDEN) -> Response:
    return page(element("title", "mailmove"), element("p", why), status)
