"""Whether a login is the mailbox of an archive, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailmove.jobs.rebind import Rebind
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.safe import visible
from mailmove.units import plural


def text(result: Rebind, again: Again = ALL) -> Iterator[str]:
    """The proof or what speaks against it, what was done, and the next step."""
    if not result.bound:
        yield from problems(result)
        return
    yield from proof(result)
    yield f"This is the archive of {visible(result.new)} now:"
    yield f"  {words.path(result.path)}"
    yield f"Next: {again.command('export')}"


def proof(result: Rebind) -> Iterator[str]:
    """What the two have in common."""
    folders = plural(result.folders, "folder")
    yield f"{visible(result.new)} has the UIDVALIDITY of {folders} of the archive of {visible(result.old)},"
    yield f"UID, size and arrival of {plural(result.compared, 'message')}, and the octets of {result.hashed:,} of them."
    if result.absent:
        yield f"Not there: {', '.join(result.absent)}."


def problems(result: Rebind, _: Again = ALL) -> Iterator[str]:
    """Why the archive was left as it is."""
    account = visible(result.account)
    if result.against:
        yield f"{account}: this is not the mailbox that the archive was made of:"
        yield from (f"  {why}" for why in result.against)
    elif not result.proven:
        yield f"{account}: nothing proves that this is the mailbox of the archive: no archived message is there"
    else:
        yield f"{account}: not confirmed"
    yield f"This stays the archive of {visible(result.old)}; nothing was changed:"
    yield f"  {words.path(result.path)}"


def as_json(result: Rebind) -> dict[str, Any]:
    """One account."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "old": result.old,
        "new": result.new,
        "folders": result.folders,
        "compared": result.compared,
        "hashed": result.hashed,
        "absent": result.absent,
        "against": result.against,
        "bound": result.bound,
    }
