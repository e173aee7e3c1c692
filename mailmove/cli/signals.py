"""Ctrl-C and its like, while jobs run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

from mailmove.cancel import Cancel
from mailmove.errors import (
    Exit,
)


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP: they stop the jobs where stopping is safe, the second time at once.

    They never interrupt this thread anywhere but in :meth:`break_off`, so that no news of a job gets lost. What is to
    be ignored, as SIGHUP is under nohup, stays ignored.
    """

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel
        self._breaks_off = False

    def __enter__(self) -> Self:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._stop) for number in heeded}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def break_off(self) -> Iterator[None]:
        """Here they raise KeyboardInterrupt: somebody may be asked something, and does not answer."""
        self._breaks_off = True
        try:
            yield
        finally:
            self._breaks_off = False

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._cancel.asked:
            os._exit(Exit.INTERRUPTED)  # everything durable is durable
        if self._breaks_off:
            raise KeyboardInterrupt
        self._cancel.set()
