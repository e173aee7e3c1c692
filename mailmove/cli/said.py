"""What a run says to people, as a log: --log-file has it, and nobody else."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from mailmove.errors import Exit, MailmoveError

said = logging.getLogger("mailmove.said")
said.propagate = False
said.addHandler(logging.NullHandler())


def ended(exit_code: Exit, lines: Iterable[str], error: BaseException | None) -> None:
    """What became of the account whose thread this is."""
    if isinstance(error, MailmoveError):
        said.error("%s", " ".join(filter(None, (error.what, error.next_step))))
    elif error is not None:
        said.error("%s: %s", type(error).__name__, error)
    level = logging.WARNING if exit_code else logging.INFO
    for line in lines:
        said.log(level, "%s", line)
    said.info("ended with exit code %d", exit_code)
