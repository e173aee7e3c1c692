"""The scripted server answers properly by default, and misbehaves exactly as told."""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from tests.kit import message
from tests.servers.model import Gmail, Store
from tests.servers.scripted import Conversation, Scripted

Start = Callable[..., Scripted]


def client(server: Scripted, password: str = "pw") -> IMAPClient:
    made = IMAPClient(server.host, server.port, ssl=False, timeout=10)
    made.login("user", password)
    return made


def said(server: Scripted, *lines: str) -> bytes:
    """All that the server says to these lines, until it hangs up."""
    with socket.create_connection((server.host, server.port), 10) as sock:
        sock.sendall("".join(f"{line}\r\n" for line in lines).encode())
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    return answer.partition(b"\r\n")[2]


def test_it_answers_as_an_imap_server(scripted: Start) -> None:
    server = scripted()
    server.store.add("INBOX", message(1), message(2), arrival=datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC))
    server.store.add("Archive", attributes="\\Archive")
    with client(server) as talk:
        assert [(name, flags) for flags, _, name in talk.list_folders()] == [
            ("INBOX", ()),
            ("Archive", (b"\\Archive",)),
        ]
        assert talk.folder_status("INBOX")[b"MESSAGES"] == 2
        talk.select_folder("INBOX")
        assert talk.search(["BEFORE", "4-Feb-2020"]) == [1, 2]
        assert talk.search(["SINCE", "4-Feb-2020"]) == []
        fetched = talk.fetch([1, 2], ["BODY.PEEK[]", "RFC822.SIZE", "FLAGS", "INTERNALDATE"])
        assert [fetched[uid][b"BODY[]"] for uid in (1, 2)] == [message(1), message(2)]
        assert fetched[1][b"RFC822.SIZE"] == len(message(1))
        header = talk.fetch([1], ["BODY.PEEK[HEADER.FIELDS (SUBJECT)]"])[1][b"BODY[HEADER.FIELDS (SUBJECT)]"]
        assert header == b"Subject: message 1\r\n\r\n"
        talk.append("Archive", message(3), ["\\Flagged"], datetime(2020, 1, 1, tzinfo=UTC))
        talk.move([2], "Archive")
        talk.delete_messages([1])
        talk.uid_expunge([1])
    assert server.store["INBOX"].bodies == []
    assert server.store["Archive"].bodies == [message(3), message(2)]
    assert server.store["Archive"].mails[0].flags == {"\\Flagged"}
    assert [raw.split(b" ", 1)[1] for raw in server.deletions] == [
        b'UID MOVE 2 "Archive"',
        rb"UID STORE 1 +FLAGS (\Deleted)",
        b"UID EXPUNGE 1",
    ]


def test_it_takes_no_other_password_and_remembers_the_one_it_was_given(scripted: Start) -> None:
    server = scripted()
    with pytest.raises(LoginError):
        client(server, "wrong-one")
    assert b"wrong-one" in server.octets


def test_examine_allows_no_change(scripted: Start) -> None:
    server = scripted()
    server.store.add("INBOX", message(1))
    with client(server) as talk:
        talk.select_folder("INBOX", readonly=True)
        with pytest.raises(IMAPClientError, match="READ-ONLY"):
            talk.delete_messages([1])
    assert server.store["INBOX"].mails[0].flags == set()


def test_gmail_shows_one_message_under_each_label(scripted: Start) -> None:
    store = Gmail()
    msgid = store.deliver(message(1), "INBOX", "Work")
    server = scripted(store=store)
    with client(server) as talk:
        talk.select_folder("INBOX")
        assert talk.fetch([1], ["X-GM-LABELS", "X-GM-MSGID"])[1][b"X-GM-LABELS"] == (b"Work",)
        talk.delete_messages([1])
        assert store.labels(msgid) == {b"Work", b"[Gmail]/All Mail"}
        talk.select_folder("[Gmail]/All Mail")
        talk.delete_messages([1])
        assert store.labels(msgid) == {b"Work", b"[Gmail]/All Mail"}
        talk.move([1], "[Gmail]/Trash")
        assert store.labels(msgid) == {b"[Gmail]/Trash"}
        talk.select_folder("[Gmail]/Trash")
        talk.delete_messages([1])
    assert store.labels(msgid) == set()


