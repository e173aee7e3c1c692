"""The one place where text leaves the program, and where answers come in.

The environment never decides whether a run is told truly. What a terminal's encoding cannot show is escaped; what one
stream does not take (a full disk, a closed descriptor) is told on the other; and file names are UTF-8 whatever the
locale, so that one archive has the same names for cron as at a terminal.
"""

from __future__ import annotations

import errno
import io
import locale
import os
import select
import signal
import sys
import termios
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TextIO

from mailmove.errors import ArchiveError, Exit

_KEPT = 1 << 20  # octets of what could not be written: any report, not a mailbox
_CHUNK = 4096  # the longest line that a terminal hands over


class Outlet(io.RawIOBase):
    """A descriptor that is written to for as long as it takes anything; nothing is raised, and what is lost is kept."""

    def __init__(self, fd: int, failure: OSError | None = None) -> None:
        super().__init__()
        self._fd = fd
        self.failure = failure
        """Why nothing more can be written."""
        self.lost = bytearray()
        """What could not be written since."""

    @property
    def left(self) -> bool:
        """Whether whoever read it has gone, as ``head`` does when it has seen enough."""
        return self.failure is not None and self.failure.errno == errno.EPIPE

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._fd)

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write some of it; all of it counts as written where nothing can be."""
        while self.failure is None:
            try:
                return os.write(self._fd, data)
            except BlockingIOError:  # somebody who shares the terminal or pipe made it so
                select.select([], [self._fd], [])
            except OSError as error:
                self.failure = error
        self.lost += bytes(data)[: _KEPT - len(self.lost)]
        return len(data)


class Streams:
    """Standard output and standard error of this process."""

    def __init__(self) -> None:
        failures = [_opened(fd) for fd in range(3)]
        if sys.stdin is None:
            sys.stdin = open(0, encoding=_encoding(), errors="surrogateescape", closefd=False)
        elif isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")
        self._out, self._err = Outlet(1, failures[1]), Outlet(2, failures[2])
        sys.stdout = _text(self._out, sys.stdout, line_buffering=self._out.isatty())
        sys.stderr = _text(self._err, sys.stderr, line_buffering=True)

    def finish(self, code: int, *, deed: bool, json: bool) -> int:
        """Tell on the one stream what the other did not take, and return the exit code of the process.

        That is the run's own; a run that is done, but could tell nobody, ends with 3. A reader who has left is nobody
        who misses an answer, but of a ``deed`` the rest is told. What errors say has no place in a ``json`` document.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        lost = bytes(self._out.lost) if deed or not self._out.left else b""
        if lost:
            assert self._out.failure is not None
            print(f"mailmove: standard output: {self._out.failure.strerror}. It would have said:", file=sys.stderr)
            self._err.write(lost)
        missed = bytes(self._err.lost) if not (self._err.left and self._out.left) else b""
        if missed and not json:
            self._out.write(missed)
        untold = missed and (json or self._out.failure is not None)
        return int(Exit.PARTIAL) if untold and code == Exit.DONE else code


def settle() -> None:
    """See to it that the names of files are UTF-8: where the locale says otherwise, this starts the program anew."""
    if sys.getfilesystemencoding() == "utf-8":
        return
    os.environ.setdefault("PYTHONIOENCODING", _encoding())  # what is shown stays as the locale wants it
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def typed(text: str) -> str:
    """Words of the command line as text: octets that are no UTF-8 are read as the terminal's encoding says.

    Not for the name of a file, which is what its octets are.
    """
    octets = os.fsencode(text)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode(_encoding(), "surrogateescape")


def deliver(pieces: Iterable[bytes]) -> None:
    """Write octets to standard output that are no report of the result but the result.

    :raises ArchiveError: when they cannot be written; a reader who leaves has seen enough.
    """
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        if _undelivered():
            return
    sys.stdout.buffer.flush()
    _undelivered()


def ask(prompt: str, *, echo: bool = True) -> str | None:
    """Ask for a line on standard error. Without ``echo`` nobody sees what is typed.

    None at the end of input, or where the question cannot be shown.
    """
    with nullcontext() if echo else _unseen():
        try:
            show(prompt, sys.stderr)
        except OSError:
            return None
        return line()


def show(text: str, stream: TextIO) -> None:
    """Print what must not get lost.

    :raises OSError: when it, or anything before it, could not be written.
    """
    print(text, end="", file=stream, flush=True)
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if isinstance(raw, Outlet) and raw.failure is not None:
        raise raw.failure


def line() -> str | None:
    """Read a line that somebody types, without its end; None at the end of input.

    A read that has not begun when a signal arrives is not interrupted by it, so that Ctrl-C would wait for the next
    Enter: hence it is waited for the signal, too (:func:`signal.set_wakeup_fd`), by whoever asks in the main thread.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        got = b""
        while not got.endswith(b"\n"):
            ready, _, _ = select.select([0, reading], [], [])
            if 0 not in ready:
                os.read(reading, _CHUNK)  # a signal that is no reason to stop
            elif piece := _typed_octets():
                got += piece
            else:
                break
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
    return got.decode(sys.stdin.encoding, "surrogateescape").rstrip("\r\n") if got else None


@contextmanager
def _unseen() -> Iterator[None]:
    before, unseen = termios.tcgetattr(0), termios.tcgetattr(0)
    unseen[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSADRAIN, unseen)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        print(file=sys.stderr, flush=True)


def _typed_octets() -> bytes:
    try:
        return os.read(0, _CHUNK)
    except OSError:  # EIO: the terminal is gone
        return b""


def _undelivered() -> bool:
    """Whether nobody takes the octets any more, which is no failure where the reader has left."""
    raw = getattr(sys.stdout.buffer, "raw", None)
    if not isinstance(raw, Outlet) or raw.failure is None:
        return False
    raw.lost.clear()
    if not raw.left:
        raise ArchiveError(f"writing to standard output: {raw.failure.strerror}", "Send it elsewhere, or make room.")
    return True


def _opened(fd: int) -> OSError | None:
    """Fill a descriptor that was closed, or the next file opened would get what is meant for it."""
    try:
        os.fstat(fd)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != fd:
            os.dup2(null, fd)
            os.close(null)
        return OSError(errno.EBADF, "it is closed")
    return None


def _text(outlet: Outlet, before: TextIO | None, *, line_buffering: bool) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or _encoding()
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),  # type: ignore[type-var]
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=line_buffering,
    )


def _encoding() -> str:
    """The encoding of the terminal, as far as the environment says it."""
    said = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    return said or locale.getencoding()
