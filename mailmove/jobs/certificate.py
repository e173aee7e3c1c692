"""A certificate of a run of prune: what was deleted on the server, by which rule and answer, and where it lies now.

It states what the journal says and what the files hold when it is made; each file is hashed for it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.index.deeds import Deletion
from mailmove.archive.index.erased import Rest
from mailmove.archive.index.messages import Entry
from mailmove.archive.proof.rehashing import prove_all
from mailmove.archive.store import Archive
from mailmove.errors import Exit, UsageError
from mailmove.jobs.progress import Advance, Progress
from mailmove.model import folder_text
from mailmove.safe import visible
from mailmove.units import timestamp


@dataclass(frozen=True, slots=True)
class Line:
    """A message that the run was to delete. ``folder`` is the name of ``wire``, ``arrival`` in Unix seconds.

    ``server``: what is known of it there. ``file`` is relative to the archive, empty where there is none that holds
    what was archived: ``lacking`` says why.
    """

    folder: str
    wire: bytes
    uidvalidity: int
    uid: int
    arrival: int
    internaldate: str
    subject: bytes | None
    octets: int
    sha256: bytes
    server: str
    file: str
    lacking: str


@dataclass(frozen=True, slots=True)
class Share:
    """What the run began in one folder: when, by which rule, and what was answered to the question."""

    folder: str
    begun: str
    done: str
    rule: str
    answer: str
    proof: str


@dataclass(frozen=True, slots=True)
class Second:
    """A copy of the archive: its name and directory, its UUID, when the archive was last copied there, and how the run
    proved in it all that it deleted; empty: it did not.
    """

    name: str
    path: str
    uuid: str
    copied: str
    proof: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """All of it. ``uuid`` is the archive's, ``made`` when this was, ``exit`` the run's exit code where it is known."""

    account: str
    login: str
    path: str
    uuid: str
    run: str
    made: str
    shares: tuple[Share, ...]
    lines: tuple[Line, ...]
    unarchived: int
    copies: tuple[Second, ...] = ()
    files: tuple[str, ...] = field(default=())
    """What was written, in words."""

    exit = Exit.DONE


ABSENT = "accepted EXPUNGE, later absent"
LEFT = "still listed by the server after the run"
UNKNOWN = "not known: the run was stopped before it could look"


def certificate(account: str, archive: Archive, run: str) -> Generator[Progress, None, Certificate]:
    """What there is to certify of a run; each message file is read and hashed.

    :raises UsageError: when no run of this archive that deleted anything is called that.
    :raises ArchiveError: when the archive cannot be read.
    """
    deletions = archive.index.deletions(run)
    if not deletions:
        raise UsageError(
            f"{visible(account)} has no run {visible(run)!r} that deleted anything", "Which there are: mailmove history"
        )
    lines: list[Line] = []
    for deletion in deletions:
        lines += yield from _lines(archive, deletion)
    return Certificate(
        account,
        archive.manifest.login,
        archive.path,
        archive.manifest.uuid,
        run,
        timestamp(datetime.now(UTC)),
        tuple(_share(archive, deletion) for deletion in deletions),
        tuple(lines),
        sum(len(deletion.begun.unarchived) for deletion in deletions),
        tuple(_copies(archive, run)),
    )


def write(directory: str, files: Mapping[str, bytes]) -> None:
    """Put files into a directory, made where it is missing.

    :raises ArchiveError: when one cannot be written.
    """
    path = os.path.abspath(os.path.expanduser(directory))
    with durable.explained(f"writing to {visible(path)}"):
        os.makedirs(path, exist_ok=True)
        for name, octets in files.items():
            replacing.replace_file(os.path.join(path, name), octets)


def _copies(archive: Archive, run: str) -> Iterator[Second]:
    """Those of today, and those that the run relied on and that are none any more."""
    relied = {line.copy: line for line in archive.index.proven_at() if line.run == run}
    for line in archive.index.copied():
        at = relied.pop(line.copy, None)
        yield Second(line.name, line.place, line.copy, line.at, at.how if at is not None else "")
    yield from (Second(at.name, "", at.copy, "", at.how) for at in relied.values())


def _share(archive: Archive, deletion: Deletion) -> Share:
    begun, done = deletion
    return Share(
        folder_text(begun.folder),
        begun.at,
        done.at if done is not None else "",
        archive.index.prune_rule(begun.run, begun.folder, begun.uidvalidity),
        begun.answer,
        begun.proof,
    )


def _lines(archive: Archive, deletion: Deletion) -> Generator[Progress, None, list[Line]]:
    """The archived messages of one folder of the run."""
    begun, _ = deletion
    wanted = begun.uids - begun.unarchived
    entries = {
        entry.stored: entry
        for entry in archive.index.entries(begun.folder, begun.uidvalidity)
        if entry.stored.id.uid in wanted and entry.current
    }
    where = archive.manifest.find(begun.folder, begun.uidvalidity)
    lines = []
    for verdict in prove_all(archive, where, entries) if where is not None else ():
        file = f"{where.path}/cur/{verdict.name}" if where is not None and not verdict.problem else ""
        lines.append(_line(archive, deletion, entries[verdict.stored], file, verdict.problem))
        yield Advance(folder_text(begun.folder), 1, verdict.stored.base.octets)
    erased = archive.index.erased(begun.folder, begun.uidvalidity)
    lines += [_erased(deletion, rest) for rest in erased if rest.uid in wanted]
    return sorted(lines, key=lambda line: line.uid)


def _line(archive: Archive, deletion: Deletion, entry: Entry, file: str, problem: str) -> Line:
    stored = entry.stored
    return Line(
        folder_text(stored.id.folder),
        *stored.id,
        entry.arrival,
        entry.internaldate or "",
        archive.index.headers(stored).subject,
        stored.base.octets,
        stored.sha256,
        _said(deletion, stored.id.uid),
        file,
        problem,
    )


def _erased(deletion: Deletion, rest: Rest) -> Line:
    begun = deletion.begun
    return Line(
        folder_text(begun.folder),
        begun.folder,
        begun.uidvalidity,
        rest.uid,
        rest.arrival,
        "",
        None,
        rest.octets,
        rest.sha256,
        _said(deletion, rest.uid),
        "",
        "erased from the archive since, by record",
    )


def _said(deletion: Deletion, uid: int) -> str:
    if deletion.done is None:
        return UNKNOWN
    return ABSENT if uid in deletion.done.uids else LEFT
