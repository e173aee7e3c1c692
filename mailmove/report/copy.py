"""What became of copies, in words and in JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from mailmove.jobs.copy.result import Copied, CopyResult, Mended, ReadBack
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.safe import few, visible
from mailmove.units import format_size, plural


def text(result: CopyResult, again: Again = ALL) -> Iterator[str]:
    """Each copy: where it is, what came, how many messages lie there now; and the next step."""
    for one in result.copies:
        yield f"{visible(result.account)} → {_named(one)}"
        if one.mended is not None:
            yield f"  {_mended(one.mended)}"
        if one.done:
            accepted = f" {one.accepted:,} accepted as missing." if one.accepted else ""
            yield f"  {_came(one, result.asked)} {_held(one)}{accepted}"
        yield from _faults(one)
        for note in one.notes:
            yield f"  Note: {note}."
    yield _next(result, again)


def lines(result: CopyResult) -> Iterator[str]:
    """A line for each copy that is in order, within the report of a run."""
    for one in result.copies:
        new = f"{one.new:,} new" if one.new else "nothing new"
        yield f"{new}; {_held(one).replace('there.', '')}at {visible(one.target.name) or words.path(one.target.path)}"


def problems(result: CopyResult, _: Again = ALL) -> Iterator[str]:
    """The copies that are not in order."""
    for one in result.copies:
        if one.failed is not None:
            yield f"{visible(result.account)} → {_named(one)}: {one.failed.what}"
            if one.failed.next_step:
                yield f"  {one.failed.next_step}"
        elif one.exit:
            yield f"{visible(result.account)} → {_named(one)}: not everything lies there as it should"
            yield from _faults(one)


def as_json(result: CopyResult) -> dict[str, Any]:
    """One archive."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "read_back": result.asked.value,
        "copies": [_json(one) for one in result.copies],
    }


def _json(one: Copied) -> dict[str, Any]:
    return {
        "name": one.target.name or None,
        "place": one.target.path,
        "id": one.id or None,
        "exit": int(one.exit),
        "done": one.done,
        "error": one.failed.what if one.failed else None,
        "messages": one.messages,
        "held": one.held,
        "accepted": one.accepted,
        "new": one.new,
        "octets": one.octets,
        "renamed": one.renamed,
        "erased": one.erased,
        "read_back": one.read_back,
        "cached": one.cached,
        "mended": one.mended.mended if one.mended else None,
        "put_aside": one.mended.put_aside if one.mended else None,
        "lost": [{"folder": fault.folder, "uid": fault.uid, "why": fault.why} for fault in one.mended.lost]
        if one.mended
        else [],
        "faults": [{"folder": fault.folder, "uid": fault.uid, "why": fault.why} for fault in one.faults],
        "notes": one.notes,
        "seconds": round(one.seconds, 3),
    }


def _named(one: Copied) -> str:
    place = words.path(one.target.path)
    return f"{visible(one.target.name)} ({place})" if one.target.name else place


def _came(one: Copied, asked: ReadBack) -> str:
    renamed = f" The flags of {plural(one.renamed, 'message')} followed." if one.renamed else ""
    erased = f" {plural(one.erased, 'file')} of erased messages deleted there." if one.erased else ""
    if not one.new:
        return f"Nothing new.{renamed}{erased}"
    back = {
        ReadBack.ALL: f" and read back there{' (perhaps from memory)' if one.cached else ''}",
        ReadBack.SAMPLE: f", {one.read_back:,} of them read back there",
        ReadBack.NONE: " and not read back",
    }[asked]
    took = f"{words.duration(one.seconds)}.{renamed}{erased}"
    return f"{one.new:,} new ({format_size(one.octets)}), each hashed here{back}. {took}"


def _held(one: Copied) -> str:
    verb = "lies" if one.held == 1 else "lie"
    return f"{one.held:,} of {plural(one.messages, 'message')} now {verb} there."


def _mended(mended: Mended) -> str:
    here, there = plural(mended.mended, "message"), plural(mended.put_aside, "message")
    return f"Both hashed: {here} of the archive mended from the copy, {there} of the copy altered and written anew."


def _faults(one: Copied) -> Iterator[str]:
    if one.failed is not None:
        yield f"  {one.failed!s}"
    for fault in one.mended.lost if one.mended is not None else ():
        yield f"  LOST  {fault.folder} UID {fault.uid}: neither place holds it ({fault.why})"
    if one.faults:
        yield f"  NOT COPIED  {plural(len(one.faults), 'message')}: " + "; ".join(
            few(f"{fault.folder} UID {fault.uid}: {fault.why}" for fault in one.faults)
        )


def _next(result: CopyResult, again: Again) -> str:
    if any(one.faults for one in result.copies):
        return f"Next: {again.command('check')}     names what is wrong here, and what mends it"
    if any(one.failed for one in result.copies):
        return "Next: the same command again, once that is mended."
    if all(one.target.name for one in result.copies):
        return f"Next: {again.command('check', '--copies')}     proves all of them again"
    path = visible(shlex.quote(result.copies[0].target.path), 1000)
    return f"Next: mailmove check {path}     proves it again"
