"""Folders that change under us, lie about themselves, or have names that no file system would take."""

from __future__ import annotations

import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmove import utf7
from tests.disks import SHARED, as_machine
from tests.kit import Mailbox, Program, archived, by_uid, hashes, leftovers, message, sha256, total
from tests.servers.dovecot import Dovecot
from tests.servers.model import CAPABILITIES, Command, Store
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]


@pytest.mark.fault(12)
@pytest.mark.loss(26, 29)
def test_a_new_uidvalidity_keeps_the_old_epoch_and_costs_no_disk(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(5)))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    inbox.uidvalidity += 1
    for mail in inbox.mails:
        mail.uid += 100
    inbox.uidnext += 100
    server.store.add("INBOX", message(50))
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    held = archived(archive)
    assert held["INBOX (UIDVALIDITY 1700000000)"] == hashes(*map(message, range(5)))
    assert held["INBOX"] == hashes(*inbox.bodies)
    inodes = {file.stat().st_ino for cur in archive.rglob("cur") for file in cur.iterdir()}
    assert len(inodes) == 6, "a body that is known is linked, not stored twice"
    assert "its UIDVALIDITY changed from 1700000000 to 1700000001" in done.out
    assert mailmove("export").code == 0


@pytest.mark.fault(12)
def test_a_twin_that_was_altered_is_not_linked_to(scripted: Start, mailmove: Program) -> None:
    """The archive must not spread damage: what is linked to is hashed first."""
    server = scripted()
    inbox = server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    (file,) = (archive / "INBOX/cur").iterdir()
    file.chmod(0o600)
    file.write_bytes(b"altered")
    inbox.uidvalidity += 1
    assert mailmove("export").code == 0
    assert archived(archive)["INBOX"] == hashes(message(1))


@pytest.mark.fault(14)
def test_a_uidvalidity_that_changes_while_working_stops_the_folder(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(5)))
    server.store.add("Other", message(9))

    def change(talk: Conversation, command: Command) -> None:
        talk.cut_after(700)
        inbox.uidvalidity += 1
        inbox.mails.reverse()
        for number, mail in enumerate(inbox.mails, 1):
            mail.uid = number
        talk.answer(command)

    server.on("UID FETCH", change, "BODY", nth=1)
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert "INBOX: its UIDVALIDITY changed while it was being exported; run export again" in done.out
    assert archived(archive)["Other"] == hashes(message(9)), "other folders go on"
    assert mailmove("export").code == 0
    assert by_uid(archive) == {(mail.uid, sha256(mail.body)) for mail in inbox.mails}


@pytest.mark.fault(15)
@pytest.mark.parametrize("what", ["UIDVALIDITY 0", "ALERT", "UIDNOTSTICKY"])
def test_without_lasting_uids_export_goes_by_hash(scripted: Start, mailmove: Program, what: str) -> None:
    keep = r"* OK [UIDVALIDITY 1700000000]\x0d\x0a* NO [UIDNOTSTICKY]" if what == "UIDNOTSTICKY" else f"* OK [{what}]"
    server = scripted(f"""
        EXAMINE
            !answer s/\\* OK .UIDVALIDITY [0-9]*./{keep.replace("* NO", "* OK")}/
        STATUS
            !answer s/ UIDVALIDITY [0-9]*//
    """)
    inbox = server.store.add("INBOX", message(1), message(1), message(2), message(3))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert "no lasting UIDs" in done.out
    assert total(archived(archive)) == hashes(*inbox.bodies)
    inbox.mails.reverse()
    for number, mail in enumerate(inbox.mails, 70):
        mail.uid = number
    inbox.uidnext = 99
    server.store.add("INBOX", message(4), message(1))
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(*inbox.bodies), "each body as often as it is there, none twice"
    assert not leftovers(archive)


