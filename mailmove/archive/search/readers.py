"""Reading messages in several processes at once, in order, with no more of them in memory than that needs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mailmove.archive.search import reader
from mailmove.archive.search.words import Words, unpacked

T = TypeVar("T")
_IN_HAND = 16 << 20  # octets that are read, or wait to be
_BATCH = 64  # messages
_BATCH_OCTETS = 1 << 19
_MOST = 4  # processes
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")
DIED = "its text: reading it ended the process that did"


class Readers:
    """Processes that read messages, as many as there are cores. To be closed, or used as a context."""

    def __init__(self, processes: int = 0) -> None:
        self._processes = processes or min(_MOST, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._processes, "reader")
        self._mine = threading.local()
        self._all: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.kill()
        self._pool.shutdown(cancel_futures=True)
        for process in self._all:
            process.communicate()

    def read(self, messages: Iterable[tuple[T, bytes]]) -> Iterator[tuple[T, Words]]:
        """What is in each message, in order. One that ends its reader has no words, and a note that says so."""
        waiting: deque[tuple[list[T], int, Future[list[Words]]]] = deque()
        held = 0
        for keys, batch in _batches(messages):
            octets = sum(map(len, batch))
            while waiting and (held + octets > _IN_HAND or len(waiting) > 2 * self._processes):
                done, size, future = waiting.popleft()
                held -= size
                yield from zip(done, future.result(), strict=True)
            waiting.append((keys, octets, self._pool.submit(self._read, batch)))
            held += octets
        while waiting:
            done, _, future = waiting.popleft()
            yield from zip(done, future.result(), strict=True)

    def _read(self, batch: list[bytes]) -> list[Words]:
        return [self._ask(octets) for octets in batch]

    def _ask(self, octets: bytes) -> Words:
        for _ in range(2):  # it may have been ended by somebody else
            if (answer := self._answer(self._process(), octets)) is not None:
                return answer
        return Words(note=DIED)

    @staticmethod
    def _answer(process: subprocess.Popen[bytes], octets: bytes) -> Words | None:
        """What a process says; None: it came to its end."""
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(reader.SIZE.pack(len(octets)))
            process.stdin.write(octets)
            process.stdin.flush()
            size = process.stdout.read(reader.SIZE.size)
            wanted = reader.SIZE.unpack(size)[0] if len(size) == reader.SIZE.size else -1
            answer = process.stdout.read(wanted) if wanted >= 0 else b""
        except BrokenPipeError:
            wanted, answer = -1, b""
        if len(answer) == wanted:
            return unpacked(answer)
        process.kill()
        process.wait()
        return None

    def _process(self) -> subprocess.Popen[bytes]:
        """The process of this thread."""
        mine: subprocess.Popen[bytes] | None = getattr(self._mine, "process", None)
        if mine is None or mine.returncode is not None:
            mine = self._mine.process = subprocess.Popen(
                [sys.executable, "-P", "-B", "-m", reader.__name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is this process's
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )
            self._all.append(mine)
        return mine


def _batches(messages: Iterable[tuple[T, bytes]]) -> Iterator[tuple[list[T], list[bytes]]]:
    """Small messages together: each hand-over from thread to thread costs more than most of them."""
    keys: list[T] = []
    batch: list[bytes] = []
    octets = 0
    for key, content in messages:
        keys.append(key)
        batch.append(content)
        octets += len(content)
        if len(batch) == _BATCH or octets >= _BATCH_OCTETS:
            yield keys, batch
            keys, batch, octets = [], [], 0
    if batch:
        yield keys, batch
