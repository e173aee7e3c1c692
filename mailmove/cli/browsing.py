"""Browsing archives: which, on which port; the browser is opened, and it goes on until somebody ends it."""

from __future__ import annotations

import json
import os
import signal
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from mailmove import streams
from mailmove.cancel import Cancel
from mailmove.cli.chosen import existing
from mailmove.cli.options import Setup
from mailmove.errors import Exit
from mailmove.replacing import replace_file
from mailmove.report.html.tags import document, element
from mailmove.serving.shelf import Shelf
from mailmove.units import plural
from mailmove.web import server
from mailmove.web.library import Book


def carry_out(setup: Setup, archives: Sequence[str] | None, port: int, *, opens: bool) -> Exit:
    """Show them until SIGINT or SIGTERM.

    :raises MailmoveError: when there is nothing to show, or it cannot be shown.
    """
    cancel = Cancel()
    places = existing(setup, archives)
    books = [Book(Shelf(place.name, place.archive, setup.memory), cancel) for place in places]
    signal.signal(signal.SIGTERM, _end)
    with suppress(KeyboardInterrupt, SystemExit):
        server.run(server.bound(port), books, cancel, lambda url: _say(setup, url, len(books), opens=opens))
    return Exit.DONE


def _say(setup: Setup, url: str, archives: int, *, opens: bool) -> None:
    """Open the browser, or tell where it is to go."""
    if setup.json:
        streams.show(json.dumps({"url": url}) + "\n", sys.stdout)
    opened = opens and _open(setup, url)
    if setup.json or setup.quiet:
        return
    lines = [f"Showing {plural(archives, 'archive')} in the browser, read-only, on this machine. Ctrl-C ends it."]
    if not opened:
        lines = [lines[0].replace(" in the browser", ""), f"Open within a minute, once: {url}"]
    streams.show("\n".join(lines) + "\n", sys.stdout)


def _open(setup: Setup, url: str) -> bool:
    """Open a file that leads there: a program's arguments can be read by every user of the machine, this file not."""
    path = os.path.join(setup.memory.directory("browse"), "open.html")
    lead = element("meta", http_equiv="refresh", content=f"0; url={url}")
    page = document([lead, element("title", "mailmove")], element("a", "Go on", href=url))
    replace_file(path, page.encode())
    try:
        return webbrowser.open(f"file://{os.path.abspath(path)}")
    except webbrowser.Error:
        return False


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit
