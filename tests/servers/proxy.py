"""A proxy that breaks connections on purpose, before a real server: at any octet it says, or around any command.

A test lets one run pass to learn how long a session is, then lets the fault wander over it::

    proxy = Proxy(dovecot.imap)
    run()                                     # undisturbed
    for octet in sample(proxy.octets, 40):
        proxy.arm(Fault("cut", octet=octet))
        run()                                 # broken there once, and must come to the same end
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """What happens, and where: counted over all connections since :meth:`Proxy.arm`, and anew after each time.

    ``cut`` ends both sides, ``stall`` passes nothing on until the client leaves, ``corrupt`` inverts one octet.
    ``octet`` counts what the server says, from 1: this one is not passed on any more, or is the one inverted.
    ``command`` counts lines of the client, from 1: this one does not reach the server; with ``answered`` it does, and
    its answer does not reach the client. ``saying``: the ``nth`` time the server says this; nothing from there on is
    passed on.
    """

    what: Literal["cut", "stall", "corrupt"]
    octet: int = 0
    command: int = 0
    answered: bool = False
    saying: bytes = b""
    nth: int = 1
    times: int = 1


class Proxy:
    """Passes octets between clients and a server on loopback; :meth:`stop` ends it."""

    def __init__(self, upstream: int) -> None:
        self.host = "localhost"
        self.octets = 0
        """What the server said."""
        self.commands = 0
        """Lines that clients sent."""
        self.struck = 0
        """How often the fault happened."""
        self.on_strike: Callable[[], object] = lambda: None
        """Called when it happens, before anybody notices."""
        self._upstream = upstream
        self._fault: Fault | None = None
        self._said = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopping = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.imap = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def arm(self, fault: Fault | None) -> None:
        """Break this from now on; None: nothing. Everything is counted anew."""
        with self._lock:
            self._fault = fault
            self.octets = self.commands = self.struck = self._said = 0

    def stop(self) -> None:
        """End it."""
        self._stopping = True
        with self._lock:
            waiting = [self._listener, *self._open]
        for sock in waiting:
            _shut(sock)
        self._thread.join(10)

    def said(self, data: bytes) -> tuple[Fault, int] | None:
        """The server says this; the fault and the octet it is at, when it happens in that."""
        with self._lock:
            before, self.octets = self.octets, self.octets + len(data)
            at = self._fault.octet if self._fault else 0
            if self._fault and self._fault.saying:
                places = [found.start() for found in re.finditer(re.escape(self._fault.saying), data)]
                number = self._fault.nth - self._said
                self._said += len(places)
                at = before + places[number - 1] + 1 if 0 < number <= len(places) else 0
            return self._strike(at, before, self.octets)

    def asked(self, commands: int) -> tuple[Fault, int] | None:
        """The client sends so many commands; the fault and the command it is at, when it happens in that."""
        with self._lock:
            before, self.commands = self.commands, self.commands + commands
            return self._strike(self._fault.command if self._fault else 0, before, self.commands)

    def over(self, *socks: socket.socket) -> None:
        """These connections are closed."""
        with self._lock:
            self._open.difference_update(socks)
        for sock in socks:
            sock.close()

    def _strike(self, at: int, before: int, now: int) -> tuple[Fault, int] | None:
        fault = self._fault
        if fault is None or not before < at <= now or self.struck >= fault.times:
            return None
        self.struck += 1
        self.on_strike()
        self.octets = self.commands = 0
        return fault, at - before - 1

    def _accept(self) -> None:
        while not self._stopping:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream), 20)
            except OSError:
                break
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            _Link(self, client, server).start()
        self._listener.close()


class _Link:
    """One client and the connection to the server that is its."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._pumps = 2
        self._then: str | None = None
        """What becomes of everything the server says from now on; None: it is passed on."""

    def start(self) -> None:
        """Let it flow."""
        for sock in (self._client, self._server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for arguments in ((self._server, self._client, self._say), (self._client, self._server, self._ask)):
            threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, pass_on: Callable[[bytes], bool]) -> None:
        try:
            while (data := source.recv(65536)) and pass_on(data):
                pass
        except OSError:
            pass
        _shut(sink)
        _shut(source)
        self._pumps -= 1
        if not self._pumps:
            self._proxy.over(self._client, self._server)

    def _say(self, data: bytes) -> bool:
        """Pass on what the server says; False: the connection is over."""
        if self._then is not None:
            return self._then == "stall"
        struck = self._proxy.said(data)
        if struck is None:
            self._client.sendall(data)
            return True
        fault, at = struck
        if fault.what == "corrupt":
            self._client.sendall(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
            return True
        self._client.sendall(data[:at])
        self._then = fault.what
        return fault.what == "stall"

    def _ask(self, data: bytes) -> bool:
        """Pass on what the client sends; False: the connection is over."""
        if self._then is not None:
            return True
        struck = self._proxy.asked(data.count(b"\n"))
        if struck is None:
            self._server.sendall(data)
            return True
        fault, at = struck
        self._then = fault.what
        lines = data.splitlines(keepends=True)
        self._server.sendall(b"".join(lines[: at + 1 if fault.answered else at]))
        return fault.answered or fault.what == "stall"


def sample(total: int, most: int) -> list[int]:
    """Numbers from 1 to ``total``, evenly spread with both ends; all of them where they are not more than ``most``."""
    if total <= most:
        return list(range(1, total + 1))
    return sorted({1 + round(step * (total - 1) / (most - 1)) for step in range(most)})


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
