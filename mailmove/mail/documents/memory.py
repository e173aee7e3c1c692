"""How much memory another process takes. Limits of the address space mean nothing on macOS, and little elsewhere."""

from __future__ import annotations

import os
import subprocess


def resident(pid: int) -> int:
    """The resident set of a process in octets; 0: it is gone, or it cannot be told."""
    if os.path.exists("/proc/self/statm"):
        try:
            with open(f"/proc/{pid}/statm", "rb") as statm:
                return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)
    return int(told.stdout or 0) * 1024
