"""Prune where something is wrong: nothing unplanned goes, nothing goes that is not archived, and the report is true."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailmove.errors import ArchiveError, Exit, LackingError, Unreachable
from mailmove.imap.outcome import REPLACED
from mailmove.plan.policy import Asked, MaxDelete, Policy, parse_target
from mailmove.plan.retention import Stays
from mailmove.report import prune as report
from mailmove.units import parse_age
from tests.kit import NOW, Program, message
from tests.pruning import OLDER_THAN_30D, Pruner
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]
OLD = NOW - timedelta(days=400)
YOUNG = NOW - timedelta(days=2)


@pytest.fixture
def server(scripted: Start) -> Scripted:
    """Five old messages and five young ones."""
    server = scripted()
    server.store.add("INBOX", *map(message, range(1, 6)), arrival=OLD, flags={"\\Seen"})
    server.store.add("INBOX", *map(message, range(6, 11)), arrival=YOUNG, flags={"\\Seen"})
    return server


@pytest.fixture
def pruner(server: Scripted, tmp_path: Path) -> Pruner:
    return Pruner(server.port, "user", tmp_path)


def said(result: object) -> str:
    return "\n".join(report.text(result))  # type: ignore[arg-type]


def test_what_is_old_goes_and_only_that(server: Scripted, pruner: Pruner) -> None:
    result = pruner()
    assert (result.exit, result.gone) == (Exit.DONE, 5)
    assert server.store["INBOX"].uids == [6, 7, 8, 9, 10]
    assert [raw.split(b" ", 2)[2] for raw in server.deletions] == [
        rb"STORE 1:5 +FLAGS.SILENT (\Deleted)",
        b"EXPUNGE 1:5",
    ]


@pytest.mark.fault(22)
def test_a_folder_that_is_only_called_trash_is_not_emptied_by_the_rule_for_trash(
    server: Scripted, pruner: Pruner
) -> None:
    """No special-use at all, and a name in the user's language."""
    server.store["INBOX"].mails.clear()
    server.store.add("Cestino", *map(message, range(20, 23)), arrival=OLD)
    policy = Policy(folders={"\\Trash": parse_age("1d")})
    result = pruner(Asked(), policy)
    assert result.gone == 0
    assert not server.deletions
    server.store["Cestino"].attributes = "\\Trash"
    assert pruner(Asked(), policy).gone == 3


def test_an_export_that_was_stopped_stops_the_plan(server: Scripted, tmp_path: Path) -> None:
    """Also where the server is well again a moment later, and what was archived before could go."""
    pruner = Pruner(server.port, "user", tmp_path, waits=())
    pruner.export()
    server.store["INBOX"].add(message(11), arrival=OLD)
    server.script("""
        UID FETCH#1 /BODY/
            !hangup
    """)
    with pytest.raises(Unreachable):
        pruner()
    assert not server.deletions
    assert pruner().gone == 6


@pytest.mark.fault(23, 24)
@pytest.mark.loss(1, 2, 3)
def test_search_has_no_say(server: Scripted, pruner: Pruner) -> None:
    server.script("""
        UID SEARCH
            * SEARCH 1 2 3 4 5 6 7 8 9 10
            {tag} OK all of them
    """)
    assert pruner().gone == 5
    assert server.count("UID SEARCH") == server.count("SEARCH") == 0


@pytest.mark.fault(25)
@pytest.mark.loss(5, 50)
@pytest.mark.parametrize("date", [b"NIL", b'"01-Jan-1970 00:00:00 +0000"', b'"31-Feb-2020 00:00:00 +0000"', b'"soon"'])
def test_a_date_that_cannot_be_right_keeps_its_message_and_is_listed(
    server: Scripted, pruner: Pruner, date: bytes
) -> None:
    server.store["INBOX"].mails[2].arrival = date
    result = pruner(unattended=True)
    assert (result.exit, result.gone) == (Exit.DONE, 4)
    assert 3 in server.store["INBOX"].uids
    assert "INBOX UID 3: without a usable date" in said(result)


