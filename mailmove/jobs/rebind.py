"""Rebind: prove that a login under another name is the mailbox an archive was made of."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmove.archive.record import records
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused, Exit
from mailmove.imap.bodies import hashes
from mailmove.imap.folders import look
from mailmove.imap.session import Session
from mailmove.jobs.fetching import Opened
from mailmove.jobs.progress import Advance, Progress
from mailmove.plan.presence import presence
from mailmove.units import plural, timestamp

SAMPLES = 5
"""Messages of each folder whose octets are compared, from the first to the last."""


@dataclass(slots=True)
class Rebind:
    """What was compared, and whether the archive now belongs to ``new``. ``against`` speaks against it, in words."""

    account: str
    path: str
    old: str
    new: str
    folders: int = 0
    compared: int = 0
    """Messages whose UID, announced size and arrival are the archive's."""
    hashed: int = 0
    """Those of them whose octets were fetched and hashed to what is archived."""
    absent: list[str] = field(default_factory=list)
    """Archived folders that are not on the server, safe for a terminal."""
    against: list[str] = field(default_factory=list)
    bound: bool = False

    @property
    def proven(self) -> bool:
        """Whether something speaks for it and nothing against."""
        return self.hashed > 0 and not self.against

    @property
    def exit(self) -> Exit:
        """Its exit code."""
        return Exit.DONE if self.bound else Exit.REFUSED


def compare(account: str, session: Session, archive: Archive) -> Generator[Progress, None, Rebind]:
    """Hold the folders of a login against an archive of another; changes nothing.

    :raises MailmoveError: of :mod:`mailmove.imap`.
    """
    result = Rebind(account, archive.path, archive.manifest.login, session.endpoint.login)
    there = {seen.folder.wire: seen.folder for seen in session.ask(lambda: look(session.wire))}
    for where in archive.manifest.folders:
        if where.retired or not where.uidvalidity:
            continue
        folder = there.get(where.wire)
        if folder is None or not folder.selectable:
            result.absent.append(where.shown)
            continue
        yield Advance(folder.shown, 0, 0)
        try:
            _compare(session, Opened(session, folder), where, archive, result)
        except CommandRefused as error:
            result.against.append(f"{folder.shown} cannot be opened: {error.text}")
    return result


def bind(result: Rebind, archive: Archive) -> Rebind:
    """The archive is the new login's from now on."""
    archive.rebind(result.new)
    summary = {"folders": result.folders, "compared": result.compared, "hashed": result.hashed}
    archive.record([records.Run("account rebind", timestamp(datetime.now(UTC)), int(Exit.DONE), summary)])
    result.bound = True
    return result


def _compare(session: Session, opened: Opened, where: FolderDir, archive: Archive, result: Rebind) -> None:
    """One folder: its UIDVALIDITY, every message's UID, size and arrival, and the octets of some."""
    shown = opened.folder.shown
    listing = opened.listing()
    if opened.selected.uidvalidity != where.uidvalidity:
        result.against.append(
            f"{shown} has UIDVALIDITY {opened.selected.uidvalidity} there, {where.uidvalidity} in the archive"
        )
        return
    known = archive.index.known(where.wire, where.uidvalidity)
    found = presence(listing, known)
    others = found.server_only & known.keys()
    if others:
        result.against.append(f"{plural(len(others), 'message')} in {shown} with archived UIDs are other messages")
        return
    result.folders += 1
    result.compared += len(found.both)
    samples = _spread(sorted(found.both), SAMPLES)
    current = archive.index.current(where.wire, where.uidvalidity, samples)
    for uid, sha256 in (session.ask(lambda: hashes(opened.wire(), samples)) if samples else {}).items():
        if current[uid].sha256 == sha256:
            result.hashed += 1
        else:
            result.against.append(f"{shown} UID {uid} holds other octets there than in the archive")


def _spread(items: list[int], most: int) -> list[int]:
    """At most so many of a list, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[round(at * (len(items) - 1) / (most - 1))] for at in range(most)]
