"""An https server on loopback, certified by an authority of its own: answers as a test says, remembers what was asked.

web = Web()
web.answers["/settings.xml"] = Answer(b"<xml/>", "text/xml")
web.answers["/token"] = lambda request: Answer(...)
"""

from __future__ import annotations

import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme


@dataclass(frozen=True)
class Request:
    """What a client asked; ``values`` are the query's or the form's."""

    path: str
    values: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What it gets."""

    body: bytes = b""
    kind: str = "text/html"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Answer | Callable[[Request], Answer]


class _Quiet(ThreadingHTTPServer):
    errors: list[BaseException]

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):  # a client that does not trust us hangs up
            self.errors.append(error)


class Web:
    """The server; what no route is for is 404. :meth:`stop` ends it."""

    def __init__(self) -> None:
        self.answers: dict[str, Route] = {}
        self.requests: list[Request] = []
        self._directory = tempfile.TemporaryDirectory(prefix="mailmove-web-")
        self.ca = str(Path(self._directory.name) / "ca.pem")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(urlsplit(self.path).query)

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def _answer(self, query: str) -> None:
                path = urlsplit(self.path).path
                values = {name: value for name, (value, *_) in parse_qs(query, keep_blank_values=True).items()}
                request = Request(path, values, dict(self.headers))
                web.requests.append(request)
                route = web.answers.get(path, Answer(status=404))
                answer = route if isinstance(route, Answer) else route(request)
                self.send_response(answer.status)
                headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body)), **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self._server.errors = []
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, and raise what went wrong in its own code."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._directory.cleanup()
        if self._server.errors:
            raise self._server.errors[0]

    def asked(self, path: str) -> list[Request]:
        """The requests for this path."""
        return [request for request in self.requests if request.path == path]
