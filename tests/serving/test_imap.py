"""IMAP: what a mail program sees of an archive, and that it can change nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mailmove.archive.record import records
from mailmove.serving.folders import BELOW
from tests.exported import snapshot
from tests.kit import message
from tests.serving.conftest import ARRIVAL, Serving, Shelved

Serve = Callable[..., Serving]

MULTIPART = (
    b'Content-Type: multipart/mixed; boundary="b"\r\nSubject: parts\r\n\r\npreamble\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nfirst part\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: a@b.example\r\n\r\ninner text\r\n\r\n"
    b"--b\r\nContent-Type: application/pdf; name=x.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n"
    b"epilogue\r\n"
)


def test_folders_are_as_on_the_server(shelved: Shelved, serve: Serve) -> None:
    shelved.put({5: message(5), 9: message(9)}, flags=["\\Flagged", "$Forwarded"])
    shelved.put({1: message(1)}, "Sent", use="\\sent", uidvalidity=8)
    shelved.put({1: message(2)}, "a/b/c", uidvalidity=8)
    shelved.put({1: message(3)}, "x.y", uidvalidity=8, delimiter=None)
    serving = serve()
    with serving.imap() as client:
        listed = {(name, delimiter): set(attributes) for attributes, delimiter, name in client.list_folders()}
        assert listed == {
            ("INBOX", b"/"): {b"\\HasNoChildren"},
            ("Sent", b"/"): {b"\\HasNoChildren", b"\\Sent"},
            ("a", b"/"): {b"\\Noselect", b"\\HasChildren"},
            ("a/b", b"/"): {b"\\Noselect", b"\\HasChildren"},
            ("a/b/c", b"/"): {b"\\HasNoChildren"},
            ("x.y", None): {b"\\HasNoChildren"},
        }
        assert [name for _, _, name in client.list_folders("a/", "%")] == ["a/b"]
        assert {name for _, _, name in client.list_sub_folders()} >= {"INBOX", "Sent", "a/b/c", "x.y"}
        status = client.folder_status("INBOX", ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"])
        assert status == {b"MESSAGES": 2, b"UIDNEXT": 10, b"UIDVALIDITY": 7, b"UNSEEN": 2}
        selected = client.select_folder("inbox", readonly=True)
        assert (selected[b"EXISTS"], selected[b"UIDVALIDITY"], selected[b"READ-ONLY"]) == (2, 7, [b""])
        assert selected[b"PERMANENTFLAGS"] == ()
        found = client.fetch(client.search(), ["UID", "FLAGS", "RFC822.SIZE", "INTERNALDATE", "BODY.PEEK[]"])
        assert {uid: told[b"BODY[]"] for uid, told in found.items()} == {5: message(5), 9: message(9)}
        assert all(told[b"RFC822.SIZE"] == len(told[b"BODY[]"]) for told in found.values())
        assert set(found[5][b"FLAGS"]) == {b"\\Flagged", b"$Forwarded"}
        arrived = found[9][b"INTERNALDATE"].astimezone(UTC)
        assert arrived == datetime.fromtimestamp(ARRIVAL + 9, UTC)


def test_nothing_can_be_changed(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1), 2: message(2)})
    before = snapshot(shelved.path)
    serving = serve()
    with serving.wire() as wire:
        wire.log_in(serving)
        assert wire.ask(b"SELECT INBOX")[-1] == b"t OK [READ-ONLY] SELECT completed\r\n"
        refused = (
            *(
                b"STORE 1 +FLAGS (\\Deleted)",
                b"STORE 1 FLAGS (\\Seen)",
                b"UID STORE 1 +FLAGS.SILENT \\Flagged",
                b"EXPUNGE",
            ),
            *(
                b"COPY 1 x",
                b"UID COPY 1 x",
                b"MOVE 1 x",
                b"UID EXPUNGE 1",
                b"APPEND INBOX {3+}\r\nabc",
                b"APPEND INBOX {900}",
            ),
        )
        for command in refused:
            assert wire.ask(command)[-1].startswith(b"t NO [READ-ONLY]"), command
        for command in (b"CREATE x", b"DELETE INBOX", b"RENAME INBOX x"):
            assert wire.ask(command)[-1].startswith(b"t NO [CANNOT]"), command
        for command in (b"SUBSCRIBE x", b"UNSUBSCRIBE x", b"CHECK", b"NOOP", b"CLOSE"):
            assert wire.ask(command)[-1].startswith(b"t OK"), command
        assert wire.ask(b"STATUS INBOX (MESSAGES)")[0] == b'* STATUS "INBOX" (MESSAGES 2)\r\n'
    assert snapshot(shelved.path) == before


def test_seen_is_of_the_session(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1), 2: message(2), 3: message(3)})
    serving = serve()
    with serving.wire() as wire:
        wire.log_in(serving)
        wire.ask(b"SELECT INBOX")
        assert wire.ask(b"UID STORE 1:2 +FLAGS (\\Seen)")[:-1] == [
            b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n",
            b"* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n",
        ]
        assert wire.ask(b"STORE 2 -FLAGS.SILENT \\Seen")[-1].startswith(b"t OK")
        assert b"FLAGS (\\Seen)" in b"".join(wire.ask(b"FETCH 3 BODY[TEXT]"))
        assert wire.ask(b"SEARCH SEEN")[0] == b"* SEARCH 1 3\r\n"
        wire.ask(b"EXAMINE INBOX")
        assert wire.ask(b"SEARCH SEEN")[0] == b"* SEARCH\r\n"
        assert b"\\Seen" not in b"".join(wire.ask(b"FETCH 3 BODY[TEXT]"))
        assert wire.ask(b"STORE 3 +FLAGS \\Seen")[-1].startswith(b"t NO [READ-ONLY]")


def test_sections_are_stretches_of_the_message(shelved: Shelved, serve: Serve) -> None:
    large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 40_000
    shelved.put({1: MULTIPART, 2: b"Subject: no body\r\nX: y", 3: large})
    serving = serve()
    with serving.imap("INBOX") as client:

        def section(uid: int, name: str) -> bytes | None:
            told = client.fetch(uid, [name])[uid]
            return next((value for key, value in told.items() if key.startswith(b"BODY")), None)

        whole = MULTIPART
        head, _, text = whole.partition(b"\r\n\r\n")
        assert section(1, "BODY.PEEK[]") == whole
        assert section(1, "BODY.PEEK[HEADER]") == head + b"\r\n\r\n"
        assert section(1, "BODY.PEEK[TEXT]") == text
        assert section(1, "BODY.PEEK[1]") == b"first part"
        assert section(1, "BODY.PEEK[1.MIME]") == b"Content-Type: text/plain\r\n\r\n"
        assert section(1, "BODY.PEEK[2]") == b"Subject: inner\r\nFrom: a@b.example\r\n\r\ninner text\r\n"
        assert section(1, "BODY.PEEK[2.HEADER]") == b"Subject: inner\r\nFrom: a@b.example\r\n\r\n"
        assert section(1, "BODY.PEEK[2.HEADER.FIELDS (from)]") == b"From: a@b.example\r\n\r\n"
        assert section(1, "BODY.PEEK[2.TEXT]") == section(1, "BODY.PEEK[2.1]") == b"inner text\r\n"
        assert section(1, "BODY.PEEK[3]") == b"AAAA"
        assert section(1, "BODY.PEEK[4]") is None
        assert (
            section(1, "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]")
            == b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        )
        assert section(2, "BODY.PEEK[HEADER.FIELDS (X)]") == b"X: y\r\n\r\n"
        assert section(2, "BODY.PEEK[TEXT]") == b""
        assert section(3, "BODY.PEEK[]") == large
        assert section(3, "BODY.PEEK[]<600000.70000>") == large[600_000:670_000]
        assert section(3, "BODY.PEEK[TEXT]<0.4>") == b"0123"
        assert section(3, "BODY.PEEK[]<9999999.4>") == b""
        structure = client.fetch(1, ["BODYSTRUCTURE"])[1][b"BODYSTRUCTURE"]
        kinds = [part[0] + b"/" + part[1] for part in structure[0]]
        assert kinds == [b"text/plain", b"message/rfc822", b"application/pdf"]


def test_search_finds_by_all_keys(shelved: Shelved, serve: Serve) -> None:
    texts = {uid: message(uid) for uid in range(1, 8)}
    texts[8] = "Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\r\nBcc: x@y.example\r\n\r\nüber body-word\r\n".encode()
    shelved.put(texts)
    shelved.record(records.Flags(b"INBOX", 7, 2, ("\\Seen", "\\Answered", "Junk")))
    serving = serve()
    expected = {
        "ALL": range(1, 9),
        "1,3:4 NOT 3": [1, 4],
        "UID 7:*": [7, 8],
        "SEEN": [2],
        "KEYWORD junk UNFLAGGED OLD": [2],
        "UNKEYWORD Junk UNSEEN UNANSWERED": [1, 3, 4, 5, 6, 7, 8],
        "NEW": [],
        "FROM sender3@": [3],
        "SUBJECT GRÖßE": [8],
        "CHARSET UTF-8 TEXT größe": [8],
        "BODY größe": [],
        "BODY ÜBER": [8],
        "BODY uber": [],
        "BCC y.ex": [8],
        "HEADER Message-ID <4@": [4],
        'HEADER Bcc ""': [8],
        "LARGER 300 SMALLER 100000 TO example.net": range(1, 8),
        "SENTSINCE 1-Jan-2020 SENTBEFORE 2-Jan-2020": range(1, 8),
        "SENTON 1-Jan-2019": [],
        "ON 13-Sep-2020": range(1, 9),
        "BEFORE 13-Sep-2020": [],
        "SINCE 14-Sep-2020": [],
        "OR (FROM sender1 UID 1) FROM sender2": [1, 2],
        "NOT (OR UID 1:4 UID 6:8)": [5],
    }
    with serving.wire() as wire:
        wire.log_in(serving)
        wire.ask(b"EXAMINE INBOX")
        for key, uids in expected.items():
            octets = key.encode()
            words = octets.split(b" ")
            sent = b" ".join(b"{%d+}\r\n%b" % (len(word), word) if not word.isascii() else word for word in words)
            lines = wire.ask(b"UID SEARCH " + sent)
            assert lines[0].split()[2:] == [b"%d" % uid for uid in uids], key
            assert lines[-1].startswith(b"t OK")
        assert wire.ask(b"SEARCH CHARSET KOI8-R ALL")[-1].startswith(b"t NO [BADCHARSET (UTF-8)]")


def test_a_retired_uidvalidity_is_a_folder_of_its_own(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1)}, "Sent", use="\\sent", uidvalidity=3)
    shelved.put({1: message(2)}, "Sent", use="\\sent", uidvalidity=4)
    serving = serve()
    with serving.imap() as client:
        held = {name: attributes for attributes, _, name in client.list_folders()}
        assert b"\\Sent" in held["Sent"] and b"\\Sent" not in held["Sent (UIDVALIDITY 3)"]
        for name, uidvalidity, text in (("Sent", 4, message(2)), ("Sent (UIDVALIDITY 3)", 3, message(1))):
            assert client.select_folder(name, readonly=True)[b"UIDVALIDITY"] == uidvalidity
            assert client.fetch(1, ["BODY.PEEK[]"])[1][b"BODY[]"] == text


@pytest.mark.fault(80)
def test_what_has_no_lasting_uid_gets_one_of_its_own_for_ever(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1), 2: message(2)}, "unstable", uidvalidity=0)
    shelved.put({1: message(3)}, "huge", uidvalidity=BELOW)
    shelved.put({5: message(4), BELOW + 1: message(5)})
    shelved.put({5: message(6)})  # the UID stands for another message by now

    def seen(serving: Serving) -> dict[str, tuple[int, dict[int, bytes]]]:
        found = {}
        with serving.imap() as client:
            for _, _, name in client.list_folders():
                uidvalidity = client.select_folder(name, readonly=True)[b"UIDVALIDITY"]
                fetched = client.fetch(client.search(), ["BODY.PEEK[]"]) if client.search() else {}
                found[name] = uidvalidity, {uid: told[b"BODY[]"] for uid, told in fetched.items()}
        return found

    serving = serve()
    first = seen(serving)
    assert first["INBOX"] == (7, {5: message(6)})
    assert set(first["INBOX (own UIDs)"][1].values()) == {message(4), message(5)}
    assert set(first["unstable (own UIDs)"][1].values()) == {message(1), message(2)}
    assert set(first["huge (own UIDs)"][1].values()) == {message(3)}
    assert "unstable" not in first
    assert all(0 < uidvalidity < BELOW for uidvalidity, _ in first.values())
    serving.stop()
    shelved.put({3: message(7)}, "unstable", uidvalidity=0)
    again = seen(serve())
    assert again["unstable (own UIDs)"] == (
        first["unstable (own UIDs)"][0],
        first["unstable (own UIDs)"][1] | {3: message(7)},
    )
    assert again["INBOX (own UIDs)"] == first["INBOX (own UIDs)"]


def test_mail_of_gmail_that_is_kept_once_is_under_each_of_its_labels(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1), 2: message(2), 3: message(3)}, "[Gmail]/All Mail", use="\\all")
    for uid, labels in ((1, ("\\Inbox", "Größe")), (2, ("\\Sent",)), (3, ("\\Inbox", "\\Starred"))):
        shelved.record(records.Labels(b"[Gmail]/All Mail", 7, uid, labels))
    serving = serve()
    expected = {
        "INBOX": [1, 3],
        "Größe": [1],
        "[Gmail]/Sent Mail": [2],
        "[Gmail]/Starred": [3],
        "[Gmail]/All Mail": [1, 2, 3],
    }
    with serving.imap() as client:
        uses = {name: attributes for attributes, _, name in client.list_folders()}
        assert b"\\Sent" in uses["[Gmail]/Sent Mail"] and b"\\Flagged" in uses["[Gmail]/Starred"]
        for name, numbers in expected.items():
            client.select_folder(name, readonly=True)
            bodies = [told[b"BODY[]"] for told in client.fetch(client.search(), ["BODY.PEEK[]"]).values()]
            assert sorted(bodies) == sorted(map(message, numbers)), name
