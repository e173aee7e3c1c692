"""One writer per archive: the operating system's lock and, where that may not reach every writer, a lease.

``flock`` ends with the process, however it ends. On a disk of this machine it alone decides. A disk that machines
share may keep their locks apart; there the *lease* decides as well: the file's note names its holder, and its time of
change, set anew every minute, is the holder's heartbeat. Another holder's note is

- refused while its heartbeat is younger than ten minutes. Both times are the file server's, taken from files there:
  the clocks of the machines do not matter;
- taken over after that, or at once when it is of this machine: the lock would tell if its writer were alive.

A holder that was only asleep or cut off learns it at the *fence*, :meth:`Lock.must_hold`, which reads the note again
before each deed. The note is written, and the heart beats, on every disk: another machine may share what is ours.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import platform
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event, Thread

from mailmove import replacing
from mailmove.archive.files import disk, durable
from mailmove.errors import ArchiveError, ArchiveLocked
from mailmove.safe import visible
from mailmove.units import timestamp

NAME = "lock"
LEASE = 600
"""Seconds after a holder's last heartbeat until another machine may take over."""

_BEAT = 60
_PROBE = "lock-now"


class LocksMissing(ArchiveError):
    """The file system has no locks."""


class Lock:
    """A lock that is held until :meth:`release`."""

    def __init__(self, directory: int, fd: int, shown: str, note: bytes) -> None:
        self._directory = directory
        self._fd = fd
        self._shown = shown
        self._note = note
        self._released = Event()
        self._heart = Thread(target=self._beat, name="lock", daemon=True)
        self._heart.start()

    @classmethod
    def acquire(cls, directory: int, shown: str) -> Lock:
        """Take the lock of a ``.mailmove`` directory, open as long as it is held; ``shown`` is the archive's path.

        :raises ArchiveError: when another run holds it, or locks do not work there.
        """
        with durable.explained(f"locking {shown}"):
            fd = durable.open_file(NAME, directory, os.O_RDWR | os.O_CREAT)
        try:
            _lock(fd, shown)
            with durable.explained(f"locking {shown}"):
                if disk.is_shared(fd):
                    _check_lease(directory, fd, shown)
                note = _write_note(fd)
            lock = cls(directory, fd, shown, note)
        except BaseException:
            os.close(fd)
            raise
        return lock

    def must_hold(self) -> None:
        """Return if this run is the archive's writer still; to be asked before everything that relies on that.

        :raises ArchiveError: when another machine has taken over, or the lock's file is not there any more.
        """
        with durable.explained(f"looking at the lock of {self._shown}"):
            try:
                found = _read(self._directory)
            except FileNotFoundError:
                found = b""
        if found != self._note:
            other = _who(found)
            raise ArchiveLocked(
                f"another mailmove ({other}) has taken {self._shown} over"
                if other
                else f"the lock of {self._shown} is not there any more",
                "This run stops here. When no other is working on it, run the same command again.",
            )

    def release(self) -> None:
        """Let go."""
        self._released.set()
        self._heart.join()
        try:
            if _read(self._directory) == self._note:
                os.ftruncate(self._fd, 0)
        except OSError:
            pass  # a note that stays is seen to be dead by its heartbeat
        os.close(self._fd)

    def _beat(self) -> None:
        while not self._released.wait(_BEAT):
            try:
                os.utime(self._fd)
            except OSError:
                pass  # whoever takes over because of that is seen at the fence


def _lock(fd: int, shown: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK):
            who = _who(os.pread(fd, 500, 0))
            raise ArchiveLocked(
                f"another mailmove is working on {shown}{f' ({who})' if who else ''}",
                "Wait until it has finished, then try again.",
            ) from None
        raise LocksMissing(
            f"the file system of {shown} has no locks ({error.strerror})",
            "Two runs at once could not be told apart. Keep the archive on another file system.",
        ) from error


def _check_lease(directory: int, fd: int, shown: str) -> None:
    """Refuse to take over from another machine whose heart may still beat."""
    holder = _words(os.pread(fd, 500, 0))
    if not holder or holder[1] == _machine():
        return
    age = _now(directory) - os.fstat(fd).st_mtime
    if age < LEASE:
        minutes = -(-(LEASE - max(age, 0)) // 60)
        raise ArchiveLocked(
            f"another machine, {visible(holder[0])}, has been working on {shown} since {visible(holder[3])}",
            f"If it is not running any more, try again in {minutes:.0f} minutes, or delete {shown}/.mailmove/{NAME}.",
        )


def _now(directory: int) -> float:
    """The time by the clock that stamps the files of this directory."""
    fd = durable.open_file(_PROBE, directory, os.O_RDWR | os.O_CREAT)
    try:
        os.utime(fd)
        return os.fstat(fd).st_mtime
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):  # two machines ask at once
            os.unlink(_PROBE, dir_fd=directory)


def _write_note(fd: int) -> bytes:
    """Name this run as the holder, in the words that older versions read; returns them."""
    run = f"{os.getpid()}-{secrets.token_hex(4)}"
    note = f"{platform.node() or 'unknown'} {_machine()} {run} {timestamp(datetime.now(UTC))}\n".encode()
    os.pwrite(fd, note, 0)
    os.ftruncate(fd, len(note))
    if disk.is_shared(fd):
        replacing.flush(fd)  # until then no other machine sees it
    return note


def _read(directory: int) -> bytes:
    """The note by its name: opening a file asks a file server again."""
    fd = durable.open_file(NAME, directory)
    try:
        return os.pread(fd, 500, 0)
    finally:
        os.close(fd)


def _words(note: bytes) -> list[str]:
    """Node, machine, run and time of a note; none when it is empty, or not a note."""
    words = note.decode("utf-8", "replace").split()
    return words if len(words) == 4 else []


def _who(note: bytes) -> str:
    words = _words(note)
    return f"on {visible(words[0])}, process {visible(words[2].partition('-')[0])}" if words else ""


def _machine() -> str:
    """Something that tells this machine, since it was started, from others, and tells others nothing about it."""
    for path in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        try:
            with open(path, "rb") as file:
                secret = file.read()
            break
        except OSError:
            secret = platform.node().encode()
    return hashlib.sha256(b"mailmove lock" + secret).hexdigest()[:16]
