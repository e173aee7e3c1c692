"""Seal: one number for all that an archive has recorded, a file that can name what goes missing, proofs for others."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from mailmove import replacing
from mailmove.archive.place import META
from mailmove.archive.record.records import Sealed
from mailmove.archive.seals import keeping, merkle
from mailmove.archive.seals.keeping import Compared, Held, compare
from mailmove.archive.seals.leaves import leaves, records
from mailmove.archive.seals.seal import Number, Seal, digest, proof
from mailmove.archive.store import Archive
from mailmove.errors import ArchiveError, Exit, UsageError
from mailmove.jobs.progress import Progress
from mailmove.jobs.timestamping import Stamp
from mailmove.model import MessageId, folder_text
from mailmove.safe import visible
from mailmove.units import timestamp

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class SealResult:
    """A seal of one archive: its number, its file, when it was made; ``new``: by this run.

    ``text`` is the file's content where that is to be printed, ``stamp`` the time-stamp that was asked for.
    """

    account: str
    path: str
    number: Number
    file: str
    at: str
    before: str
    new: bool = True
    text: bytes = b""
    stamp: Stamp | None = None

    exit = Exit.DONE


@dataclass(frozen=True, slots=True)
class Gap:
    """What was sealed, from number ``first`` to ``last`` counted from 1, and is recorded no more; ``after`` and
    ``before`` are the messages beside it, safe for a terminal.
    """

    first: int
    last: int
    after: str
    before: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says of a seal: ``as_sealed``, whether the record still is; ``recorded``, how much there is now.

    Of the messages that it is about, ``bad`` are missing or altered, ``accepted`` to be missing, and ``erased`` by
    record. The ``gaps`` only a seal's file can name.
    """

    number: str
    size: int
    recorded: int
    as_sealed: bool
    bad: int
    accepted: int
    erased: int
    gaps: tuple[Gap, ...]


def judge(compared: Compared, bad: Iterable[Held], accepted: Iterable[Held], erased: Iterable[Held]) -> Verdict:
    """What a seal comes to, once the files have been looked at."""
    return Verdict(
        str(compared.number),
        compared.number.size,
        compared.recorded,
        compared.as_sealed,
        sum(one in compared.held for one in bad),
        sum(one in compared.held for one in accepted),
        sum(one in compared.held for one in erased),
        tuple(Gap(gap.first, gap.last, _place(gap.after), _place(gap.before)) for gap in compared.gaps),
    )


def _place(message: MessageId | None) -> str:
    return f"{visible(folder_text(message.folder))} UID {message.uid}" if message else ""


def against(archive: Archive, wanted: Seal | Number) -> Compared:
    """Hold a seal against what this archive records.

    :raises UsageError: when it is another archive's.
    :raises ArchiveError: when the journal cannot be read.
    """
    if isinstance(wanted, Seal) and wanted.archive != archive.manifest.uuid:
        raise UsageError(
            f"this is the seal of another archive than {visible(archive.path)}", "Name the archive that it is of."
        )
    return compare(archive, wanted)


def seal(account: str, archive: Archive, out: str = "") -> Generator[Progress, None, SealResult]:
    """Seal what is recorded so far, in the archive; or, with ``out``, only into that file (``-``: to be printed).

    Where nothing was recorded since the last seal, and its file is there, that one stands.

    :raises ArchiveError: when the archive cannot be read or written.
    """
    yield from ()
    found, last = leaves(archive), archive.index.last_seal()
    made = Seal.of(archive.manifest.uuid, timestamp(datetime.now(UTC)), last.file if last else "", found)
    told = SealResult(account, archive.path, made.number, out, made.at, made.before)
    if out:
        return _elsewhere(told, made.octets(), out)
    if last is not None and (last.leaves, last.root) == (len(found), made.root.hex()):
        path = os.path.join(archive.path, META, keeping.NAME, made.name)
        if _holds(path, last):
            return SealResult(account, archive.path, made.number, path, last.at, last.before, new=False)
    path = keeping.keep(archive, made)
    return SealResult(account, archive.path, made.number, os.path.join(archive.path, path), made.at, made.before)


def prove(account: str, archive: Archive, sha256: bytes, out: str) -> SealResult:
    """Write a proof that a message is part of the last seal.

    :raises UsageError: when it is not, or there is no seal yet.
    :raises ArchiveError: when the archive cannot be read, or the file not be written.
    """
    last = archive.index.last_seal()
    if last is None:
        raise UsageError(f"the archive of {visible(account)} is not sealed yet", "Run: mailmove seal")
    sealed, found = leaves(archive)[: last.leaves], None
    if merkle.root(sealed).hex() != last.root:
        raise ArchiveError(
            f"the record of {visible(archive.path)} is not what was sealed on {last.at}",
            "What became of it: mailmove check --seal FILE, with the seal's file. Then seal it anew.",
        )
    for index, (_, record) in enumerate(records(archive)):
        if index >= last.leaves:
            break
        if record.sha256 == sha256.hex():
            found = index, record
            break
    if found is None:
        raise UsageError("this message came after the last seal", "Run mailmove seal first.")
    index, record = found
    told = SealResult(account, archive.path, Number(last.leaves, bytes.fromhex(last.root)), out, last.at, last.before)
    return _elsewhere(told, proof(record, sealed, index), out)


def read(given: str) -> Seal | Number:
    """A seal by its file, or by its number.

    :raises UsageError: when it is neither.
    :raises ArchiveError: when the file is damaged, or cannot be read.
    """
    if not os.path.lexists(os.path.expanduser(given)):
        try:
            return Number.read(given)
        except ValueError as error:
            raise UsageError(
                f"{visible(given, 100)} is neither a seal's file nor its number: {error}",
                "Both come from: mailmove seal",
            ) from None
    try:
        with open(os.path.expanduser(given), "rb") as file:
            return Seal.read(file.read())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ArchiveError(f"{visible(given)} cannot be used as a seal: {why}", "Take another copy of it.") from None


def _elsewhere(told: SealResult, octets: bytes, out: str) -> SealResult:
    if out == STDOUT:
        return SealResult(told.account, told.path, told.number, out, told.at, told.before, text=octets)
    try:
        replacing.replace_file(os.path.abspath(os.path.expanduser(out)), octets)
    except OSError as error:
        raise ArchiveError(
            f"writing {visible(out)}: {error.strerror}", "Name a file in a directory that is there."
        ) from None
    return told


def _holds(path: str, last: Sealed) -> bool:
    try:
        with open(path, "rb") as file:
            return digest(file.read()) == last.file
    except OSError:
        return False
