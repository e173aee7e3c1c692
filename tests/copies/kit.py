"""An archive and its copies without a process of their own, and disks that a test does not have."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mailmove.cancel import Cancel
from mailmove.jobs.copy.result import Copied, ReadBack, Target
from mailmove.jobs.copy.run import copy, record
from tests.pruning import Pruner, drained

JOURNAL = Path(".mailmove/journal.jsonl")


def copied(
    pruner: Pruner,
    to: Path,
    *,
    name: str = "",
    asked: ReadBack = ReadBack.ALL,
    between: Callable[[], object] = lambda: None,
) -> Copied:
    """Copy the archive of a pruner; ``between`` happens before the archive takes its note of it."""
    with pruner.opened(writable=False) as archive:
        done = drained(copy(archive, Target(name, str(to)), asked, Cancel()))
    between()
    if done.done:
        with pruner.opened() as archive:
            record(archive, [done], asked)
    return done


def held(place: Path) -> dict[str, str]:
    """Every message file of a place with its hash: by folder, and name with one separator."""
    return {
        path.relative_to(place).as_posix().replace(";2,", ":2,"): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in place.rglob("cur/*")
    }


def octets(place: Path) -> Counter[str]:
    """How often which octets lie in a place."""
    return Counter(held(place).values())


def is_beginning(there: Path, archive: Path) -> bool:
    """Whether the journal of a copy is a beginning of the archive's."""
    return (archive / JOURNAL).read_bytes().startswith((there / JOURNAL).read_bytes())
