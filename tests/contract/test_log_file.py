"""``--log-file``: what happened, for whoever was not there."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmove.cli import logfile, said
from tests.kit import NOW, Program, message
from tests.servers.scripted import Scripted

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) (\S+): (.*)")


def test_it_has_time_level_and_account_and_neither_secrets_nor_control_characters(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    server = scripted("LOGIN #2\n    {tag} NO [AUTHENTICATIONFAILED] \x1b[31mno\x1b[0m")
    server.store.passwords.add("s3cr3t-word")
    server.store.add("INBOX", message(1), arrival=NOW)
    mailmove.account(server, user="anna")
    log = mailmove.home / "mailmove.log"
    mailmove.env["MAILMOVE_PASSWORD"] = "s3cr3t-word"
    done = mailmove("run", "-q", "-vv", "--log-file", str(log))
    assert done.code == 0 and "LOGIN" not in done.err, "-q keeps the terminal quiet all the same"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    log.rename(log.with_suffix(".1"))
    assert mailmove("export", "-q", "--log-file", str(log)).code == 5
    for path in (log, log.with_suffix(".1")):
        text = path.read_text()
        assert "s3cr3t" not in text and "\x1b" not in text
        assert all(LINE.fullmatch(line) for line in text.splitlines()), text
    levels = {
        found[1] for line in log.read_text().splitlines() if (found := LINE.fullmatch(line)) and found[2] == "box"
    }
    assert levels == {"ERROR", "INFO"} and r"\x1b[31mno" in log.read_text()
    assert log.read_text().endswith("box: ended with exit code 5\n")
    assert mailmove("run", "--log-file", str(mailmove.home / "none" / "log")).code == 2


def test_a_file_that_is_rotated_away_is_begun_anew_and_one_that_fails_is_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "log"
    handler = logfile.open_log(str(path))
    said.said.addHandler(handler)
    try:
        said.said.error("one\ntwo")
        path.rename(tmp_path / "old")
        said.said.error("three")
        assert path.read_text().endswith("three\n") and (tmp_path / "old").read_text().endswith(r"one\x0atwo" "\n")
        path.rename(tmp_path / "older")
        path.parent.rmdir()
        said.said.error("four")
        said.said.error("five")
    finally:
        said.said.removeHandler(handler)
        handler.close()
    assert capsys.readouterr().err.count("warning") == 1
