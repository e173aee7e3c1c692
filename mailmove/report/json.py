"""Results for programs: one JSON document on standard output, of a format that only grows."""

from __future__ import annotations

import json
import sys
from typing import Any

from mailmove.errors import Exit

FORMAT = 1


def document(command: str, exit_code: Exit, **content: Any) -> str:
    """The JSON text, indented for whoever reads it at a terminal: a program gets it several times as fast without.

    It is ASCII: a control character in a folder name or subject is escaped.
    """
    whole = {"mailmove": FORMAT, "command": command, "exit": int(exit_code), **content}
    return json.dumps(whole, indent=1 if sys.stdout.isatty() else None)