@pytest.mark.fault(15)
def test_without_lasting_uids_a_lost_connection_is_not_gone_on_from(scripted: Start, mailmove: Program) -> None:
    server = scripted("""
        EXAMINE
            !answer s/UIDVALIDITY/UIDVOID/
        STATUS
            !answer s/ UIDVALIDITY [0-9]*//
    """)
    inbox = server.store.add("INBOX", *map(message, range(4)))

    def renumber(talk: Conversation, command: Command) -> None:
        talk.cut_after(1100)
        talk.answer(command)
        for mail in inbox.mails:
            mail.uid += 50

    server.on("UID FETCH", renumber, "BODY", nth=1)
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert "INBOX: the connection was lost, and its UIDs with it; run export again" in done.out
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(*inbox.bodies)


@pytest.mark.fault(16)
@pytest.mark.loss(6, 41)
def test_uids_that_shift_under_the_same_uidvalidity_are_noticed(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *(message(number, size=400 + 100 * number) for number in range(5)))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    before = total(archived(archive))
    del inbox.mails[0]
    for number, mail in enumerate(inbox.mails, 1):
        mail.uid = number
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert "4 messages announced another size or arrival than when archived: fetched again" in done.out
    assert before <= total(archived(archive)), "nothing that was archived is lost"
    assert by_uid(archive) >= {(mail.uid, sha256(mail.body)) for mail in inbox.mails}
    assert mailmove("export", "--flags").code == 0


@pytest.mark.fault(17)
@pytest.mark.loss(8, 19)
@pytest.mark.parametrize("uidvalidity", [1_700_000_000, 1_800_000_000])
def test_a_folder_that_became_empty_leaves_the_archive_as_it_is(
    scripted: Start, mailmove: Program, uidvalidity: int
) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(20)))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    inbox.mails.clear()
    inbox.uidvalidity = uidvalidity
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert "Note: INBOX " in done.out
    assert "20 messages" in done.out
    assert total(archived(archive)) == hashes(*map(message, range(20)))


