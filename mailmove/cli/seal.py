"""``mailmove seal``."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated

import typer

from mailmove.cli import options


@options.takes("archive", "ca_file", *options.OUTPUT)
def seal(
    given: options.Given,
    archives: options.Archives = None,
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE|-", help="Write the seal, or the proof, here alone; - prints it."),
    ] = "",
    proof: Annotated[
        str, typer.Option("--proof", metavar="ID", help="Prove that this message is part of the last seal.")
    ] = "",
    timestamp: Annotated[
        str, typer.Option("--timestamp", metavar="URL", help="Have the seal time-stamped by this authority (RFC 3161).")
    ] = "",
) -> None:
    """Seal the record: one number that tells whether it was changed.

    It is the root of a Merkle tree (RFC 9162) over what is recorded of each message. The number is to be written down;
    the file can name what goes missing later, even where message and record went together: mailmove check --seal.
    """
    from dataclasses import replace

    from mailmove.cli.chosen import chosen
    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.errors import UsageError
    from mailmove.jobs.progress import Progress
    from mailmove.jobs.seal import STDOUT, SealResult, prove
    from mailmove.jobs.seal import seal as job
    from mailmove.jobs.timestamping import stamp
    from mailmove.report import seal as report
    from mailmove.safe import few

    setup = given.setup()
    places = setup.readable(archives)
    if (out or proof) and len(places) > 1:
        names = ", ".join(few(place.name for place in places))
        raise UsageError(f"there are several archives: {names}", "Name the one that is meant.")
    if timestamp and (proof or out == STDOUT):
        raise UsageError("a time-stamp lies beside a seal's file", "Leave --proof and --out - away.")
    if proof:
        with chosen(setup, archives, [proof]) as found:
            ((hit, *_),) = found.values()
            told = prove(hit.place.name, hit.archive, hit.sha256, out or STDOUT)
        if told.text:
            print(told.text.decode("ascii"))
        raise typer.Exit(told.exit)

    def start(work: Work) -> Generator[Progress, None, SealResult]:
        with work.archive(writable=not out) as opened:
            made = yield from job(work.name, opened, out)
        return replace(made, stamp=stamp(made.file, timestamp, setup.ca_file)) if timestamp else made

    raise typer.Exit(present("seal", setup, run(setup, places, start, login=False), report))
