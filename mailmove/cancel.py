"""Stopping cleanly: one token per run, asked at safe points and able to wake a thread that waits for a server."""

from __future__ import annotations

import socket
import threading

from mailmove.errors import Interrupted


class Cancel:
    """Set by Ctrl-C or SIGTERM.

    Work asks :meth:`check` where stopping is safe; :meth:`set` also shuts down the registered sockets, so that a
    blocked read ends at once.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.asked = False  # not read off the event: it is asked at every line of input
        """Whether :meth:`set` was called."""
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()

    def set(self) -> None:
        """Ask everything to stop."""
        self.asked = True
        self._event.set()
        with self._lock:
            for sock in self._sockets:
                _shut(sock)

    def check(self) -> None:
        """Stop here if asked to.

        :raises Interrupted: when :meth:`set` was called.
        """
        if self.asked:
            raise Interrupted("interrupted")

    def wait(self, seconds: float) -> None:
        """Sleep, unless asked to stop.

        :raises Interrupted: when :meth:`set` was or is called.
        """
        if self._event.wait(seconds):
            self.check()

    def watch(self, sock: socket.socket) -> None:
        """Shut this socket down on :meth:`set`."""
        with self._lock:
            self._sockets.add(sock)
        if self.asked:
            _shut(sock)

    def forget(self, sock: socket.socket) -> None:
        """The socket is closed."""
        with self._lock:
            self._sockets.discard(sock)


def _shut(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which would wait for the other side
    except OSError:
        pass  # already gone
