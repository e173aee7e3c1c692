"""Messages opened for a page, and the processes that make their HTML harmless."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager

from mailmove.jobs import show
from mailmove.mail.documents.extractor import Extractor
from mailmove.mail.message import Message
from mailmove.serving.octets import PIECE, Octets
from mailmove.web.library import View

_AT_ONCE = 2  # one that takes all its time must not keep others waiting


class Extractors:
    """Some processes that read HTML, each begun when it is first needed."""

    def __init__(self) -> None:
        self._idle: queue.LifoQueue[Extractor] = queue.LifoQueue()
        for _ in range(_AT_ONCE):
            self._idle.put(Extractor())

    @contextmanager
    def one(self) -> Iterator[Extractor]:
        """One that nobody else uses meanwhile."""
        extractor = self._idle.get()
        try:
            yield extractor
        finally:
            self._idle.put(extractor)

    def close(self) -> None:
        """End those that are idle; the others end with this process."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


def pieces(octets: Octets) -> Iterator[bytes]:
    """A message, piece by piece."""
    for at in range(0, len(octets), PIECE):
        yield octets[at : at + PIECE]


def read(view: View, sha256: bytes) -> tuple[Message, list[str]]:
    """A message taken apart, and what is said if that is not all of it.

    :raises ArchiveError: when no copy of it is what was archived.
    """
    with view.octets(sha256) as octets:
        return show.opened(show.Source(view.message(sha256), pieces(octets)))


def delivered(view: View, sha256: bytes) -> Iterator[bytes]:
    """A message, octet for octet; it is proven before the first piece is asked for.

    :raises ArchiveError: as :func:`read`, also while it is taken.
    """

    def told() -> Iterator[bytes]:
        with view.octets(sha256) as octets:
            yield b""
            yield from pieces(octets)

    proven = told()
    next(proven)
    return proven