@pytest.mark.fault(25)
def test_a_date_in_the_future_keeps_its_message_and_is_listed(server: Scripted, pruner: Pruner) -> None:
    server.store["INBOX"].mails[2].arrival = NOW + timedelta(days=300)
    result = pruner(unattended=True)
    assert (result.exit, result.gone) == (Exit.DONE, 4)
    assert "INBOX UID 3: dated in the future" in said(result)


@pytest.mark.parametrize("name", ["Drafts", "Bozze"])
def test_what_is_in_a_folder_of_drafts_stays_also_unmarked(server: Scripted, pruner: Pruner, name: str) -> None:
    server.store.add(name, message(50), arrival=OLD, flags={"\\Seen"})
    assert pruner().gone == 5
    assert server.store[name].uids == [1]


@pytest.mark.fault(46)
def test_a_clock_before_the_last_message_keeps_everything_unattended(server: Scripted, pruner: Pruner) -> None:
    server.store.add("INBOX", message(99), arrival=NOW + timedelta(days=2))
    result = pruner(unattended=True)
    assert (result.exit, result.gone) == (Exit.REFUSED, 0)
    assert not server.deletions
    assert "Everything is kept: the clock of this machine says" in said(result)
    watched = pruner()
    assert "Look twice: the clock of this machine says" in said(watched)
    assert watched.gone == 5


@pytest.mark.fault(46)
def test_a_clock_far_ahead_keeps_everything_until_somebody_watches(server: Scripted, pruner: Pruner) -> None:
    pruner.export()
    server.store.add("INBOX", message(11), arrival=NOW)
    leap = timedelta(days=3650)
    for _ in range(3):
        result = pruner(after=leap, unattended=True)
        assert (result.exit, result.gone) == (Exit.REFUSED, 0)
        assert "more than 60 days after the last run" in said(result)
    assert not server.deletions
    assert pruner(after=leap).gone == 11


def crowd(server: Scripted, old: int, young: int, **dates: datetime) -> None:
    inbox = server.store["INBOX"]
    inbox.mails.clear()
    for number in range(old):
        inbox.add(message(number), OLD - timedelta(days=number), {"\\Seen"})
    for number in range(young):
        inbox.add(message(old + number), YOUNG, {"\\Seen"})


def test_more_than_the_limit_needs_somebody_who_watches(server: Scripted, pruner: Pruner) -> None:
    crowd(server, 60, 50)
    server.store.add("Other", *map(message, range(3)), arrival=OLD)
    result = pruner(unattended=True, by_hand="mailmove prune me --older-than 30d")
    assert (result.exit, result.gone) == (Exit.REFUSED, 3), "the run goes on"
    assert len(server.store["INBOX"].mails) == 110
    assert "INBOX is kept: 60 of 110 messages would go, more than --max-delete 50 %." in said(result)
    assert "run it once by hand: mailmove prune me --older-than 30d" in said(result)
    lenient = Policy(max_delete=MaxDelete(55.0))
    assert pruner(policy=lenient, unattended=True).gone == 60


def test_a_target_gives_no_leave_to_delete_more_than_the_limit(server: Scripted, pruner: Pruner) -> None:
    crowd(server, 110, 0)
    server.store.capabilities.append("QUOTA")
    server.store.quota = (1 << 20, 1 << 20)
    result = pruner(Asked(target=parse_target("1%")), unattended=True)
    assert (result.exit, result.gone) == (Exit.REFUSED, 0)
    assert "110 of 110 messages would go, more than --max-delete 50 %" in said(result)
    assert not server.deletions
    assert pruner(Asked(target=parse_target("1%"))).gone == 110


def test_for_a_target_nothing_goes_from_a_folder_that_does_not_count(server: Scripted, pruner: Pruner) -> None:
    server.store.add("Sent", *map(message, range(20, 23)), arrival=OLD)
    server.store.capabilities.append("QUOTA")
    server.script(r"""
        GETQUOTAROOT /INBOX/
            * QUOTAROOT INBOX "mail"
            * QUOTA mail (STORAGE 10 10)
            {tag} OK done
        GETQUOTAROOT
            * QUOTAROOT Sent "sent"
            * QUOTA sent (STORAGE 1 1000)
            {tag} OK done
    """)
    result = pruner(Asked(target=parse_target("1%")))
    assert {folder.folder.wire: len(folder.decisions.go) for folder in result.plan.folders}[b"Sent"] == 0
    assert (server.store["Sent"].uids, result.gone) == ([1, 2, 3], 10)


