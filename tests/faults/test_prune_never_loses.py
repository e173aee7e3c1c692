"""No order of events may lose a message: a machine that looks for one, with a server and an archive that can be harmed.

The archive may have a copy, which goes away, is exchanged, set back or harmed as well; what a prune deletes that needs
it must lie there too.

Whatever happens between and during runs, every message is on the server or intact in the archive, unless somebody else
deleted or damaged its last copy. No two messages have the same size: a server that gives a UID to another message of
the same size and the same second of arrival breaks what a UID is, and nobody can notice.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailmove.archive.files import disk
from mailmove.archive.place import META
from mailmove.cancel import Cancel
from mailmove.copies import recall
from mailmove.errors import MailmoveError
from mailmove.jobs.copy import checking
from mailmove.jobs.copy.result import ReadBack, Target
from mailmove.jobs.prune.result import PruneResult
from mailmove.plan.policy import Asked, Keep, Policy
from mailmove.units import Age, parse_age
from tests.copies.kit import copied
from tests.kit import hashes, message
from tests.pruning import Pruner, drained
from tests.servers.model import Box, Command, Mail
from tests.servers.scripted import Conversation, Scripted

FOLDERS = ("INBOX", "Work", "Trash")
UNUSABLE = [b"NIL", b'"01-Jan-1970 00:00:01 +0000"']
SPELLINGS = (None, "work", "Work/", " WORK ", "INBOX/Work")
EVENTS = ("flag", "expunge_elsewhere", "renumber", "shift", "deliver")
COPY_HARMS = ("copy away", "copy empty", "copy another's", "copy harmed")
HARMS = ("disk swapped", "files removed", "backup moved in", "backup copied over")
PROVEN_BEFORE, WEEK = "a copy proven within 7d", parse_age("7d")
AGES = (0, 1, 29, 31, 200, 3000)  # days


class Cutting(Scripted):
    """A server that hangs up at a command, before or after it was carried out, as often as told.

    Another program flags a message just before a command is carried out: ``starring`` tells which and how many of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cuts: list[tuple[int, bool]] = []
        self.starring: Counter[str] = Counter()
        self.starred: list[Mail] = []
        """What was flagged early enough to be seen."""
        self._met = 0

    def arm(self, cuts: list[tuple[int, bool]], starring: Iterable[str] = ()) -> None:
        self.cuts, self._met = list(cuts), 0
        self.starring, self.starred = Counter(starring), []

    def star(self, command: Command) -> None:
        """Flag the first message that is not; an EXPUNGE comes after the last look."""
        mails = (mail for box in self.store.folders.values() for mail in box.mails)
        mail = next((mail for mail in mails if "\\Flagged" not in mail.flags), None)
        if self.starring[command.name] > 0 and mail is not None:
            self.starring[command.name] -= 1
            mail.flags = mail.flags | {"\\Flagged"}
            self.starred.append(mail)

    def rule(self, command: Command) -> Any:
        self.star(command)
        self._met += 1
        if self.cuts and self._met == self.cuts[0][0]:
            _, answered = self.cuts.pop(0)
            self._met = 0
            self.on(command.name, lambda talk, sent: self._cut(talk, sent, answered), nth=1)
        found = super().rule(command)
        self._rules = [known for known in self._rules if known is not found]
        return found

    def _cut(self, talk: Conversation, command: Command, answered: bool) -> None:
        if answered and command.name != "GREETING":
            for _ in self.store.answer(talk.state, command):
                pass
        talk.hangup()


