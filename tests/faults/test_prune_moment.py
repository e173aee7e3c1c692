"""What prune has proven must still be so at the moment it deletes: in the archive, and in the mailbox."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailmove.archive.files import disk
from mailmove.archive.lock import NAME as LOCK
from mailmove.archive.place import META
from mailmove.archive.record.journal import NAME as JOURNAL
from mailmove.archive.state.memory import Memory
from mailmove.cancel import Cancel
from mailmove.errors import Exit
from mailmove.evidence import FileSeen, waived
from mailmove.imap import pace, scan
from mailmove.imap.deletion import Deletion
from mailmove.imap.folders import select
from mailmove.imap.outcome import RELABELLED, REPLACED, STILL_THERE, UNPROVEN, Outcome
from mailmove.imap.session import Session
from mailmove.jobs.prune.result import PrunePlan, PruneResult
from mailmove.model import Endpoint, Folder, MessageId, Password, Security
from mailmove.plan.policy import Asked, Policy
from mailmove.report import prune as report
from mailmove.units import parse_age
from tests.kit import NOW, archived, hashes, message, total
from tests.pruning import Pruner
from tests.servers.condstore import Condstore
from tests.servers.model import Box, Command, Gmail, Store
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]
OLD = NOW - timedelta(days=400)
ALL = [message(number, size=400 + number) for number in range(1, 11)]


@pytest.fixture
def server(scripted: Start) -> Scripted:
    """Five old messages in each of two folders."""
    server = scripted()
    server.store.add("INBOX", *ALL[:5], arrival=OLD, flags={"\\Seen"})
    server.store.add("Work", *ALL[5:], arrival=OLD, flags={"\\Seen"})
    return server


@pytest.fixture
def pruner(server: Scripted, tmp_path: Path) -> Pruner:
    return Pruner(server.port, "user", tmp_path)


def said(result: PruneResult) -> str:
    return "\n".join([*report.text(result), *report.problems(result)])


def everything(server: Scripted, *places: Path) -> Counter[str]:
    """What is on the server or whole in any of these directories."""
    found = hashes(*(mail.body for box in server.store.folders.values() for mail in box.mails))
    for place in places:
        found |= total(archived(place))
    return found


# The archive


def moved_away(pruner: Pruner) -> None:
    pruner.archive.rename(pruner.home / "elsewhere")


def another_disk(pruner: Pruner) -> None:
    moved_away(pruner)
    pruner.archive.mkdir()


def backup_moved_in(pruner: Pruner) -> None:
    moved_away(pruner)
    (pruner.home / "backup").rename(pruner.archive)


def backup_copied_over(pruner: Pruner) -> None:
    """As ``cp -a`` over what is there, and what is not in the backup removed."""
    for file in [*pruner.archive.rglob("cur/*"), *pruner.archive.rglob("*.jsonl")]:
        file.unlink()
    shutil.copytree(pruner.home / "backup", pruner.archive, dirs_exist_ok=True)


def journal_set_back(pruner: Pruner) -> None:
    """In place, its inode the same."""
    journal = pruner.archive / META / JOURNAL
    journal.write_bytes((pruner.home / "backup" / META / JOURNAL).read_bytes())


def journal_altered(pruner: Pruner) -> None:
    """Its length the same."""
    journal = pruner.archive / META / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"uid":1,', b'"uid":9,'))


def meta_removed(pruner: Pruner) -> None:
    shutil.rmtree(pruner.archive / META)


def meta_replaced(pruner: Pruner) -> None:
    (pruner.archive / META).rename(pruner.home / "meta")
    shutil.copytree(pruner.home / "meta", pruner.archive / META)


def root_replaced(pruner: Pruner) -> None:
    """Its ``.mailmove`` the same."""
    moved_away(pruner)
    pruner.archive.mkdir()
    for part in (pruner.home / "elsewhere").iterdir():
        part.rename(pruner.archive / part.name)


LOST_ARCHIVE = [
    root_replaced,
    moved_away,
    another_disk,
    backup_moved_in,
    backup_copied_over,
    journal_set_back,
    journal_altered,
    meta_removed,
    meta_replaced,
]


def with_backup(server: Scripted, pruner: Pruner) -> None:
    """Of what the archive held when it had only the first two messages of INBOX."""
    later = server.store["INBOX"].mails[2:]
    server.store["INBOX"].mails = server.store["INBOX"].mails[:2]
    pruner.export()
    shutil.copytree(pruner.archive, pruner.home / "backup")
    server.store["INBOX"].mails += later


@pytest.mark.fault(51)
@pytest.mark.parametrize("harm", LOST_ARCHIVE)
def test_an_archive_that_is_another_one_when_the_answer_comes_stops_it(
    server: Scripted, pruner: Pruner, harm: Callable[[Pruner], None]
) -> None:
    with_backup(server, pruner)
    result = pruner(between=lambda _: harm(pruner))
    assert (result.exit, result.gone) == (Exit.ARCHIVE, 0)
    assert not server.deletions
    assert "is not the one that was opened" in said(result) and "Nothing more was deleted" in said(result)


@pytest.mark.fault(51)
@pytest.mark.parametrize("harm", LOST_ARCHIVE)
def test_an_archive_that_is_another_one_in_the_middle_of_a_run_stops_it(
    server: Scripted, pruner: Pruner, harm: Callable[[Pruner], None]
) -> None:
    with_backup(server, pruner)
    kept = pruner.home / "kept"

    def after(talk: Conversation, command: Command) -> None:
        talk.answer(command)
        shutil.copytree(pruner.archive, kept, dirs_exist_ok=True)
        harm(pruner)

    server.on("UID EXPUNGE", after, nth=1)
    result = pruner()
    assert result.exit is Exit.ARCHIVE
    assert server.store["Work"].uids == [1, 2, 3, 4, 5], "the second folder is whole"
    assert result.gone == 5, "what went before is told"
    assert everything(server, kept) == hashes(*ALL)


@pytest.mark.fault(65)
@pytest.mark.parametrize("when", ["STORE", "portion", "EXPUNGE"])
def test_a_run_that_was_taken_over_while_it_was_asleep_deletes_nothing_more(
    server: Scripted, pruner: Pruner, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    if when == "portion":  # the rest of a folder, for which nothing is recorded first
        monkeypatch.setattr(pace, "FIRST_PORTION", 2)
        monkeypatch.setattr(pace, "MAX_PORTION", 2)

    def taken_over() -> int:
        return (pruner.archive / META / LOCK).write_text("nas 0123456789abcdef 4711 2026-11-23T10:02:00Z\n")

    def after(talk: Conversation, command: Command) -> None:
        talk.answer(command)
        taken_over()

    if when != "STORE":
        server.on("UID EXPUNGE", after, nth=1)
    result = pruner(between=lambda _: when == "STORE" and taken_over())
    assert result.exit is Exit.ARCHIVE
    assert "another mailmove (on nas, process 4711) has taken" in said(result)
    assert result.gone == {"STORE": 0, "portion": 2, "EXPUNGE": 5}[when], "what went before is told"
    assert len(server.store["INBOX"].uids) == 5 - result.gone and server.store["Work"].uids == [1, 2, 3, 4, 5]
    assert len(server.deletions) == (0 if when == "STORE" else 2)


def removed(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink()


def directory_removed(files: Iterable[Path]) -> None:
    shutil.rmtree(next(iter(files)).parent)


def altered(files: Iterable[Path]) -> None:
    """Size and times the same, as far as one can set them."""
    for file in files:
        before = file.stat()
        file.chmod(0o600)
        file.write_bytes(b"X" + file.read_bytes()[1:])
        file.chmod(0o400)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(files: Iterable[Path]) -> None:
    for file in list(files):
        whole = file.read_bytes()
        file.unlink()
        file.write_bytes(b"X" + whole[1:])


def made_a_fifo(files: Iterable[Path]) -> None:
    for file in list(files):
        file.unlink()
        os.mkfifo(file)


def linked_away(files: Iterable[Path]) -> None:
    for file in list(files):
        file.rename(file.with_name("away" + file.name))
        file.symlink_to("away" + file.name)


HARMS = [removed, directory_removed, altered, replaced, made_a_fifo, linked_away]


@pytest.mark.fault(51)
@pytest.mark.parametrize("unattended", [False, True])
@pytest.mark.parametrize("harm", HARMS)
def test_files_that_are_not_what_was_hashed_any_more_keep_their_messages(
    server: Scripted, pruner: Pruner, harm: Callable[[Iterable[Path]], None], unattended: bool
) -> None:
    Memory(str(pruner.home / "state")).note_arrival(int(NOW.timestamp()))  # or the clock holds what nobody watches
    result = pruner(between=lambda _: harm((pruner.archive / "INBOX/cur").iterdir()), unattended=unattended)
    assert server.store["INBOX"].uids == [1, 2, 3, 4, 5]
    assert server.store["Work"].uids == []
    assert (result.gone, result.exit) == (5, Exit.REFUSED if unattended else Exit.PARTIAL)
    assert "INBOX UIDs 1-5: its " in said(result)


@pytest.mark.fault(51)
@pytest.mark.parametrize("harm", HARMS)
def test_files_that_are_not_what_was_archived_keep_their_messages(
    server: Scripted, pruner: Pruner, harm: Callable[[Iterable[Path]], None]
) -> None:
    """What the record says of them does not count: harmed before the plan is made, they are no evidence."""
    pruner.export()
    harm((pruner.archive / "INBOX/cur").iterdir())
    result = pruner()
    assert server.store["INBOX"].uids == [1, 2, 3, 4, 5] and server.store["Work"].uids == []
    assert result.exit is Exit.PARTIAL


@pytest.mark.fault(51)
def test_files_that_go_between_two_portions_keep_their_messages(
    server: Scripted, pruner: Pruner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "FIRST_PORTION", 2)
    monkeypatch.setattr(pace, "MAX_PORTION", 2)

    def after(talk: Conversation, command: Command) -> None:
        talk.answer(command)
        removed((pruner.archive / "INBOX/cur").glob("*U5,*"))

    server.on("UID EXPUNGE", after, nth=1)
    result = pruner()
    assert server.store["INBOX"].uids == [5] and result.outcomes[b"INBOX"].unproven == {5}


def test_a_file_that_a_mail_program_renamed_is_hashed_again_and_serves(server: Scripted, pruner: Pruner) -> None:
    def rename(_: PrunePlan) -> None:
        for file in list((pruner.archive / "INBOX/cur").iterdir()):
            file.rename(file.with_name(file.name.partition(":2,")[0] + ":2,FS"))

    assert pruner(between=rename).exit is Exit.DONE
    assert server.store["INBOX"].uids == []


@pytest.mark.fault(51)
@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize("stable", [False, True])
def test_what_was_hashed_long_ago_or_cannot_be_told_apart_is_hashed_again(
    server: Scripted, pruner: Pruner, monkeypatch: pytest.MonkeyPatch, expired: bool, stable: bool
) -> None:
    """A file system that shows nothing of a change: the evidence says of the altered file what stat(2) says of it."""
    monkeypatch.setattr(disk, "has_stable_inodes", lambda _: stable)

    def deceive(planned: PrunePlan) -> None:
        altered((pruner.archive / "INBOX/cur").iterdir())
        evidence = planned.folders[0].evidence
        for uid, one in evidence.items():
            assert one.seen is not None
            now = (pruner.archive / one.seen.directory / one.seen.name).stat()
            seen = FileSeen(*one.seen[:2], now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
            evidence[uid] = replace(one, seen=seen, valid_until=one.at if expired else one.valid_until)

    pruner(between=deceive)
    assert server.store["INBOX"].uids == ([1, 2, 3, 4, 5] if expired or not stable else [])


# The function that deletes


def test_without_evidence_for_a_uid_there_is_no_way_to_delete_it(server: Scripted) -> None:
    inbox = server.store["INBOX"]
    endpoint = Endpoint(server.host, server.port, "user", Security.NONE)
    with Session(endpoint, Password("pw"), Cancel()) as session:
        wire, folder = session.wire, Folder(b"INBOX")
        select(wire, folder)
        wanted = scan.find(wire, range(1, 6))
        good = waived(MessageId(b"INBOX", inbox.uidvalidity, 1))
        proof = {
            1: good,
            2: replace(good, message=MessageId(b"INBOX", inbox.uidvalidity, 1)),
            3: replace(good, message=MessageId(b"INBOX", inbox.uidvalidity + 1, 3)),
            4: replace(good, message=MessageId(b"INBOX", inbox.uidvalidity, 4), valid_until=0.0),
        }
        deed = Deletion(wire, folder, inbox.uidvalidity, wanted)
        deed.delete(deed.portion(), proof)
        outcome = deed.close()
    assert outcome == Outcome(
        gone=frozenset({1}),
        left=dict.fromkeys((2, 3, 4, 5), UNPROVEN),
        unproven=frozenset({2, 3, 4, 5}),
    )
    assert inbox.uids == [2, 3, 4, 5]


# The mailbox

STORES = {"plain": Store, "condstore": Condstore}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    store: Store = STORES[request.param]()
    store.add("INBOX", *ALL[:5], arrival=OLD, flags={"\\Seen"})
    return store


def flags(box: Box) -> dict[int, set[str]]:
    return {mail.uid: mail.flags for mail in box.mails}


def star(box: Box, *uids: int, flag: str = "\\Flagged") -> None:
    for mail in box.mails:
        if mail.uid in uids:
            mail.flags = mail.flags ^ {flag}


MOMENTS = {
    "before it is opened": ("SELECT", 2, True),
    "once it is opened": ("SELECT", 2, False),
    "before it is marked": ("UID STORE", 1, True),
    "once it is marked": ("UID STORE", 1, False),
    "before the last look": ("UID FETCH", -1, True),
}


@pytest.mark.fault(54)
@pytest.mark.parametrize("flag", ["\\Flagged", "\\Seen", "Work", "\\Answered"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_another_program_changes_before_the_last_look_stays_unmarked(
    scripted: Start, store: Store, tmp_path: Path, moment: str, flag: str
) -> None:
    """Where the server tells when flags were changed, and where only another look does."""
    server = scripted(store=store)
    pruner = Pruner(server.port, "user", tmp_path)
    pruner.export()
    name, nth, first = MOMENTS[moment]
    if nth < 0:  # of the looks, the one between STORE and EXPUNGE
        nth = 1
        arguments = r"^\S+ UID FETCH \S+ \(UID FLAGS\)"
    else:
        arguments = ""

    def meanwhile(talk: Conversation, command: Command) -> None:
        if first:
            star(store["INBOX"], 3, 5, flag=flag)
        talk.answer(command)
        if not first:
            star(store["INBOX"], 3, 5, flag=flag)

    server.on(name, meanwhile, arguments, nth=nth)
    result = pruner()
    assert flags(store["INBOX"]) == {uid: {"\\Seen"} ^ {flag} for uid in (3, 5)}
    assert (result.exit, result.gone) == (Exit.PARTIAL, 3)
    assert "INBOX UIDs 3, 5: it changed since the plan was made" in said(result)


@pytest.mark.fault(54)
def test_a_change_that_is_told_without_its_uid_is_looked_for(scripted: Start, store: Store, tmp_path: Path) -> None:
    server = scripted(store=store)
    pruner = Pruner(server.port, "user", tmp_path)

    def meanwhile(talk: Conversation, command: Command) -> None:
        star(store["INBOX"], 3)
        talk.answer(command, lambda answer: b"* 3 FETCH (FLAGS (\\Seen \\Flagged))\r\n" + stale(answer))

    def stale(answer: bytes) -> bytes:
        return answer.replace(b"\\Flagged", b"")

    server.on("UID FETCH", meanwhile, r"^\S+ UID FETCH \S+ \(UID FLAGS\)", nth=1)
    assert pruner().gone == 4
    assert flags(store["INBOX"]) == {3: {"\\Seen", "\\Flagged"}}


@pytest.mark.fault(54)
def test_what_another_program_marks_is_not_taken_for_ours_where_the_server_tells(
    scripted: Start, tmp_path: Path
) -> None:
    store = Condstore()
    store.add("INBOX", *ALL[:5], arrival=OLD, flags={"\\Seen"})
    server = scripted(store=store)

    def meanwhile(talk: Conversation, command: Command) -> None:
        star(store["INBOX"], 3, flag="\\Deleted")
        talk.answer(command)

    server.on("UID STORE", meanwhile, nth=1)
    result = Pruner(server.port, "user", tmp_path)()
    assert store["INBOX"].uids == [3] and "INBOX UID 3: it changed since the plan was made" in said(result)


@pytest.mark.fault(54)
def test_what_a_server_tells_of_one_mark_says_nothing_of_the_others(scripted: Start, tmp_path: Path) -> None:
    """It numbers only the last change, and a star came in between: only a look at all flags shows that."""
    store = Condstore()
    inbox = store.add("INBOX", *ALL[:5], arrival=OLD, flags={"\\Seen"})
    server = scripted(store=store)

    def meanwhile(talk: Conversation, command: Command) -> None:
        talk.answer(command, lambda answer: b"".join(answer.splitlines(keepends=True)[-2:]))
        star(inbox, 3)
        store.renumber(inbox.mails[2], store.modseq(inbox.mails[4]) - 1)

    server.on("UID STORE", meanwhile, nth=1)
    assert Pruner(server.port, "user", tmp_path)().gone == 4
    assert flags(inbox) == {3: {"\\Seen", "\\Flagged"}}


@pytest.mark.fault(54)
def test_what_the_last_look_does_not_show_is_not_expunged(server: Scripted, pruner: Pruner) -> None:
    def without_one(talk: Conversation, command: Command) -> None:
        talk.answer(command, lambda answer: b"".join(line for line in answer.splitlines(True) if b"UID 3 " not in line))

    server.on("UID FETCH", without_one, r"^\S+ UID FETCH \S+ \(UID FLAGS\)", nth=1)
    result = pruner(Asked(age=parse_age("30d"), folders=("INBOX",)))
    assert (result.gone, flags(server.store["INBOX"])) == (4, {3: {"\\Seen"}})
    assert result.outcomes[b"INBOX"].left == {3: STILL_THERE}


@pytest.mark.fault(14)
def test_a_folder_that_is_replaced_while_it_is_looked_at_loses_nothing(server: Scripted, pruner: Pruner) -> None:
    def replaced(talk: Conversation, command: Command) -> None:
        talk.answer(command, lambda answer: b"* OK [UIDVALIDITY 9] new\r\n" + answer)

    server.on("UID FETCH", replaced, r"^\S+ UID FETCH \S+ \(UID FLAGS\)", nth=1)
    result = pruner(Asked(age=parse_age("30d"), folders=("INBOX",)))
    assert result.gone == 0 and server.store["INBOX"].uids == [1, 2, 3, 4, 5]
    assert result.outcomes[b"INBOX"].problem == REPLACED


# Marks


@pytest.mark.fault(53)
def test_what_was_starred_while_the_connection_was_lost_is_unmarked(
    scripted: Start, store: Store, tmp_path: Path
) -> None:
    server = scripted(store=store)
    pruner = Pruner(server.port, "user", tmp_path)

    def drop(talk: Conversation, command: Command) -> None:
        assert all("\\Deleted" in mail.flags for mail in store["INBOX"].mails)
        star(store["INBOX"], 3, 5)
        talk.hangup()

    def unmarked(talk: Conversation, command: Command) -> None:
        assert all("\\Deleted" not in flags(store["INBOX"])[uid] for uid in (3, 5)), "before anything else goes"
        talk.answer(command)

    server.on("UID EXPUNGE", drop, nth=1)
    server.on("UID EXPUNGE", unmarked, nth=2)
    result = pruner()
    assert (result.exit, result.gone) == (Exit.PARTIAL, 3)
    assert flags(store["INBOX"]) == {3: {"\\Seen", "\\Flagged"}, 5: {"\\Seen", "\\Flagged"}}
    with pruner.opened(writable=False) as archive:
        assert not archive.index.unfinished()


@pytest.mark.fault(53)
def test_the_mark_of_another_program_stays_on_what_is_kept(server: Scripted, pruner: Pruner) -> None:
    inbox = server.store["INBOX"]
    inbox.mails[2].flags.add("\\Deleted")

    def meanwhile(talk: Conversation, command: Command) -> None:
        talk.answer(command)
        star(inbox, 3, 5)

    server.on("UID STORE", meanwhile, nth=1)
    assert pruner(Asked(age=parse_age("30d"), folders=("INBOX",))).gone == 3
    assert flags(inbox) == {3: {"\\Seen", "\\Flagged", "\\Deleted"}, 5: {"\\Seen", "\\Flagged"}}


@pytest.mark.fault(53)
def test_a_deed_whose_marks_cannot_be_taken_off_is_not_done_and_holds_the_folder(
    server: Scripted, pruner: Pruner
) -> None:
    inbox = server.store["INBOX"]
    refusing = True

    def meanwhile(talk: Conversation, command: Command) -> None:
        if b"-FLAGS" in command.raw and refusing:
            talk.line(f"{command.tag} NO [NOPERM] not now")
            return
        talk.answer(command)
        if b"+FLAGS" in command.raw:
            star(inbox, 3)

    server.on("UID STORE", meanwhile)
    only = Asked(age=parse_age("30d"), folders=("INBOX",))
    result = pruner(only)
    assert (result.exit is Exit.REFUSED and inbox.uids == [1, 2, 3, 4, 5]) or 3 in inbox.uids
    assert "\\Deleted" in flags(inbox)[3]
    again = pruner(only)
    assert (again.exit, again.gone, again.plan.messages) == (Exit.PARTIAL, 0, 0)
    assert "marks could not be taken off" in said(again)
    dry = pruner(only, dry_run=True)
    assert dry.plan.messages == 0 and dry.exit is Exit.PARTIAL
    refusing = False
    settled = pruner(only)
    assert flags(inbox) == {3: {"\\Seen", "\\Flagged"}}
    assert settled.exit is Exit.DONE


@pytest.mark.fault(53)
@pytest.mark.parametrize("replaced", [False, True])
def test_a_deed_whose_folder_was_renamed_is_settled_where_it_is_now(
    server: Scripted, pruner: Pruner, replaced: bool
) -> None:
    """All folders of this server have one UIDVALIDITY; another folder may have taken the old name."""
    store = server.store
    for box in store.folders.values():
        box.uidvalidity = 1_700_000_000

    def drop(talk: Conversation, command: Command) -> None:
        server.on("GREETING", lambda talk, _: talk.hangup())
        talk.hangup()

    server.on("UID EXPUNGE", drop, nth=1)
    only = Asked(age=parse_age("30d"), folders=("Work",))
    result = pruner(only)
    assert result.exit is Exit.UNREACHABLE and all("\\Deleted" in mail.flags for mail in store["Work"].mails)
    server._rules.clear()
    work = store.folders.pop(b"Work")
    work.name = b"Archive/Work"
    store.folders[work.name] = work
    if replaced:
        store.add("Work", message(99), arrival=OLD).uidvalidity = 1_800_000_000
    star(work, 3, 5)
    again = pruner(Asked(age=parse_age("30d"), folders=("INBOX",)))
    assert flags(work) == {uid: {"\\Seen"} | ({"\\Flagged"} if uid in (3, 5) else set()) for uid in range(1, 6)}
    assert "0 are gone, and 5 were unmarked" in said(again)
    with pruner.opened(writable=False) as archive:
        assert not archive.index.unfinished()


# Gmail


@pytest.mark.fault(54)
@pytest.mark.parametrize("label", ["Work", "Taxes", "[Gmail]/Starred", "[Gmail]/Sent Mail"])
@pytest.mark.parametrize("moment", ["while it is planned", "while it is asked", "before the move"])
def test_a_label_that_is_given_before_the_move_keeps(scripted: Start, tmp_path: Path, moment: str, label: str) -> None:
    gmail = Gmail()
    server = scripted(store=gmail)
    pruner = Pruner(server.port, "user", tmp_path)
    for folder in ("Work", "Taxes"):
        gmail.add(folder)
    one = gmail.deliver(ALL[0], "INBOX", arrival=OLD)
    two = gmail.deliver(ALL[1], "INBOX", arrival=OLD)
    pruner.export()

    def give(*_: Any) -> None:
        if label.encode() not in gmail.labels(one):
            mail = next(mail for mail in gmail["INBOX"].mails if mail.msgid == one)
            if "Starred" in label:
                mail.flags.add("\\Flagged")
            gmail[label].add(ALL[0], OLD, (), one).flags = mail.flags

    def meanwhile(talk: Conversation, command: Command) -> None:
        give()
        talk.answer(command)

    if moment == "before the move":
        server.on("UID FETCH", meanwhile, "FLAGS X-GM-LABELS", nth=1)
    elif moment == "while it is planned":
        server.on("UID FETCH", meanwhile, r"UID X-GM-LABELS", nth=1)
    result = pruner(policy=Policy(), between=give if moment == "while it is asked" else lambda _: None)
    assert gmail.labels(one) == {b"INBOX", label.encode(), b"[Gmail]/All Mail"}
    assert gmail.labels(two) == set() and result.gone == 1


@pytest.mark.fault(54)
def test_labels_that_are_not_told_before_the_move_keep(scripted: Start, tmp_path: Path) -> None:
    gmail = Gmail()
    server = scripted(store=gmail)
    one = gmail.deliver(ALL[0], "INBOX", arrival=OLD)

    def without(talk: Conversation, command: Command) -> None:
        talk.answer(command, lambda answer: re.sub(rb" X-GM-LABELS \(.*?\)", b"", answer))

    server.on("UID FETCH", without, "FLAGS X-GM-LABELS", nth=1)
    result = Pruner(server.port, "user", tmp_path)()
    assert result.gone == 0 and b"INBOX" in gmail.labels(one)
    assert RELABELLED in said(result)


@pytest.mark.fault(54)
def test_a_star_that_is_given_before_the_move_keeps(scripted: Start, tmp_path: Path) -> None:
    gmail = Gmail()
    server = scripted(store=gmail)
    one = gmail.deliver(ALL[0], "INBOX", arrival=OLD)

    def meanwhile(talk: Conversation, command: Command) -> None:
        gmail["INBOX"].mails[0].flags.add("\\Flagged")
        talk.answer(command)

    server.on("UID FETCH", meanwhile, "FLAGS X-GM-LABELS", nth=1)
    assert Pruner(server.port, "user", tmp_path)().gone == 0
    assert gmail.labels(one) == {b"INBOX", b"[Gmail]/All Mail"}
