"""An agent of macOS's launchd (launchd.plist(5))."""

from __future__ import annotations

import os
import plistlib
import shutil

from mailmove.accounts.schedule.job import Job, ask, must, plain
from mailmove.replacing import replace_file

LABEL = "org.mailmove.run"


class Launchd:
    """A property list below the user's library; launchd runs what was missed in sleep once it is awake."""

    name = "launchd"

    def __init__(self) -> None:
        self._path = os.path.expanduser(f"~/Library/LaunchAgents/{LABEL}.plist")
        self._domain = f"gui/{os.getuid()}"

    @staticmethod
    def there() -> bool:
        """Whether this machine has launchd."""
        return bool(shutil.which("launchctl"))

    def install(self, job: Job) -> None:
        """Write it and have launchd load it, in place of the one before."""
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        ask("launchctl", "bootout", f"{self._domain}/{LABEL}")
        replace_file(self._path, self.written(job).encode(), 0o644)
        must("launchctl", "bootstrap", self._domain, self._path)

    def remove(self) -> bool:
        """Have launchd forget it."""
        if self.installed() is None:
            return False
        ask("launchctl", "bootout", f"{self._domain}/{LABEL}")
        os.unlink(self._path)
        return True

    def installed(self) -> str | None:
        """The property list."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def written(self, job: Job) -> str:
        """The property list."""
        plain(job)
        return plistlib.dumps(
            {
                "Label": LABEL,
                "ProgramArguments": list(job.command),
                "EnvironmentVariables": dict(job.environment),
                "StartCalendarInterval": {"Hour": job.hour, "Minute": job.minute},
                "ProcessType": "Background",
            }
        ).decode()

    def remarks(self) -> list[str]:
        """When it runs."""
        return [f"It runs only while you are logged in. How its last run ended: launchctl print {self._domain}/{LABEL}"]