def test_at_a_terminal_a_brake_is_said_and_the_answer_decides(server: Scripted, pruner: Pruner) -> None:
    crowd(server, 60, 50)
    result = pruner()
    assert (result.exit, result.gone) == (Exit.DONE, 60)
    assert "Look twice: INBOX: 60 of 110 messages would go" in said(result)


@pytest.mark.fault(26)
def test_a_folder_that_was_moved_here_in_a_day_is_kept_unattended(server: Scripted, pruner: Pruner) -> None:
    inbox = server.store["INBOX"]
    inbox.mails.clear()
    for number in range(120):
        inbox.add(message(number, sent=OLD - timedelta(days=10 * number)), OLD.replace(hour=12), {"\\Seen"})
    policy = Policy(max_delete=MaxDelete(100.0))
    result = pruner(policy=policy, unattended=True)
    assert (result.exit, result.gone) == (Exit.REFUSED, 0)
    assert "nearly all of it arrived on one day" in said(result)
    assert not server.deletions
    assert pruner(policy=policy).gone == 120


@pytest.mark.fault(28)
def test_messages_with_a_newer_date_header_are_counted(server: Scripted, pruner: Pruner) -> None:
    server.store["INBOX"].mails[0].body = message(1, sent=NOW - timedelta(days=1))
    result = pruner(agree=False)
    assert result.plan.folders[0].sent_later == 1
    assert "INBOX: 1 of them have a newer Date header; arrival decides." in said(result)


@pytest.mark.fault(28)
def test_by_date_header_what_has_none_stays(server: Scripted, pruner: Pruner) -> None:
    inbox = server.store["INBOX"]
    inbox.mails[0].body = b"Subject: no date\r\n\r\n"
    inbox.mails[5].body = message(6, sent=OLD)
    from mailmove.plan.policy import AgeBy

    policy = Policy(age_by=AgeBy.SENT)
    for exported in (False, True):
        planned = pruner(policy=policy, dry_run=True).plan.folders[0]
        assert 1 not in planned.decisions.go and 6 in planned.decisions.go, exported
        assert planned.decisions.odd == {1: Stays.UNDATED}
        pruner.export()


@pytest.mark.fault(12, 13)
@pytest.mark.loss(19)
def test_a_uidvalidity_that_changes_while_the_question_is_open_loses_nothing(server: Scripted, pruner: Pruner) -> None:
    inbox = server.store["INBOX"]
    result = pruner(between=lambda _: setattr(inbox, "uidvalidity", 7))
    assert (result.exit, result.gone) == (Exit.REFUSED, 0)
    assert not server.deletions
    assert REPLACED in said(result)


def test_a_folder_that_was_replaced_is_kept_unattended_until_somebody_has_agreed(
    server: Scripted, pruner: Pruner
) -> None:
    pruner.export()
    server.store["INBOX"].uidvalidity = 7
    pruner.export()
    result = pruner(unattended=True)
    assert (result.exit, result.gone) == (Exit.REFUSED, 0)
    assert "the folder was replaced" in said(result)
    agreed = pruner()
    assert agreed.gone == 5 and "Look twice: INBOX" in said(agreed)
    server.store.add("INBOX", message(50), arrival=OLD)
    assert pruner(unattended=True).gone == 1


@pytest.mark.fault(15)
@pytest.mark.parametrize("line", ["", "* OK [UIDVALIDITY 0] none"])
def test_a_folder_without_lasting_uids_is_refused(server: Scripted, pruner: Pruner, line: str) -> None:
    server.script(
        r"""
        EXAMINE
            !answer s/\* OK \[UIDVALIDITY \d+\] [^\r]*\r\n/%s/
    """
        % (line and line + r"\x0d\x0a")
    )
    result = pruner()
    assert (result.exit, result.gone) == (Exit.REFUSED, 0)
    assert "no lasting UIDs" in said(result)
    assert not server.deletions


