"""Check: is every archived message still there, octet for octet; and what exists nowhere else? Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from mailmove.archive import surveying
from mailmove.archive.files.names import Base
from mailmove.archive.index.messages import Stored
from mailmove.archive.proof import strays
from mailmove.archive.proof.rehashing import ALTERED, MISSING, Inode, Reading, digest_at, prove_all
from mailmove.archive.record.jsonline import wire_octets
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.record.records import Copied, Remembered
from mailmove.archive.seals.seal import Number, Seal
from mailmove.archive.store import Archive
from mailmove.cancel import Cancel
from mailmove.errors import CommandRefused, Exit, Interrupted, most_serious
from mailmove.imap.folders import look
from mailmove.imap.session import Session
from mailmove.jobs.copy import checking
from mailmove.jobs.copy.result import Second, Target
from mailmove.jobs.fetching import FolderChanged, Opened
from mailmove.jobs.progress import Advance, Expect, Progress
from mailmove.jobs.seal import Verdict, against, judge
from mailmove.model import Folder, MessageId
from mailmove.plan.folders import choose, hidden
from mailmove.plan.presence import presence


@dataclass(frozen=True, slots=True)
class Problem:
    """A message whose file is missing, or not what was archived.

    ``folder`` is the name of ``id``'s folder, ``sha256`` of what was archived. ``why`` says more where there is more to
    say; ``arrival`` is in Unix seconds, ``subject`` as in the message. ``accepted``: somebody knows that it is missing.
    """

    folder: str
    id: MessageId
    sha256: bytes
    missing: bool
    why: str
    arrival: int
    subject: bytes | None
    on_server: bool
    accepted: bool = False

    @property
    def uid(self) -> int:
        """Its UID."""
        return self.id.uid


@dataclass(frozen=True, slots=True)
class Moved:
    """A message whose file is whole, but where a mail program put it; ``path`` is relative to the archive."""

    folder: str
    uid: int
    path: str


@dataclass(frozen=True, slots=True)
class Some:
    """Messages of one folder; ``octets`` 0 where they were not counted."""

    folder: str
    uids: tuple[int, ...]
    octets: int = 0


@dataclass(slots=True)
class CheckResult:
    """What a check found in one archive. Counts are messages."""

    account: str
    path: str
    quick: bool
    compared: bool
    messages: int = 0
    octets: int = 0
    checked: int = 0
    problems: list[Problem] = field(default_factory=list)
    accepted: list[Problem] = field(default_factory=list)
    """Messages that are missing and accepted so: no problem."""
    moved: list[Moved] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    """Message files without a record, relative to the archive; whole, if they were hashed."""
    erased: int = 0
    """Messages that were erased, by record."""
    returned: list[str] = field(default_factory=list)
    """Files of such messages that are there again, relative to the archive."""
    damaged: list[str] = field(default_factory=list)
    """Message files without a record that are not what their names say."""
    foreign: list[str] = field(default_factory=list)
    only_here: list[Some] = field(default_factory=list)
    """Messages whose octets the server no longer holds anywhere."""
    not_archived: list[Some] = field(default_factory=list)
    """Messages on the server; only with :attr:`compared`."""
    doubts: list[str] = field(default_factory=list)
    """What of the server's folders could not be seen, safe for a terminal."""
    left_out: tuple[tuple[Folder, str], ...] = ()
    """Folders of the server that are not exported, and why; only with :attr:`compared`."""
    copies: list[Copied] = field(default_factory=list)
    """The copies of the archive, each as it was when it was last brought on."""
    pending: dict[str, int] = field(default_factory=dict)
    """How many erased messages may lie there still, by the UUID of the copy."""
    proven: list[Second] = field(default_factory=list)
    """What proving copies again came to, where that was asked for."""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    sealed: Verdict | None = None
    """What is to be said of a seal, where one was given."""
    stopped: Interrupted | None = None

    @property
    def exit(self) -> Exit:
        """The exit code of this archive."""
        if self.stopped is not None:
            return self.stopped.exit
        if self.problems or self.damaged or (self.sealed is not None and not self.sealed.as_sealed):
            return Exit.ARCHIVE
        if worst := most_serious(second.exit for second in self.proven):
            return worst
        return Exit.PARTIAL if self.doubts else Exit.DONE


