"""What a browser asks, and what it is answered, as values; and the way from WSGI (PEP 3333) to them and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote

from mailmove.report.html.tags import Html, document

_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
BODY_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""For what a message says: nothing runs, nothing is sent, nothing is fetched, whatever the sanitiser left in it."""
FILE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
ALWAYS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with "no-referrer" a form of ours would come from "null"
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",  # else the names in a message's links are looked up, which tells that it is read
}
MOST = 1 << 20  # octets of a form


@dataclass(frozen=True, slots=True)
class Request:
    """A request; names of ``headers`` are in lower case. Of what is given several times, ``query`` has the last."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Its ``body`` is taken piece by piece, and closed where it can be."""

    body: Iterable[bytes]
    kind: str = "text/html; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    policy: str = _PAGE_POLICY
    headers: Mapping[str, str] = field(default_factory=dict)


def page(head: Html, body: Html, status: HTTPStatus = HTTPStatus.OK, **attributes: str) -> Response:
    """A page of ours."""
    return Response((document(head, body, **attributes).encode("utf-8", "replace"),), status=status)


def download(name: str, pieces: Iterable[bytes], octets: int | None = None) -> Response:
    """A file to keep, never to be shown: its name (RFC 6266 4.3) is safe on every system."""
    plain = "".join(char if (char.isascii() and char.isalnum()) or char in "-_. " else "_" for char in name)
    headers = {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}
    if octets is not None:
        headers["Content-Length"] = str(octets)
    return Response(pieces, "application/octet-stream", policy=FILE_POLICY, headers=headers)


def application(answer: Callable[[Request], Response]) -> Callable[[Mapping[str, Any], Any], Iterable[bytes]]:
    """A WSGI application."""

    def called(environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        response = answer(_request(environ))
        headers = {
            "Content-Type": response.kind,
            "Content-Security-Policy": response.policy,
            **ALWAYS,
            **response.headers,
        }
        start_response(f"{response.status.value} {response.status.phrase}", list(headers.items()))
        return () if environ["REQUEST_METHOD"] == "HEAD" else response.body

    return called


def _request(environ: Mapping[str, Any]) -> Request:
    headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    query = {name: values[-1] for name, values in _fields(environ.get("QUERY_STRING", "")).items()}
    form = {}
    if environ["REQUEST_METHOD"] == "POST":
        form = _fields(environ["wsgi.input"].read(MOST).decode("utf-8", "replace"))
    path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
    return Request(environ["REQUEST_METHOD"], path, query, headers, form)


def _fields(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, errors="replace", max_num_fields=20_000)
    except ValueError:  # there are too many
        return {}
