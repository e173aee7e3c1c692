"""The program at a terminal: what it shows there, and what is typed."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from types import TracebackType

PATIENCE = 60.0  # seconds until a test gives up


class Terminal:
    """A process with a terminal of its own for input, output, errors and ``/dev/tty``."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, columns: int = 100, stdout: int | None = None
    ) -> None:
        """``stdout`` may lead elsewhere, as in a pipe."""
        self.shown = ""
        """All that it showed, with CRLF as a terminal gets it."""
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            env=env,
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def expect(self, text: str, times: int = 1) -> None:
        """Wait until it has shown this, so many times."""
        while self.shown.count(text) < times:
            assert self._more(), f"it ended without {text!r}: {self.shown!r}"

    def type(self, text: str) -> None:
        r"""Type; ``\n`` is Enter, ``\x03`` is Ctrl-C, ``\x04`` the end of input."""
        os.write(self._ours, text.encode())

    def finish(self) -> int:
        """Wait for its end; returns its exit code."""
        while self._more():
            pass
        return self.process.wait(PATIENCE)

    def _more(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert ready, f"nothing more after {PATIENCE:g} seconds: {self.shown!r}"
        try:
            got = os.read(self._ours, 1 << 16)
        except OSError:  # EIO: nobody has the terminal open any more
            return False
        self.shown += got.decode("utf-8", "replace")
        return bool(got)