@pytest.mark.fault(16)
@pytest.mark.loss(6, 41)
def test_shifted_uids_are_noticed_and_nothing_goes(server: Scripted, pruner: Pruner) -> None:
    pruner.export()
    inbox = server.store["INBOX"]
    bodies = [mail.body for mail in inbox.mails]
    for mail, body in zip(inbox.mails, bodies[1:] + bodies[:1], strict=True):
        mail.body = body + b"\r\n" * mail.uid
    result = pruner()
    assert (result.exit, result.gone) == (Exit.REFUSED, 0)
    assert "announce another size or arrival than when archived" in said(result)
    assert not server.deletions


@pytest.mark.fault(18)
@pytest.mark.loss(39)
def test_without_uidplus_nothing_is_deleted_and_nothing_is_downloaded(server: Scripted, pruner: Pruner) -> None:
    server.store.capabilities.remove("UIDPLUS")
    server.store["INBOX"].mails[7].flags.add("\\Deleted")
    with pytest.raises(LackingError, match="UIDPLUS"):
        pruner()
    assert not server.deletions
    assert len(server.store["INBOX"].mails) == 10


@pytest.mark.fault(19)
def test_what_the_server_did_not_do_is_not_reported_as_done(server: Scripted, pruner: Pruner) -> None:
    server.script("UID STORE\n    {tag} OK done")
    result = pruner()
    assert (result.exit, result.gone) == (Exit.PARTIAL, 0)
    assert "INBOX UIDs 1-5: the server answered OK and still has it" in said(result)
    assert "Deleted 0 of 5 messages" in said(result)


@pytest.mark.fault(20)
@pytest.mark.parametrize("command", ["UID STORE", "UID EXPUNGE"])
@pytest.mark.parametrize("answered", [False, True])
def test_a_connection_lost_while_deleting_is_resumed(
    server: Scripted, pruner: Pruner, command: str, answered: bool
) -> None:
    inbox = server.store["INBOX"]
    inbox.mails[8].flags.add("\\Deleted")

    def lost(talk: Conversation, sent: Command) -> None:
        if answered:
            for _ in server.store.answer(talk.state, sent):
                pass
        talk.hangup()

    server.on(command, lost, nth=1)
    result = pruner()
    assert (result.exit, result.gone) == (Exit.DONE, 5)
    assert inbox.uids == [6, 7, 8, 9, 10]
    assert "\\Deleted" in inbox.mails[3].flags


@pytest.mark.fault(20)
def test_what_a_lost_run_began_the_next_one_settles(server: Scripted, pruner: Pruner) -> None:
    inbox = server.store["INBOX"]
    inbox.mails[0].flags.add("\\Deleted")  # another program's mark, on a message that is to go
    inbox.mails[8].flags.add("\\Deleted")  # and on one that is not
    server.script("UID EXPUNGE #1-\n    !hangup")
    result = pruner()
    assert result.exit is Exit.UNREACHABLE and result.gone == 0
    assert {mail.uid for mail in inbox.mails if "\\Deleted" in mail.flags} == {1, 2, 3, 4, 5, 9}
    server._rules.clear()
    assert pruner(dry_run=True).gone == 0
    assert {mail.uid for mail in inbox.mails if "\\Deleted" in mail.flags} == {1, 2, 3, 4, 5, 9}, "a dry run"
    kept = pruner(agree=False)  # the next run, and nobody agrees to anything
    assert "was stopped in the middle" in said(kept)
    assert {mail.uid for mail in inbox.mails if "\\Deleted" in mail.flags} == {1, 9}
    with pruner.opened(writable=False) as archive:
        assert not archive.index.unfinished()
    assert pruner().gone == 5
    assert inbox.uids == [6, 7, 8, 9, 10]
    assert "\\Deleted" in inbox.mails[3].flags


@pytest.mark.fault(30)
@pytest.mark.loss(12, 37, 38)
@pytest.mark.parametrize("item", ["BODY[] NIL", "FLAGS ()", 'BODY[] ""'])
def test_a_message_that_the_server_does_not_deliver_stays(server: Scripted, pruner: Pruner, item: str) -> None:
    def nothing(talk: Conversation, command: Command) -> None:
        for line in server.store.answer(talk.state, command):
            talk.line(line.decode() if not line.startswith(b"* 3 ") else f"* 3 FETCH (UID 3 {item})")
        talk.line(f"{command.tag} OK done")

    server.on("UID FETCH", nothing, arguments="BODY")
    result = pruner(unattended=True)
    assert (result.exit, result.gone) == (Exit.PARTIAL, 4)
    assert server.store["INBOX"].uids[0] == 3
    assert "NOT PROVEN, kept: INBOX UID 3" in said(result)


