"""``mailmove browse``."""

from __future__ import annotations

from typing import Annotated

import typer

from mailmove.cli import options


@options.takes("archive", *options.OUTPUT)
def browse(
    given: options.Given,
    archives: options.Archives = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="On which port; 0: any free one.")
    ] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser; print the address instead.")] = False,
) -> None:
    """Look through archives in a browser: read, search, download.

    The page is for this machine and this user only: its address is good once, within a minute. Nothing is changed,
    nothing that a message says runs, and nothing is fetched from anywhere. It runs until Ctrl-C and needs no lock: what
    an export adds meanwhile appears.
    """
    from mailmove.cli.browsing import carry_out

    raise typer.Exit(carry_out(given.setup(), archives, port, opens=not no_open))
