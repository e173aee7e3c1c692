"""A certificate of a run: true, whole, and checked without mailmove."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.exported import overwrite
from tests.kit import NOW, Mailbox, Program, message, sha256

OLD = NOW - timedelta(days=400)
HOSTILE = [
    message(1, subject="<script>alert(1)</script><img src=http://example.org/x>"),
    message(2, subject='"}],"messages":[],"x":"'),
    message(3, subject="=?utf-8?Q?line=0D=0A" + "00" * 32 + "__other.eml=1B[2J=E2=80=AE?="),
    message(4, subject="XX").replace(b"XX", b"caf\xe9 &lt;b&gt;"),
]


def certify(mailmove: Program, directory: Path) -> tuple[Any, str]:
    """A certificate of the last run: its JSON and its page."""
    (run,) = {one["id"] for one in mailmove("history", "--json").json["accounts"][0]["runs"] if one["id"]}
    done = mailmove("history", run, "--certificate", directory)
    assert done.code == 0, done.out + done.err
    names = {path.name for path in directory.iterdir()}
    assert names == {f"certificate-{run}.json", f"certificate-{run}.html", "messages.sha256", "SHA256SUMS"}
    told = json.loads((directory / f"certificate-{run}.json").read_bytes())
    return told, (directory / f"certificate-{run}.html").read_text()


def sums(file: Path, at: Path) -> int:
    """What sha256sum says: its exit code."""
    return subprocess.run(["sha256sum", "-c", "--strict", file], cwd=at, capture_output=True, check=False).returncode


@pytest.mark.fault(94)
def test_hostile_subjects_are_text(mailbox: Mailbox, mailmove: Program) -> None:
    archive = mailmove.account(mailbox)
    mailbox.fill(HOSTILE, "a<b>&", arrival=OLD)
    assert mailmove("prune", "--older-than", "30d", "--max-delete", "100%", "--yes").code == 0
    told, page = certify(mailmove, directory := mailmove.home / "out")
    assert (sums(Path("SHA256SUMS"), directory), sums(directory / "messages.sha256", archive)) == (0, 0)
    assert [line["sha256"] for line in told["messages"]] == list(map(sha256, HOSTILE))
    assert told["messages"][0]["subject"] == "<script>alert(1)</script><img src=http://example.org/x>"
    assert told["messages"][1]["subject"] == '"}],"messages":[],"x":"'
    assert "<script" not in page and "<img" not in page and "a&lt;b&gt;&amp;" in page
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", page + "".join(line["subject"] for line in told["messages"]))
    assert len((directory / "messages.sha256").read_text().splitlines()) == len(HOSTILE)


def test_it_says_who_what_when_and_what_the_server_said(mailbox: Mailbox, mailmove: Program) -> None:
    archive = mailmove.account(mailbox)
    mailbox.fill(map(message, range(4)), arrival=OLD)
    mailbox.fill([message(9)])
    assert mailmove("prune", "--older-than", "30d", "--max-delete", "100%", "--yes").code == 0
    told, page = certify(mailmove, directory := mailmove.home / "out")
    (folder,) = told["folders"]
    assert (folder["folder"], folder["answer"], folder["proof"]) == ("INBOX", "--yes", "sha256")
    assert re.fullmatch(r"arrived before \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", folder["rule"])
    assert [line["uid"] for line in told["messages"]] == ["1", "2", "3", "4"]
    for line in told["messages"]:
        assert line["server"] == "accepted EXPUNGE, later absent"
        assert sha256((archive / line["file"]).read_bytes()) == line["sha256"]
        assert line["octets"] == str((archive / line["file"]).stat().st_size)
        assert line["arrived"] == f"{OLD:%Y-%m-%dT%H:%M:%SZ}"
    for said in (told["statement"], page):
        assert "not a legally compliant preservation" in said
    assert all(isinstance(value, str | list | dict) for value in told.values())
    for file in directory.iterdir():
        file.write_bytes(file.read_bytes().replace(b"accepted EXPUNGE", b"accepted expunge"))
    assert sums(Path("SHA256SUMS"), directory) == 1


def test_what_the_archive_has_no_more_is_said(mailbox: Mailbox, mailmove: Program) -> None:
    archive = mailmove.account(mailbox)
    mailbox.fill(map(message, range(4)), arrival=OLD)
    assert mailmove("prune", "--older-than", "30d", "--max-delete", "100%", "--yes").code == 0
    files = {int(re.split("[U,]", path.name)[1]): path for path in (archive / "INBOX/cur").iterdir()}
    files[1].unlink()
    overwrite(files[2], b"altered")
    assert mailmove("erase", sha256(message(2))[:12], "--yes").code == 0
    told, _ = certify(mailmove, directory := mailmove.home / "out")
    lacking = [(line["uid"], line["lacking"], bool(line["file"])) for line in told["messages"]]
    assert lacking == [
        ("1", "its file is missing", False),
        ("2", "its file was altered", False),
        ("3", "erased from the archive since, by record", False),
        ("4", "", True),
    ]
    assert len((directory / "messages.sha256").read_text().splitlines()) == 1
    assert told["messages"][2]["sha256"] == sha256(message(2))


@pytest.mark.parametrize(
    ("words", "said"), [((), "a certificate is of one run"), (("20200101-000000",), "that deleted anything")]
)
def test_it_is_of_one_run_that_deleted_something(
    mailbox: Mailbox, mailmove: Program, words: tuple[str, ...], said: str
) -> None:
    mailmove.account(mailbox)
    mailmove("export")
    done = mailmove("history", *words, "--certificate", mailmove.home / "out")
    assert (done.code, said in done.err) == (2, True), done.err
    assert not (mailmove.home / "out").exists()
