"""``mailmove show``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mailmove.cli import options

if TYPE_CHECKING:
    from mailmove.jobs.show import Source
    from mailmove.report.again import Again


@options.takes(*options.SELECTION, "verbose")
def show(
    given: options.Given,
    id_: Annotated[
        str,
        typer.Argument(
            metavar="ID|FOLDER:UID",
            help="A message by ID, as mailmove find lists it; or by folder and UID, also one that is doubted.",
        ),
    ],
    headers: Annotated[bool, typer.Option("--headers", help="All header fields.")] = False,
    quotes: Annotated[bool, typer.Option("--quotes", help="Long quotations in full.")] = False,
    source: Annotated[bool, typer.Option("--source", help="The message as it is, octet for octet.")] = False,
    html: Annotated[
        bool, typer.Option("--html", help="Write it as a page of HTML that fetches nothing, images included.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open that page in a browser.")] = False,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR|-", help="Where the page goes; -: to standard output.")
    ] = ".",
) -> None:
    """Show a message's header and text in the terminal. Needs no server and fetches nothing from anywhere."""
    from mailmove.cli.terminal import tell
    from mailmove.errors import UsageError
    from mailmove.jobs.show import Look, letter
    from mailmove.report.letter import text

    if source and (html or open_):
        raise UsageError("--source is the message itself, --html a page made of it", "Choose one of them.")
    setup = given.setup()
    with _source(setup, given.account, id_) as (found, again):
        if source:
            _print_octets(found)
        elif html or open_:
            _write_page(found, os.path.expanduser(output), open_=open_)
        else:
            tell(text(letter(found, Look(headers, quotes)), again))


@contextmanager
def _source(setup: options.Setup, account: list[str] | None, id_: str) -> Iterator[tuple[Source, Again]]:
    """The message that is meant."""
    from mailmove.cli.chosen import chosen, only
    from mailmove.jobs.show import by_id, by_name

    if ":" in id_:
        with only(setup, account) as (place, opened):
            yield by_name(opened, id_), setup.again(place)
    else:
        with chosen(setup, account, [id_]) as found:
            [hits] = found.values()
            yield by_id(hits[0].archive, hits[0].sha256), setup.again(hits[0].place)


def _print_octets(found: Source) -> None:
    """To a terminal with what it would act on escaped."""
    from mailmove.safe import visible
    from mailmove.streams import deliver

    if not sys.stdout.isatty():
        deliver(found.octets)
        return
    for line in b"".join(found.octets).splitlines():
        print(visible(line.expandtabs(), 4 * len(line) + 1))


def _write_page(found: Source, directory: str, *, open_: bool) -> None:
    """Write the page; one that is only to be looked at, into a private place of its own."""
    import tempfile
    import webbrowser

    from mailmove.errors import UsageError
    from mailmove.jobs.get import save_page
    from mailmove.jobs.show import as_page
    from mailmove.report import words
    from mailmove.streams import deliver

    page = as_page(found)
    if directory == "-" and not open_:
        deliver((page.encode(),))
        return
    path = save_page(found.found, page, tempfile.mkdtemp(prefix="mailmove-") if open_ else directory)
    print(words.path(path))
    if open_ and not webbrowser.open(f"file://{os.path.abspath(path)}"):
        raise UsageError("no browser could be started", "Open the file yourself, or name a browser in BROWSER.")
