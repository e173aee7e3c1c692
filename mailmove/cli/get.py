"""``mailmove get``."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from mailmove.cli import options, searching

if TYPE_CHECKING:
    from mailmove.cli.chosen import Chosen


@options.takes(*options.SELECTION, "quiet", "verbose")
def get(
    given: options.Given,
    ids: searching.Ids = None,
    text: searching.Words = None,
    from_: searching.From = None,
    to: searching.To = None,
    subject: searching.Subject = None,
    since: searching.Since = None,
    before: searching.Before = None,
    folder: options.Include = None,
    larger_than: searching.LargerThan = None,
    only_here: searching.OnlyHere = False,
    in_: searching.In = None,
    without: searching.Not = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR|-", help="Where to; - writes one message to standard output.")
    ] = ".",
    attachments: Annotated[
        bool, typer.Option("--attachments", help="Save the attachments instead of the message.")
    ] = False,
) -> None:
    """Copy messages out of the archive as .eml files. Needs no server.

    They are octet for octet as the server sent them: each is hashed while it is copied, and one that is not what was
    archived is not delivered. A file is named by the day the message arrived and its subject. Nothing is overwritten.
    """
    from mailmove.archive.search.query import Query
    from mailmove.cli.chosen import chosen, searched
    from mailmove.errors import UsageError
    from mailmove.jobs.find import Options

    setup = given.setup()
    query = searching.Wanted(
        text, from_, to, subject, without, in_, folder, since, before, larger_than, only_here
    ).query()
    is_search = query != Query()
    if bool(ids) == is_search:
        raise UsageError(
            "messages are named by their IDs or by a search, not both" if ids else "which messages?",
            f"For example: {setup.again(None).command('get', '--folder', 'INBOX', '--since', '30d')}",
        )
    messages = searched(setup, given.account, Options(query)) if is_search else chosen(setup, given.account, ids or [])
    _write(messages, output, attachments=attachments, quiet=given.quiet)


def _write(
    messages: AbstractContextManager[dict[bytes, list[Chosen]]], output: str, *, attachments: bool, quiet: bool
) -> None:
    from mailmove.errors import UsageError
    from mailmove.jobs.get import octets, save, save_attachments
    from mailmove.report import words
    from mailmove.streams import deliver

    directory = os.path.expanduser(output)
    with messages as found:
        if output == "-" and (len(found) != 1 or attachments):
            raise UsageError("standard output takes one message, and no attachments", "Name a directory: -o DIR")
        if not found and not quiet:
            print("Nothing was found.", file=sys.stderr)
        for sha256, hits in found.items():
            source = hits[0].archive
            if output == "-":
                deliver(octets(source, sha256))
                continue
            paths = save_attachments(source, sha256, directory) if attachments else [save(source, sha256, directory)]
            if not quiet:
                for path in paths:
                    print(words.path(path))
                if not paths and len(found) == 1:
                    print("It has no attachments.", file=sys.stderr)