Key = tuple[bytes, int]
"""A folder's wire name and UIDVALIDITY."""

Held = dict[Key, frozenset[int]]
"""The UIDs of each archived folder that the server still lists as what is archived."""


@dataclass(frozen=True, slots=True)
class Options:
    """``quick``: list the files, hash none. ``copies``: prove these again as well.

    ``seal`` is held against the record. The patterns say which of the server's folders belong in the archive.
    """

    quick: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    copies: tuple[Target, ...] = ()
    seal: Seal | Number | None = None


def check(
    account: str, archive: Archive, session: Session | None, cancel: Cancel, options: Options
) -> Generator[Progress, None, CheckResult]:
    """Check one archive; with a session, compare it with what the server holds now.

    :raises ArchiveError: when the archive cannot be read at all.
    :raises MailmoveError: of :mod:`mailmove.imap`, before any file is hashed.
    """
    began = time.monotonic()
    result = CheckResult(account, archive.path, options.quick, session is not None, notes=list(archive.notes))
    result.messages, result.octets = archive.index.count()
    result.copies, result.pending = archive.index.copied(), archive.index.pending()
    held = {key: _seen_last(archive, key) for key in archive.index.folders()}
    if session is not None:
        held = _seen_now(session, archive, options, held, result)
    compared = against(archive, options.seal) if options.seal is not None else None
    result.erased = archive.index.count_erased()
    files = _Files(archive, cancel, held, result)
    try:
        yield from files.run()
        for target in options.copies:
            result.proven.append((yield from checking.check(archive, target, cancel, datetime.now(UTC))))
    except Interrupted as error:
        result.stopped = error
    if compared is not None:
        result.sealed = judge(compared, _held(result.problems), _held(result.accepted), _erased(archive))
    result.only_here = list(_only_here(archive, held, files.bad))
    result.seconds = time.monotonic() - began
    return result


