"""Audit against servers that answer badly: what they say wrongly is told as unknown, and nothing breaks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.kit import NOW, Done, Program, message
from tests.servers.model import Command, Mail
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]


def start(scripted: Start, script: str = "", *, quota: bool = True) -> Scripted:
    """A server with ten messages."""
    server = scripted(script)
    if quota:
        server.store.capabilities.append("QUOTA")
    server.store.add("INBOX", *map(message, range(8)))
    server.store.add("Sent", *map(message, range(8, 10)), attributes="\\Sent")
    return server


def audit(program: Program, server: Scripted, *arguments: object) -> tuple[Done, Any]:
    """Audit it; returns the run and the account's JSON."""
    program.account(server)
    done = program("audit", "--json", *arguments)
    return done, done.json["accounts"][0]


def octets(server: Scripted) -> int:
    return sum(len(body) for box in server.store.folders.values() for body in box.bodies)


@pytest.mark.fault(44)
def test_two_roots_one_of_them_for_some_folders_only(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        r"""
        GETQUOTAROOT /INBOX/
            * QUOTAROOT INBOX "" archive
            * QUOTA "" (STORAGE 10 1000 MESSAGE 10 1000)
            * QUOTA archive (STORAGE 8 10)
            {tag} OK done
        GETQUOTAROOT
            * QUOTAROOT Sent ""
            * QUOTA "" (STORAGE 10 1000 MESSAGE 10 1000)
            {tag} OK done
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert [(g["root"], g["resource"], g["used"], g["limit"]) for g in found["quota"]] == [
        ("", "STORAGE", 10240, 1024000),
        ("", "MESSAGE", 10, 1000),
        ("archive", "STORAGE", 8192, 10240),
    ]
    # Only what lies in INBOX counts in the tightest root.
    sizes = {folder["name"]: folder["octets"] for folder in found["folders"]}
    year = next(what_if for what_if in found["prune"] if what_if["older_than"] == "1y")
    assert year["frees"]["octets"] == sizes["INBOX"] + sizes["Sent"]
    assert year["percent_after"] == pytest.approx(max(0, 8192 - sizes["INBOX"]) * 100 / 10240, abs=0.01)
    assert "archive" in mailmove("audit").out.splitlines()[2]


@pytest.mark.fault(44)
@pytest.mark.parametrize(
    ("answer", "lacking"),
    [
        ('* QUOTA "" ()', "the server names no limit for storage"),
        ('* QUOTA ""', "the server's answer about its quota cannot be understood"),
        ('* QUOTA "" (STORAGE 10 much)', "the server's answer about its quota cannot be understood"),
        ('* QUOTA "" (STORAGE -5 100)', "the server's answer about its quota cannot be understood"),
        (
            '* QUOTA "" (STORAGE 99999999999999999999999999 5)',
            "the server's answer about its quota cannot be understood",
        ),
        ('* QUOTA "" ((((STORAGE 10 5', "the server's answer about its quota cannot be understood"),
        ("* QUOTA ) STORAGE {", "the server's answer about its quota cannot be understood"),
        (r"* QUOTA \xff\x00\x1b", "the server's answer about its quota cannot be understood"),
    ],
)
def test_no_limit_and_garbage_are_not_the_same(scripted: Start, mailmove: Program, answer: str, lacking: str) -> None:
    server = start(
        scripted,
        f"""
        GETQUOTAROOT
            * QUOTAROOT INBOX ""
            {answer}
            {{tag}} OK done
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    (gauge,) = found["quota"]
    assert (gauge["source"], gauge["used"], gauge["limit"]) == ("sum", octets(server), None)
    assert found["quota_lacking"] == lacking
    assert lacking in mailmove("audit").out.splitlines()[0]


@pytest.mark.fault(44)
def test_a_limit_of_0_is_told_and_divides_nothing(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        """
        GETQUOTAROOT
            * QUOTAROOT INBOX ""
            * QUOTA "" (STORAGE 10 0 MESSAGE 0 0 X-ODD 7 0)
            {tag} OK done
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert [(g["resource"], g["used"], g["limit"], g["percent"]) for g in found["quota"]] == [
        ("STORAGE", 10240, 0, None),
        ("MESSAGE", 0, 0, None),
        ("X-ODD", 7, 0, None),
    ]
    assert "the server says that the limit is 0" in mailmove("audit").out.splitlines()[0]
    assert mailmove("audit", "--fail-above", "90%", "-q").code == 9


@pytest.mark.fault(44)
def test_more_used_than_allowed(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        """
        GETQUOTAROOT
            * QUOTAROOT INBOX ""
            * QUOTA "" (STORAGE 150 100)
            {tag} OK done
        """,
    )
    _, found = audit(mailmove, server)
    assert found["quota"][0]["percent"] == 150
    text = mailmove("audit").out
    assert "150 %  [####################]" in text
    assert "Full now" in text


@pytest.mark.fault(44)
def test_a_server_that_refuses_to_tell_its_quota(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        """
        GETQUOTAROOT
            {tag} NO not for you
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert found["quota"][0]["source"] == "sum"


def many(scripted: Start) -> Scripted:
    server = start(scripted)
    server.store.quota = (1 << 20, 1 << 21)
    for number in range(250):
        server.store.add(f"Folder {number:03}")
    server.store.add("Größe".encode())
    return server


def test_where_all_folders_have_one_root_a_few_are_asked(scripted: Start, mailmove: Program) -> None:
    server = many(scripted)
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert [(gauge["used"], gauge["limit"]) for gauge in found["quota"]] == [(1 << 20, 1 << 21)]
    assert server.count("GETQUOTAROOT") == 3
    assert server.count("GETQUOTAROOT", "INBOX") == 1


def test_a_root_that_only_an_empty_trash_has_is_found(scripted: Start, mailmove: Program) -> None:
    server = many(scripted)
    server.store.add("Cestino", attributes="\\Trash")
    server.script(
        """
        GETQUOTAROOT /Cestino/
            * QUOTAROOT Cestino bin
            * QUOTA bin (STORAGE 0 100)
            {tag} OK done
        """
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert [(gauge["used"], gauge["limit"]) for gauge in found["quota"]] == [(1 << 20, 1 << 21), (0, 102400)]


def test_where_folders_have_different_roots_each_is_asked(scripted: Start, mailmove: Program) -> None:
    server = many(scripted)
    server.script(
        """
        GETQUOTAROOT /Sent/
            {tag} NO it has none
        """
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert [(gauge["used"], gauge["limit"]) for gauge in found["quota"]] == [(1 << 20, 1 << 21)]
    assert server.count("GETQUOTAROOT") == 253
    sizes = {folder["name"]: folder["octets"] for folder in found["folders"]}
    after = ((1 << 20) - sizes["INBOX"]) * 100 / (1 << 21)  # what lies in Sent does not count there
    assert found["prune"][3]["percent_after"] == pytest.approx(after, abs=0.01)


@pytest.mark.fault(10, 11)
def test_a_connection_lost_while_listing_counts_nothing_twice(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        """
        UID FETCH #1
            * 1 FETCH (UID 1 INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 100 FLAGS ())
            !hangup
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert (found["messages"], found["octets"]) == (10, octets(server))


@pytest.mark.fault(30, 33)
def test_messages_without_a_size_are_counted_and_said(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        """
        UID FETCH #1
            !answer s/RFC822.SIZE [0-9]+/RFC822.SIZE NIL/
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert found["notes"] == ["the server does not tell the size of 8 messages"]
    assert found["messages"] == 10


@pytest.mark.fault(25)
@pytest.mark.parametrize("arrival", [b"NIL", b'"31-Feb-2020 00:00:00 +0000"', b'"01-Jan-1970 00:00:00 +0000"', b'""'])
def test_messages_without_a_usable_date_are_kept_and_told(scripted: Start, mailmove: Program, arrival: bytes) -> None:
    server = start(scripted)
    server.store["INBOX"].mails[0].arrival = arrival
    server.store["INBOX"].mails[1].arrival = datetime(NOW.year + 1, 1, 1).astimezone()
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert found["undated"]["messages"] == 2
    stays = found["prune"][0]["stays"]
    assert stays["without a usable date"]["messages"] == stays["dated in the future"]["messages"] == 1
    assert {folder["name"]: folder["oldest"] for folder in found["folders"]}["INBOX"] == "2021-05-04"


@pytest.mark.fault(38)
def test_folders_that_cannot_be_opened_are_named_and_the_others_told(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        """
        EXAMINE /Sent/
            {tag} NO [NOPERM] not for you
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 3
    assert found["problems"] == ["Sent cannot be read: NO [NOPERM] not for you"]
    assert {folder["name"]: folder["messages"] for folder in found["folders"]}["INBOX"] == 8
    assert "PROBLEM: box: Sent cannot be read" in mailmove("audit").out


@pytest.mark.fault(38)
def test_a_mailbox_of_which_nothing_can_be_opened(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        """
        EXAMINE
            {tag} NO [NOPERM] not for you
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 3
    assert len(found["problems"]) == 2
    assert mailmove("audit").code == 3


def test_folders_that_overlap_are_said_to(scripted: Start, mailmove: Program) -> None:
    server = start(scripted)
    server.store.add("All Mail", *map(message, range(10)), attributes="\\All")
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert found["notes"] == ["a message with several labels counts in each of its folders here"]
    assert [folder["name"] for folder in found["prune_leaves_alone"]] == ["All Mail"]


@pytest.mark.fault(24)
def test_a_listing_that_lacks_messages_is_said(scripted: Start, mailmove: Program) -> None:
    server = start(scripted)
    server.script(
        """
        UID FETCH
            * 1 FETCH (UID 1 INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 100 FLAGS ())
            {tag} OK done
        """
    )
    done, found = audit(mailmove, server)
    assert done.code == 3
    assert found["problems"] == [
        "INBOX: 7 messages that the server counts are not in its listing",
        "Sent: 1 message that the server counts are not in its listing",
    ]


@pytest.mark.fault(31)
def test_unasked_answers_do_not_mix_in(scripted: Start, mailmove: Program) -> None:
    server = start(
        scripted,
        r"""
        UID FETCH #1
            * 3 FETCH (FLAGS (\Flagged))
            * 9 EXISTS
            * OK still here
            !untagged
            * 2 FETCH (UID 2 INTERNALDATE "04-May-2021 03:02:01 +0000" RFC822.SIZE 999999 FLAGS ())
            * 4 FETCH (FLAGS () UID 4)
            {tag} OK done
        """,
    )
    done, found = audit(mailmove, server)
    assert done.code == 0, done.err
    assert (found["messages"], found["octets"]) == (10, octets(server))


@pytest.mark.fault(35)
def test_a_header_field_without_end_costs_nothing(scripted: Start, mailmove: Program) -> None:
    server = start(scripted)
    server.store.add("INBOX", b"Subject: " + b"x" * 3_000_000 + b"\r\nFrom: late@example.org\r\n\r\nbody\r\n")
    done, found = audit(mailmove, server, "--top", "1", "--by", "sender")
    assert done.code == 0, done.err
    assert found["biggest"][0]["subject"].startswith("xxxx")
    assert len(found["biggest"][0]["subject"]) <= 100


@pytest.mark.fault(37, 42, 43)
def test_hostile_folder_names_are_shown_escaped_and_never_sent(scripted: Start, mailmove: Program) -> None:
    server = start(scripted)
    server.store.add(b"a\x1b[31mb", message(1))
    server.store.add(b"in\r\njected", message(2))
    done, found = audit(mailmove, server)
    assert done.code == 3
    assert b"\r\njected" not in server.octets
    assert [problem for problem in found["problems"] if r"in\x0d\x0ajected cannot be opened" in problem]
    text = mailmove("audit").out
    assert r"a\x1b[31mb" in text
    assert "\x1b" not in text + done.out


@pytest.mark.fault(50)
@pytest.mark.parametrize("arguments", [("audit",), ("restore", "--all", "--yes"), ("check", "--server")])
def test_sigterm_while_the_server_is_asked_ends_it_cleanly(
    scripted: Start, mailmove: Program, arguments: tuple[str, ...]
) -> None:
    """And the same command, run again, does what it was to do."""
    server = start(scripted)
    mailmove.account(server)
    assert mailmove("export").code == 0
    server.store["INBOX"].mails.pop()
    server.store.add("INBOX", message(30))
    reached = threading.Event()

    def stuck(talk: Conversation, command: Command) -> None:
        reached.set()
        talk.silence()

    server.on("UID FETCH", stuck, nth=1)
    with mailmove.started(*arguments) as process:
        assert reached.wait(60)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "interrupted" in out + err
    assert "Traceback" not in out + err
    assert mailmove(*arguments).code == 0


@pytest.mark.fault(34)
@pytest.mark.parametrize("answer", ["* QUOTA {99999999999}", "* 1 FETCH (UID 1 X {99999999999}"])
def test_an_absurd_literal_ends_the_run_cleanly(scripted: Start, mailmove: Program, answer: str) -> None:
    server = start(scripted)
    server.script(f"{'GETQUOTAROOT' if 'QUOTA' in answer else 'UID FETCH'}\n    {answer}\n")
    mailmove.account(server)
    done = mailmove("audit")
    assert done.code == (6 if "QUOTA" in answer else 3), "what is of one folder costs that"
    assert "does not end" in done.out + done.err


def test_flags_in_any_shape_decide_what_is_kept(scripted: Start, mailmove: Program) -> None:
    """After an export only flags are asked for; servers may send them in another order, and more than once."""
    server = start(scripted)
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    assert archive.exists()
    server.script(
        r"""
        UID FETCH /UID FLAGS/
            * 1 FETCH (FLAGS (\Flagged) UID 1)
            * 2 FETCH (UID 2 FLAGS () MODSEQ (7))
            * 3 FETCH (FLAGS (\Flagged))
            !untagged
            * 2 FETCH (UID 2 FLAGS (\Flagged))
            {tag} OK done
        """
    )
    (found,) = mailmove("audit", "--json", "--folder", "INBOX").json["accounts"]
    assert found["messages"] == 8
    assert found["archive"]["messages"] == 8
    assert found["prune"][0]["stays"]["flagged"]["messages"] == 1  # 2; of 1 the later answer counts


@pytest.mark.fault(12, 16)
def test_another_uidvalidity_is_not_taken_for_what_is_archived(scripted: Start, mailmove: Program) -> None:
    server = start(scripted)
    mailmove.account(server)
    assert mailmove("export").code == 0
    server.store["INBOX"].uidvalidity += 1
    (found,) = mailmove("audit", "--json").json["accounts"]
    assert found["archive"]["messages"] == 2
    assert found["messages"] == 10


def test_estimated_sizes_and_read_mail_are_as_announced(scripted: Start, mailmove: Program) -> None:
    server = start(scripted)
    mail: Mail = server.store["INBOX"].mails[0]
    mail.size = 123_456
    mail.flags.add("\\Seen")
    _, found = audit(mailmove, server)
    inbox = next(folder for folder in found["folders"] if folder["name"] == "INBOX")
    assert inbox["octets"] == 123_456 + sum(len(body) for body in server.store["INBOX"].bodies[1:])
    assert inbox["unread"] == 7


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ([], "Moved cannot be read: NO [SERVERBUG] no; it may have been moved here, and be older than its arrivals"),
        (["--top", "3"], "INBOX cannot be read: NO [SERVERBUG] no; its biggest messages are not named"),
    ],
)
def test_headers_that_the_server_will_not_show_cost_only_what_they_would_tell(
    scripted: Start, mailmove: Program, option: list[str], problem: str
) -> None:
    """Whether a folder was moved here, and what the biggest messages are called."""
    server = start(scripted, "UID FETCH /HEADER/\n    {tag} NO [SERVERBUG] no")
    if not option:
        server.store.add("Moved", *map(message, range(20, 140)), arrival=NOW.replace(year=2024, hour=12))
    done, found = audit(mailmove, server, *option)
    assert done.code == 3, done.err
    assert found["problems"] == [problem]
    assert sum(folder["messages"] for folder in found["folders"]) == (10 if option else 130)
    assert [(big["octets"] > 0, big["subject"]) for big in found["biggest"]] == [(True, "")] * (3 if option else 0)
    assert found["prune"][0]["frees"]["messages"] == (10 if option else 130)
    assert f"PROBLEM: box: {problem}" in mailmove("audit", *option).out
