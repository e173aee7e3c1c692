"""A message for a terminal: nothing in it is fetched, and what a terminal would act on is shown escaped."""

from __future__ import annotations

from collections.abc import Iterator

from mailmove.jobs.show import Letter
from mailmove.report.again import ALL, Again
from mailmove.report.find import day, folders
from mailmove.safe import visible
from mailmove.units import format_size, plural, short_id


def text(letter: Letter, again: Again = ALL) -> Iterator[str]:
    """Header, attachments, text."""
    source, found = letter.source, letter.source.found
    for name, value in letter.header:
        yield f"{visible(name) + ': ':13}{visible(value, 1000)}"
    if source.doubt:
        yield f"{'Doubted:':13}{visible(source.doubted)}: {visible(source.doubt)}"
    if not source.came:
        where = "on the server" if found.on_server else "only here"
        yield f"{'Archived:':13}{short_id(found.sha256)}, {', '.join(folders(found))}, {where}"
        yield f"{'Arrived:':13}{day(found.arrival, None, '%Y-%m-%d %H:%M:%S %z')}"
    for name, octets in letter.attachments:
        yield f"{'Attached:':13}{visible(name)} ({format_size(octets)})"
    if letter.signed:
        yield f"{'Signed:':13}{visible(', '.join(letter.signed))} (not verified)"
    yield ""
    for note in letter.notes:
        yield f"({visible(note)})"
    if not letter.text.strip() and not letter.notes:
        yield "(no text)"
    for line in letter.text.rstrip().splitlines():
        yield visible(line.expandtabs().replace("\xa0", " "), len(line) * 8 + 1)
    if letter.hidden:
        yield f"(--quotes shows the {plural(letter.hidden, 'quoted line')} that are folded)"
    for what in letter.skipped:
        yield f"(left out: {what})"
    if source.doubt:
        yield ""
        yield "This may not be the message: mailmove does not count it as archived, and prune leaves it on the server."
        yield f"If it is the message: {again.command('export', '--take', source.doubted)}"
    elif letter.attachments:
        yield ""
        yield f"Next: {again.command('get', '--attachments', short_id(found.sha256))}"