class _Files:
    """Goes through the message files of an archive."""

    def __init__(self, archive: Archive, cancel: Cancel, held: Held, result: CheckResult) -> None:
        self._archive = archive
        self._cancel = cancel
        self._held = held
        self._result = result
        self._absent: list[Stored] = []
        self._unrecorded: list[tuple[FolderDir, Base, str]] = []
        self._read: dict[Inode, Reading] = {}
        self._listed: dict[Key, set[tuple[int, bytes]]] = {}
        self._accepted = _accepting(archive)
        self._returned: set[tuple[bytes, Base]] = set()
        self.bad: set[tuple[Key, bytes]] = set()

    def run(self) -> Generator[Progress, None, None]:
        """Every folder, then what is not in its place, then what should not be there."""
        archive, result = self._archive, self._result
        yield Expect(result.messages, 0 if result.quick else result.octets)
        for folder in archive.manifest.folders:
            yield from self._folder(folder)
        for wire, uidvalidity in archive.index.folders():
            if archive.manifest.find(wire, uidvalidity) is None:
                self._absent += archive.index.stored(wire, uidvalidity)
        self._look_elsewhere()
        moved = {one.path for one in result.moved}
        self._judge_unrecorded(moved)
        self._look_for_remembered()
        result.foreign = sorted(set(strays.foreign(archive)) - moved)

    def _folder(self, folder: FolderDir) -> Generator[Progress, None, None]:
        survey = surveying.survey(self._archive, folder)
        self._unrecorded += [(folder, base, name) for base, name in survey.unrecorded]
        present: list[Stored] = []
        for stored in self._archive.index.stored(folder.wire, folder.uidvalidity):
            (self._absent if stored.base in survey.missing else present).append(stored)
        if self._result.quick:
            self._cancel.check()
            self._result.checked += len(present)
            return
        for verdict in prove_all(self._archive, folder, present, self._read):
            self._cancel.check()
            if verdict.name is None:  # renamed just while the directory was listed
                self._absent.append(verdict.stored)
                continue
            if verdict.problem:
                self._problem(verdict.stored, verdict.problem)
            self._result.checked += 1
            yield Advance(folder.shown, 1, verdict.stored.base.octets)

    def _look_elsewhere(self) -> None:
        found = strays.find_moved(self._archive, self._absent)
        for stored in self._absent:
            self._cancel.check()
            self._result.checked += 1
            path = found.get(stored)
            if path is None:
                self._problem(stored, MISSING)
                continue
            key = stored.id.folder, stored.id.uidvalidity
            home = self._archive.manifest.find(*key)
            if home is None or not path.startswith(f"{home.path}/cur/"):
                self._result.moved.append(Moved(_name(self._archive, key), stored.id.uid, path))

    def _judge_unrecorded(self, moved: Collection[str]) -> None:
        for folder, base, name in self._unrecorded:
            self._cancel.check()
            path = f"{folder.path}/cur/{name}"
            if path in moved:
                continue
            if self._is_erased(folder, base):
                self._result.returned.append(path)
                continue
            whole = self._result.quick or self._is_what_its_name_says(folder, base, name)
            if whole:
                self._returned.add((folder.wire, base))
            (self._result.unrecorded if whole else self._result.damaged).append(path)

    def _is_erased(self, folder: FolderDir, base: Base) -> bool:
        rests = self._archive.index.erased(folder.wire, folder.uidvalidity)
        return any((rest.uid, rest.sha256.hex()[:32]) == (base.uid, base.digest) for rest in rests)

    def _look_for_remembered(self) -> None:
        """What only a lost index knew is missing until its file is back; an export or reindex then records that."""
        result = self._result
        for line, problem in remembered(self._archive):
            result.messages += 1
            result.checked += 1
            base = Base(line.arrival, line.uidvalidity, line.uid, line.octets, line.sha256[:32])
            if (line.folder, base) not in self._returned:
                self._name(problem)

    def _is_what_its_name_says(self, folder: FolderDir, base: Base, name: str) -> bool:
        with self._archive.opened(folder) as directory:
            try:
                octets, sha256 = digest_at(directory, name)
            except OSError:
                return False
        return octets == base.octets and sha256.hex().startswith(base.digest)

    def _problem(self, stored: Stored, why: str) -> None:
        key = stored.id.folder, stored.id.uidvalidity
        self.bad.add((key, stored.sha256))
        self._name(
            Problem(
                folder=_name(self._archive, key),
                id=stored.id,
                sha256=stored.sha256,
                missing=why == MISSING,
                why="" if why in (MISSING, ALTERED) else why,
                arrival=stored.base.arrival,
                subject=self._archive.index.headers(stored).subject,
                on_server=(stored.id.uid, stored.sha256) in self._on_server(key),
                accepted=why == MISSING and self._accepted(stored.id, stored.sha256),
            )
        )

    def _name(self, problem: Problem) -> None:
        (self._result.accepted if problem.accepted else self._result.problems).append(problem)

    def _on_server(self, key: Key) -> set[tuple[int, bytes]]:
        """UID and SHA-256 of what the server still lists of a folder; a UID may have stood for another message once."""
        found = self._listed.get(key)
        if found is None:
            bodies = (body for body in self._archive.index.bodies(*key) if body.current and body.uid in self._held[key])
            found = self._listed[key] = {(body.uid, body.sha256) for body in bodies}
        return found


def remembered(archive: Archive) -> Iterator[tuple[Remembered, Problem]]:
    """Messages that only a lost index knew, each as a check names it."""
    lines = archive.index.remembered()
    held = archive.index.known_bodies({bytes.fromhex(line.sha256) for line in lines})
    accepted = _accepting(archive)
    for line in lines:
        message = MessageId(line.folder, line.uidvalidity, line.uid)
        subject, sha256 = line.headers.get("subject"), bytes.fromhex(line.sha256)
        yield (
            line,
            Problem(
                folder=_name(archive, (line.folder, line.uidvalidity)),
                id=message,
                sha256=sha256,
                missing=True,
                why="its octets are here as another message" if sha256 in held else "",
                arrival=line.arrival,
                subject=wire_octets(subject) if subject is not None else None,
                on_server=line.gone is None,
                accepted=accepted(message, sha256),
            ),
        )


