"""The server of the page: HTTP/1.1 by waitress, on loopback."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from mailmove.cancel import Cancel
from mailmove.errors import LackingError, RefusedError
from mailmove.safe import visible
from mailmove.web.app import App
from mailmove.web.door import Door
from mailmove.web.exchange import MOST, application
from mailmove.web.letters import Extractors
from mailmove.web.library import Book

HOST = "127.0.0.1"
_THREADS = 6
_CONNECTIONS = 60


def bound(port: int) -> socket.socket:
    """A socket that listens on this machine only; 0: on any free port.

    :raises RefusedError: when the port cannot be used.
    """
    try:
        return socket.create_server((HOST, port), backlog=64)
    except (OSError, OverflowError) as error:
        why = visible(getattr(error, "strerror", None) or str(error))
        raise RefusedError(
            f"port {port} cannot be used: {why}", "Choose another: --port, 0 for any free one"
        ) from error


def run(listening: socket.socket, books: Sequence[Book], cancel: Cancel, ready: Callable[[str], None]) -> None:
    """Answer until SystemExit or KeyboardInterrupt is raised; ``ready`` is told where the browser is to go.

    :raises LackingError: when waitress is not installed.
    """
    try:
        from waitress import create_server
    except ImportError:
        raise LackingError("the page needs a server of HTTP", "Run: pip install 'mailmove[browse]'") from None
    logging.getLogger("waitress").setLevel(logging.CRITICAL)  # it warns of every request that waits
    door, extractors = Door(listening.getsockname()[1]), Extractors()
    server: Any = create_server(
        application(App(books, door, extractors).answer),
        sockets=[listening],
        threads=_THREADS,
        connection_limit=_CONNECTIONS,
        channel_timeout=60,
        max_request_body_size=MOST,
        max_request_header_size=1 << 16,
        ident=None,
        asyncore_use_poll=True,
    )
    if len(books) == 1:
        books[0].open()
    for book in books:
        threading.Thread(target=book.make_ready, name=book.name, daemon=True).start()
    try:
        ready(door.url)
        server.run()
    finally:
        cancel.set()
        server.close()
        extractors.close()
