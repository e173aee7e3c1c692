"""An audit as a page: where it is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime

from mailmove.archive.files import durable
from mailmove.cli.options import Setup
from mailmove.cli.outcome import Outcome
from mailmove.errors import UsageError
from mailmove.jobs.audit.result import AuditResult
from mailmove.replacing import replace_file
from mailmove.report import words
from mailmove.report.audit import Report
from mailmove.report.html.audit import Account, page
from mailmove.safe import visible


def must_be_writable(path: str) -> None:
    """Look before the work, not after it.

    :raises UsageError: when no file can be written there.
    """
    path = os.path.abspath(os.path.expanduser(path))
    above = os.path.dirname(path)
    if os.path.isdir(path) or not os.path.isdir(above) or not os.access(above, os.W_OK):
        raise UsageError(f"{visible(path)} cannot be written", "--html takes a file in a directory that is there.")


def write(path: str, setup: Setup, outcomes: Sequence[Outcome[AuditResult]], now: datetime) -> None:
    """Write the page, readable by this user only, and say where it is.

    :raises ArchiveError: when the disk does not take it.
    """
    path, report = os.path.abspath(os.path.expanduser(path)), Report()
    failed = [one for one in outcomes if one.result is None]
    found = [(one.result, setup.again(one.place)) for one in outcomes if one.result is not None]
    found.sort(key=lambda one: one[0].urgency)
    accounts = [Account(report.as_json(result), again) for result, again in found]
    accounts += [Account(one.as_json(), setup.again(one.place)) for one in failed]
    with durable.explained(f"writing {visible(path)}"):
        replace_file(path, page(accounts, f"{now.astimezone():%Y-%m-%d %H:%M}").encode("utf-8", "replace"))
    if not setup.quiet:
        print(f"The page is in {words.path(path)}", file=sys.stderr)
