"""``--log-file``: what happened, a line each with time, level and account, in a file that may be rotated meanwhile."""

from __future__ import annotations

import io
import logging
import os
import sys
from datetime import datetime
from logging.handlers import WatchedFileHandler

from mailmove.cli.said import said
from mailmove.errors import UsageError
from mailmove.safe import visible

_LONGEST = 4000  # characters of a line


def begin(path: str, shown: int, *, debug: bool) -> None:
    """Log to this file from now on; standard error goes on to get what is of level ``shown`` or above.

    :raises UsageError: when it cannot be written.
    """
    handler = open_log(os.path.abspath(os.path.expanduser(path)))
    for other in logging.getLogger().handlers:
        other.addFilter(lambda record: not record.name.startswith("mailmove") or record.levelno >= shown)
    level = logging.DEBUG if debug else logging.INFO
    for logger in (logging.getLogger("mailmove"), said):
        logger.addHandler(handler)
        logger.setLevel(level)


def open_log(path: str) -> logging.Handler:
    """What writes records to this file.

    :raises UsageError: when it cannot.
    """
    try:
        handler = _File(path)
    except OSError as error:
        raise UsageError(f"{visible(path)} cannot be written: {error.strerror}", "Name another --log-file.") from None
    handler.setFormatter(_Line())
    return handler


class _File(WatchedFileHandler):
    """Appends line by line to a file that only its owner reads; moved away, it is begun anew."""

    def __init__(self, path: str) -> None:
        self._failed = False
        super().__init__(path, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> io.TextIOWrapper:
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return io.TextIOWrapper(open(opened, "ab"), encoding=self.encoding, errors=self.errors)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # it was moved away, and cannot be begun anew
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A log that cannot be written is a warning, once: mail comes first."""
        if not self._failed:
            self._failed = True
            print(f"mailmove: warning: {visible(self.baseFilename)}: {sys.exception()}", file=sys.stderr)


class _Line(logging.Formatter):
    """One line a record, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="seconds")
        return f"{time} {record.levelname} {record.threadName}: {visible(record.getMessage(), _LONGEST)}"
