"""Draws the picture at the top of README, ``mailmove/docs/session.svg``, from what ``mailmove demo`` prints::

python -m tests.picture
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

import mailmove

PICTURE = Path(mailmove.__file__).parent / "docs" / "session.svg"
SHOWN = ("mailmove export", "mailmove prune", "mailmove find", "mailmove restore")


def session(demo: str) -> list[str]:
    """The commands that are shown, each with its words and what it printed."""
    steps = re.findall(r"^# .*\n\$ .*\n(?:.+\n)*", demo, re.MULTILINE)
    shown = [step for step in steps if step.split("$ ", 1)[1].startswith(SHOWN)]
    assert len(shown) == len(SHOWN), demo
    return shown


def line(text: str) -> Text:
    """A line as a terminal would have it: what is typed is bold, what explains it dim."""
    return Text(text, style="bold" if text.startswith("$ ") else "dim italic" if text.startswith("# ") else "")


def picture(steps: list[str]) -> str:
    """The session as SVG that fetches no fonts and is the same for the same text."""
    lines = [line(text) for text in "\n".join(steps).splitlines()]
    width = max(one.cell_len for one in lines)
    console = Console(record=True, width=width, file=io.StringIO())
    for one in lines:
        console.print(one, no_wrap=True)
    svg = console.export_svg(title="mailmove demo", theme=SVG_EXPORT_THEME, unique_id="session")
    return re.sub(r"\s*@font-face \{.*?\}(?=\n)", "", svg, flags=re.DOTALL)


def main() -> None:
    """Play the demo and draw it."""
    done = subprocess.run([sys.executable, "-m", "mailmove", "demo"], stdout=subprocess.PIPE, text=True, check=True)
    PICTURE.write_text(picture(session(done.stdout)), encoding="utf-8")


if __name__ == "__main__":
    main()