@pytest.mark.fault(33)
def test_a_server_that_estimates_sizes_can_be_pruned(server: Scripted, pruner: Pruner) -> None:
    for mail in server.store["INBOX"].mails:
        mail.size = len(mail.body) // 1000 * 1000 + 1000
    assert pruner().gone == 5


@pytest.mark.fault(33)
def test_messages_whose_size_the_server_does_not_tell_stay(server: Scripted, pruner: Pruner) -> None:
    server.script(r"""
        UID FETCH
            !answer s/RFC822.SIZE \d+/RFC822.SIZE NIL/
    """)
    result = pruner()
    assert (result.exit, result.gone) == (Exit.PARTIAL, 0)
    assert not server.deletions
    assert "NOT PROVEN, kept: INBOX UIDs 1-5" in said(result)


@pytest.mark.fault(16)
def test_a_uid_that_becomes_another_message_before_it_is_exported_is_not_proven(
    server: Scripted, pruner: Pruner
) -> None:
    def then_it_is_another(talk: Conversation, command: Command) -> None:
        talk.answer(command)
        server.store["INBOX"].mails[2].body = message(77, size=900)

    server.on("UID FETCH", then_it_is_another, nth=1)
    result = pruner()
    assert (result.exit, result.gone) == (Exit.PARTIAL, 4)
    assert server.store["INBOX"].uids[0] == 3
    assert "NOT PROVEN, kept: INBOX UID 3" in said(result)


@pytest.mark.fault(38)
def test_shared_and_read_only_folders_are_never_pruned(server: Scripted, pruner: Pruner) -> None:
    server.store.add("Shared/Team", *map(message, range(20, 23)), arrival=OLD)
    server.store.add("Frozen", *map(message, range(30, 33)), arrival=OLD)
    server.script("""
        NAMESPACE
            * NAMESPACE (("" "/")) NIL (("Shared/" "/"))
            {tag} OK done
        SELECT /Frozen/
            !answer s/READ-WRITE/READ-ONLY/
    """)
    result = pruner(Asked(age=parse_age("30d"), folders=("Shared/Team", "Frozen", "INBOX")))
    assert (result.exit, result.gone) == (Exit.DONE, 5)
    assert len(server.store["Shared/Team"].mails) == len(server.store["Frozen"].mails) == 3
    assert "Shared/Team is left alone: it is shared" in said(result)
    assert "Frozen is left alone: it is read-only" in said(result)


@pytest.mark.fault(38)
def test_no_permission_is_reported_and_leaves_no_marks(server: Scripted, pruner: Pruner) -> None:
    server.store.add("Other", *map(message, range(3)), arrival=OLD)

    def forbidden(talk: Conversation, command: Command) -> None:
        if talk.state.selected.name == b"INBOX":
            talk.line(f"{command.tag} NO [NOPERM] you may not")
        else:
            talk.answer(command)

    server.on("UID EXPUNGE", forbidden)
    result = pruner()
    assert (result.exit, result.gone) == (Exit.REFUSED, 3)
    assert "NOPERM" in said(result)
    assert all("\\Deleted" not in mail.flags for mail in server.store["INBOX"].mails)


@pytest.mark.fault(39)
@pytest.mark.parametrize("command", ["UID STORE", "UID EXPUNGE", "SELECT"])
def test_a_pause_that_the_server_asks_for_is_kept_and_the_run_goes_on(
    server: Scripted, pruner: Pruner, command: str
) -> None:
    server.script(f"""
        {command} #1
            {{tag}} NO [THROTTLED] suggested backoff time: 1 milliseconds
    """)
    assert pruner().gone == 5


