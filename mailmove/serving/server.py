"""The server: it takes connections, within bounds, and gives each its session."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from mailmove.errors import RefusedError
from mailmove.safe import visible
from mailmove.serving import pop3
from mailmove.serving.channel import Channel, Closed, Limits
from mailmove.serving.imap import session as imap
from mailmove.serving.logins import Logins

_THREADS = 4
_HELLO = b"\x16"  # the first octet of a TLS connection (RFC 8446 5.1)
_SNIFF = 0.3  # seconds in which who speaks TLS from the start has begun; others wait for the greeting


class Session(Protocol):
    """What speaks with a mail program."""

    @property
    def guest(self) -> bool:
        """Whether nobody has logged in yet."""

    async def run(self) -> None:
        """Go on until the connection ends."""


@dataclass
class _Guest:
    """A connection and its session."""

    channel: Channel
    session: Session


Maker = Callable[[Channel, Logins, ssl.SSLContext | None, str], Session]


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens.

    :raises RefusedError: when that is not possible, such as for a port that is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        why = visible(getattr(error, "strerror", None) or str(error))
        what = f"port {port} of {visible(host)} cannot be used: {why}"
        raise RefusedError(what, "Choose another, or 0 for any free one: --imap, --pop3") from error
    listening.setblocking(False)
    return listening


class Server:
    """IMAP and POP3 for some archives, until it is told to stop."""

    def __init__(self, logins: Logins, tls: ssl.SSLContext | None, version: str, limits: Limits | None = None) -> None:
        self._logins = logins
        self._tls = tls
        self._version = version
        self._limits = limits or Limits()
        self._pool = ThreadPoolExecutor(_THREADS, "serve")
        self._open: dict[asyncio.Task[None], _Guest | None] = {}
        self._at: dict[asyncio.Task[None], Maker] = {}

    async def run(self, listening_imap: socket.socket, listening_pop3: socket.socket, stop: asyncio.Event) -> None:
        """Serve on these sockets until ``stop`` is set."""
        accepting = [
            asyncio.create_task(self._accept(listening_imap, imap.Session)),
            asyncio.create_task(self._accept(listening_pop3, pop3.Session)),
        ]
        try:
            await stop.wait()
        finally:
            for task in [*accepting, *self._open]:
                task.cancel()
            await asyncio.gather(*accepting, *self._open, return_exceptions=True)
            listening_imap.close()
            listening_pop3.close()
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _accept(self, listening: socket.socket, make: Maker) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:  # it is gone already, or there are no descriptors left
                await asyncio.sleep(0.05)
                continue
            self._make_room(make)
            task = asyncio.create_task(self._serve(connection, make))
            self._open[task] = None
            self._at[task] = make
            task.add_done_callback(partial(self._ended, connection))

    def _ended(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        """A task has ended, perhaps before it began: then nobody else closes its connection."""
        del self._at[task]
        if self._open.pop(task) is None:
            connection.close()

    def _make_room(self, make: Maker) -> None:
        """Let the oldest guest of a port go where there are too many; a crowd at the other port costs nobody here."""
        guests = [
            task for task, one in self._open.items() if self._at[task] == make and (one is None or one.session.guest)
        ]
        if len(guests) >= self._limits.guests or len(self._open) >= self._limits.connections:
            for task in guests[:1]:
                task.cancel()

    async def _serve(self, connection: socket.socket, make: Maker) -> None:
        loop = asyncio.get_running_loop()
        channel: Channel | None = None
        try:
            if len(self._open) > self._limits.connections:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            at_once = self._tls if self._tls is not None and await _says_hello(connection) else None
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=at_once, ssl_handshake_timeout=10 if at_once else None
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            channel = Channel(reader, writer, self._pool, self._limits)
            session = make(channel, self._logins, self._tls, self._version)
            task = asyncio.current_task()
            assert task is not None
            self._open[task] = _Guest(channel, session)
            await session.run()
        except (OSError, TimeoutError, Closed):
            pass  # the connection is over, by whichever side
        finally:
            if channel is not None:
                channel.abort_unless_closing()


async def _says_hello(connection: socket.socket) -> bool:
    """Whether a connection begins with TLS; nothing is read."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        async with asyncio.timeout(_SNIFF):
            await readable.wait()
        return connection.recv(1, socket.MSG_PEEK) == _HELLO
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(connection)
