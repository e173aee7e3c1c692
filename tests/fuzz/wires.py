"""A wire whose other end has said all it will ever say: over a real socket, received in pieces of any size."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mailmove.cancel import Cancel
from mailmove.imap.connection import Connection
from mailmove.imap.reader import Reader
from mailmove.imap.wire import Wire

PATIENCE = 30.0  # seconds; a reader that waits for more than comes is told the end of it at once


class _Pieces(socket.socket):
    """A socket that hands over what comes in pieces of these sizes, over and over."""

    sizes: Iterator[int]

    def recv_into(self, buffer: memoryview, *_: int) -> int:  # type: ignore[override]
        return super().recv_into(buffer[: next(self.sizes)])


@contextmanager
def wired(said: bytes, sizes: Sequence[int] = (1 << 18,), capabilities: str = "IMAP4REV1") -> Iterator[Wire]:
    """A wire that a server has already sent ``said`` to, and then closed; commands go nowhere."""
    near, far = socket.socketpair()
    sock = _Pieces(near.family, near.type, fileno=near.detach())
    sock.sizes = itertools.cycle(sizes)
    sock.settimeout(PATIENCE)
    speaker = threading.Thread(target=_say, args=(far, said))
    speaker.start()
    connection = Connection(sock, Reader(sock, PATIENCE), frozenset(capabilities.split()), sock.close)
    try:
        yield Wire(connection, Cancel())
    finally:
        sock.close()
        speaker.join()
        far.close()


def _say(far: socket.socket, said: bytes) -> None:
    try:
        far.sendall(said)
        far.shutdown(socket.SHUT_WR)
        while far.recv(1 << 16):  # many small commands fill what nobody reads
            pass
    except OSError:
        pass  # the reader had enough