@pytest.mark.fault(43)
def test_a_folder_name_cannot_command_the_terminal(server: Scripted, pruner: Pruner) -> None:
    server.store.add(b"\x1b[2Jgone", *map(message, range(3)), arrival=OLD)
    result = pruner(policy=Policy())
    assert "\x1b" not in said(result)
    assert "\\x1b[2Jgone" in said(result)
    assert result.gone == 8


@pytest.mark.fault(9)
@pytest.mark.parametrize("trick", ["symlink", "fifo", "directory"])
def test_what_is_planted_in_place_of_a_file_proves_nothing(server: Scripted, pruner: Pruner, trick: str) -> None:
    pruner.export()
    file = next((pruner.archive / "INBOX" / "cur").glob("*U3,*"))
    aside = pruner.home / "aside"
    file.rename(aside)
    if trick == "symlink":
        file.symlink_to(aside)
    elif trick == "fifo":
        os.mkfifo(file)
    else:
        file.mkdir()
    result = pruner()
    assert (result.exit, result.gone) == (Exit.PARTIAL, 4)
    assert server.store["INBOX"].uids[0] == 3


@pytest.mark.fault(9)
def test_a_linked_file_edited_in_place_keeps_every_twin(server: Scripted, pruner: Pruner) -> None:
    inbox = server.store["INBOX"]
    inbox.mails[1].body = inbox.mails[0].body
    pruner.export()
    file = next((pruner.archive / "INBOX" / "cur").glob("*U1,*"))
    assert file.stat().st_nlink == 2
    file.chmod(0o600)
    file.write_bytes(b"edited")
    result = pruner()
    assert (result.exit, result.gone) == (Exit.PARTIAL, 3)
    assert inbox.uids[:2] == [1, 2]


@pytest.mark.fault(8)
def test_a_file_that_a_mail_program_moved_still_proves_its_message(server: Scripted, pruner: Pruner) -> None:
    server.store.add("Other", message(77), arrival=YOUNG)
    pruner.export()
    file = next((pruner.archive / "INBOX" / "cur").glob("*U3,*"))
    file.rename(pruner.archive / "Other" / "cur" / file.name)
    assert pruner().gone == 5


@pytest.mark.fault(7)
@pytest.mark.loss(11, 44)
def test_a_damaged_journal_stops_prune(server: Scripted, pruner: Pruner) -> None:
    pruner.export()
    journal = pruner.archive / ".mailmove" / "journal.jsonl"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 1
    journal.write_bytes(content)
    with pytest.raises(ArchiveError, match="damaged"):
        pruner()
    assert not server.deletions


@pytest.mark.fault(7)
def test_a_lost_index_costs_only_time(server: Scripted, pruner: Pruner) -> None:
    pruner.export()
    shutil.rmtree(pruner.home / "state" / "index")
    assert pruner().gone == 5


@pytest.mark.fault(3)
@pytest.mark.loss(17)
def test_the_deed_is_in_the_journal_before_the_first_mark(server: Scripted, pruner: Pruner) -> None:
    pruner.export()
    seen: list[bytes] = []

    def look(talk: Conversation, command: Command) -> None:
        if b"+FLAGS" in command.raw:
            seen.append((pruner.archive / ".mailmove" / "journal.jsonl").read_bytes())
        talk.answer(command)

    server.on("UID STORE", look)
    pruner()
    last = seen[0].splitlines()[-1]
    assert b'"kind":"prune"' in last and b'"uids":"1:5"' in last


def test_a_message_flagged_while_the_question_is_open_stays(server: Scripted, pruner: Pruner) -> None:
    result = pruner(between=lambda _: server.store["INBOX"].mails[1].flags.add("\\Flagged"))
    assert (result.exit, result.gone) == (Exit.PARTIAL, 4)
    assert server.store["INBOX"].uids[0] == 2


def test_a_listing_with_holes_prunes_nothing(server: Scripted, pruner: Pruner) -> None:
    server.script(r"""
        UID FETCH /1:\*/
            !answer s/\* 9 FETCH [^\r]*\r\n//
    """)
    result = pruner(policy=Policy(keep_newest=2))
    assert (result.exit, result.gone) == (Exit.PARTIAL, 0)
    assert not server.deletions


