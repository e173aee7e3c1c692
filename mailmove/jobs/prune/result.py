"""A prune as values: the plan that is shown and asked about, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from mailmove.errors import Exit, MailmoveError
from mailmove.evidence import Evidence
from mailmove.imap.outcome import Outcome
from mailmove.model import Folder
from mailmove.plan.gauge import Gauge
from mailmove.plan.policy import AgeBy, Target
from mailmove.plan.retention import Decisions, Stays
from mailmove.plan.rules import Missing


class Relied(NamedTuple):
    """So many messages were hashed in a copy by earlier runs, and are unchanged ``since`` then (Unix seconds)."""

    messages: int
    since: int


@dataclass(slots=True)
class FolderPlan:
    """The decisions for one folder, and what speaks against them.

    ``before`` is the instant before which its messages are old enough, None where age does not matter. ``refused``
    says why nothing of it may go at all; ``doubts``, what a person should know, and what keeps it unattended;
    ``problem``, why it could not be looked at.
    """

    folder: Folder
    before: datetime | None = None
    uidvalidity: int = 0
    decisions: Decisions = field(default_factory=Decisions)
    refused: str = ""
    doubts: list[str] = field(default_factory=list)
    problem: str = ""
    unproven: dict[int, str] = field(default_factory=dict)
    """Selected and not proven to be in the archive, and why: these stay."""
    lacking: set[int] = field(default_factory=set)
    """Of those selected: the archive does not hold them, or not as the messages that they are now."""
    unarchived: set[int] = field(default_factory=set)
    """Of those that go: not in the archive."""
    evidence: dict[int, Evidence] = field(default_factory=dict)
    """What proves that those that go are in the archive."""
    labels: dict[int, frozenset[str]] = field(default_factory=dict)
    """On Gmail: the labels of those that go, as they were decided about."""
    sent_later: int = 0
    """Of those that go: how many have a Date header that is not old enough; arrival decides all the same."""

    @property
    def octets(self) -> int:
        """Announced size of what goes."""
        return sum(message.size or 0 for message in self.decisions.go.values())

    @property
    def arrivals(self) -> tuple[int, int] | None:
        """The oldest and the newest arrival of what goes, in Unix seconds."""
        dates = [message.arrival for message in self.decisions.go.values() if message.arrival is not None]
        return (min(dates), max(dates)) if dates else None

    def refuse(self, why: str) -> None:
        """Nothing of it may go."""
        self.refused = self.refused or why
        self.hold()

    def hold(self) -> None:
        """Keep what was to go."""
        self.decisions.keep(list(self.decisions.go), Stays.BRAKED)


@dataclass(slots=True)
class PrunePlan:
    """What a prune of one account would do; nothing on the server has changed when it is made.

    ``unattended``: nobody watches, so that a doubt keeps the folder, or, one of the plan's own ``doubts``, everything.
    ``target`` is what was to be reached, if anything.
    """

    account: str
    path: str | None
    now: datetime
    unattended: bool = False
    dry_run: bool = False
    without_archive: bool = False
    target: Target | None = None
    age_by: AgeBy = AgeBy.ARRIVAL
    by_hand: str = ""
    """The command that does the same with somebody watching."""
    folders: list[FolderPlan] = field(default_factory=list)
    left_out: list[tuple[Folder, str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What of the account could not be looked at."""
    missing: list[Missing] = field(default_factory=list)
    """Rules of the policy that mean no folder."""
    notes: list[str] = field(default_factory=list)
    exported: int = 0
    verified: int = 0
    copies: tuple[str, ...] = ()
    """The copies, by name, in which all that goes was proven as well."""
    relied: dict[str, Relied] = field(default_factory=dict)
    """Of these copies, by name: what was not hashed there in this run, as the owner allowed."""
    trash: Folder | None = None
    """On Gmail: where messages are moved and expunged, because elsewhere that only takes a label away."""
    gauge: Gauge | None = None
    """How full the mailbox is, if anybody says."""

    @property
    def messages(self) -> int:
        """How many messages would go."""
        return sum(len(folder.decisions.go) for folder in self.folders)

    @property
    def octets(self) -> int:
        """Their announced size."""
        return sum(folder.octets for folder in self.folders)

    @property
    def evidence(self) -> Iterator[Evidence]:
        """What proves what goes."""
        for folder in self.folders:
            yield from (one for uid, one in folder.evidence.items() if uid in folder.decisions.go)

    @property
    def lost(self) -> int:
        """How many of them are in no archive."""
        return sum(len(folder.unarchived) for folder in self.folders)

    @property
    def misspelt(self) -> list[Missing]:
        """Of these, what may have been laid down for a folder that has no rule now: unattended, all such stay."""
        return [missing for missing in self.missing if missing.doubtful]

    @property
    def refused(self) -> bool:
        """Whether something that was selected is held back for safety."""
        return any(folder.refused or (self.unattended and folder.doubts) for folder in self.folders) or bool(
            self.unattended and (self.doubts or self.misspelt)
        )

    @property
    def incomplete(self) -> bool:
        """Whether something that was selected stays because it could not be looked at or proven."""
        return bool(self.problems) or any(folder.problem or folder.unproven for folder in self.folders)


@dataclass(slots=True)
class PruneResult:
    """What came of a plan. ``answer`` is what was answered to it, None where nobody could be asked.

    ``run`` names the run in the archive's journal, if anything was begun.
    """

    plan: PrunePlan
    answer: str | None = None
    agreed: bool = False
    asked: bool = False
    """Somebody at a terminal has seen the plan."""
    run: str | None = None
    outcomes: dict[bytes, Outcome] = field(default_factory=dict)
    unsettled: FolderPlan | None = None
    """Where the run was stopped while it deleted: how much of that is gone, the next run finds out."""
    after: Gauge | None = None
    stopped: MailmoveError | None = None
    seconds: float = 0.0

    @property
    def gone(self) -> int:
        """How many messages are really gone."""
        return sum(len(outcome.gone) for outcome in self.outcomes.values())

    @property
    def left(self) -> Mapping[bytes, Mapping[int, str]]:
        """By folder, what was to go and is still there, and why."""
        return {wire: outcome.left for wire, outcome in self.outcomes.items() if outcome.left}

    @property
    def freed(self) -> int:
        """The announced size of what is gone."""
        going = {folder.folder.wire: folder.decisions.go for folder in self.plan.folders}
        return sum(going[wire][uid].size or 0 for wire, outcome in self.outcomes.items() for uid in outcome.gone)

    @property
    def missed(self) -> bool:
        """Whether a target was set and the quota says that it is not reached."""
        target, gauge = self.plan.target, self.after
        if target is None or gauge is None or not self.agreed:
            return False
        if target.percent is None:
            return gauge.used > target.octets
        return gauge.percent is not None and gauge.percent > target.percent

    @property
    def exit(self) -> Exit:
        """The exit code of this account."""
        if self.stopped is not None:
            return self.stopped.exit
        declined = bool(self.plan.messages) and not self.agreed and not self.plan.dry_run
        outcomes = self.outcomes.values()
        if declined or self.plan.refused or any(outcome.problem for outcome in outcomes):
            return Exit.REFUSED
        if self.plan.unattended and any(outcome.unproven for outcome in outcomes):
            return Exit.REFUSED
        if self.plan.incomplete or self.left or self.missed:
            return Exit.PARTIAL
        return Exit.DONE
