"""Planning a prune: look, decide, export what is not archived yet, prove every message that is to go.

All that takes long or can fail comes before the plan is shown; nothing but deletion follows the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailmove.archive.index import headers
from mailmove.archive.index.messages import Known
from mailmove.archive.proof.rehashing import Inode, Reading
from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused
from mailmove.evidence import waived
from mailmove.imap import deletion, scan
from mailmove.imap.folders import look, select
from mailmove.imap.session import Session
from mailmove.jobs import clock
from mailmove.jobs.dates import known_dates
from mailmove.jobs.export.run import Options as ExportOptions
from mailmove.jobs.export.run import export
from mailmove.jobs.fetching import FolderChanged, Opened
from mailmove.jobs.progress import Advance, Progress
from mailmove.jobs.prune import gmail, rules, target
from mailmove.jobs.prune.copies import Second
from mailmove.jobs.prune.measuring import measure
from mailmove.jobs.prune.proving import Prover, lacking
from mailmove.jobs.prune.result import FolderPlan, PrunePlan
from mailmove.mail import fields
from mailmove.model import Folder, Listed, MessageId, Seen
from mailmove.plan import brakes
from mailmove.plan.folders import choose
from mailmove.plan.policy import Asked, Policy, guess_uses
from mailmove.plan.retention import (
    NO_DATES,
    Dates,
    FolderRule,
    Stays,
    decide,
    is_drafts,
    needed,
)
from mailmove.plan.rules import FolderAge, Rules
from mailmove.units import plural

log = logging.getLogger(__name__)

SAMPLE = 200
"""So many Date headers tell whether a folder was moved here from elsewhere."""

Work = Generator[Progress, None, None]


@dataclass(frozen=True, slots=True)
class Options:
    """What one run was asked for.

    ``scope`` and ``left_out`` are the patterns that an export of this account keeps to; ``include`` and ``exclude``
    narrow them. ``limit`` is the mailbox's size in octets where the server tells none. ``by_hand`` is the command that
    asks for the same with somebody watching.
    """

    policy: Policy = field(default_factory=Policy)
    asked: Asked = field(default_factory=Asked)
    scope: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    without_archive: bool = False
    dry_run: bool = False
    unattended: bool = False
    by_hand: str = ""


class Planner:
    """Makes the plan for one account; :attr:`archive` is None where there is none and none is made."""

    def __init__(
        self,
        account: str,
        session: Session,
        archive: Archive | None,
        options: Options,
        now: datetime,
        seconds: Sequence[Second] = (),
    ) -> None:
        if archive is not None and set(options.policy.copies) != {second.name for second in seconds}:
            raise ValueError("the copies that the policy names come with the plan")
        self.archive = archive
        self.seconds = seconds
        self.session = session
        self.options = options
        self.plan = PrunePlan(
            account,
            archive.path if archive is not None else None,
            now,
            unattended=options.unattended,
            dry_run=options.dry_run,
            without_archive=options.without_archive,
            target=options.asked.target,
            age_by=options.policy.age_by,
            by_hand=options.by_hand,
            copies=tuple(second.name for second in seconds),
            notes=list(archive.notes) if archive is not None else [],
        )
        self._now = int(now.timestamp())
        self._ids: gmail.Ids = {}
        self.held: dict[bytes, str] = {}
        """Folders in which an earlier deletion is not settled, and why."""

    def run(self) -> Work:
        """Make :attr:`plan`.

        :raises LackingError: when the server cannot delete by UID, or a target cannot be told.
        :raises UsageError: when a pattern matches no folder.
        :raises MailmoveError: of server and archive.
        """
        session, plan, archive = self.session, self.plan, self.archive
        session.ask(lambda: deletion.must_be_able(session.wire))
        views = session.ask(lambda: look(session.wire))
        plan.problems = views.problems
        plan.gauge = target.measured_by(plan, measure(session, views, self.options.limit))
        if session.wire.can(gmail.CAPABILITY):
            gmail.must_see_all_labels(views)
            plan.trash = gmail.trash_of(view.folder for view in views)
            plan.notes.append(gmail.NOTE)
        chosen = self._rules(views)
        for view in views:
            if view.folder.wire in chosen:
                yield from self._folder(view, *chosen[view.folder.wire])
        if plan.trash is not None:
            once = archive is not None and not self.options.dry_run and not archive.has_links()
            gmail.decide_by_message(session, plan, views, self._ids, once=once)
        if plan.target is not None:
            yield from self._reach(target.needed_octets(plan, session, views))
        else:
            yield from self._secure(plan.folders)
        self._doubt_clock(views)
        if plan.unattended and plan.doubts:
            for folder in plan.folders:
                folder.hold()

    def _rules(self, views: Iterable[Seen]) -> dict[bytes, tuple[FolderAge, FolderRule]]:
        """The rule of each folder that may be touched; the others are told with the reason."""
        options, plan = self.options, self.plan
        views = [view for view in views if view.folder.selectable]
        selectable = [view.folder for view in views]
        named = choose(selectable, options.include, options.exclude)
        plan.left_out = list(named.left_out)
        exported = set(selectable)
        if not (options.without_archive and options.include):
            exported = set(choose(selectable, options.scope, options.left_out).chosen)
        guessed = guess_uses(selectable)
        laid_down = Rules(options.policy, options.asked, plan.now, guessed)
        told = rules.complete(self.session, self.archive, laid_down, views, record=not options.dry_run)
        plan.missing = told.missing
        plan.notes += told.notes + [str(missing) for missing in told.missing if not missing.doubtful]
        chosen = {}
        for folder in named.chosen:
            plain = folder
            if plan.trash is not None and folder.special_use == "\\all":
                plain = replace(folder, attributes=frozenset())  # it alone has what has no label
            ages = told.rules.age(plain)
            if isinstance(ages, str):
                plan.left_out.append((folder, ages))
            elif folder not in exported:
                plan.left_out.append((folder, "it is left out of the export"))
            else:
                drafts = is_drafts(folder, guessed)
                chosen[folder.wire] = ages, FolderRule(ages, options.policy, plan.now, drafts=drafts)
        if plan.missing and plan.problems:
            plan.doubts.append("a rule of the policy may be for a folder whose line cannot be read")
        return chosen

    def _folder(self, view: Seen, ages: FolderAge, rule: FolderRule) -> Work:
        """Decide for one folder's messages."""
        folder = FolderPlan(view.folder, ages.age.cutoff(self.plan.now) if ages.age is not None else None)
        self.plan.folders.append(folder)
        if view.folder.wire in self.held:
            folder.problem = self.held[view.folder.wire]
            return
        if view.status is None:
            folder.problem = f"cannot be opened: {view.problem}"
            return
        if not view.status.messages:
            return
        yield Advance(view.folder.shown, 0, 0)
        try:
            self._decide(folder, rule)
        except (CommandRefused, FolderChanged) as error:
            folder.problem = str(error)
            folder.hold()
        if view.doubt:
            folder.problem = view.doubt
            folder.hold()
        if self.plan.unattended and self.plan.misspelt and not ages.own:
            folder.hold()
        going, held = len(folder.decisions.go), plural(folder.decisions.messages, "message")
        log.info("%s: %s of %s may go", view.folder.shown, f"{going:,}", held)

    def _decide(self, folder: FolderPlan, rule: FolderRule) -> None:
        opened = Opened(self.session, folder.folder)
        listing = opened.listing()
        folder.uidvalidity = opened.selected.uidvalidity
        known = self._known(folder)
        dates = self._dates(folder, opened, rule, listing)
        folder.decisions = decide(listing, rule, dates, known)
        folder.lacking = lacking(folder, known)
        if self.plan.trash is not None:
            self._ids[folder.folder.wire] = gmail.identities(folder.folder, listing)
        if not folder.decisions.go:
            return
        if opened.unlisted:
            folder.problem = f"{plural(opened.unlisted, 'message')} that the server counts are not in its listing"
            folder.hold()
        elif not opened.selected.uids_sticky:
            folder.refuse("the server gives it no lasting UIDs")
        elif changed := folder.decisions.changed:
            folder.refuse(
                f"{plural(len(changed), 'message')} announce another size or arrival than when archived: "
                "these UIDs may be other messages now. Run: mailmove export"
            )
        elif self.session.ask_of_folder(lambda: select(self.session.wire, folder.folder, writable=True)).read_only:
            self.plan.folders.remove(folder)
            self.plan.left_out.append((folder.folder, "it is read-only"))
        else:
            self._doubt(folder, opened)

    def _known(self, folder: FolderPlan) -> dict[int, Known]:
        """What the archive holds of a folder."""
        if self.archive is None or not folder.uidvalidity:
            return {}
        return self.archive.index.known(folder.folder.wire, folder.uidvalidity)

    def _dates(self, folder: FolderPlan, opened: Opened, rule: FolderRule, listing: list[Listed]) -> Dates:
        """The dates that the rule asks for, from the archive or, where it cannot know, from the server."""
        dates, uids = NO_DATES, {listed.uid for listed in listing}
        if self.archive is not None:
            index, wire = self.archive.index, folder.folder.wire
            sent, archived = rule.needs_sent, rule.needs_archive
            dates = known_dates(index, wire, folder.uidvalidity, uids, sent=sent, archived=archived)
        if rule.needs_sent:
            asked = self._ask_sent(opened, uids - dates.archived.keys())
            dates = replace(dates, sent={**dates.sent, **asked})
        return dates

    def _ask_sent(self, opened: Opened, uids: Collection[int]) -> dict[int, int]:
        """Date headers by the server; messages without one that is told and can be read are left out."""
        if not uids:
            return {}
        told = self.session.ask_of_folder(lambda: list(scan.fields(opened.wire(), uids, b"DATE")))
        read = ((uid, fields.sent(headers.scan(block).date)) for uid, block in told if isinstance(block, bytes))
        return {uid: seconds for uid, seconds in read if seconds is not None}

    def _doubt(self, folder: FolderPlan, opened: Opened) -> None:
        """What a person should look at before this folder's messages go."""
        decisions, archive = folder.decisions, self.archive
        if self.plan.target is None and (much := brakes.too_much(decisions, self.options.policy.max_delete)):
            folder.doubts.append(much)
        if brakes.mostly_one_day(decisions):
            every = max(1, len(decisions.go) // SAMPLE)
            sample = set(sorted(decisions.go)[::every])
            if moved := brakes.migrated(self._ask_sent(opened, sample).values()):
                folder.doubts.append(moved)
        if archive is not None and _replaced(archive, folder):
            folder.doubts.append("its UIDVALIDITY is not the one of before: the folder was replaced")
        if self.plan.unattended and folder.doubts:
            folder.hold()

    def _reach(self, octets: int) -> Work:
        """Keep all but what frees so many octets; where a message cannot be proven, the next one takes its place."""
        folders = {
            f.folder.wire: f for f in self.plan.folders if self.plan.gauge and self.plan.gauge.counts(f.folder.wire)
        }
        first = [wire for wire, f in folders.items() if f.folder.special_use in ("\\trash", "\\junk")]
        for folder in self.plan.folders:
            if folder.folder.wire not in folders:
                folder.decisions.keep(list(folder.decisions.go), Stays.NOT_NEEDED)
        secured: dict[bytes, set[int]] = {wire: set() for wire in folders}
        while True:
            chosen = needed({wire: f.decisions for wire, f in folders.items()}, first, octets)
            new = {wire: chosen[wire] - secured[wire] for wire in folders}
            if not any(new.values()):
                break
            for wire, uids in new.items():
                secured[wire] |= uids
                yield from self._secure([folders[wire]], uids)
        for wire, folder in folders.items():
            folder.decisions.keep(folder.decisions.go.keys() - chosen[wire], Stays.NOT_NEEDED)
            folder.unarchived &= folder.decisions.go.keys()
            if much := brakes.too_much(folder.decisions, self.options.policy.max_delete):
                folder.doubts.append(much)
                if self.plan.unattended:
                    folder.hold()

    def _secure(self, folders: Iterable[FolderPlan], only: Collection[int] | None = None) -> Work:
        """See to it that what goes is in the archive, and prove that it is; what is not stays."""
        chosen = [(f, set(f.decisions.go if only is None else only)) for f in folders if f.decisions.go]
        incomplete = [folder for folder, uids in chosen if folder.lacking & uids]
        if self.options.without_archive or self.options.dry_run:
            for folder, uids in chosen:
                folder.unarchived |= folder.lacking & uids
        elif incomplete:
            yield from self._export([folder.folder for folder in incomplete])
            for folder in incomplete:
                folder.lacking = lacking(folder, self._known(folder))
        read: dict[Inode, Reading] = {}
        for folder, uids in chosen:
            if self.options.without_archive:
                messages = (MessageId(folder.folder.wire, folder.uidvalidity, uid) for uid in uids)
                folder.evidence.update((message.uid, waived(message)) for message in messages)
            else:
                yield from Prover(self.session, self.archive, self.plan, self.seconds).prove(folder, uids, read)
            self._count_sent_later(folder)

    def _export(self, folders: list[Folder]) -> Work:
        """Bring home what these folders hold; Gmail's All Mail by itself, since beside it labels may be left out."""
        assert self.archive is not None, "only a dry run does without an archive"
        all_mail = [folder for folder in folders if folder.special_use == "\\all"]
        for some in filter(None, (all_mail, [folder for folder in folders if folder not in all_mail])):
            wanted = tuple(folder.wire.decode("utf-8", "surrogateescape") for folder in some)
            result = yield from export(self.plan.account, self.session, self.archive, ExportOptions(include=wanted))
            if result.stopped is not None:
                raise result.stopped
            self.plan.exported += result.total("fetched") + result.total("linked")

    def _count_sent_later(self, folder: FolderPlan) -> None:
        """How many of what goes have a Date header that is not old enough, as far as the archive tells."""
        if self.archive is None or folder.before is None:
            return
        cut, go = folder.before.timestamp(), folder.decisions.go
        dates = self.archive.index.dates(folder.folder.wire, folder.uidvalidity, go.keys())
        folder.sent_later = sum(1 for _, date, _ in dates if (fields.sent(date) or 0) >= cut)

    def _doubt_clock(self, views: Iterable[Seen]) -> None:
        """Hold the clock of this machine against what the server and earlier runs say."""
        plan = self.plan
        if doubt := clock.doubt(plan, self.archive, self.session, views):
            plan.doubts.append(doubt)


def _replaced(archive: Archive, folder: FolderPlan) -> bool:
    """Whether the folder had another UIDVALIDITY before, and nobody has agreed to a deletion in this one yet."""
    others = [
        known
        for known in archive.manifest.folders
        if known.wire == folder.folder.wire and known.uidvalidity not in (0, folder.uidvalidity)
    ]
    if not others:
        return False
    return not any(
        (one.begun.folder, one.begun.uidvalidity) == (folder.folder.wire, folder.uidvalidity)
        for one in archive.index.deletions()
    )
