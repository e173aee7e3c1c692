"""Reading documents in another process, and keeping that process within its limits."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mailmove.mail.documents import formats, worker
from mailmove.mail.documents.memory import resident

_LOOK = 0.05  # seconds between two looks at the memory of the process
_SLOW, _LARGE, _DEAD = "it takes too long", "it needs too much memory", "its reader came to an end"
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost: seconds of CPU and on the wall, octets of memory and of the document, characters."""

    cpu: int = 10
    wall: float = 60.0
    memory: int = 300 << 20
    octets: int = 64 << 20
    characters: int = 4 << 20


class Extracted(NamedTuple):
    """The text of a document, and what is to be said if it is not all of it; both may be empty."""

    text: str
    note: str = ""


class Extractor:
    """Reads documents, in a process that begins with the first and is begun again after one that killed it.

    Not for several threads at a time. To be closed, or used as a context.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        memory_of: Callable[[int], int] = resident,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or Limits()
        self._memory_of = memory_of
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Extractor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def text(self, octets: bytes) -> Extracted | None:
        """The text of a document; None: it is none that is read."""
        if formats.is_encrypted(octets):
            return Extracted("", "it is encrypted")
        kind = formats.format_of(octets)
        if kind is None:
            return None
        if len(octets) > self._limits.octets:
            return Extracted("", "it is too large to be read")
        return self._ask(kind, octets)

    def page(self, html: str, images: Mapping[str, str]) -> Extracted:
        """HTML made harmless (:func:`mailmove.mail.html.sanitise.sanitised`), and what was left out of it."""
        asked = json.dumps({"html": html, "images": dict(images)}).encode()
        return self._ask(formats.Format.PAGE, asked, 2 * len(asked) + self._limits.characters)

    def _ask(self, kind: formats.Format, octets: bytes, characters: int = 0) -> Extracted:
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        asked = worker.ASKED.pack(kind, len(octets), self._limits.cpu, characters or self._limits.characters)
        answer = _Answer()
        try:
            process.stdin.write(asked + octets)
            process.stdin.flush()
            killed_for = self._wait(process, answer)
        except BrokenPipeError:
            killed_for = _DEAD
        if not answer.is_whole:
            self.close()
            return Extracted(answer.text, f"it was read only in part: {killed_for}")
        return Extracted(answer.text, answer.note)

    def _wait(self, process: subprocess.Popen[bytes], answer: _Answer) -> str:
        """Take the answer in; returns why it is not whole, if it is not."""
        assert process.stdout is not None
        until = self._clock() + self._limits.wall
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if selector.select(_LOOK):
                    piece = os.read(process.stdout.fileno(), 1 << 18)
                    if not piece:
                        return _SLOW if process.wait() == -signal.SIGXCPU else _DEAD
                    answer.take(piece)
                if answer.is_whole:
                    return ""
                if self._memory_of(process.pid) > self._limits.memory:
                    return _LARGE
                if self._clock() > until:
                    return _SLOW

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-B", "-m", worker.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )


class _Answer:
    """Frames, as they come in."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._text: list[str] = []
        self.note = ""
        self.is_whole = False

    @property
    def text(self) -> str:
        return "".join(self._text)

    def take(self, piece: bytes) -> None:
        self._held += piece
        at = 0
        while len(self._held) - at >= worker.ANSWERED.size:
            what, length = worker.ANSWERED.unpack_from(self._held, at)
            begin = at + worker.ANSWERED.size
            if len(self._held) < begin + length:
                break
            text = self._held[begin : begin + length].decode("utf-8", "replace")
            at = begin + length
            if what == worker.TEXT:
                self._text.append(text)
            elif what == worker.NOTE:
                self.note = text
            else:
                self.is_whole = True
        del self._held[:at]
