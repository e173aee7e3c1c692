"""Which folders the rules of a policy have meant before, so that no rule is lost when a name changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailmove.archive.index.messages import Known
from mailmove.archive.record.manifest import FolderDir
from mailmove.archive.record.records import RuleMatched
from mailmove.archive.store import Archive
from mailmove.errors import CommandRefused
from mailmove.imap.objectid import mailbox_ids
from mailmove.imap.session import Session
from mailmove.jobs.fetching import FolderChanged, Opened
from mailmove.model import Folder, Listed, Seen
from mailmove.plan.renamed import Home, is_same, look_for
from mailmove.plan.rules import Missing, Rules
from mailmove.safe import visible
from mailmove.units import timestamp


@dataclass(frozen=True, slots=True)
class Completed:
    """Rules, with the folders that they meant before; what there is to say of that, and rules that mean no folder."""

    rules: Rules
    missing: list[Missing]
    notes: list[str] = field(default_factory=list)


def complete(
    session: Session, archive: Archive | None, rules: Rules, views: Sequence[Seen], *, record: bool
) -> Completed:
    """Find the folders that the rules meant before among those of the server; with ``record``, remember those of now.

    :raises MailmoveError: of server and archive.
    """
    views = [view for view in views if view.folder.selectable]
    folders = [view.folder for view in views]
    if archive is None or not rules.policy.folders:
        return Completed(rules, rules.missing(folders))
    ids = session.ask(lambda: mailbox_ids(session.wire, folders))
    recall = _Recall(session, archive, rules, views, ids)
    completed = replace(rules, renamed=recall.renamed())
    if record:
        sure = {wire: meant for wire, meant in completed.renamed.items() if wire not in recall.unsure}
        _remember(archive, replace(rules, renamed=sure), views, ids)
    before = {home.rule for home in recall.homes}
    return Completed(completed, completed.missing(folders, before), _notes(completed, folders))


def _notes(rules: Rules, folders: Iterable[Folder]) -> list[str]:
    return [
        f"{folder.shown} is the folder that the policy's {visible(rule, 100)!r} meant before: the rule still holds for "
        "it where it keeps longer; write its new name there"
        for folder in folders
        for rule in sorted(rules.renamed.get(folder.wire, ()))
    ]


class _Recall:
    """Finds homes of rules among the folders of the server, and asks it as little as is needed."""

    def __init__(
        self, session: Session, archive: Archive, rules: Rules, views: Sequence[Seen], ids: Mapping[bytes, str]
    ) -> None:
        self.homes = _homes(archive, rules)
        self.unsure: set[bytes] = set()
        """Folders that could not be looked at."""
        self._session = session
        self._archive = archive
        self._rules = rules
        self._views = views
        self._ids = ids
        self._listings: dict[bytes, list[Listed] | None] = {}

    def renamed(self) -> dict[bytes, set[str]]:
        """The rules that do not mean a folder by its name, and did so before, by wire name."""
        renamed: dict[bytes, set[str]] = {}
        for home in self.homes:
            for folder in self._found(home):
                if not self._rules.means(home.rule, folder):
                    renamed.setdefault(folder.wire, set()).add(home.rule)
        return renamed

    def _found(self, home: Home) -> list[Folder]:
        """The folders that are this home by now; where two fit, both."""
        index = self._archive.index
        candidates = look_for(home, self._views, self._ids, index.last_uid(home.wire, home.uidvalidity))
        possible = [view.folder for view in candidates.possible if not self._rules.means(home.rule, view.folder)]
        known = index.known(home.wire, home.uidvalidity) if possible else {}
        return [
            *(view.folder for view in candidates.certain),
            *(folder for folder in possible if self._may_be(folder, known)),
        ]

    def _may_be(self, folder: Folder, known: dict[int, Known]) -> bool:
        """Whether a folder holds these messages; one that cannot be looked at might."""
        if folder.wire not in self._listings:
            try:
                self._listings[folder.wire] = Opened(self._session, folder).listing()
            except (CommandRefused, FolderChanged):
                self._listings[folder.wire] = None
                self.unsure.add(folder.wire)
        listing = self._listings[folder.wire]
        return listing is None or is_same(listing, known)


def _homes(archive: Archive, rules: Rules) -> list[Home]:
    """Every folder that a rule is known to have meant, or means by the name under which it is archived."""
    homes = {
        (one.rule, one.folder, one.uidvalidity): Home(one.rule, one.folder, one.uidvalidity, one.mailboxid)
        for one in archive.index.rules_matched()
        if one.rule in rules.policy.folders
    }
    for known in archive.manifest.folders:
        for rule in rules.of(_as_folder(known)) if known.uidvalidity else ():
            homes.setdefault((rule, known.wire, known.uidvalidity), Home(rule, known.wire, known.uidvalidity))
    return list(homes.values())


def _remember(archive: Archive, rules: Rules, views: Iterable[Seen], ids: Mapping[bytes, str]) -> None:
    """Record which folders the rules mean now, where that is news."""
    known = {(one.rule, one.folder, one.uidvalidity): one.mailboxid for one in archive.index.rules_matched()}
    news = []
    for view in views:
        wire, validity = view.folder.wire, (view.status.uidvalidity if view.status is not None else None) or 0
        for rule in rules.of(view.folder) if validity else ():
            mailboxid = ids.get(wire)
            if (rule, wire, validity) not in known or mailboxid not in (None, known[rule, wire, validity]):
                news.append(RuleMatched(rule, wire, validity, mailboxid, timestamp(rules.now)))
    archive.record(news)


def _as_folder(archived: FolderDir) -> Folder:
    use = frozenset({archived.special_use} if archived.special_use else ())
    return Folder(archived.wire, archived.delimiter, use)
