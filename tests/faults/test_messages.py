"""Broken, lying and hostile messages: each is archived as served, or named; none under another's UID."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable

import pytest

from tests.kit import Mailbox, Program, archived, by_uid, hashes, leftovers, message, sha256, total
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted
from tests.tracing import LONG

Start = Callable[..., Scripted]

LINE = '* {n} FETCH (UID {uid} FLAGS () INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE {size} BODY[] '


@pytest.mark.fault(29)
@pytest.mark.loss(27)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_message_that_makes_every_fetch_fail_is_named_and_all_others_are_saved(
    scripted: Start, mailmove: Program, size: int
) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(size)))
    poison = inbox.mails[size // 2]

    def refuse(talk: Conversation, command: Command) -> None:
        """NO for the whole batch, after the messages before it, as Yahoo does."""
        asked = inbox.chosen(command.args[0])
        if poison not in asked:
            return talk.answer(command)
        for mail in asked[: asked.index(poison)][:2]:
            talk.send(server.store.fetched(inbox, mail, command.args[1]) + b"\r\n")
        return talk.line(f"{command.tag} NO [SERVERBUG] cannot read it")

    server.on("UID FETCH", refuse, "BODY")
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert f"INBOX UID {poison.uid}: the server refuses it: [SERVERBUG] cannot read it" in done.out
    assert total(archived(archive)) == hashes(*(m.body for m in inbox.mails if m is not poison))
    asked = server.count("UID FETCH", "BODY")
    assert mailmove("export").code == 3
    assert server.count("UID FETCH", "BODY") == asked + 1, "the next run asks for it alone"
    server._rules.clear()
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(*inbox.bodies)


@pytest.mark.fault(29)
@pytest.mark.parametrize("poison", [{3, 15}, {1}, {20}, {7, 8, 9}])
def test_messages_that_break_the_connection_each_time_are_named(
    scripted: Start, mailmove: Program, poison: set[int]
) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(20)))

    def die(talk: Conversation, command: Command) -> None:
        for mail in inbox.chosen(command.args[0]):
            if mail.uid in poison:
                talk.line("* 3 FETCH (UID")
                talk.hangup()
            talk.send(server.store.fetched(inbox, mail, command.args[1]) + b"\r\n")
        talk.line(f"{command.tag} OK done")

    server.on("UID FETCH", die, "BODY")
    archive = mailmove.account(server, retry_waits=[0] * 5)
    done = mailmove("export")
    while done.code == 6:  # patience ends, and yet each run gets further
        assert server.count("UID FETCH", "BODY") < 40
        done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    named = ", ".join(map(str, sorted(poison))) if poison != {7, 8, 9} else "7-9"
    assert re.search(rf"INBOX UIDs? {named}: the connection breaks each time", done.out)
    assert total(archived(archive)) == hashes(*(m.body for m in inbox.mails if m.uid not in poison))


@pytest.mark.fault(30)
@pytest.mark.loss(12, 37, 38)
@pytest.mark.parametrize(
    "answer",
    [
        "{tag} OK done",
        "* 1 FETCH (UID 1 FLAGS ())\n{tag} OK done",
        "* 1 FETCH (UID 1 BODY[] NIL)\n{tag} OK done",
        LINE.format(n=1, uid=1, size=9) + "NIL)\n{tag} OK done",
        LINE.format(n=1, uid=1, size=9) + "9)\n{tag} OK done",
        LINE.format(n=1, uid=1, size=9) + '"")\n{tag} OK done',
        LINE.format(n=1, uid=1, size=9) + "{0}\n)\n{tag} OK done",
        LINE.format(n=1, uid=1, size=0) + "{0}\n)\n{tag} OK done",
    ],
)
def test_ok_without_the_message_is_a_failure(scripted: Start, mailmove: Program, answer: str) -> None:
    server = scripted("UID FETCH /BODY/\n" + "".join(f"    {line}\n" for line in answer.split("\n")))
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert "INBOX UID 1: the server" in done.out
    assert total(archived(archive)) == Counter()
    assert not leftovers(archive)
    assert mailmove("export").code == 3, "it is not taken for done later either"


@pytest.mark.fault(30)
def test_an_empty_message_can_be_archived(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.add("INBOX", b"", message(1))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(b"", message(1))


UNSOLICITED = [
    b"* 3 EXISTS",
    b"* 1 RECENT",
    rb"* 1 FETCH (FLAGS (\Seen))",
    rb"* 2 FETCH (UID 2 FLAGS (\Seen))",
    rb"* 2 FETCH (FLAGS (\Deleted) UID 2)",
    rb"* FLAGS (\Seen)",
    b"* OK [HIGHESTMODSEQ 9] meanwhile",
    b"* NO something is odd",
    b"* 1 FETCH (UID 1 MODSEQ (12))",
    b"* VANISHED 77",
    b"* 3 FETCH (UID 77 FLAGS () RFC822.SIZE 5 INTERNALDATE NIL BODY[] {5}\r\nother)",
    b"* 1 FETCH (BODY[] {5}\r\nother)",
    b"* 1 FETCH (UID 0 FLAGS () RFC822.SIZE 5 INTERNALDATE NIL BODY[] {5}\r\nother)",
    b'* LIST () "/" {5}\r\nother',
    b"* SEARCH 1 2 3",
]


@pytest.mark.fault(31)
@pytest.mark.loss(13, 47)
@pytest.mark.parametrize("where", ["UID FETCH", "EXAMINE", "LIST", "STATUS"])
def test_unsolicited_responses_are_never_mixed_up(scripted: Start, mailmove: Program, where: str) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(4)))

    def interrupt(talk: Conversation, command: Command) -> None:
        noise = b"".join(line + b"\r\n" for line in (UNSOLICITED if where == "UID FETCH" else UNSOLICITED[:1]))
        talk.answer(command, lambda answer: re.sub(rb"(?m)^(?=\* \d|M\d)", lambda _: noise, answer))

    server.on(where, interrupt, "BODY" if where == "UID FETCH" else "")
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert total(archived(archive)) == hashes(*inbox.bodies)
    assert by_uid(archive) == {(mail.uid, sha256(mail.body)) for mail in inbox.mails}


@pytest.mark.fault(31)
def test_items_in_any_order_and_bodies_in_any_string_form(scripted: Start, mailmove: Program) -> None:
    bodies = [b"first\r\n", rb'say "hi" \o/', b"third"]
    server = scripted(r"""
        UID FETCH /BODY/
            * 3 FETCH (BODY[] {5}
            third FLAGS () RFC822.SIZE 5 UID 3 INTERNALDATE "04-May-2021 03:02:01 +0000")
            * 1 FETCH (RFC822.SIZE 7 BODY[] {7}
            first
            \x20INTERNALDATE " 4-May-2021 03:02:01 +0000" UID 1 FLAGS (\Seen))
            * 2 FETCH (UID 2 FLAGS () INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 13 BODY[] "say \"hi\" \\o/")
            {tag} OK done
    """)
    inbox = server.store.add("INBOX", *bodies)
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert by_uid(archive) == {(mail.uid, sha256(mail.body)) for mail in inbox.mails}


@pytest.mark.fault(31)
@pytest.mark.loss(14)
def test_two_messages_under_one_uid_are_neither(scripted: Start, mailmove: Program) -> None:
    server = scripted("""
        UID FETCH /BODY/
            !untagged
            !answer s/message 1/massage 1/
    """)
    server.store.add("INBOX", message(1), message(2))
    mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3
    assert "INBOX UID 1: the server sent two different messages under this UID" in done.out
    assert "UID 2" not in done.out


@pytest.mark.fault(32)
def test_what_is_expunged_meanwhile_is_said_and_what_arrives_is_the_next_runs(
    scripted: Start, mailmove: Program
) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(6)))

    def meanwhile(talk: Conversation, command: Command) -> None:
        gone = inbox.mails.pop(2)
        server.store.add("INBOX", message(50))
        talk.answer(command, lambda answer: b"* 3 EXPUNGE\r\n" + answer)
        assert gone.uid == 3

    server.on("UID FETCH", meanwhile, "BODY", nth=1)
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert "1 message vanished" in done.out
    assert "1 message arrived meanwhile" in done.out
    assert total(archived(archive)) == hashes(*(message(n) for n in (0, 1, 3, 4, 5)))
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(*inbox.bodies)


@pytest.mark.fault(32)
def test_what_is_expunged_while_it_is_listed_is_no_failure(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(6)))

    def meanwhile(talk: Conversation, command: Command) -> None:
        del inbox.mails[2]
        talk.answer(command)

    server.on("UID FETCH", meanwhile, nth=1)
    mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)


@pytest.mark.fault(32)
@pytest.mark.loss(31)
def test_a_listing_that_leaves_messages_out_is_not_complete(scripted: Start, mailmove: Program) -> None:
    """An error is never an empty result, and what is not listed is not gone."""
    server = scripted()
    inbox = server.store.add("INBOX", *map(message, range(6)))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    inbox.uidnext += 1  # something happened, so that the folder is looked at
    server.script(r"""
        UID FETCH /FLAGS\)/
            !answer s/\* [25] FETCH .UID . [^\r]*\r\n//
    """)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert "INBOX: 2 messages that the server counts are not in its listing" in done.out
    assert b'"gone"' not in (archive / ".mailmove/journal.jsonl").read_bytes()


@pytest.mark.fault(32)
@pytest.mark.parametrize("told", ["", "* FLAGS ()"])
def test_a_folder_that_does_not_say_how_much_it_holds_is_not_empty(
    scripted: Start, mailmove: Program, told: str
) -> None:
    server = scripted(f"""
        EXAMINE
            * OK [UIDVALIDITY 1700000000] valid
            {told or "* OK [UIDNEXT 3] next"}
            {{tag}} OK opened
    """)
    server.store.add("INBOX", *map(message, range(2)))
    mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert "INBOX: EXAMINE refused: OK it did not say how many messages there are" in done.out


@pytest.mark.fault(33)
@pytest.mark.parametrize("announced", [0, 1, 12_000, 2**31 - 1, 2**40])
def test_the_literal_rules_over_the_announced_size(scripted: Start, mailmove: Program, announced: int) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", message(1), message(2))
    inbox.mails[0].size = announced
    archive = mailmove.account(server)
    if announced > 1 << 30:
        assert mailmove("export").code == 3, "it may be a stand-in"
        assert total(archived(archive)) == hashes(inbox.bodies[1])
        (came,) = (archive / ".mailmove/doubted").iterdir()
        assert came.read_bytes() == inbox.bodies[0]
        return
    assert mailmove("export").code == 0
    assert total(archived(archive)) == hashes(*inbox.bodies)
    again = mailmove("export", "--json", "--flags")
    assert again.code == 0
    assert again.json["accounts"][0]["folders"][0]["fetched"] == 0, "the estimate is compared with the estimate"


ODD = {
    "NUL": b"Subject: x\r\n\r\na\0b\r\n",
    "8-bit header": b"Subject: gr\xfc\xdfe \xff\xfe\r\n\r\n\x80\x81",
    "bare CR and LF": b"Subject: x\n\nline\rline\nline\r\n.\r\nFrom here\r\n\n",
    "no header": b"\r\n\r\n\r\n",
    "only a header": b"Subject: x",
    "looks like IMAP": b"\r\n)\r\nM5 OK done\r\n* BYE\r\n* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n",
    "looks like mbox": b"From x\r\nFrom: a\r\n\r\nFrom b\r\n>From c\r\n",
    "470 octets of Message-ID": b"Message-ID: <" + b"x" * 470 + b"@x>\r\n\r\n",
    "a long header field": b"Subject: " + b"y" * 300_000 + b"\r\n\r\nbody",
    "a line of 10 MB": b"Subject: x\r\n\r\n" + b"z" * 10_000_000 + b"\r\n",
    "every octet": bytes(range(256)) * 300,
}


@pytest.mark.fault(35)
@pytest.mark.loss(16, 20, 24, 25, 46, 49)
@pytest.mark.parametrize("name", ODD)
def test_octets_are_archived_as_they_are(scripted: Start, mailmove: Program, name: str) -> None:
    server = scripted()
    server.store.add("INBOX", ODD[name], message(1))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert total(archived(archive)) == hashes(ODD[name], message(1))


@pytest.mark.fault(35)
def test_octets_come_unchanged_from_a_real_server(mailbox: Mailbox, mailmove: Program) -> None:
    """Dovecot stores what it is given, NUL and bare line ends apart; it says what it serves."""
    mailbox.fill([body for name, body in ODD.items() if name != "NUL"])
    archive = mailmove.account(mailbox)
    assert mailmove("export").code == 0
    assert total(archived(archive)) == total(mailbox.contents())


@pytest.mark.fault(35)
@pytest.mark.skipif(not LONG, reason="2 GiB of disk and half a minute: with MAILMOVE_LONG_TESTS")
def test_a_message_of_more_than_2_gib(scripted: Start, mailmove: Program) -> None:
    """No length on the way is held in 31 bits, and no message in memory."""
    block = bytes(range(256)) * (1 << 12)
    blocks = (2 << 30) // len(block) + 1
    octets = blocks * len(block)
    server = scripted()
    server.store.add("INBOX", message(1)).mails[0].size = octets

    def send(talk: Conversation, command: Command) -> None:
        line = LINE.format(n=1, uid=1, size=octets)
        talk.send(f"{line}{{{octets}}}\r\n".encode())
        for _ in range(blocks):
            talk.send(block)
            talk.flush()
        talk.line(")")
        talk.line(f"{command.tag} OK done")

    server.on("UID FETCH", send, "BODY")
    archive = mailmove.account(server)
    done, used = mailmove.measured("export")
    assert done.code == 0, (done.out, done.err)
    assert used.memory < 200 << 20, f"{used.memory:,} octets"
    (file,) = (archive / "INBOX/cur").iterdir()
    digest = hashlib.sha256()
    for _ in range(blocks):
        digest.update(block)
    with file.open("rb") as opened:
        assert hashlib.file_digest(opened, "sha256").digest() == digest.digest()
    assert f",S={octets},H={digest.hexdigest()[:32]}" in file.name
    assert mailmove("check").code == 0
    file.unlink()


@pytest.mark.fault(36)
@pytest.mark.loss(33, 34)
def test_messages_are_not_the_same_because_their_message_ids_are(scripted: Start, mailmove: Program) -> None:
    same = [b"Message-ID: <same@example.org>\r\n\r\nbody %d\r\n" % number for number in range(1000)]
    none = [b"Subject: x\r\n\r\nbody %d\r\n" % number for number in range(1000)]
    twins = [b"Message-ID: <twin@example.org>\r\n\r\ntwin\r\n"] * 1000
    server = scripted()
    for folder, bodies in (("Same", same), ("None", none), ("Twins", twins)):
        server.store.add(folder, *bodies)
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    held = archived(archive)
    assert held["Same"] == hashes(*same)
    assert held["None"] == hashes(*none)
    assert held["Twins"] == hashes(*twins), "a thousand files, whatever disk they share"


DATES = {
    b'"01-Jan-1970 00:00:00 +0000"': 0,
    b'"31-Dec-1969 23:59:59 +0000"': -1,
    b'"01-Jan-2099 00:00:00 +0000"': 4070908800,
    b'"04-May-2021 03:02:01 +1400"': 1620046921,
    b"NIL": 0,
    b'"yesterday"': 0,
    b'"99-Foo-2021 77:00:00 +0000"': 0,
    b'""': 0,
    b'"01-Jan-9999 00:00:00 -2359"': 253370851140,
    b'"4-May-2021 03:02:01 +0000"': 1620097321,
    b'"4-May-2021 03:02:01 GMT"': 1620097321,
    b'"04-May-2021 05:02:01 +02:00"': 1620097321,
    b'"4-May-2021 03:02:01"': 0,
}


@pytest.mark.fault(25)
@pytest.mark.loss(5, 50)
def test_odd_arrivals_are_archived_and_kept_as_they_are(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    for number, date in enumerate(DATES):
        server.store.add("INBOX", message(number), arrival=date)
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert total(archived(archive)) == hashes(*map(message, range(len(DATES))))
    arrivals = {}
    for file in (archive / "INBOX/cur").iterdir():
        arrival, _, rest = file.name.partition(".V")
        arrivals[int(rest.split("U")[1].split(",")[0])] = int(arrival)
    assert [arrivals[uid] for uid in sorted(arrivals)] == list(DATES.values())
    again = mailmove("export", "--json", "--flags").json["accounts"][0]["folders"][0]
    assert (again["archived"], again["fetched"]) == (len(DATES), 0)


HOSTILE = {
    "a body of 10^11 octets": LINE.format(n=1, uid=1, size=9) + "{99999999999}\n!endless x",
    "a body of 2^64 octets": LINE.format(n=1, uid=1, size=9) + "{18446744073709551616}\n!endless x",
    "a body of 10^30 octets": LINE.format(n=1, uid=1, size=9) + "{" + "9" * 30 + "}\n!endless x",
    "a literal instead of flags": "* 1 FETCH (UID 1 FLAGS {99999999999}\n!endless x",
    "deep nesting": "!raw * 1 FETCH \n!endless (",
    "a line nested deep": "* 1 FETCH " + "(" * 5000 + "UID 1" + ")" * 5000 + "\n{tag} OK done",
    "an endless line": "!endless * 1 FETCH (UID 1 ",
    "an endless greeting": "!endless x",
    "endless responses": "!endless * 1 EXISTS" + " or so" * 100 + "\\x0d\\x0a",
    "endless literals": "!raw * 1 FETCH (UID 1 \n!endless X {3}\\x0d\\x0aabc",
    "an octet that is not IMAP": "* 1 FETCH (UID 1 FLAGS (\\x00\\xff\\x1b[2J) RFC822.SIZE 1)\n* \\x00\n{tag} OK done",
    "another tag": "X999 OK done",
    "no tag": "OK done",
    "nothing": "",
}


@pytest.mark.fault(34)
@pytest.mark.loss(21, 48)
@pytest.mark.parametrize("where", ["UID FETCH", "LIST", "EXAMINE"])
@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_answers_end_in_bounded_memory(scripted: Start, mailmove: Program, where: str, attack: str) -> None:
    lines = "".join(f"    {line}\n" for line in HOSTILE[attack].split("\n") if line)
    server = scripted(f"{where}\n" + (lines or "    !silence\n"))
    server.store.capabilities.remove("LITERAL+")
    server.store.add("INBOX", message(1))
    mailmove.account(server, timeout=0.5, retry_waits=[0])
    done, used = mailmove.measured("export")
    assert done.code in (3, 6), (done.out, done.err)
    assert used.memory < 200 << 20, f"{used.memory:,} octets"


@pytest.mark.fault(34)
@pytest.mark.loss(21, 48)
@pytest.mark.parametrize("announced", [10**11, 2**64, 10**20 - 1])
def test_no_octet_of_an_absurd_body_is_taken(scripted: Start, mailmove: Program, announced: int) -> None:
    server = scripted(f"""
        UID FETCH /BODY/
            {LINE.format(n=1, uid=1, size=9)}{{{announced}}}
            a beginning
            !hangup
    """)
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 3, (done.out, done.err)
    assert f"the server announced a message of {announced} octets" in done.out
    assert not leftovers(archive)


@pytest.mark.fault(34)
@pytest.mark.parametrize("where", ["GREETING", "LOGIN"])
def test_no_large_literal_is_taken_before_the_login_is_done(scripted: Start, mailmove: Program, where: str) -> None:
    server = scripted(f"""
        {where}
            * 1 FETCH (X {{65537}}
            !octets 65537
            )
            !answer
    """)
    mailmove.account(server, retry_waits=[])
    done = mailmove("export")
    assert done.code == 6, (done.out, done.err)
    assert "an absurdly large literal before the login was done" in done.err
