"""Progress on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from mailmove.jobs.progress import Expect, Progress


class Meter:
    """One bar for everything under way: octets, messages, folder, rate, time left. Silent where ``shown`` is False."""

    def __init__(self, *, shown: bool) -> None:
        self._bar: Any = None
        self._shown = shown
        self._messages = self._expected = 0

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def clear(self) -> None:
        """Make room for other text, until the next progress."""
        if self._bar is not None:
            self._bar.clear()

    def show(self, account: str, progress: Progress) -> None:
        """Take in what a job tells."""
        if not self._shown:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=0, unit="B", unit_scale=True, unit_divisor=1024, file=sys.stderr, leave=False, dynamic_ncols=True
            )
        if isinstance(progress, Expect):
            self._expected += progress.messages
            self._bar.total = max(0, self._bar.total + progress.octets)
            self._bar.refresh()
        else:
            self._messages += progress.messages
            self._bar.set_description_str(account[:24], refresh=False)
            self._bar.set_postfix_str(f"{self._messages:,}/{self._expected:,} {progress.folder[:24]}", refresh=False)
            self._bar.update(progress.octets)
