"""A message for a terminal: nothing in it is fetched, and what a terminal would act on is shown escaped."""

from __future__ import annotations

from collections.abc import Iterator

from mailmove.jobs.get import Letter
from mailmove.mail import fields
from mailmove.report.again import ALL, Again
from mailmove.report.find import day, folders
from mailmove.safe import visible
from mailmove.units import format_size, short_id


def text(letter: Letter, again: Again = ALL) -> Iterator[str]:
    """Header, attachments, text."""
    found = letter.found
    for name, raw in letter.header:
        yield f"{name + ':':13}{fields.shown(raw, 1000)}"
    where = "on the server" if found.on_server else "only here"
    yield f"{'Archived:':13}{short_id(found.sha256)}, {', '.join(folders(found))}, {where}"
    yield f"{'Arrived:':13}{day(found.arrival, None, '%Y-%m-%d %H:%M:%S %z')}"
    for name, octets in letter.attachments:
        yield f"{'Attached:':13}{visible(name)} ({format_size(octets)})"
    yield ""
    if not letter.text.strip():
        yield "(no text)"
    for line in letter.text.rstrip().splitlines():
        yield visible(line.expandtabs().replace("\xa0", " "), len(line) * 8 + 1)
    if letter.cut:
        yield "(cut: it is too long to be shown whole)"
    if letter.attachments:
        yield ""
        yield f"Next: {again.command('get', '--attachments', short_id(found.sha256))}"
