"""The personalities behave as the servers they are named after, seen by a client that is not ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from tests.kit import message
from tests.servers import personalities
from tests.servers.model import Gmail
from tests.servers.scripted import Scripted
from tests.servers.test_scripted import client, said

Start = Callable[..., Scripted]


def opened(server: Scripted) -> IMAPClient:
    talk = client(server)
    talk.select_folder("INBOX")
    return talk


def test_exchange_announces_one_message_and_serves_another(scripted: Start) -> None:
    server = scripted(store=personalities.Exchange(2))
    server.store.add("INBOX", message(1), message(2) * 100)
    with opened(server) as talk:
        told = talk.fetch([1, 2], ["RFC822.SIZE", "BODY.PEEK[]"])
    assert told[1][b"BODY[]"] == message(1)
    assert told[1][b"RFC822.SIZE"] == round(len(message(1)) * 1.02)
    assert b"failed for the following message: 2\r\n" in told[2][b"BODY[]"]
    assert len(told[2][b"BODY[]"]) < 600 < told[2][b"RFC822.SIZE"]


def test_a_mailbox_that_is_not_connected_only_logs_in(scripted: Start) -> None:
    with (
        client(scripted(store=personalities.Unconnected())) as talk,
        pytest.raises(IMAPClientError, match="authenticated but not connected"),
    ):
        talk.list_folders()


def test_yahoo_fails_for_every_set_with_the_poison(scripted: Start) -> None:
    server = scripted(store=personalities.Yahoo(2))
    server.store.add("INBOX", message(1), message(2), message(3))
    with opened(server) as talk:
        assert list(talk.fetch([1, 2, 3], ["FLAGS"])) == [1, 2, 3]
        assert list(talk.fetch([1, 3], ["BODY.PEEK[]"])) == [1, 3]
        with pytest.raises(IMAPClientError, match="UNAVAILABLE"):
            talk.fetch([1, 2], ["BODY.PEEK[]"])


def test_cyrus_munges_headers_only(scripted: Start) -> None:
    server = scripted(store=personalities.Cyrus())
    with client(server) as talk:
        talk.append("INBOX", b"Subject: Gr\xf6\xdfe\r\n\r\nGr\xf6\xdfe\r\n")
        with pytest.raises(IMAPClientError, match="NUL"):
            talk.append("INBOX", b"Subject: x\r\n\r\n\0\r\n")
    assert server.store["INBOX"].bodies == [b"Subject: GrXXe\r\n\r\nGr\xf6\xdfe\r\n"]


def test_courier_counts_line_ends_as_one_octet(scripted: Start) -> None:
    store = personalities.Courier(limit=10_240)
    server = scripted(store=store)
    store.add("INBOX", b"Subject: x\r\n\r\n" + b"a\r\n" * 2000)
    with client(server) as talk:
        assert not talk.has_capability("LITERAL+")
        assert talk.get_quota_root("INBOX")[1][0].usage == 4
        with pytest.raises(IMAPClientError, match="exceeded"):
            talk.append("INBOX", b"x" * 8192)
        with pytest.raises(IMAPClientError):
            talk.create_folder("Elsewhere")
        talk.create_folder("INBOX.Sub")
        assert talk.list_folders()[1][1:] == (b".", "INBOX.Sub")


def test_mailutils_does_not_quote(scripted: Start) -> None:
    server = scripted(store=personalities.Mailutils())
    server.store.add("With space", message(1))
    answer = said(server, "a LOGIN user pw", 'b STATUS "With space" (MESSAGES)', 'c CREATE "{5}"', "d NOOP")
    assert b"* STATUS With space (MESSAGES 1)\r\n" in answer
    assert b"+ GO AHEAD\r\n" in answer
    assert b"\r\nc " not in answer


def test_163_opens_nothing_for_a_client_that_has_no_name(scripted: Start) -> None:
    server = scripted(store=personalities.Coremail())
    with client(server) as talk:
        with pytest.raises(IMAPClientError, match="Unsafe Login"):
            talk.select_folder("INBOX")
        talk.id_({"name": "somebody"})
        talk.select_folder("INBOX")


def test_gmail_hides_what_it_still_keeps(scripted: Start) -> None:
    store = personalities.HidingGmail()
    msgid = store.deliver(message(1), "INBOX")
    with client(scripted(store=store)) as talk:
        names = [name for *_, name in talk.list_folders()]
        assert "[Gmail]/Trash" in names
        assert "[Gmail]/All Mail" not in names
        with pytest.raises(IMAPClientError):
            talk.select_folder("[Gmail]/All Mail")
    assert Gmail.ALL in store.labels(msgid)
