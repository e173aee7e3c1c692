"""Export: bring every message that the server lists into the archive."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from mailmove.archive import surveying
from mailmove.archive.record import records
from mailmove.archive.store import Archive
from mailmove.archive.writing.writer import Writer
from mailmove.errors import CommandRefused, Interrupted, Unreachable
from mailmove.imap.folders import look
from mailmove.imap.session import Session
from mailmove.jobs import clock
from mailmove.jobs.export.doubting import taken
from mailmove.jobs.export.folder import FolderExport
from mailmove.jobs.export.result import ExportResult, FolderResult
from mailmove.jobs.progress import Expect, Progress
from mailmove.model import Seen
from mailmove.plan import sync
from mailmove.plan.folders import choose, hidden, kept_once
from mailmove.units import plural, timestamp

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for: folder patterns; altered files set right; flags compared in every folder.

    ``take``: messages, as ``FOLDER:UID``, that are what came of them, although that is doubted.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    refetch: bool = False
    flags: bool = False
    take: tuple[str, ...] = ()


def export(
    account: str, session: Session, archive: Archive, options: Options
) -> Generator[Progress, None, ExportResult]:
    """Export one account.

    What goes wrong with a message or a folder is in the result, and so is what stopped the run early.

    :raises ArchiveError: when the archive or its disk fails.
    :raises UsageError: when there is nothing to take of a message.
    :raises MailmoveError: of :mod:`mailmove.imap`, before anything was begun.
    """
    began = time.monotonic()
    archive.record(list(taken(archive, options.take)))
    result = ExportResult(account, archive.path, notes=list(archive.notes))
    looked = session.ask(lambda: look(session.wire))
    views = {view.folder.wire: view for view in looked}
    result.unread = looked.unread
    choice = choose((view.folder for view in views.values()), options.include, options.exclude)
    gmail = session.wire.can("X-GM-EXT-1")
    if gmail and not options.include and (note := hidden(view.folder for view in views.values())):
        result.notes.append(note)
    once = gmail and not archive.has_links()
    if once:
        choice = kept_once(choice)
    result.left_out = choice.left_out
    with Writer(archive) as writer:
        folders = FolderExport(session, archive, writer, refetch=options.refetch, labels=once)
        try:
            yield from _folders([views[folder.wire] for folder in choice.chosen], archive, folders, options, result)
            if not looked.unread:  # or it may be there all the same
                folders.after += _vanished(archive, views, result)
            writer.flush()
            if any(folder.fetched or folder.linked for folder in result.folders):
                _second_look(session, result)
        except (Unreachable, Interrupted) as error:
            result.stopped = error.bare()
        writer.flush()
        archive.record(folders.after)
        folders.fold()
        archive.record(folders.complete)
    archive.record([_run(result)])
    if result.total("fetched"):
        clock.vouch_by_archive(archive, int(time.time()))
    result.octets = archive.index.count()[1]
    result.seconds = time.monotonic() - began
    return result


def _folders(
    views: list[Seen], archive: Archive, folders: FolderExport, options: Options, result: ExportResult
) -> Generator[Progress, None, None]:
    """Go through the folders; one that fails does not stop the others."""
    archive.prepare(
        (view.folder, view.status.uidvalidity) for view in views if view.status is not None and view.status.uidvalidity
    )
    changed = []
    for view in views:
        outcome = FolderResult(view.folder)
        result.folders.append(outcome)
        if view.doubt:
            outcome.fail(view.doubt)
        if view.status is None:
            outcome.fail(f"cannot be opened: {view.problem}")
        elif not _settled(view, archive, options):
            outcome.fail(f"{view.status.messages:,} messages, not looked at yet")
            changed.append((view, outcome, Expect(view.status.messages, view.status.size or 0)))
        else:
            outcome.listed = outcome.archived = view.status.messages
    log.info("%s to look at, the others did not change", plural(len(changed), "folder"))
    for *_, expected in changed:
        yield expected
    for view, outcome, expected in changed:
        unseen = outcome.failures.pop()
        try:
            yield from folders.run(view.folder, outcome, expected)
            log.info("%s: %s new, %s in the archive", view.folder.shown, f"{_new(outcome):,}", f"{outcome.archived:,}")
        except (Unreachable, Interrupted):
            if not outcome.failures:
                outcome.failures.append(unseen)
            raise


def _new(outcome: FolderResult) -> int:
    return outcome.fetched + outcome.linked


def _settled(view: Seen, archive: Archive, options: Options) -> bool:
    """Whether nothing changed in a folder, on the server or in the archive, since it was complete."""
    wire, status = view.folder.wire, view.status
    assert status is not None
    uidvalidity = status.uidvalidity or 0
    if options.refetch or options.flags or not sync.unchanged(status, archive.index.complete(wire, uidvalidity)):
        return False
    if archive.index.troubles(wire, uidvalidity) or archive.index.present(wire, uidvalidity) != status.messages:
        return False
    survey = surveying.survey(archive, archive.folder(wire, uidvalidity))
    return not (survey.missing or survey.unrecorded or survey.doubled)


def _vanished(archive: Archive, views: Collection[bytes], result: ExportResult) -> Iterator[records.Gone]:
    """Folders that the server does not list any more, and what is archived of them."""
    for folder in archive.manifest.folders:
        if folder.retired or folder.wire in views or not folder.uidvalidity:
            continue
        known = archive.index.known(folder.wire, folder.uidvalidity)
        left = frozenset(uid for uid, record in known.items() if not record.gone)
        if left:
            messages = plural(len(left), "message")
            result.notes.append(f"{folder.shown} is not on the server any more; the archive keeps its {messages}")
            yield records.Gone(folder.wire, folder.uidvalidity, left, timestamp(datetime.now(UTC)))


def _second_look(session: Session, result: ExportResult) -> None:
    """Hold what the server says now against what was exported: what changed meanwhile is said."""
    try:
        now = {view.folder.wire: view for view in session.ask(lambda: look(session.wire))}
    except CommandRefused as error:
        result.notes.append(f"no second look: {error.command} refused: {error.status} {error.text}")
        return
    result.compared = True
    for outcome in result.folders:
        view = now.get(outcome.folder.wire)
        status = view.status if view is not None else None
        if status is None:
            outcome.notes.append("is not on the server any more, or cannot be opened now")
            continue
        held = (
            outcome.archived + outcome.accepted + outcome.erased + sum(1 for failure in outcome.failures if failure.uid)
        )
        if not outcome.failures and status.messages > held:
            result.arrived += status.messages - held


def _run(result: ExportResult) -> records.Run:
    summary = {name: result.total(name) for name in ("listed", "archived", "fetched", "linked", "vanished")}
    summary["failed"] = len(result.failures)
    return records.Run("export", timestamp(datetime.now(UTC)), int(result.exit), summary)
