"""One connection: lines and literals in, octets out, each within bounds of memory and time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_READ = 1 << 16
_BLOCK = 1 << 18  # octets that are made at a time for one connection


@dataclass(frozen=True)
class Limits:
    """What one connection, and all together, may cost. Octets and seconds.

    ``guests`` are connections to one port that have not logged in: when there are more, the oldest goes.
    """

    line: int = 1 << 16
    command: int = 3 << 15
    connections: int = 100
    guests: int = 40
    login: float = 60.0
    idle: float = 1800.0
    write: float = 60.0
    slow: float = 1.0
    """The pause after a first failed login; each one more doubles it."""
    slowest: float = 15.0


class Closed(Exception):
    """The connection is over: the other side went, was too slow, or sent what nobody can follow."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why


class Channel:
    """A connection. Every method raises :exc:`Closed` when it is over."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pool: Executor, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._pool = pool
        self._buffer = bytearray()
        self.limits = limits
        self.patience = limits.login
        """Seconds that the other side may be silent."""

    @property
    def encrypted(self) -> bool:
        """Whether nobody on the way can listen."""
        return self._writer.get_extra_info("ssl_object") is not None

    @property
    def peer(self) -> str:
        """Where the other side is."""
        address = self._writer.get_extra_info("peername")
        return str(address[0]) if address else ""

    async def line(self) -> bytes:
        """A line without its end."""
        looked = 0
        while (end := self._buffer.find(b"\n", looked)) < 0:
            looked = len(self._buffer)
            if looked > self.limits.line:
                raise Closed("a line is too long")
            await self._more()
        if end > self.limits.line:
            raise Closed("a line is too long")
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return found.removesuffix(b"\r")

    async def octets(self, count: int) -> bytes:
        """So many octets."""
        while len(self._buffer) < count:
            await self._more()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    async def skip(self, count: int) -> None:
        """Read so many octets, and keep none."""
        while count > len(self._buffer):
            count -= len(self._buffer)
            self._buffer.clear()
            await self._more()
        del self._buffer[:count]

    async def waits(self, seconds: float) -> bool:
        """Wait for something to be read; False: nothing came in this time."""
        if self._buffer:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._more()
        except TimeoutError:
            return False
        return True

    async def write(self, octets: bytes) -> None:
        """Send octets; whoever takes too long to receive them is left."""
        self._writer.write(octets)
        try:
            async with asyncio.timeout(self.limits.write):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            self._writer.transport.abort()
            raise Closed("the other side does not read") from error

    async def stream(self, pieces: Iterator[bytes]) -> None:
        """Send pieces, made in a thread as far as they are received."""
        more = True
        while more:
            block, more = await self.made(pieces)
            await self.write(block)

    async def made(self, pieces: Iterator[bytes]) -> tuple[bytes, bool]:
        """Some of these pieces, and whether there may be more: most answers are made in one go."""
        return await self.work(_block, pieces)

    async def work(self, function: Callable[..., T], *arguments: object) -> T:
        """Do something that takes time, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on encrypted. What was sent before that is forgotten: nobody knows by whom."""
        loop = asyncio.get_running_loop()
        self._buffer.clear()
        self._reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(self._reader)
        try:
            transport = await loop.start_tls(
                self._writer.transport, protocol, context, server_side=True, ssl_handshake_timeout=10
            )
        except (OSError, TimeoutError) as error:
            raise Closed("no TLS came of it") from error
        assert transport is not None
        protocol.connection_made(transport)
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)

    async def close(self, last: bytes = b"") -> None:
        """End it, with a last word."""
        if last and not self._writer.is_closing():
            try:
                await self.write(last)
            except Closed:
                return
        self._writer.close()
        try:
            async with asyncio.timeout(self.limits.write):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self.abort()

    def abort(self) -> None:
        """End it here and now."""
        self._writer.transport.abort()

    def abort_unless_closing(self) -> None:
        """End it, unless it is ending by itself."""
        if not self._writer.is_closing():
            self.abort()

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(self.patience):
                octets = await self._reader.read(_READ)
        except TimeoutError as error:
            raise Closed("it was silent for too long") from error
        except OSError as error:
            raise Closed("the connection was lost") from error
        if not octets:
            raise Closed
        self._buffer += octets


def _block(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    block, size = [], 0
    for piece in pieces:
        block.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            return b"".join(block), True
    return b"".join(block), False
