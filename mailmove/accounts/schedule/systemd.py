"""A timer of the user's own systemd (systemd.timer(5))."""

from __future__ import annotations

import getpass
import os
import shutil

from mailmove.accounts.schedule.job import Job, ask, must, plain, quoted
from mailmove.errors import Exit
from mailmove.replacing import replace_file

NAME = "mailmove"
_SERVICE, _TIMER = f"{NAME}.service", f"{NAME}.timer"
_FINAL = " ".join(str(int(code)) for code in Exit if code not in (Exit.DONE, Exit.UNREACHABLE))
"""Exit codes after which another attempt in the same night is of no use."""


class Systemd:
    """A oneshot service and its timer below the user's configuration."""

    name = "systemd"

    def __init__(self) -> None:
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        self._directory = os.path.join(config, "systemd", "user")

    @staticmethod
    def there() -> bool:
        """Whether this user has a systemd that answers."""
        return bool(shutil.which("systemctl")) and ask("systemctl", "--user", "show-environment").returncode == 0

    def install(self, job: Job) -> None:
        """Write both units, and start the timer."""
        os.makedirs(self._directory, exist_ok=True)
        for name, text in units(job).items():
            replace_file(os.path.join(self._directory, name), text.encode(), 0o644)
        must("systemctl", "--user", "daemon-reload")
        must("systemctl", "--user", "enable", _TIMER)
        must("systemctl", "--user", "restart", _TIMER)

    def remove(self) -> bool:
        """Stop the timer and take both units away; a run that is under way ends by itself."""
        if self.installed() is None:
            return False
        must("systemctl", "--user", "disable", "--now", _TIMER)
        for name in (_SERVICE, _TIMER):
            os.unlink(os.path.join(self._directory, name))
        must("systemctl", "--user", "daemon-reload")
        return True

    def installed(self) -> str | None:
        """Both units."""
        texts = [_text(os.path.join(self._directory, name)) for name in (_SERVICE, _TIMER)]
        return "\n".join(texts) if all(texts) else None

    def written(self, job: Job) -> str:
        """Both units."""
        return "\n".join(units(job).values())

    def remarks(self) -> list[str]:
        """Whether it runs while nobody is logged in, and how to see what it did."""
        told = [f"What it did: systemctl --user status {_SERVICE}; journalctl --user -u {_SERVICE}"]
        user = getpass.getuser()
        if shutil.which("loginctl") and "yes" not in ask("loginctl", "show-user", user, "--property=Linger").stdout:
            told.append("It runs only while you are logged in. To have it run always: loginctl enable-linger")
        return told


def units(job: Job) -> dict[str, str]:
    """The text of each unit, by its name.

    A user's unit cannot wait for the network, so that a run that found none is tried again; nothing else is.
    """
    plain(job)
    environment = "".join(f"Environment={quoted([f'{name}={value}'])}\n" for name, value in job.environment.items())
    service = (
        "[Unit]\nDescription=Bring mail home and let the server forget\n"
        "StartLimitIntervalSec=6h\nStartLimitBurst=4\n\n"
        f"[Service]\nType=oneshot\n{environment}ExecStart=:{quoted(job.command)}\n"
        f"Restart=on-failure\nRestartPreventExitStatus={_FINAL}\nRestartSec=15min\n"
    )
    timer = (
        "[Unit]\nDescription=Run mailmove every night\n\n"
        f"[Timer]\nOnCalendar=*-*-* {job.hour:02}:{job.minute:02}:00\nRandomizedDelaySec=15min\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return {_SERVICE: service, _TIMER: timer}


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
