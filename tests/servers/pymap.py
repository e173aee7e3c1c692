"""pymap, the server of ``mailmove demo``, for tests: UIDPLUS, MOVE and keywords, but no QUOTA and no LIST-STATUS."""

from __future__ import annotations

import os
import subprocess
import sys

PASSWORD = "pw"


class Pymap:
    """One mailbox of one user, in memory, in a process of its own; :meth:`stop` ends it."""

    def __init__(self, user: str) -> None:
        self.host = "localhost"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mailmove.demo.server", user],
            env={**os.environ, "MAILMOVE_PASSWORD": PASSWORD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.imap = int(self._process.stdout.readline())

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
