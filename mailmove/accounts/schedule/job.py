"""What is scheduled, and what every scheduler can do with it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailmove.errors import LackingError, UsageError
from mailmove.safe import visible

_PATIENCE = 30  # seconds; a user manager that does not answer must not keep a person waiting
_BY_HAND = "mailmove account test --unattended prints a line for a scheduler of your own."


@dataclass(frozen=True, slots=True)
class Job:
    """A command with absolute paths, the variables it needs, and the local time of day when it runs."""

    command: tuple[str, ...]
    hour: int
    minute: int
    environment: Mapping[str, str] = field(default_factory=dict)


class Scheduler(Protocol):
    """One that runs a job every day; nobody has to be logged in unless :meth:`remarks` says so."""

    name: str

    def install(self, job: Job) -> None:
        """Schedule it, in place of what was scheduled before.

        :raises LackingError: when the scheduler refuses.
        """

    def remove(self) -> bool:
        """Schedule nothing any more; gives whether anything was."""

    def installed(self) -> str | None:
        """What is scheduled, as the scheduler keeps it; None: nothing."""

    def written(self, job: Job) -> str:
        """The same for a job."""

    def remarks(self) -> list[str]:
        """What the user should know of it."""


def time_of_day(text: str) -> tuple[int, int]:
    """Read ``03:15``.

    :raises UsageError: for anything else.
    """
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text.strip())
    if not found:
        raise UsageError(f"{visible(text)!r} is not a time of day", "Write it as in 03:15.")
    return int(found[1]), int(found[2])


def plain(job: Job) -> Job:
    """The same job, none of whose words could end a line of a file.

    :raises UsageError: when one holds a control character.
    """
    for word in (*job.command, *job.environment.values()):
        if any(ord(char) < 32 or ord(char) == 127 for char in word):
            raise UsageError(f"{visible(word)} holds a control character and cannot be scheduled", "Rename it.")
    return job


def ask(*argv: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program of the scheduler's.

    :raises LackingError: when it cannot be run, or does not end.
    """
    try:
        return subprocess.run(argv, input=given, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LackingError(f"{argv[0]} cannot be run: {visible(str(error))}", _BY_HAND) from None


def must(*argv: str, given: str | None = None) -> str:
    """The same, when it must go well; gives what it printed.

    :raises LackingError: when it does not.
    """
    done = ask(*argv, given=given)
    if done.returncode:
        said = visible((done.stderr or done.stdout).strip() or "it does not say why")
        raise LackingError(f"{' '.join(argv)} failed (exit {done.returncode}): {said}", _BY_HAND)
    return done.stdout


def quoted(words: Sequence[str]) -> str:
    """Words for a line of a systemd unit: quoted, and no specifier (systemd.syntax(7), systemd.unit(5))."""
    return " ".join('"' + re.sub(r'(["\\])', r"\\\1", word).replace("%", "%%") + '"' for word in words)
