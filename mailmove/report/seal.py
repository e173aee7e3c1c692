"""A seal, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailmove.jobs.seal import SealResult
from mailmove.jobs.timestamping import Stamp
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.safe import visible
from mailmove.units import plural


def text(result: SealResult, again: Again = ALL) -> Iterator[str]:
    """The number, where the file is, and what both are good for; or the file itself."""
    if result.text:
        yield result.text.decode("utf-8")
        return
    records = plural(result.number.size, "record")
    if result.new:
        yield f"Sealed {records} of messages of {visible(result.account)}:"
    else:
        yield f"Nothing was recorded since the seal of {result.at}: {records} of messages of {visible(result.account)}:"
    yield f"  {result.number}"
    yield f"  {words.path(result.file)}"
    if result.stamp is not None:
        yield f"Time-stamped at {result.stamp.at} by {result.stamp.signer}:"
        for file in result.stamp.files:
            yield f"  {words.path(file)}"
        if not result.stamp.anchored:
            yield "Whose signature that is nobody has vouched for: --ca-file FILE names the authority's certificate."
        yield "To verify it without mailmove, also when the authority's certificate has ended:"
        yield f"  {result.stamp.command}"
    yield "Write the number down: it tells whether anything was changed. Keep the file elsewhere: it tells what."
    yield f"Next: {again.command('check', '--seal', result.file)}"


def problems(_: SealResult, __: Again = ALL) -> Iterator[str]:
    """A seal that was made has none."""
    yield from ()


def as_json(result: SealResult) -> dict[str, Any]:
    """One archive."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "number": str(result.number),
        "size": result.number.size,
        "root": result.number.root.hex(),
        "file": result.file,
        "at": result.at,
        "before": result.before or None,
        "new": result.new,
        "timestamp": _stamp_json(result.stamp) if result.stamp is not None else None,
    }


def _stamp_json(stamp: Stamp) -> dict[str, Any]:
    return {
        "at": stamp.at,
        "signer": stamp.signer,
        "files": list(stamp.files),
        "command": stamp.command,
        "anchored": stamp.anchored,
    }
