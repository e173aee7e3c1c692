"""Results for programs: one JSON document on standard output, of a format that only grows."""

from __future__ import annotations

import json
from typing import Any

from mailmove.errors import Exit

FORMAT = 1


def document(command: str, exit_code: Exit, **content: Any) -> str:
    """The JSON text. It is ASCII: a control character in a folder name or subject is escaped."""
    return json.dumps({"mailmove": FORMAT, "command": command, "exit": int(exit_code), **content}, indent=1)