def test_folders_left_out_of_the_export_are_never_pruned_unless_archiving_is_waived(
    server: Scripted, pruner: Pruner
) -> None:
    server.store.add("Junk", *map(message, range(20, 23)), arrival=OLD)
    junk = Asked(age=parse_age("30d"), folders=("Junk",))
    result = pruner(junk, left_out=("Junk",))
    assert result.gone == 0 and "Junk is left alone: it is left out of the export" in said(result)
    assert pruner(OLDER_THAN_30D, left_out=("Junk",), without_archive=True).gone == 5
    assert len(server.store["Junk"].mails) == 3
    assert pruner(junk, left_out=("Junk",), without_archive=True).gone == 3


def test_what_was_restored_counts_from_its_restore(server: Scripted, pruner: Pruner) -> None:
    from mailmove.archive.record.records import Restored
    from mailmove.model import MessageId
    from mailmove.units import timestamp

    pruner.export()
    uidvalidity = server.store["INBOX"].uidvalidity
    source = MessageId(b"INBOX", uidvalidity, 1)
    with pruner.opened() as archive:
        archive.record([Restored(b"INBOX", uidvalidity, 3, timestamp(NOW), source, "0" * 64)])
    result = pruner()
    assert result.gone == 4 and server.store["INBOX"].uids[0] == 3
    assert "1 restored lately" in said(result)


@pytest.mark.fault(5)
def test_an_archive_that_cannot_be_written_is_refused_before_the_login(
    server: Scripted, pruner: Pruner, mailmove: Program
) -> None:
    pruner.export()
    before = server.count("LOGIN")
    away = pruner.home / "unmounted"
    (pruner.home / "mail").rename(away)
    arguments = (f"imap://user@localhost:{server.port}", "--tls", "none", "--archive", pruner.archive)
    options = ("--older-than", "30d", "--yes")
    env = {"MAILMOVE_STATE": str(pruner.home / "state")}
    gone = mailmove("prune", *arguments, *options, env=env)
    assert gone.code == 7 and "Is a disk not mounted?" in gone.err
    (pruner.home / "mail").mkdir()
    assert mailmove("prune", *arguments, *options, env=env).code == 7
    (pruner.home / "mail").rmdir()
    away.rename(pruner.home / "mail")
    other = mailmove("prune", f"imap://another@localhost:{server.port}", *arguments[1:], *options, env=env)
    assert other.code == 7 and "is the archive of" in other.err
    assert server.count("LOGIN") == before
    assert not server.deletions


@pytest.mark.fault(6)
def test_a_second_run_at_the_same_time_says_so(server: Scripted, pruner: Pruner, mailmove: Program) -> None:
    arguments = (f"imap://user@localhost:{server.port}", "--tls", "none", "--archive", pruner.archive)
    with pruner.opened():
        done = mailmove(
            "prune", *arguments, "--older-than", "30d", "--yes", env={"MAILMOVE_STATE": str(pruner.home / "state")}
        )
    assert done.code == 7 and "another mailmove is working" in done.err
    assert not server.deletions


@pytest.mark.fault(13, 14)
@pytest.mark.parametrize("trouble", ["SELECT is refused", "UIDVALIDITY is another for a moment"])
def test_a_folder_that_made_trouble_while_it_was_planned_loses_nothing(
    server: Scripted, pruner: Pruner, trouble: str
) -> None:
    """It behaves again once the plan is carried out: what was decided before the trouble must not be."""
    inbox = server.store["INBOX"]
    for number in range(11, 140):
        inbox.add(message(number), OLD, flags={"\\Seen"})
    pruner.export()
    if trouble == "SELECT is refused":
        server.script("""
            SELECT #1
                {tag} NO [SERVERBUG] not now
        """)
    else:

        def other(talk: Conversation, command: Command) -> None:
            old = str(inbox.uidvalidity).encode()
            talk.answer(command, lambda answer: answer.replace(b"UIDVALIDITY " + old, b"UIDVALIDITY 7"))

        def hang_up(talk: Conversation, command: Command) -> None:
            server.on("EXAMINE", other, nth=1)
            talk.hangup()

        server.on("UID FETCH", hang_up, "DATE", nth=1)
    result = pruner()
    assert result.gone == 0 and len(inbox.mails) == 139
    assert result.plan.folders[0].problem and result.exit is Exit.PARTIAL
