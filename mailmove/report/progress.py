"""Progress on a terminal."""

from __future__ import annotations

import sys
from collections import Counter
from types import TracebackType
from typing import Any

from mailmove.jobs.progress import Expect, Progress
from mailmove.safe import visible
from mailmove.units import format_size


class Meter:
    """One bar for everything under way: of one account its octets, of several the accounts that are done.

    Silent where ``shown`` is False. A bar of 20 cells, and what matters most, fit a terminal of 80 columns.
    """

    def __init__(self, accounts: int, *, shown: bool) -> None:
        self._bar: Any = None
        self._shown = shown
        self._accounts = accounts
        self._finished = self._messages = self._octets = 0
        self._ahead: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()
        self._expected = 0

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

    def done(self, account: str) -> None:
        """Nothing more comes of this account."""
        self._finished += 1
        del self._ahead[account], self._passed[account]
        if self._shown and self._accounts > 1:
            self._draw(account, "")

    def show(self, account: str, progress: Progress) -> None:
        """Take in what a job tells."""
        if not self._shown:
            return
        if isinstance(progress, Expect):
            self._expected += progress.messages
            self._ahead[account] += progress.octets
        else:
            self._messages += progress.messages
            self._octets += progress.octets
            self._passed[account] += progress.octets
        self._draw(account, "" if isinstance(progress, Expect) else progress.folder)

    def _draw(self, account: str, folder: str) -> None:
        if self._accounts == 1:
            done, end = float(self._passed[account]), max(0, self._ahead[account])
            told = f"{self._messages:,}/{self._expected:,} {folder}"
        else:
            done = self._finished + sum(
                min(1, self._passed[one] / octets) for one, octets in self._ahead.items() if octets > 0
            )
            end = self._accounts
            told = f"{format_size(self._octets)}, {visible(account)}"
        bar = self._bar = self._bar or self._made()
        if self._accounts > 1:
            bar.set_description_str(f"{self._finished} of {end} accounts ", refresh=False)
        bar.set_postfix_str(told.rstrip(), refresh=False)
        bar.total = end
        bar.update(done - bar.n)

    def _made(self) -> Any:
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # or it draws the bar anew while a question is open
        octets = "{n_fmt}/{total_fmt}B {rate_fmt} " if self._accounts == 1 else ""
        return tqdm(
            total=0,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            miniters=0,
            file=sys.stderr,
            leave=False,
            dynamic_ncols=True,
            bar_format=f"{{desc}}{{percentage:3.0f}}% |{{bar:20}}| {octets}{{remaining}} left{{postfix}}",
        )
