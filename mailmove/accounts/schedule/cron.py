"""A block of the user's crontab, between two markers (crontab(5))."""

from __future__ import annotations

import shlex
import shutil

from mailmove.accounts.schedule.job import Job, ask, must, plain
from mailmove.errors import LackingError, RefusedError
from mailmove.safe import visible

BEGIN = "# BEGIN mailmove: written by mailmove schedule, which replaces it"
END = "# END mailmove"


class Cron:
    """The crontab, of which every line outside the block stays as it is."""

    name = "cron"

    @staticmethod
    def there() -> bool:
        """Whether this machine has crontabs."""
        return bool(shutil.which("crontab"))

    def install(self, job: Job) -> None:
        """Put the block at the end, in place of the one before."""
        others, _ = _parted(_crontab())
        must("crontab", "-", given=others + self.written(job))

    def remove(self) -> bool:
        """Take the block out."""
        others, block = _parted(_crontab())
        if block:
            must("crontab", "-", given=others)
        return bool(block)

    def installed(self) -> str | None:
        """The block."""
        return _parted(_crontab())[1] or None

    def written(self, job: Job) -> str:
        """The block. Its variables are in the command: in lines of their own they would hold for all that follow."""
        return f"{BEGIN}\n{line(job)}\n{END}\n"

    def remarks(self) -> list[str]:
        """What cron does with what it prints."""
        return ["Whatever it prints, cron sends you by mail. What is due while the machine sleeps is not made up for."]


def line(job: Job) -> str:
    """The line of a crontab for a job; a bare ``%`` would end it."""
    plain(job)
    environment = [f"{name}={value}" for name, value in job.environment.items()]
    command = shlex.join([*(["/usr/bin/env", *environment] if environment else []), *job.command])
    return f"{job.minute} {job.hour} * * * " + command.replace("%", r"\%")


def _crontab() -> str:
    """What there is; nothing only where crontab says that there is none."""
    done = ask("crontab", "-l")
    if done.returncode == 0:
        return done.stdout if not done.stdout or done.stdout.endswith("\n") else done.stdout + "\n"
    if "no crontab for" in done.stderr.lower():
        return ""
    raise LackingError(f"crontab -l failed (exit {done.returncode}): {visible(done.stderr.strip())}", "See crontab -l.")


def _parted(text: str) -> tuple[str, str]:
    """The lines of others, and our block.

    :raises RefusedError: when one of the markers is missing or there twice: what is ours cannot be told.
    """
    lines = text.splitlines(keepends=True)
    begins = [number for number, each in enumerate(lines) if each.rstrip("\n") == BEGIN]
    ends = [number for number, each in enumerate(lines) if each.rstrip("\n") == END]
    if not begins and not ends:
        return text, ""
    if len(begins) != 1 or len(ends) != 1 or begins > ends:
        raise RefusedError("the markers in your crontab are not whole", f"Put it in order: crontab -e ({BEGIN})")
    first, last = begins[0], ends[0] + 1
    return "".join(lines[:first] + lines[last:]), "".join(lines[first:last])
