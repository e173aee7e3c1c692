"""Running this program again as cron runs it: no terminal, no desktop session, next to no environment."""

from __future__ import annotations

import getpass
import json as jsonlib
import os
import subprocess
import sys
from collections.abc import Sequence

from mailmove.accounts.schedule import cron
from mailmove.accounts.schedule.job import Job
from mailmove.cli.options import Given, meaning
from mailmove.cli.terminal import say, tell

# What tells mailmove where its files are; a crontab that is to use the same files must say the same.
_PLACES = ("MAILMOVE_CONFIG", "MAILMOVE_STATE", "XDG_CONFIG_HOME", "XDG_STATE_HOME")


def test(accounts: Sequence[str], given: Given) -> int:
    """Run ``account test`` as cron would and print what it says, and the crontab when it went well.

    Returns its exit code.
    """
    common = [*accounts, *meaning(config=given.config, tls=given.tls, ca_file=given.ca_file)]
    more = ["--jobs", str(given.jobs)]
    more += [*["--json"] * given.json, *["--quiet"] * given.quiet, *["--verbose"] * given.verbose]
    done = _run(["account", "test", *common, *more])
    if done.stderr:
        say(done.stderr.rstrip())
    if given.json and done.stdout:
        document = jsonlib.loads(done.stdout)
        print(jsonlib.dumps({**document, "unattended": True, "crontab": crontab(common)}, indent=1))
        return done.returncode
    if done.stdout:
        tell(done.stdout.splitlines())
    if done.returncode == 0 and not given.quiet:
        tell(["It works without a terminal and without your environment. To have it done every night:"])
        print("  mailmove schedule install     or by hand, crontab -e:")
        print("\n".join(f"  {line}" for line in crontab(common)))
    return done.returncode


def crontab(common: Sequence[str]) -> list[str]:
    """The line of a crontab that does all that is due every night."""
    return [cron.line(Job((*program(), "run", "-q", *common), 3, 17, places()))]


def program() -> list[str]:
    """The command that runs this program from anywhere: its script, or the interpreter with the package."""
    script = os.path.abspath(sys.argv[0])
    return [sys.executable, "-m", "mailmove"] if script.endswith(".py") else [script]


def _run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run mailmove in the home directory and with the variables that cron sets, and in a session of its own."""
    home = os.path.expanduser("~")
    given = {"HOME": home, "LOGNAME": getpass.getuser(), "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [*program(), *arguments],
        env={**given, **places()},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )


def places() -> dict[str, str]:
    """The variables that tell where this user's files are, where they are set."""
    return {name: os.path.abspath(os.environ[name]) for name in _PLACES if os.environ.get(name)}
