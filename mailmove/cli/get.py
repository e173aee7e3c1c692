"""``mailmove get`` and ``mailmove show``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mailmove.cli import options

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Messages by ID, as mailmove find lists them.")]


def get(
    ids: Ids,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR|-", help="Where to; - writes one message to standard output.")
    ] = ".",
    attachments: Annotated[
        bool, typer.Option("--attachments", help="Save the attachments instead of the message.")
    ] = False,
    account: options.InAccounts = None,
    archive: options.ArchiveDir = None,
    config: options.ConfigFile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """Copy messages out of the archive as .eml files. Needs no server.

    They are octet for octet as the server sent them: each is hashed while it is copied, and one that is not what was
    archived is not delivered. Nothing is overwritten.
    """
    from mailmove.cli.chosen import chosen
    from mailmove.errors import UsageError
    from mailmove.jobs.get import octets, save, save_attachments
    from mailmove.report import words
    from mailmove.streams import deliver

    setup = options.setup(config, quiet=quiet, verbose=verbose, archive=archive)
    if output == "-" and (len(ids) != 1 or attachments):
        raise UsageError("standard output takes one message, and no attachments", "Name a directory: -o DIR")
    directory = os.path.expanduser(output)
    with chosen(setup, account, ids) as found:
        for sha256, hits in found.items():
            source = hits[0].archive
            if output == "-":
                deliver(octets(source, sha256))
                continue
            paths = save_attachments(source, sha256, directory) if attachments else [save(source, sha256, directory)]
            if not quiet:
                for path in paths:
                    print(words.path(path))
                if not paths:
                    print("It has no attachments.", file=sys.stderr)


def show(
    id_: Annotated[
        str,
        typer.Argument(
            metavar="ID|FOLDER:UID",
            help="A message by ID, as mailmove find lists it; or by folder and UID, also one that is doubted.",
        ),
    ],
    account: options.InAccounts = None,
    archive: options.ArchiveDir = None,
    config: options.ConfigFile = None,
    verbose: options.Verbose = 0,
) -> None:
    """Show a message's header and text in the terminal. Needs no server and fetches nothing from anywhere."""
    from mailmove.cli.chosen import chosen, only
    from mailmove.jobs.get import letter, named_letter
    from mailmove.report.letter import text

    setup = options.setup(config, verbose=verbose, archive=archive)
    if ":" in id_:
        with only(setup, account) as (place, opened):
            print("\n".join(text(named_letter(opened, id_), setup.again(place))))
        return
    with chosen(setup, account, [id_]) as found:
        for sha256, hits in found.items():
            print("\n".join(text(letter(hits[0].archive, sha256), setup.again(hits[0].place))))