def test_tokens_log_in(scripted: Start) -> None:
    store = Gmail()
    store.tokens = {"good"}
    server = scripted(store=store)
    talk = IMAPClient(server.host, server.port, ssl=False, timeout=10)
    with pytest.raises(LoginError):
        talk.oauth2_login("user", "stale")
    talk.oauth2_login("user", "good")
    talk.logout()


def test_rules_answer_in_order_and_count(scripted: Start) -> None:
    server = scripted(r"""
        NOOP #2
            * 7 EXISTS
            {tag} NO not now
        NOOP /never/
            !hangup
        NOOP #3-
            !untagged
            !raw {tag} OK
            !octets 3
            \x00\xff
    """)
    assert said(server, "a NOOP", "b NOOP", "c NOOP", "d NOOP") == (
        b"a OK NOOP completed\r\n* 7 EXISTS\r\nb NO not now\r\nc OKxxx\0\xff\r\nd OKxxx\0\xff\r\n"
    )


def test_an_answer_can_be_edited_and_cut(scripted: Start) -> None:
    server = scripted("""
        CAPABILITY #1
            !answer s/LITERAL\\+ //
        CAPABILITY #2
            !cut 9
            !answer
    """)
    first, second = said(server, "a CAPABILITY", "b CAPABILITY").split(b"a OK CAPABILITY completed\r\n")
    assert b"LITERAL+" not in first
    assert second == b"* CAPABIL"


def test_an_answer_can_drip_or_stay_out(scripted: Start) -> None:
    server = scripted("""
        NOOP #1
            !drip 0.001
            !answer
        NOOP #2
            * here
            !silence
    """)
    assert said(server, "a NOOP", "b NOOP") == b"a OK NOOP completed\r\n* here\r\n"


def test_a_function_can_change_the_mailbox_and_answer(scripted: Start) -> None:
    server = scripted()
    inbox = server.store.add("INBOX", message(1), message(2))

    def expunged_meanwhile(talk: Conversation, command: object) -> None:
        del inbox.mails[0]
        talk.line("* 1 EXPUNGE")
        talk.answer(command)  # type: ignore[arg-type]

    server.on("UID FETCH", expunged_meanwhile, nth=1)
    with client(server) as talk:
        talk.select_folder("INBOX")
        assert list(talk.fetch([1, 2], ["FLAGS"])) == [2]


def test_its_certificate_is_for_its_name_and_starttls_can_carry_more_than_it_should(scripted: Start) -> None:
    server = scripted(tls="starttls")
    trusting = ssl.create_default_context(cafile=server.ca)
    with imaplib.IMAP4(server.host, server.port, timeout=10) as talk:
        talk.starttls(trusting)
        talk.login("user", "pw")
    assert server.octets.endswith(b" LOGOUT\r\n")
    implicit = scripted(tls="implicit")
    implicit.certify("elsewhere.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL(implicit.host, implicit.port, ssl_context=ssl.create_default_context(cafile=implicit.ca))


def test_what_goes_wrong_in_a_script_fails_its_test() -> None:
    def broken(talk: Conversation, command: object) -> None:
        raise ZeroDivisionError

    server = Scripted()
    server.on("NOOP", broken)
    said(server, "a NOOP")
    with pytest.raises(ZeroDivisionError):
        server.stop()


def test_a_store_can_be_a_subclass(scripted: Start) -> None:
    class Forgetful(Store):
        def do_uid_store(self, *_: object) -> None:  # type: ignore[override]
            """Answer OK and set no flag."""

    server = scripted(store=Forgetful())
    server.store.add("INBOX", message(1))
    with client(server) as talk:
        talk.select_folder("INBOX")
        talk.delete_messages([1], silent=True)
    assert server.store["INBOX"].mails[0].flags == set()
