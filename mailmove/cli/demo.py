"""``mailmove demo``."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="DIR", help="Keep the archive in this new directory.")
    ] = None,
) -> None:
    """Show the commands at work on sample mail.

    A real IMAP server runs on this machine for as long as it takes. None of your files are touched.
    """
    import importlib.util
    import os
    import sys

    from mailmove.cli.unattended import program
    from mailmove.demo.show import show
    from mailmove.errors import UsageError
    from mailmove.safe import visible

    if importlib.util.find_spec("pymap") is None:
        raise UsageError(
            "the demo needs pymap, an IMAP server, which is not installed",
            f"Install it with: {sys.executable} -m pip install pymap",
        )
    if keep is not None:
        keep = os.path.abspath(os.path.expanduser(keep))
        if os.path.lexists(keep) and not (os.path.isdir(keep) and not os.listdir(keep)):
            raise UsageError(f"{visible(keep)} exists already", "Name a new directory for the archive.")
    raise typer.Exit(show(program(), keep))
