"""show and get: a message as people expect to see it, as a page, as it is; and many of them as files."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailmove.jobs.get import message_name
from mailmove.model import Found
from tests.contract.test_find import export, id_of
from tests.kit import Mailbox, Program, message
from tests.terminal import Terminal

LETTER = b"""Received: from somewhere
From: Anna <anna@example.org>
To: me@example.net
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; b=abc
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Yes.
> one
> two
> three
> four
--b
Content-Type: text/html

<b>Yes.</b><img src='http://192.0.2.1/pixel'><script>alert(1)</script>
--b--
""".replace(b"\n", b"\r\n")
CONTROL = b"From: x@example.org\r\nSubject: control\r\n\r\n\x1b]0;gotcha\x07\r\n"


@pytest.fixture
def home(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> Path:
    """An archive of a few messages, by its directory."""
    mailbox.fill([LETTER, CONTROL], arrival=datetime(2025, 4, 2, 12, tzinfo=UTC))
    mailbox.fill([message(1), message(2), message(3)], "Work", arrival=datetime(2024, 1, 1, 12, tzinfo=UTC))
    mailbox.fill([message(1)], "Work/Old", arrival=datetime(2023, 1, 1, 12, tzinfo=UTC))
    export(mailbox, mailmove, tmp_path / "mail")
    return tmp_path / "mail"


def test_show_folds_quotations_and_names_signatures(home: Path, mailmove: Program) -> None:
    wanted = id_of(mailmove, home, "Grüße")
    done = mailmove("show", wanted, "--archive", home)
    assert done.code == 0, done.err
    assert "Signed:      DKIM (example.org) (not verified)\n" in done.out and "Received" not in done.out
    assert "\n\nYes.\n[4 quoted lines]\n(--quotes shows the 4 quoted lines that are folded)\n" in done.out
    done = mailmove("show", wanted, "--quotes", "--headers", "--archive", home)
    assert "Received:    from somewhere\n" in done.out and "DKIM-Signature: v=1;" in done.out
    assert "Yes.\n> one\n> two\n> three\n> four\n" in done.out


def test_source_is_the_octets(home: Path, mailmove: Program) -> None:
    wanted = id_of(mailmove, home, "control")
    command = mailmove.command("show", wanted, "--source", "--archive", home)
    assert subprocess.run(command, env=mailmove.env, capture_output=True, check=True).stdout == CONTROL
    done = mailmove("show", wanted, "--source", "--html", "--archive", home)
    assert done.code == 2 and "--source" in done.err


@pytest.mark.fault(43)
def test_source_commands_no_terminal(home: Path, mailmove: Program) -> None:
    wanted = id_of(mailmove, home, "control")
    with Terminal(mailmove.command("show", wanted, "--source", "--archive", home), env=mailmove.env) as terminal:
        assert terminal.finish() == 0
        assert "\\x1b]0;gotcha\\x07" in terminal.shown and "\x1b]" not in terminal.shown


def test_a_page_is_written_and_opened(home: Path, mailmove: Program, tmp_path: Path) -> None:
    wanted = id_of(mailmove, home, "Grüße")
    done = mailmove("show", wanted, "--html", "-o", tmp_path / "out", "--archive", home)
    assert (done.code, done.out) == (0, f"{tmp_path}/out/2025-04-02 Grüße.html\n"), done.err
    page = (tmp_path / "out" / "2025-04-02 Grüße.html").read_text()
    assert "<b>Yes.</b>" in page and "Content-Security-Policy" in page and "<title>Grüße</title>" in page
    assert "192.0.2.1" not in page and "<script" not in page
    assert mailmove("show", wanted, "--html", "-o", "-", "--archive", home).out == page
    opener = tmp_path / "browser"
    opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    opener.chmod(0o700)
    environment = {"BROWSER": str(opener), "TMPDIR": str(tmp_path)}
    done = mailmove("show", wanted, "--open", "--archive", home, env=environment)
    assert done.code == 0, done.err
    path = Path(done.out.strip())
    assert path.read_text() == page and path.parent.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "opened").read_text().startswith("file://")


def test_get_takes_a_search_or_a_folder(home: Path, mailmove: Program, tmp_path: Path) -> None:
    done = mailmove("get", "--folder", "Work", "-o", tmp_path / "work", "--archive", home)
    assert done.code == 0, done.err
    saved = {file.name: file.read_bytes() for file in (tmp_path / "work").iterdir()}
    assert saved == {f"2024-01-01 message {number}.eml": message(number) for number in (1, 2, 3)}
    done = mailmove("get", "--find", "message", "--from", "sender2", "-o", tmp_path / "two", "--archive", home)
    assert [file.name for file in (tmp_path / "two").iterdir()] == ["2024-01-01 message 2.eml"]
    again = mailmove("get", "--folder", "Work", "-o", tmp_path / "work", "--archive", home)
    assert again.code == 0 and len(list((tmp_path / "work").iterdir())) == 3


def test_two_messages_of_one_day_and_subject_are_two_files(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> None:
    mailbox.fill([message(1, subject="same"), message(2, subject="same")], arrival=datetime(2024, 1, 1, 12, tzinfo=UTC))
    export(mailbox, mailmove, tmp_path / "mail")
    for _ in range(2):
        done = mailmove("get", "--folder", "INBOX", "-o", tmp_path / "out", "--archive", tmp_path / "mail")
        assert done.code == 0, done.err
        assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
            "2024-01-01 same-2.eml",
            "2024-01-01 same.eml",
        ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "which messages?"),
        (["abcd", "--folder", "Work"], 2, "not both"),
        (["--folder", "Nowhere"], 2, "Nowhere"),
        (["--find", "nothing like it"], 0, "Nothing was found."),
        (["--folder", "Work", "-o", "-"], 2, "standard output takes one message"),
    ],
)
def test_what_get_is_to_get_must_be_clear(
    home: Path, mailmove: Program, arguments: list[str], code: int, said: str
) -> None:
    done = mailmove("get", *arguments, "--archive", home)
    assert done.code == code and said in done.err, done.err


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (b"Fattura 118", "2025-04-02 Fattura 118.eml"),
        (b'Re: a/b\\c <d> "e" | f? *', "2025-04-02 Re a b c d e f.eml"),
        (b"../../etc/passwd", "2025-04-02 etc passwd.eml"),
        (b"dots at the end ...", "2025-04-02 dots at the end.eml"),
        (b"=?utf-8?q?a=0A=1B[2J?=", "2025-04-02 a [2J.eml"),
        (None, "2025-04-02 no subject.eml"),
        (b" . ", "2025-04-02 no subject.eml"),
        (b"x" * 300, f"2025-04-02 {'x' * 100}.eml"),
    ],
)
def test_a_file_is_named_by_date_and_subject(subject: bytes | None, name: str) -> None:
    arrival = int(datetime(2025, 4, 2, 12, tzinfo=UTC).timestamp())
    found = Found(b"", arrival, 1, None, None, None, None, subject, ())
    assert message_name(found, ".eml") == name
    assert message_name(found._replace(arrival=0), ".eml").startswith("undated ")
    assert message_name(found._replace(arrival=0, date=b"Wed, 2 Apr 2025 12:00:00 +0000"), ".eml") == name
