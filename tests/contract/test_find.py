"""find, get and show: what was archived is found by what people remember, and comes back octet for octet."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.jobs.get import safe_name
from tests.kit import Mailbox, Program, message

ENCODED = (
    b"From: =?utf-8?q?Andr=C3=A9_M=C3=BCller?= <andre@example.org>\r\nTo: me@example.net\r\n"
    b"Subject: =?utf-8?b?" + base64.b64encode("Stromrechnung für März".encode()) + b"?=\r\n\r\nbody\r\n"
)
RAW = "From: x@example.org\r\nSubject: Café à gogo\r\n\r\nbody\r\n".encode("latin-1")
MIXED = (
    b"From: Anna <anna@example.org>\r\nTo: me@example.net\r\nSubject: files\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(b"Die Zahlungserinnerung\x1b]0;gotcha\x07 liegt bei.")
    + b"\r\n"
    + b"".join(
        b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''%b\r\n\r\n%b\r\n"
        % (name, content)
        for name, content in (
            (b"..%2F..%2Fescape.pdf", b"one"),
            (b"escape.pdf", b"two"),
            (b"CON.pdf", b"three"),
            (b"a%1B%5B2Jb.pdf", b"four"),
            (b"C%3A%5Cdir%5C.profile", b"five"),
        )
    )
    + b"--b--\r\n"
)
HTML = (
    b"From: shop@example.org\r\nSubject: offer\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<html><head><title>x</title><style>p{}</style></head><body><p>Dear&nbsp;customer,</p>"
    b'<ul><li>one<li>two</ul><a href="http://192.0.2.1/track">click</a><img src="http://192.0.2.1/p" alt="logo">'
    b"<script>alert(1)</script></body></html>\r\n"
)
RUSSIAN = (
    b"From: r@example.org\r\nSubject: \xd2\xe5\xec\xe0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=x-windows-1251\r\n\r\n\xcf\xf0\xe8\xe2\xe5\xf2\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(RAW)
    + b"--b--\r\n"
)
SECRET = (
    b"From: s@example.org\r\nSubject: sealed\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Type: application/pkcs7-mime; name=smime.p7m\r\n\r\n"
    + base64.encodebytes(bytes.fromhex("300b06092a864886f70d010703"))
)


@pytest.fixture
def home(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> Path:
    """An archive of a few messages, by its directory."""
    mailbox.fill([ENCODED], arrival=datetime(2021, 1, 1, tzinfo=UTC))
    mailbox.fill([RAW, MIXED, HTML], arrival=datetime(2022, 1, 1, tzinfo=UTC))
    mailbox.fill(map(message, range(5)), arrival=datetime(2023, 1, 1, tzinfo=UTC))
    mailbox.fill([message(3)], "Sent", arrival=datetime(2024, 1, 1, tzinfo=UTC))
    export(mailbox, mailmove, tmp_path / "mail")
    return tmp_path / "mail"


def export(mailbox: Mailbox, mailmove: Program, archive: Path) -> None:
    done = mailmove("export", mailbox.url, "--tls", "none", "--archive", archive)
    assert done.code == 0, done.err


def subjects(mailmove: Program, home: Path, *arguments: object) -> list[str]:
    done = mailmove("find", "--archive", home, "--json", *arguments)
    assert done.code == 0, done.err
    return [found["subject"] for found in done.json["accounts"][0]["messages"]]


def id_of(mailmove: Program, home: Path, *words: str) -> str:
    [found] = mailmove("find", "--archive", home, "--json", *words).json["accounts"][0]["messages"]
    return str(found["id"])


WANTED: list[tuple[list[str], list[str]]] = [
    (["RECHNUNG"], ["Stromrechnung für März"]),
    (["marz", "andre muller"], ["Stromrechnung für März"]),
    (["marz", "anna"], []),
    (["--from", "müller"], ["Stromrechnung für März"]),
    (["--to", "müller"], []),
    (["cafe"], ["Café à gogo"]),
    (["--subject", "message", "--from", "sender3"], ["message 3"]),
    (["--subject", "message", "--before", "2023-06-01", "--folder", "Sent"], []),
    (["--before", "2021-06-01"], ["Stromrechnung für März"]),
    (["--since", "2023-06-01"], ["message 3"]),
    (["--folder", "Sent"], ["message 3"]),
    (["--larger-than", "600"], ["files"]),
    (["zahlungserinnerung"], ["files"]),
    (["ZAHLUNGSERINN", "--body"], ["files"]),
    (["erinnerung"], []),
    (["zahlungserinnerung", "anna"], ["files"]),
    (["zahlungserinnerung", "--in", "subject"], []),
    (["zahlungserinnerung", "--in", "subject", "--in", "text"], ["files"]),
    (["customer,", "--limit", "1"], ["offer"]),
    (["die Zahlungserinnerung"], ["files"]),
    (["zahlungserinnerung die"], []),
    (["filename:scape.PDF"], ["files"]),
    (["escape", "--in", "attachments"], ["files"]),
    (["has:attachment"], ["files"]),
    (["from:anna subject:files"], ["files"]),
    (["from:müller"], ["Stromrechnung für März"]),
    (["subject:message not:from:sender3 not:sender4"], ["message 2", "message 1", "message 0"]),
    (["subject:message", "--not", "sender3", "--", "-sender4"], ["message 2", "message 1", "message 0"]),
    (["in:Sent"], ["message 3"]),
    (["not:in:Sent subject:message before:2024-06-01 larger:300", "--limit", "1"], ["message 4"]),
    (["after:2023-06-01"], ["message 3"]),
    (["is:only-here"], []),
    (["is:flagged"], []),
    (["http://192.0.2.1/"], []),
]


def test_words_find_messages_whatever_case_accents_and_encoding(home: Path, mailmove: Program) -> None:
    assert [subjects(mailmove, home, *arguments) for arguments, _ in WANTED] == [expected for _, expected in WANTED]


def test_where_copies_are_counted_as_one_it_is_said(home: Path, mailmove: Program) -> None:
    assert " (10 with exact copies): 9 messages found\n" in mailmove("find", "--archive", home).out
    assert "exact copies" not in mailmove("find", "offer", "--archive", home).out
    assert mailmove("find", "--archive", home, "--json").json["accounts"][0]["found_copies"] == 10


def test_copies_in_several_folders_are_one_and_the_newest_comes_first(home: Path, mailmove: Program) -> None:
    done = mailmove("find", "--archive", home)
    lines = done.out.splitlines()
    assert lines[0].endswith(": 9 messages found")
    assert "message 3" in lines[2] and "Sent, INBOX" in lines[2] and lines[2].endswith("on the server")
    assert "Stromrechnung" in lines[-2] and lines[-1].startswith("Next: mailmove show")
    assert [line[12:22] for line in lines[2:-1]] == sorted((line[12:22] for line in lines[2:-1]), reverse=True)


def test_what_left_the_server_is_only_here(home: Path, mailmove: Program, mailbox: Mailbox) -> None:
    assert subjects(mailmove, home, "--only-here") == []
    mailbox.expunge("INBOX", mailbox.uids()[:1])
    mailbox.expunge("Sent", mailbox.uids("Sent"))
    export(mailbox, mailmove, home)
    assert subjects(mailmove, home, "--only-here") == ["Stromrechnung für März"]  # message 3 is still in INBOX


def test_get_gives_the_octets_that_the_server_sent(home: Path, mailmove: Program, tmp_path: Path) -> None:
    wanted = id_of(mailmove, home, "files")
    done = mailmove("get", wanted, "--archive", home, "-o", tmp_path / "out")
    assert (done.code, done.out) == (0, f"{tmp_path}/out/2022-01-01 files.eml\n")
    assert (tmp_path / "out" / "2022-01-01 files.eml").read_bytes() == MIXED
    assert mailmove("get", wanted, "--archive", home, "-o", tmp_path / "out").out == done.out
    assert len(list((tmp_path / "out").iterdir())) == 1
    piped = subprocess.run(
        mailmove.command("get", wanted[:6], "-a", home, "-o", "-"), env=mailmove.env, capture_output=True, check=True
    )
    assert piped.stdout == MIXED


@pytest.mark.loss(16)
def test_get_delivers_nothing_that_was_altered_and_finds_another_copy(
    home: Path, mailmove: Program, tmp_path: Path
) -> None:
    twice = id_of(mailmove, home, "message 3")
    for name in ("Sent", "INBOX"):
        [file] = [f for f in (home / name / "cur").iterdir() if f.read_bytes() == message(3)]
        changed = file.read_bytes().replace(b"line of", b"lie of ")
        file.unlink()  # its twin in the other folder is a hard link
        file.write_bytes(changed)
        done = mailmove("get", twice, "--archive", home, "-o", tmp_path / name)
        if name == "Sent":
            assert done.code == 0, done.err
            assert (tmp_path / name / "2024-01-01 message 3.eml").read_bytes() == message(3)
    assert done.code == 7
    assert twice in done.err and "INBOX UID 8: its file was altered" in done.err and "--refetch" in done.err
    assert not list((tmp_path / "INBOX").iterdir())
    shutil.rmtree(mailmove.home / "state" / "search")
    done = mailmove("find", "line", "--archive", home)
    assert done.code == 7 and f"message {twice} cannot be read" in done.out


@pytest.mark.fault(43)
def test_attachments_are_saved_under_names_that_lead_nowhere_else(
    home: Path, mailmove: Program, tmp_path: Path
) -> None:
    wanted = id_of(mailmove, home, "files")
    done = mailmove("get", wanted, "--attachments", "--archive", home, "-o", tmp_path / "a" / "b")
    assert done.code == 0, done.err
    saved = {file.name: file.read_bytes() for file in (tmp_path / "a" / "b").iterdir()}
    assert saved == {
        "escape.pdf": b"one",
        "escape-2.pdf": b"two",
        "%43ON.pdf": b"three",
        "a%1B[2Jb.pdf": b"four",
        "%2Eprofile": b"five",
    }
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["b"]


@pytest.mark.fault(63)
@pytest.mark.parametrize(
    ("given", "saved"),
    [
        ("-rf", "%2Drf"),
        ("--help.txt", "%2D-help.txt"),
        ("x/-rf", "%2Drf"),
        ("-", "%2D"),
        ("-.pdf", "%2D.pdf"),
        ("~root", "%7Eroot"),
        (".bashrc", "%2Ebashrc"),
        ("..", "%2E%2E"),
        (" -x", "%20-x"),
        ("a\nb", "a%0Ab"),
        ("aux.txt", "%61ux.txt"),
        ("fdp.\u202eexe", "fdp.%E2%80%AEexe"),
        ("*", "%2A"),
        ("", "%"),
    ],
)
def test_no_name_of_an_attachment_means_something_to_a_shell_or_a_file_manager(given: str, saved: str) -> None:
    assert safe_name(given) == saved


@pytest.mark.fault(43)
def test_show_prints_text_and_escapes_what_a_terminal_would_act_on(home: Path, mailmove: Program) -> None:
    done = mailmove("show", id_of(mailmove, home, "files"), "--archive", home)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out and "Die Zahlungserinnerung\\x1b]0;gotcha\\x07 liegt bei." in done.out
    assert "From:        Anna <anna@example.org>" in done.out and "../../escape.pdf (3 B)" in done.out
    done = mailmove("show", id_of(mailmove, home, "rechnung"), "--archive", home)
    assert "From:        André Müller <andre@example.org>\n" in done.out
    assert "Subject:     Stromrechnung für März\n" in done.out


def test_show_reads_headers_that_no_rfc_allows(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> None:
    utf8 = "From: 山田花子 <y@example.org>\r\nSubject: Größe \x1b[2J\u202e\r\n\r\nbody\r\n".encode()
    home = tmp_path / "mail"
    mailbox.fill([RAW, utf8])
    export(mailbox, mailmove, home)
    done = mailmove("show", id_of(mailmove, home, "gogo"), "--archive", home)
    assert done.code == 0 and "Subject:     Café à gogo\n" in done.out, done.err
    done = mailmove("show", id_of(mailmove, home, "größe"), "--archive", home)
    assert done.code == 0 and "From:        山田花子 <y@example.org>\n" in done.out, done.err
    assert "Subject:     Größe \\x1b[2J\\u202e\n" in done.out


def test_show_makes_html_readable(home: Path, mailmove: Program) -> None:
    done = mailmove("show", id_of(mailmove, home, "offer"), "--archive", home)
    body = done.out.partition("\n\n")[2]
    assert body == "Dear customer,\n\n- one\n- two\nclick [1][logo]\n\nLinks:\n  [1] http://192.0.2.1/track\n"


def test_what_senders_name_wrongly_or_not_at_all_is_read(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> None:
    mailbox.fill([RUSSIAN, SECRET])
    export(mailbox, mailmove, tmp_path / "mail")
    assert subjects(mailmove, tmp_path / "mail", "тема") == ["Тема"]
    assert subjects(mailmove, tmp_path / "mail", "привет", "--body") == ["Тема"]
    wanted = id_of(mailmove, tmp_path / "mail", "тема")
    done = mailmove("show", wanted, "--archive", tmp_path / "mail")
    assert "Subject:     Тема\n" in done.out and "\n\nПривет\n" in done.out
    done = mailmove("get", wanted, "--attachments", "--archive", tmp_path / "mail", "-o", tmp_path)
    assert (tmp_path / "part-2.eml").read_bytes() == RAW
    done = mailmove("show", id_of(mailmove, tmp_path / "mail", "sealed"), "--archive", tmp_path / "mail")
    assert "(encrypted with S/MIME: only a mail program that has the key can read it)" in done.out


@pytest.mark.fault(57)
def test_a_message_that_is_too_much_is_shown_in_part_and_says_so(
    mailbox: Mailbox, mailmove: Program, tmp_path: Path
) -> None:
    mailbox.fill([b"Subject: many\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_001])
    export(mailbox, mailmove, tmp_path / "mail")
    said = "the parts that follow: they are too many to look into"
    done = mailmove("show", id_of(mailmove, tmp_path / "mail", "many"), "--archive", tmp_path / "mail")
    assert done.code == 0 and done.out.count("x\n") >= 10_000 and f"(left out: {said})" in done.out
    done = mailmove("find", "nowhere", "--body", "--archive", tmp_path / "mail")
    assert done.code == 0 and "Not looked through to the end:" in done.out and said in done.out


def test_an_id_is_one_message_or_an_error(home: Path, mailmove: Program) -> None:
    for wanted, said in (
        ("zzzz", "is not the ID of a message"),
        ("12", "is not the ID of a message"),
        ("0000000000", "no archived message has the ID"),
        ("../../x", "is not the ID"),
    ):
        done = mailmove("show", wanted, "--archive", home)
        assert done.code == 2 and said in done.err


def test_finding_needs_no_lock(home: Path, mailmove: Program, tmp_path: Path) -> None:
    with Archive.open(str(home), Memory(str(tmp_path / "other")), writable=True):
        assert subjects(mailmove, home, "offer") == ["offer"]


NOT_LOADED = {"imapclient", "keyring", "rich.console", "mailmove.imap.session", "mailmove.accounts.credentials",
    "mailmove.mail.message", "mailmove.archive.search.words"}  # fmt: skip


def test_a_search_loads_what_it_uses_and_reads_no_file(home: Path, mailmove: Program) -> None:
    assert mailmove("find", "--archive", home, "rechnung").code == 0
    for file in home.rglob("cur/*"):
        file.unlink()
    command = [sys.executable, "-X", "importtime", "-m", "mailmove", "find", "--archive", str(home), "rechnung"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=mailmove.env)
    assert "1 message found" in done.stdout
    assert NOT_LOADED & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()} == set()
