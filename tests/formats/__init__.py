"""Archives as released versions left them, one directory for each: a newer mailmove must go on with every one.

``python -m tests.formats NAME`` makes one with the code as it is. It is made once, when a version is released, and
never again: what is tested is what lies on people's disks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
LOGIN = "me@example.org"
AT = "2026-11-23T10:02:00Z"
ARRIVAL = int(datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC).timestamp())
RELEASED = sorted(path.name for path in HERE.iterdir() if (path / ".mailmove").is_dir())