@pytest.mark.fault(17)
def test_a_folder_that_is_gone_leaves_the_archive_as_it_is(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.add("Old", *map(message, range(20)))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    del server.store.folders[b"Old"]
    assert mailmove("export").code == 0
    assert archived(archive)["Old"] == hashes(*map(message, range(20)))


@pytest.mark.fault(24)
@pytest.mark.loss(1, 2, 3)
def test_an_export_does_not_depend_on_search(scripted: Start, mailmove: Program) -> None:
    server = scripted("UID SEARCH\n    {tag} NO Unsupported criterion")
    server.store.add("INBOX", *map(message, range(5)))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(*map(message, range(5)))
    assert not server.count("UID SEARCH")


@pytest.mark.loss(32)
def test_two_folders_with_equal_uidvalidity_and_uids_are_two(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    for name, number in (("A", 1), ("B", 2)):
        server.store.add(name, message(number)).uidvalidity = 5
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    held = archived(archive)
    assert (held["A"], held["B"]) == (hashes(message(1)), hashes(message(2)))


def test_folders_are_listed_where_the_server_promises_more_than_it_can_do(scripted: Start, mailmove: Program) -> None:
    server = scripted("LIST /RETURN/\n    {tag} BAD what is RETURN?")
    server.store.capabilities.append("LIST-STATUS")
    server.store.add("A/B", message(1))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert archived(archive)["A/B"] == hashes(message(1))
    assert server.count("LIST") == 2 * server.count("LIST", "RETURN")


@pytest.mark.parametrize(
    ("answer", "why"), [("OK done", "it named no folder"), ("NO not now", "not now"), ("BAD what?", "what?")]
)
@pytest.mark.parametrize("command", [("export",), ("audit",), ("prune", "--older-than", "30d", "--yes")])
def test_no_list_of_folders_is_not_an_empty_mailbox(
    scripted: Start, mailmove: Program, command: tuple[str, ...], answer: str, why: str
) -> None:
    server = scripted(f"LIST\n    {{tag}} {answer}")
    mailmove.account(server)
    done = mailmove(*command)
    assert done.code not in (0, 1), (done.out, done.err)
    assert "LIST" in done.err and why in done.err


@pytest.mark.fault(38)
def test_what_cannot_be_opened_is_said_and_the_rest_is_exported(scripted: Start, mailmove: Program) -> None:
    store = Store()
    store.add("INBOX", message(1))
    store.add("Closed", message(2))
    store.add("Half", message(3))
    store.add("[Node]", attributes="\\Noselect")
    store.add("Ghost", attributes="\\NonExistent")
    store.add("user/other/INBOX", message(4))
    store.add("shared/info", message(5))
    server = scripted(
        r"""
        STATUS /Closed/
            {tag} NO [NOPERM] \x1b[2Jaccess denied
        EXAMINE /Half/
            {tag} NO [NOPERM] access denied
        NAMESPACE
            * NAMESPACE (("" "/")) (("user/" "/")) (("shared/" "/"))
            {tag} OK done
    """,
        store,
    )
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert r"Closed: cannot be opened: NO [NOPERM] \x1b[2Jaccess denied" in done.out
    assert "Half: EXAMINE refused: NO [NOPERM] access denied" in done.out
    assert "Note: user/other/INBOX is left out: other users" in done.out
    assert "Note: shared/info is left out: shared" in done.out
    assert "Node" not in done.out
    assert total(archived(archive)) == hashes(message(1))
    shared = mailmove("export", "--folder", "shared/*", "--json")
    assert shared.code == 0
    assert archived(archive)["shared/info"] == hashes(message(5))


def test_a_check_says_which_folders_it_does_not_speak_for(scripted: Start, mailmove: Program) -> None:
    store = Store()
    store.add("INBOX", message(1))
    store.add("Drafts", message(2))
    store.add("shared/info", message(3))
    space = """
        NAMESPACE
            * NAMESPACE (("" "/")) NIL (("shared/" "/"))
            {tag} OK done
    """
    mailmove.account(scripted(space, store))
    assert mailmove("export").code == 0
    checked = mailmove("check", "--server")
    assert checked.code == 0
    assert "Everything that is exported is in the archive." in checked.out
    assert "Note: shared/info is left out: shared: name it with --folder to include it" in checked.out
    mailmove.account(scripted(store=store), name="whole")
    assert mailmove("export", "whole").code == 0
    assert "Everything on the server is in the archive." in mailmove("check", "whole", "--server").out
    store.add("shared/info", message(4))
    assert "1 message on the server not in the archive yet" in mailmove("check", "whole", "--server").out
    assert "Everything that is exported is in the archive." in mailmove("check", "box", "--server").out


NAMES: list[bytes] = [
    b"../x",
    b"../../../../tmp/evil",
    b"..",
    b".",
    b"/absolute",
    b"a//b",
    b"trailing/",
    b"CON",
    b"con.txt",
    b"LPT1",
    b"aux",
    b"cur",
    b"new",
    b"tmp",
    b"a/cur",
    b"a/cur/cur",
    b".mailmove",
    b".hidden",
    b"dot.",
    b"space ",
    b" space",
    b"Case",
    b"case",
    b"CASE",
    b"a/Case",
    b"A/Case",
    utf7.encode("Z\u00fcrich"),
    utf7.encode("Zu\u0308rich"),
    utf7.encode("Tr\u00e4sh/\u65e5\u672c\u8a9e"),
    utf7.encode("\u202egnp.exe"),
    utf7.encode("line\nbreak"),
    "raw-Übersicht".encode(),
    b"raw-\xff\xfe",
    b"&broken",
    b"&AAA-",
    b"&-",
    b"&ZeVnLA-&ZeVnLA-",
    b"100%",
    b"%2E%2E",
    b'a:b*c?d"e<f>g|h\\i',
    b"x" * 255,
    b"y" * 256,
    b"z" * 1000,
    b"/".join([b"deep"] * 60),
    b"NIL",
    b"INBOX (UIDVALIDITY 1700000000)",
    b"-rf",
    b"~root",
    b"$HOME",
    b"`id`",
    b"\x1b]0;title\x07",
    b"tab\tbed",
    b"DEL\x7f",
]


@pytest.mark.fault(37, 43)
@pytest.mark.loss(21, 28, 42)
@pytest.mark.parametrize("delimiter", ['"/"', "NIL", '"."', '"\\\\"'])
def test_every_folder_name_is_exported_inside_the_archive_to_a_place_of_its_own(
    scripted: Start, mailmove: Program, delimiter: str
) -> None:
    store = Store()
    for number, name in enumerate(NAMES):
        store.add(name, message(number), b"twin").delimiter = delimiter
    server = scripted(store=store)
    archive = mailmove.account(server)
    before = set(mailmove.home.iterdir())
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    held = [one for one in archived(archive).values() if one]
    assert sorted(map(sorted, held)) == sorted(sorted(hashes(message(n), b"twin")) for n in range(len(NAMES)))
    assert set(mailmove.home.iterdir()) - before <= {archive, mailmove.home / "state"}
    parts = [cur.parent.relative_to(archive).as_posix() for cur in archive.rglob("cur")]
    folded = [unicodedata.normalize("NFC", unicodedata.normalize("NFKC", part).casefold()) for part in parts]
    assert len(set(folded)) == len(folded), "distinct also where case and composition do not count"
    assert all(len(part.encode()) <= 255 for path in parts for part in path.split("/"))
    assert done.out.isprintable() or all(line.isprintable() for line in done.out.splitlines())
    again = mailmove("export", "--json", "--flags").json["accounts"][0]
    assert {folder["fetched"] for folder in again["folders"]} == {0}


@pytest.mark.fault(37, 42)
@pytest.mark.loss(48)
def test_a_name_with_line_ends_is_said_and_never_sent(scripted: Start, mailmove: Program) -> None:
    """It could smuggle in a command."""
    store = Store()
    store.add("INBOX", message(1))
    store.add(b'x" NIL\r\nA1 DELETE INBOX\r\n', message(2))
    store.add(b"nul\0", message(3))
    server = scripted(store=store)
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert done.out.count("its name holds a control character that IMAP cannot carry") == 2
    assert not server.deletions
    assert b"DELETE" not in server.octets
    assert total(archived(archive)) == hashes(message(1))


@pytest.mark.fault(37)
@pytest.mark.parametrize("capabilities", [CAPABILITIES, CAPABILITIES.replace("LITERAL+ ", "")])
def test_names_that_need_a_literal_reach_the_server(scripted: Start, mailmove: Program, capabilities: str) -> None:
    store = Store(capabilities)
    for number, name in enumerate((b"\xff\xfe", "Grüße".encode(), b'"quo\\ted"')):
        store.add(name, message(number))
    archive = mailmove.account(scripted(store=store))
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(*map(message, range(3)))


@pytest.mark.fault(43)
def test_whatever_a_server_says_is_shown_harmless(scripted: Start, mailmove: Program) -> None:
    evil = r"\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\x9b31m\x08\x00"
    server = scripted(rf"""
        UID FETCH /BODY/
            {{tag}} NO [X] {evil}
        EXAMINE /Other/
            {{tag}} NO {evil}
    """)
    server.store.add("INBOX", message(1))
    server.store.add("Other", message(2))
    server.store.add(b"\x1b[31mred\x9b", message(3))
    mailmove.account(server, retry_waits=[])
    for arguments in (["export"], ["export", "-vv"], ["export", "-q"], ["export", "--json"]):
        done = mailmove(*arguments)
        assert done.code == 3, (done.out, done.err)
        shown = done.out + done.err
        assert all(char.isprintable() or char == "\n" for char in shown), repr(shown)
        assert "red" in shown or "-q" in arguments
    assert all(ord(char) < 127 for char in mailmove("export", "--json").out)
    server.script(f"LOGIN\n    {{tag}} NO {evil}")
    done = mailmove("export")
    assert done.code == 5
    assert all(char.isprintable() or char == "\n" for char in done.err), repr(done.err)
    server.script(f"GREETING\n    * BYE {evil}\n    !hangup")
    done = mailmove("export")
    assert done.code == 6
    assert all(char.isprintable() or char == "\n" for char in done.err), repr(done.err)


@pytest.mark.fault(45)
@pytest.mark.loss(7, 10, 22, 30)
@pytest.mark.parametrize("edit", ["user", "host", "port"])
def test_an_account_that_is_another_login_now_does_not_get_the_archive_of_the_old_one(
    scripted: Start, mailmove: Program, edit: str
) -> None:
    server, other = scripted(), scripted()
    server.store.add("INBOX", message(1))
    other.store.add("INBOX", message(2))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    before = {path: path.stat().st_mtime_ns for path in archive.rglob("*")}
    config = mailmove.home / ".config/mailmove/config.toml"
    text = config.read_text()
    new = {
        "user": text.replace('user = "user"', 'user = "somebody"'),
        "host": text.replace('host = "localhost"', 'host = "127.0.0.1"'),
        "port": text.replace(f"port = {server.port}", f"port = {other.port}"),
    }[edit]
    assert new != text
    config.write_text(new)
    done = mailmove("export")
    assert done.code == 7, (done.out, done.err)
    assert f"is the archive of user@localhost:{server.port}, not of " in done.err
    del before[archive / ".mailmove/lock"]
    assert {path: path.stat().st_mtime_ns for path in archive.rglob("*") if path in before} == before
    config.write_text(text)
    assert mailmove("export").code == 0


@pytest.mark.loss(9)
def test_the_archive_is_private_whatever_the_umask(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.add("A/B", *map(message, range(3)))
    archive = mailmove.account(server)
    before = os.umask(0)
    try:
        assert mailmove("export").code == 0
    finally:
        os.umask(before)
    for path in (archive, *archive.rglob("*"), *(mailmove.home / "state").rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        else:
            assert mode == (0o400 if ",H=" in path.name else 0o600), path


@pytest.mark.fault(9)
@pytest.mark.parametrize("where", ["A", "A/cur", "A/tmp", ".mailmove/journal.jsonl", ".mailmove/lock", ".mailmove"])
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_nothing_planted_in_the_archive_is_followed_or_waited_for(
    scripted: Start, mailmove: Program, tmp_path: Path, where: str, kind: str
) -> None:
    server = scripted()
    server.store.add("A", message(1))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    target = tmp_path / "elsewhere"
    (archive / where).rename(target)
    if kind == "link":
        (archive / where).symlink_to(target)
    else:
        os.mkfifo(archive / where)
    before = {path: path.stat().st_mtime_ns for path in (target, *target.rglob("*"))}
    server.store.add("A", message(2))
    done = mailmove("export", timeout=30)
    assert done.code == 7, (done.out, done.err)
    assert {path: path.stat().st_mtime_ns for path in (target, *target.rglob("*"))} == before


@pytest.mark.fault(59)
def test_a_fifo_named_like_a_message_is_a_note(scripted: Start, mailmove: Program) -> None:
    """In place of a recorded file and without a record, where messages lie and where they are written."""
    server = scripted()
    server.store.add("INBOX", message(1), message(2))
    server.store.add("Other", message(3))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    file = next((archive / "INBOX/cur").iterdir())
    file.unlink()
    os.mkfifo(file)
    planted = file.with_name(re.sub("U[12],", "U7,", file.name))
    os.mkfifo(planted)
    (archive / "INBOX/tmp/mailmove-0123abcd-1").mkdir()
    os.mkfifo(archive / "INBOX/tmp/mailmove-0123abcd-2")
    server.store.add("INBOX", message(4))
    server.store.add("Other", message(5))
    done = mailmove("export", timeout=30)
    assert done.code == 0, (done.out, done.err)
    assert "what is not a whole message file was moved to .mailmove/aside/" in done.out
    assert not os.path.lexists(planted)
    file.unlink()  # it was recorded: check and prune miss it, an export does not look
    assert archived(archive)["Other"] == hashes(message(3), message(5))
    assert sha256(message(4)) in {digest for uid, digest in by_uid(archive) if uid == 3}


def test_foreign_files_stay_as_they_are(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    foreign = {
        archive / "INBOX/cur/desktop.ini": b"x",
        archive / "INBOX/cur" / f"1620090121.V1U1,S=3,H={'0' * 32}:2,": b"abc",
        archive / "INBOX/tmp/1620090121.P1.host": b"a delivery",
        archive / "INBOX/new/1620090121.P1.host": b"new mail",
        archive / "README": b"mine",
    }
    for path, content in foreign.items():
        path.write_bytes(content)
    server.store.add("INBOX", message(2))
    assert mailmove("export").code == 0
    assert {path: path.read_bytes() for path in foreign} == foreign


@pytest.mark.fault(6)
def test_a_second_run_on_the_same_archive_says_so(scripted: Start, mailmove: Program) -> None:
    server = scripted("UID FETCH #1 /BODY/\n    !silence")
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    with mailmove.started("export") as first:
        while not (archive / ".mailmove/lock").exists() or not server.count("UID FETCH", "BODY"):
            assert first.poll() is None
        done = mailmove("export")
        assert done.code == 7
        assert f"another mailmove is working on {archive}" in done.err
        assert f"process {first.pid}" in done.err
    assert mailmove("export").code == 0, "a killed run leaves no lock behind"


@pytest.mark.fault(6, 65)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("first", "second"), [("nas", "laptop"), ("laptop", "nas")])
def test_a_killed_run_is_followed_by_one_on_another_machine(
    scripted: Start, mailmove: Program, first: str, second: str, shared: bool
) -> None:
    """At once where the system's lock reaches every writer; else when the killed run's lease has ended."""
    server = scripted("UID FETCH #1 /BODY/\n    !silence")
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    killed, other = (as_machine(mailmove, name, *([SHARED] if shared else [])) for name in (first, second))
    lock = archive / ".mailmove/lock"
    with killed.started("export") as process:
        while not server.count("UID FETCH", "BODY"):
            assert process.poll() is None
    assert lock.read_text().startswith(f"{first} ")
    if shared:
        done = other("export")
        assert done.code == 7
        assert f"another machine, {first}, has been working on" in done.err
        assert "try again in 10 minutes" in done.err
        os.utime(lock, (0, 0))
    done = other("export")
    assert done.code == 0, done.err
    assert archived(archive)["INBOX"] == hashes(message(1))
    assert lock.read_bytes() == b""


@pytest.mark.fault(47)
def test_the_archive_read_by_another_program_is_what_the_server_had(
    mailbox: Mailbox, mailmove: Program, dovecot: Dovecot
) -> None:
    """Dovecot serves the archive's Maildir, and a client reads from it what export read from the first server."""
    bodies = [message(number) for number in range(20)] + [b"Subject: x\r\n\r\n\x80\xff 8-bit\r\n"]
    mailbox.fill(bodies)
    archive = mailmove.account(mailbox)
    assert mailmove("export").code == 0
    reader = f"{mailbox.user}-reader"
    home = dovecot.home(reader)
    shutil.copytree(archive / "INBOX", home / "Maildir")
    dovecot.own(home)
    served = Mailbox("dovecot", dovecot.host, dovecot.imap, reader).contents()["INBOX"]
    assert served == mailbox.contents()["INBOX"]
