"""``mailmove demo``: the real commands on a server of its own; nothing of the user's is touched, nothing stays."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from mailmove.demo.mail import samples
from mailmove.demo.show import STEPS
from tests.kit import Program, archived, total

NOW = datetime(2026, 5, 17, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def temporary(tmp_path: Path, mailmove: Program) -> Path:
    """The directory for temporary files of the program, to see what stays in it."""
    path = tmp_path / "temporary"
    path.mkdir()
    mailmove.env["TMPDIR"] = str(path)
    return path


def nobody_listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_it_shows_every_step_and_leaves_nothing(mailmove: Program, temporary: Path) -> None:
    mine = mailmove.configure('[account.mine]\nhost = "unreachable.invalid"\n')
    before = {path: path.stat().st_mtime_ns for path in mailmove.home.rglob("*")}
    done = mailmove("demo", env={"MAILMOVE_CONFIG": str(mine)})
    assert done.code == 0, done.err
    shown = re.findall(r"^\$ (.*)$", done.out, re.MULTILINE)
    for command, (_, step) in zip(shown, STEPS, strict=True):
        assert re.fullmatch(re.escape(step).replace(r"\{id\}", "[0-9a-f]{8,}"), command)
    assert f"All {len(list(samples(NOW)))} messages in 7 folders of anna@mail.example are in" in done.out
    assert "unreachable.invalid" not in done.out
    assert "Nothing is left behind." in done.out
    assert list(temporary.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in mailmove.home.rglob("*")} == before


def test_keep_keeps_the_archive(mailmove: Program, temporary: Path) -> None:
    before = set(mailmove.home.iterdir())
    kept = mailmove.home / "Küche №1"
    done = mailmove("demo", "--keep", kept.name)
    assert done.code == 0, done.err
    assert str(kept) in done.out
    assert list(temporary.iterdir()) == []
    port = re.search(r"@localhost:(\d+)", (kept / ".mailmove/archive.toml").read_text())
    assert port and nobody_listens(int(port[1]))
    assert set(mailmove.home.iterdir()) - before == {kept}
    assert total(archived(kept)).total() == len(list(samples(NOW)))


def test_it_keeps_only_in_a_new_directory(mailmove: Program, temporary: Path) -> None:
    kept = mailmove.home / "letters"
    kept.mkdir()
    (kept / "letter.txt").write_text("dear")
    done = mailmove("demo", "--keep", kept)
    assert done.code == 2
    assert done.err.count("\n") == 2
    assert [path.name for path in kept.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing_either(mailmove: Program, temporary: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        mailmove.command("demo"),
        env=mailmove.env,
        cwd=mailmove.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while not process.stdout.readline().startswith("$ "):
        pass
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "mailmove: interrupted\n"
    assert list(temporary.iterdir()) == []


def test_without_its_server_it_says_how_to_get_it(mailmove: Program, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pymap'] = None\n")
    done = mailmove("demo", env={"PYTHONPATH": f"{tmp_path}:{mailmove.env['PYTHONPATH']}"})
    assert done.code == 2
    assert "pip install pymap" in done.err
    assert done.err.count("\n") == 2


def test_the_sample_mail_is_as_promised() -> None:
    mail = list(samples(NOW))
    assert mail == list(samples(NOW))
    assert 300 < len(mail) < 1000
    assert len({sample.octets for sample in mail}) == len(mail)
    ages = sorted(NOW - sample.arrival for sample in mail)
    assert ages[0] > timedelta(0)
    assert ages[-1] > timedelta(days=5 * 365)
    folders = Counter(sample.folder for sample in mail)
    assert len(folders) == 7
    assert any(not name.isascii() for name in folders)
    flags = Counter(flag for sample in mail for flag in sample.flags)
    assert flags["\\Draft"] == folders["Drafts"]
    assert flags["\\Flagged"] > 5
    assert folders.total() - flags["\\Seen"] > 0
    assert max(len(sample.octets) for sample in mail) > 1_000_000
    parsed = [message_from_bytes(sample.octets, policy=policy.default) for sample in mail]
    assert sum(1 for message in parsed if any(message.iter_attachments())) > 40
    assert any(not str(message["Subject"]).isascii() for message in parsed)
    assert len({str(message["Message-ID"]) for message in parsed}) == len(mail)
    for sample, message in zip(mail, parsed, strict=True):
        assert message["Date"].datetime == sample.arrival - timedelta(seconds=90)
        assert not message.defects
