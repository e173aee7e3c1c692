"""What became of an archive's index and journal, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailmove.jobs.reindex import ReindexResult
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.report.check import named, problem_json
from mailmove.safe import visible
from mailmove.units import plural


def text(result: ReindexResult, again: Again = ALL) -> Iterator[str]:
    """What was made again, what was saved, what is lost, and what to do next."""
    yield f"The index was made again: {plural(result.messages, 'message')} in {plural(result.folders, 'folder')}."
    yield f"  {words.path(result.path)}"
    if result.salvaged.gone:
        yield "There was no journal; a new one was begun."
    elif result.salvaged.lost:
        lines = plural(result.salvaged.lost, "line")
        yield f"{lines} of the journal could not be read; all others were saved. As it was, it is kept:"
        yield f"  {visible(result.salvaged.aside)}"
    if result.salvaged.recalled:
        yield f"{plural(result.salvaged.recalled, 'record')} added to the journal that only the index before had."
    if result.adopted:
        how = "its file, re-hashed" if result.adopted == 1 else "their files, each re-hashed"
        yield f"{plural(result.adopted, 'message')} recorded again from {how}."
    if result.adopted or not result.salvaged.whole:
        yield "What neither a file name nor the index before says is lost: keywords, INTERNALDATE as the server"
        yield "sent it, announced sizes, when each message was verified, which are gone from the server, what was done"
        yield "when. The next export learns again what the server still tells."
    if result.erased:
        files = plural(result.erased, "file")
        yield f"{files} of erased messages, put back by somebody, not recorded: mailmove erase --finish"
    yield from problems(result)
    for note in result.notes:
        yield f"Note: {note}."
    if result.salvaged.unread:
        yield f"Note: the index before could not be read ({result.salvaged.unread}): whether it knew more is unknown."
    learn = result.adopted or not result.salvaged.whole
    yield f"Next: {again.command('export' if learn else 'check')}"


def problems(result: ReindexResult, _: Again = ALL) -> Iterator[str]:
    """What is not in order, or not finished."""
    if result.stopped:
        yield "Interrupted: run the same command again to record the other files."
    if result.missing:
        number = len(result.missing)
        yield f"{plural(number, 'message')} that only the index before knew, without record and file in the archive:"
        yield from named(result.missing)
        yield "  put the files back from a newer copy of the archive, then run this again;"
        yield "  what the server still has, the next export fetches. Until then check calls them missing."
    for path in result.aside:
        yield f"DAMAGED  a file is not what its name says; it is kept: {visible(path)}"
    for path, count in result.unplaced.items():
        files = plural(count, "message file")
        yield f"NOT RECORDED  {files} in {visible(path)}: archive.toml does not say of which folder"


def as_json(result: ReindexResult) -> dict[str, Any]:
    """One archive."""
    return {
        "account": result.account,
        "archive": result.path,
        "exit": int(result.exit),
        "stopped": result.stopped.what if result.stopped else None,
        "messages": result.messages,
        "folders": result.folders,
        "journal": {
            "gone": result.salvaged.gone,
            "lost_lines": result.salvaged.lost,
            "kept_at": result.salvaged.aside or None,
        },
        "recalled": result.salvaged.recalled,
        "index_unread": result.salvaged.unread or None,
        "missing": list(map(problem_json, result.missing)),
        "adopted": result.adopted,
        "erased": result.erased,
        "aside": result.aside,
        "unplaced": result.unplaced,
        "notes": result.notes,
    }
