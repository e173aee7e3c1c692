"""The one owner of everything a server sends: lines and literals from one buffer, in bounded memory and time."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Sequence

from mailmove.errors import Disconnected

BUFFER = 1 << 18
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""The socket option for :meth:`Reader.at_once`, where the system has it."""
MAX_LINE = 1 << 20
LINE_COST = 32  # octets that each line counts for besides its own: short ones weigh more in memory than on the wire
_TRICKLE = 1024  # octets that a time-out's length must bring inside a line or literal
_SLOW_SPANS = 20  # so many time-outs of nothing but short keep-alive lines, and the server is taken for dead


class Reader:
    """Reads a connected socket.

    imaplib takes its lines from here while a session opens, everything after that reads here too: with one buffer no
    response can get lost between two readers. The socket's own time-out bounds silence; ``patience`` (seconds) also
    bounds a server that drips.
    """

    def __init__(self, sock: socket.socket, patience: float) -> None:
        self._sock = sock
        self._patience = patience
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self.expect()

    def expect(self) -> None:
        """A command was sent: from now on the server's pace counts."""
        self._since = time.monotonic()
        self._got = self._slow = 0
        self._alive = False

    @property
    def pending(self) -> int:
        """Octets received and not read yet."""
        return self._end - self._start

    def at_once(self) -> None:
        """Acknowledge what comes next without delay.

        A server that sends without TCP_NODELAY holds its next few words back until the last ones are acknowledged
        (RFC 896), which a client that has nothing to send puts off for 40 ms (RFC 1122 4.2.3.2).
        """
        if QUICK_ACK is not None and self._start == self._end:
            try:
                self._sock.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)
            except OSError:
                pass  # gone, as the next read will say

    def line(self) -> bytes:
        """One line, without its CRLF.

        :raises Disconnected: when the connection ends, stalls or sends an endless line.
        """
        at = self._buffer.find(b"\r\n", self._start, self._end)
        if at < 0:
            return self._long_line()
        line = bytes(self._view[self._start : at])
        self._start = at + 2
        return line

    def ahead(self, pattern: re.Pattern[bytes], groups: Sequence[str]) -> list[tuple[bytes, ...]]:
        """These groups of every line received, for as long as lines fit ``pattern``, CRLF included; they are read."""
        found, buffer, at, end = [], self._buffer, self._start, self._end
        while matched := pattern.match(buffer, at, end):
            found.append(matched.group(*groups))
            at = matched.end()
        self._start = at
        return found

    def _long_line(self) -> bytes:
        """A line that is not whole in the buffer yet."""
        pieces = bytearray()
        while True:
            if self._end - self._start > 1 and self._end == BUFFER and self._start == 0:
                pieces += self._view[: self._end - 1]  # the last octet stays: it may be the CR
                self._start = self._end - 1
                if len(pieces) > MAX_LINE:
                    raise Disconnected("the server sent a line that does not end")
            tail = self._end - self._start
            self._fill()
            at = self._buffer.find(b"\r\n", self._start + max(0, tail - 1), self._end)
            if at >= 0:
                pieces += self._view[self._start : at]
                self._start = at + 2
                self._alive = True
                return bytes(pieces)

    def whole(self, octets: int) -> memoryview:
        """So many of the octets that are :attr:`pending`; valid until the next read."""
        self._start += octets
        return self._view[self._start - octets : self._start]

    def literal(self, octets: int) -> Iterator[memoryview]:
        """The next ``octets`` octets, in pieces that are valid until the next one is asked for.

        :raises Disconnected: when the connection ends or stalls before they have all come.
        """
        while octets:
            if self._start == self._end:
                self._fill()
            piece = self._view[self._start : min(self._end, self._start + octets)]
            self._start += len(piece)
            octets -= len(piece)
            yield piece

    def _fill(self) -> None:
        """Receive more behind what is unread."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == BUFFER:
            unread = self._end - self._start
            self._buffer[:unread] = self._buffer[self._start : self._end]
            self._start, self._end = 0, unread
        try:
            got = self._sock.recv_into(self._view[self._end :])
        except TimeoutError:
            raise Disconnected(f"the server was silent for {self._patience:g} seconds") from None
        except (OSError, ValueError) as error:
            raise Disconnected(f"the connection broke: {error}") from error
        if not got:
            raise Disconnected("the server closed the connection")
        self._end += got
        self._got += got
        if time.monotonic() - self._since > self._patience:
            self._judge_pace()

    def _judge_pace(self) -> None:
        """A time-out's length has passed, and the server was never silent: is it getting anywhere?"""
        if self._got >= _TRICKLE:
            self._slow = 0
        elif self._alive and self._slow < _SLOW_SPANS:
            self._slow += 1  # such as "* OK Searched 43% of the mailbox"
        else:
            raise Disconnected(f"the server sent only {self._got} octets in {self._patience:g} seconds")
        self._since, self._got, self._alive = time.monotonic(), 0, False