def _held(problems: Iterable[Problem]) -> Iterator[tuple[MessageId, bytes]]:
    return ((problem.id, problem.sha256) for problem in problems)


def _erased(archive: Archive) -> Iterator[tuple[MessageId, bytes]]:
    for line in archive.index.erasures():
        yield MessageId(line.folder, line.uidvalidity, line.uid), bytes.fromhex(line.sha256)


def _accepting(archive: Archive) -> Callable[[MessageId, bytes], bool]:
    """Tells whether somebody accepts that a message, the one with this SHA-256, is missing."""
    of = cache(archive.index.accepted)
    return lambda message, sha256: (message.uid, sha256) in of(message.folder, message.uidvalidity)


def _seen_last(archive: Archive, key: Key) -> frozenset[int]:
    """What the server held of a folder when an export last looked."""
    return frozenset(uid for uid, known in archive.index.known(*key).items() if not known.gone)


def _seen_now(session: Session, archive: Archive, options: Options, last: Held, result: CheckResult) -> Held:
    """What the server holds of each archived folder now; and, into ``result``, what the archive does not."""
    held: Held = dict.fromkeys(last, frozenset())
    views = session.ask(lambda: look(session.wire))
    if session.wire.can("X-GM-EXT-1") and not options.include and (note := hidden(view.folder for view in views)):
        result.notes.append(note)
    result.doubts = [*views.problems, *(f"{view.folder.shown}: {view.doubt}" for view in views if view.doubt)]
    if views.unread:  # what is not seen may be there all the same
        seen = {view.folder.wire for view in views}
        held |= {key: uids for key, uids in last.items() if key[0] not in seen}
    choice = choose((view.folder for view in views), options.include, options.exclude)
    wanted, result.left_out = {folder.wire for folder in choice.chosen}, choice.left_out
    for view in views:
        wire = view.folder.wire
        archived = [key for key in last if key[0] == wire]
        if not view.folder.selectable or (wire not in wanted and not archived):
            continue
        opened = Opened(session, view.folder)
        try:
            listing = opened.listing()
        except (CommandRefused, FolderChanged) as error:
            result.doubts.append(f"{view.folder.shown} cannot be compared now ({error}): told as of the last export")
            held |= {key: last[key] for key in archived}
            continue
        key = (wire, opened.selected.uidvalidity)
        if not opened.selected.uids_sticky:
            result.notes.append(f"{view.folder.shown} cannot be compared: the server gives it no lasting UIDs")
            held |= {key: last[key] for key in archived}
            continue
        found = presence(listing, archive.index.known(*key))
        if key in held:
            held[key] = found.both
        lacking = found.server_only - {rest.uid for rest in archive.index.erased(*key)}
        if wire in wanted and lacking:
            result.not_archived.append(Some(view.folder.name, tuple(sorted(lacking))))
    return held


def _only_here(archive: Archive, held: Held, bad: Collection[tuple[Key, bytes]]) -> Iterator[Some]:
    """Messages whose octets the server holds nowhere: not under their UID, and not as another message's."""
    on_server: set[bytes] = set()
    for key, uids in held.items():
        on_server.update(body.sha256 for body in archive.index.bodies(*key) if body.current and body.uid in uids)
    for key in held:
        alone = [
            body
            for body in archive.index.bodies(*key)
            if body.sha256 not in on_server and (key, body.sha256) not in bad
        ]
        if alone:
            yield Some(_name(archive, key), tuple(sorted(body.uid for body in alone)), sum(b.octets for b in alone))


def _name(archive: Archive, key: Key) -> str:
    """A folder's name, or its directory's when it is retired; not made safe for a terminal."""
    folder = archive.manifest.find(*key)
    return folder.path if folder is not None and folder.retired else Folder(key[0]).name