class Mailbox(RuleBasedStateMachine):
    """One account, its archive, and everything that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Cutting()
        self.home = Path(tempfile.mkdtemp(prefix="mailmove-machine-"))
        self.pruner = Pruner(self.server.port, "user", self.home, waits=(0.0,))
        self.backup = self.home / "backup"
        self.nas, self.away = self.home / "nas", self.home / "nas.away"
        self.patches = ExitStack()
        self.patches.enter_context(patch.object(disk, "is_same", lambda one, other: False))
        self.patches.enter_context(patch.object(recall, "_SETTLED", -86_400))  # no file is too young to be known
        self.number = 0
        self.owed: dict[bytes, str] = {}
        """Every message that must be somewhere, and its SHA-256."""
        self.now = datetime.now(UTC).replace(microsecond=0)
        for name in FOLDERS:
            self.server.store.add(name)

    def teardown(self) -> None:
        self.patches.close()
        shutil.rmtree(self.home)
        self.server.stop()

    @initialize(count=st.integers(0, 6))
    def some_mail(self, count: int) -> None:
        for _ in range(count):
            self.deliver("INBOX", 200, frozenset())

    # What other people do

    @rule(
        name=st.sampled_from(FOLDERS),
        days=st.sampled_from(AGES),
        flags=st.frozensets(st.sampled_from(["\\Seen", "\\Flagged", "\\Deleted", "\\Draft"]), max_size=2),
    )
    def deliver(self, name: str, days: int, flags: frozenset[str]) -> None:
        self.number += 1
        body = message(self.number, size=200 + 70 * self.number)
        self.server.store.add(name, body, arrival=self.now - timedelta(days=days), flags=flags)
        self.owed[body] = hashlib.sha256(body).hexdigest()

    @rule(data=st.data())
    def deliver_without_a_date(self, data: st.DataObject) -> None:
        self.deliver("INBOX", 3000, frozenset())
        self.server.store["INBOX"].mails[-1].arrival = data.draw(st.sampled_from(UNUSABLE))

    @rule(data=st.data())
    def expunge_elsewhere(self, data: st.DataObject) -> None:
        if picked := self._pick(data):
            box, mail = picked
            box.mails.remove(mail)
            self._forgive({mail.body})

    @rule(data=st.data(), flag=st.sampled_from(["\\Flagged", "\\Seen", "\\Deleted"]), on=st.booleans())
    def flag(self, data: st.DataObject, flag: str, on: bool) -> None:
        if picked := self._pick(data):
            picked[1].flags = picked[1].flags | {flag} if on else picked[1].flags - {flag}

    @rule(name=st.sampled_from(FOLDERS))
    def renumber(self, name: str) -> None:
        """Another UIDVALIDITY, and other UIDs."""
        box = self.server.store[name]
        box.uidvalidity += 1
        for uid, mail in enumerate(box.mails, 1):
            mail.uid = uid
        box.uidnext = len(box.mails) + 1

    @rule(name=st.sampled_from(FOLDERS))
    def shift(self, name: str) -> None:
        """Other messages under the same UIDs, and the UIDVALIDITY of before."""
        box = self.server.store[name]
        if len(box.mails) > 1:
            uids = box.uids
            box.mails = box.mails[1:] + box.mails[:1]
            for uid, mail in zip(uids, box.mails, strict=True):
                mail.uid = uid

    @precondition(lambda self: self._files())
    @rule(data=st.data(), how=st.sampled_from(["altered", "cut", "emptied", "removed"]))
    def harm_the_archive(self, data: st.DataObject, how: str) -> None:
        file = data.draw(st.sampled_from(sorted(self._files())))
        body = file.read_bytes()
        if how == "removed":
            file.unlink()
        else:
            file.chmod(0o600)
            file.write_bytes({"altered": b"X" + body[1:], "cut": body[:-1], "emptied": b""}[how])
        self._forgive({body})

    @precondition(lambda self: self.pruner.archive.exists())
    @rule()
    def keep_a_backup(self) -> None:
        shutil.rmtree(self.backup, ignore_errors=True)
        shutil.copytree(self.pruner.archive, self.backup)
        if self.nas.exists():
            shutil.rmtree(self.home / "nas.backup", ignore_errors=True)
            shutil.copytree(self.nas, self.home / "nas.backup")

    @precondition(lambda self: (self.nas / META).exists() or self.away.exists())
    @rule(how=st.sampled_from(["away", "empty", "another's", "set back", "there", "there"]))
    def exchange_the_copy(self, how: str) -> None:
        """What is found where the copy was; only when it is there again, it is the copy."""
        if not self.away.exists():
            self.nas.rename(self.away)
        shutil.rmtree(self.nas, ignore_errors=True)
        backup = self.home / "nas.backup"
        match how:
            case "empty":
                self.nas.mkdir()
            case "another's":
                shutil.copytree(self.away, self.nas)
                uuid = (self.nas / META / "archive.toml").read_text().split('uuid = "')[1][:36]
                for file in (self.nas / META / "archive.toml", self.nas / META / "copy.toml"):
                    file.write_text(file.read_text().replace(uuid, "0" * 36))
            case "set back" if (backup / META).exists():
                shutil.copytree(backup, self.nas)
                shutil.rmtree(self.away)
            case "there":
                self.away.rename(self.nas)

    @precondition(lambda self: self._letters_there())
    @rule(data=st.data(), how=st.sampled_from(["altered", "cut", "removed", "touched"]))
    def harm_the_copy(self, data: st.DataObject, how: str) -> None:
        file = data.draw(st.sampled_from(sorted(self._letters_there())))
        body = file.read_bytes()
        if how == "removed":
            file.unlink()
        else:
            file.chmod(0o600)
            file.write_bytes({"altered": b"X" + body[1:], "cut": body[:-1], "touched": body}[how])

    @rule(name=st.sampled_from(FOLDERS[1:]))
    def rename(self, name: str) -> None:
        """As another program does; a new folder takes its place."""
        store = self.server.store
        box = store.folders.pop(name.encode())
        box.name = f"{name} {len(store.folders)}".encode()
        store.folders[box.name] = box
        store.add(name).uidvalidity = max(one.uidvalidity for one in store.folders.values()) + 1

    @rule()
    def lose_the_index(self) -> None:
        shutil.rmtree(self.home / "state" / "index", ignore_errors=True)

    @rule(days=st.sampled_from([-40, -1, 1, 70, 4000]))
    def set_the_clock(self, days: int) -> None:
        self.now += timedelta(days=days)

    # What the owner does

    cuts = st.lists(st.tuples(st.integers(1, 25), st.booleans()), max_size=3)

    @rule(cuts=cuts)
    def export(self, cuts: list[tuple[int, bool]]) -> None:
        self.server.arm(cuts)
        try:
            self.pruner.export()
        except MailmoveError:
            pass
        self.server.arm([])

    @precondition(lambda self: self.pruner.archive.exists())
    @rule()
    def copy(self) -> None:
        try:
            copied(self.pruner, self.nas, name="nas", asked=ReadBack.NONE)
        except MailmoveError:
            pass

    @precondition(lambda self: self._was_copied())
    @rule()
    def prove_the_copy(self) -> None:
        try:
            with self.pruner.opened(writable=False) as archive:
                drained(checking.check(archive, Target("nas", str(self.nas), WEEK), Cancel(), self.now))
        except MailmoveError:
            pass

    second = st.sampled_from(["no copy", "a copy", PROVEN_BEFORE])

    @rule(
        cuts=cuts,
        age=st.sampled_from(["1d", "30d", "2y"]),
        keep=st.frozensets(st.sampled_from(Keep)),
        unattended=st.booleans(),
        data=st.data(),
        meanwhile=st.sampled_from([None, *EVENTS, *HARMS, *COPY_HARMS]),
        starring=st.lists(st.sampled_from(["SELECT", "UID STORE", "UID FETCH"]), max_size=2),
        fresh=st.integers(0, 5),
        second=second,
    )
    def prune(self, **drawn: Any) -> None:
        self.prune_now(**drawn)

    def prune_now(
        self,
        cuts: list[tuple[int, bool]],
        age: str,
        keep: frozenset[Keep],
        unattended: bool,
        data: st.DataObject,
        meanwhile: str | None,
        starring: list[str],
        fresh: int,
        second: str,
        rules: Mapping[str, Age | None] | None = None,
    ) -> None:
        copies = {"nas": self.nas} if second != "no copy" and self._was_copied() else None
        for _ in range(fresh):
            self.deliver("INBOX", 3000, frozenset())

        def happen(_: object) -> None:
            self.server.arm(cuts, starring)
            match meanwhile:
                case "disk swapped" | "files removed" | "backup moved in" | "backup copied over":
                    self._harm(meanwhile)
                case "copy harmed" if self._letters_there():
                    self.harm_the_copy(data, "altered")
                case "copy away" | "copy empty" | "copy another's" if self._letters_there():
                    self.exchange_the_copy(meanwhile.removeprefix("copy "))
                case "flag":
                    self.flag(data, "\\Flagged", True)
                    before.update(self._flags())
                case "expunge_elsewhere":
                    self.expunge_elsewhere(data)
                    for body in before.keys() - self._flags().keys():
                        del before[body]
                case "renumber" | "shift":
                    getattr(self, meanwhile)("INBOX")
                case "deliver":
                    self.deliver("INBOX", 3000, frozenset())

        before = self._flags()
        asked = Asked(age=parse_age(age))
        self.server.arm(cuts)
        try:
            result = self.pruner(
                asked,
                Policy(keep=keep, folders=rules or {}),
                now=self.now,
                unattended=unattended,
                between=happen,
                copies=copies,
                within=WEEK if second == PROVEN_BEFORE else None,
            )
        except MailmoveError:
            result = None
        starred = self.server.starred
        self.server.arm([])
        if meanwhile in HARMS:
            self._put_back()
        there = [mail for box in self.server.store.folders.values() for mail in box.mails]
        assert all(mail in there for mail in starred), "it was flagged in time"
        if result is not None and result.stopped is None and not any(one.marked for one in result.outcomes.values()):
            ours = [mail for mail in there if "\\Deleted" in mail.flags - before.get(mail.body, {"\\Deleted"})]
            assert not ours, "what is kept carries no mark of ours"
        if copies is not None:
            there_too = hashes(*(file.read_bytes() for file in self._letters_there()))
            missing = [body for body in before.keys() - self._flags().keys() if self.owed.get(body) not in there_too]
            assert not missing, f"{len(missing)} messages are gone that the copy does not hold"
        for body in before.keys() - self._flags().keys():
            kept = {Keep.FLAGGED: "\\Flagged", Keep.DRAFTS: "\\Draft"}
            assert not any(kept.get(one) in before[body] for one in keep), "it was to be kept"
        if result is not None and not cuts:
            self._reported(result)

    @rule(
        data=st.data(),
        meanwhile=st.sampled_from([None, None, *HARMS]),
        starring=st.lists(st.sampled_from(["UID STORE", "UID FETCH"]), min_size=1, max_size=2),
        fresh=st.integers(2, 5),
        spelling=st.sampled_from(SPELLINGS),
    )
    def prune_while_nothing_breaks(
        self, data: st.DataObject, meanwhile: str | None, starring: list[str], fresh: int, spelling: str | None
    ) -> None:
        """Then all of it goes but what another program flags, and what a rule keeps however it is spelt."""
        self.deliver("Work", 3000, frozenset())
        kept = list(self.server.store["Work"].mails)
        rules: dict[str, Age | None] = {spelling: None} if spelling else {}
        self.prune_now([], "30d", frozenset(), False, data, meanwhile, starring, fresh, "no copy", rules)
        assert not spelling or self.server.store["Work"].mails == kept, "never is never"

    @rule(
        data=st.data(),
        meanwhile=st.sampled_from([None, None, *COPY_HARMS]),
        fresh=st.integers(1, 3),
        behind=st.booleans(),
        second=st.sampled_from(["a copy", PROVEN_BEFORE]),
    )
    def prune_what_a_copy_holds(
        self, data: st.DataObject, meanwhile: str | None, fresh: int, behind: bool, second: str
    ) -> None:
        """All of it goes but what the copy, which may be behind, lacks; nothing where it is not the copy any more."""
        if self.away.exists():
            self.exchange_the_copy("there")
        for _ in range(fresh):
            self.deliver("Work", 3000, frozenset())
        self.export([])
        self.copy()
        if second == PROVEN_BEFORE:
            self.prove_the_copy()
        self.prune_now([], "30d", frozenset(), False, data, meanwhile, [], 2 if behind else 0, second)

    def _harm(self, how: str) -> None:
        """What happens to the archive's disk while the question is open."""
        archive, aside = self.pruner.archive, self.home / "aside"
        if how == "files removed":
            for file in self._files():
                body = file.read_bytes()
                file.unlink()
                self._forgive({body})
        elif how == "disk swapped" or not self.backup.exists():
            archive.rename(aside)
            archive.mkdir()
        else:
            archive.rename(aside)
            shutil.copytree(self.backup, archive)
            if how == "backup copied over":  # into the directory that was there
                for inside in list(aside.iterdir()):
                    shutil.rmtree(inside)
                for inside in list(archive.iterdir()):
                    inside.rename(aside / inside.name)
                archive.rmdir()
                aside.rename(archive)

    def _put_back(self) -> None:
        """The disk comes back; where an older copy was put in place, what only the newer one held is gone."""
        aside = self.home / "aside"
        if aside.exists():
            shutil.rmtree(self.pruner.archive)
            aside.rename(self.pruner.archive)
        else:
            there = hashes(*(file.read_bytes() for file in self._files()))
            for body in list(self.owed):
                if self.owed[body] not in there:
                    self._forgive({body})
        self.lose_the_index()

    def _reported(self, result: PruneResult) -> None:
        """What is said to be gone is gone, and what is said to be left is there."""
        for wire, outcome in result.outcomes.items():
            there = set(self.server.store.folders[wire].uids)
            assert not outcome.gone & there
            assert not outcome.vanished & there
            if not outcome.problem:
                assert outcome.left.keys() <= there

    # What must hold

    @invariant()
    def every_message_is_somewhere(self) -> None:
        there = {mail.body for box in self.server.store.folders.values() for mail in box.mails}
        missing = {body: digest for body, digest in self.owed.items() if body not in there}
        if missing:
            intact = {hashlib.sha256(file.read_bytes()).hexdigest() for file in self._files()}
            lost = [body for body, digest in missing.items() if digest not in intact]
            assert not lost, f"{len(lost)} messages are neither on the server nor in the archive"

    @invariant()
    def nothing_but_uid_expunge_ever_deletes(self) -> None:
        names = {command.name for command in self.server.commands}
        assert not names & {"EXPUNGE", "CLOSE", "MOVE", "UID MOVE", "DELETE", "RENAME", "STORE"}

    def _flags(self) -> dict[bytes, set[str]]:
        return {mail.body: set(mail.flags) for box in self.server.store.folders.values() for mail in box.mails}

    def _pick(self, data: st.DataObject) -> tuple[Box, Mail] | None:
        there = [(box, mail) for box in self.server.store.folders.values() for mail in box.mails]
        return data.draw(st.sampled_from(there)) if there else None

    def _files(self) -> list[Path]:
        return [file for file in self.pruner.archive.glob("**/cur/*") if ",H=" in file.name]

    def _letters_there(self) -> list[Path]:
        """The message files where the copy is to be."""
        return [file for file in self.nas.glob("**/cur/*") if ",H=" in file.name]

    def _was_copied(self) -> bool:
        return self.away.exists() or self.nas.exists()

    def _forgive(self, bodies: set[bytes]) -> None:
        """Somebody else took a copy away; if it was the last one, nobody owes the message any more."""
        there = {mail.body for box in self.server.store.folders.values() for mail in box.mails}
        intact = {hashlib.sha256(file.read_bytes()).hexdigest() for file in self._files()}
        for body in bodies - there:
            if self.owed.get(body) not in intact:
                self.owed.pop(body, None)


TestMailbox = Mailbox.TestCase
TestMailbox.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[phase for phase in Phase if phase is not Phase.shrink],
)
