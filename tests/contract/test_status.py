"""``mailmove status``: how accounts stand, from what runs left behind; no server is asked."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailmove.archive.state import standing
from mailmove.archive.state.memory import Memory
from mailmove.archive.state.standing import Attempt, Standing
from mailmove.jobs.status import merged
from tests.kit import NOW, Program, message
from tests.servers.scripted import Scripted

DAY = 86_400


@pytest.fixture
def server(scripted: Callable[..., Scripted], mailmove: Program) -> Scripted:
    """A server whose second login is refused, and the third; its account is ``box``."""
    server: Scripted = scripted("LOGIN #2\n    {tag} NO [AUTHENTICATIONFAILED] no\nLOGIN #3\n    {tag} NO no")
    server.store.add("INBOX", *map(message, range(3)), arrival=NOW)
    mailmove.account(server)
    return server


def earlier(mailmove: Program, seconds: int) -> None:
    """As if all that is noted were so much older."""
    memory = Memory(str(mailmove.home / "state"))
    (known,) = standing.every(memory)

    def older(one: Attempt) -> Attempt:
        good, since = (None if at is None else at - seconds for at in (one.good, one.since))
        return Attempt(one.at - seconds, one.exit, good, since, one.what, one.kind)

    attempts = {command: older(one) for command, one in known.attempts.items()}
    standing.change(memory, known.login, lambda _: Standing(known.login, known.name, known.config, attempts))


def test_a_failure_is_told_with_its_beginning_and_what_mends_it_until_it_is_over(
    server: Scripted, mailmove: Program
) -> None:
    before = mailmove("status")
    assert before.code == 0 and "nothing is exported yet: mailmove export" in before.out
    assert mailmove("export").code == 0
    assert mailmove("status").out.endswith("All is well with 1 account.\n")
    assert mailmove("status", "-q").out == ""
    assert mailmove("run", "-q").code == 5
    (first,) = mailmove("status", "--json").json["accounts"]
    assert mailmove("export", "-q").code == 5
    (second,) = mailmove("status", "--json").json["accounts"]
    assert second["export"]["failing_since"] == first["export"]["failing_since"]
    assert second["export"]["kind"] == "login-refused" and not second["well"]
    assert second["export"]["last_good"], "a failed run does not forget the good one"
    told = mailmove("status").out
    assert f"since {NOW.astimezone():%Y-%m-%d}"[:11] in told and ": mailmove account password" in told
    assert "JUST NOW" in told and "1 of 1 account needs you." in told
    commands = len(server.commands)
    assert mailmove("status", "-q").out.strip().startswith("box: ") and len(server.commands) == commands
    assert mailmove("export").code == 0
    assert mailmove("status", "-q").out == ""


def test_nagios_and_its_exit_codes(server: Scripted, mailmove: Program) -> None:
    ask = ("status", "--fail-if-older", "2d")
    done = mailmove(*ask)
    assert (done.code, done.out.split(" - ")[0]) == (2, "MAILMOVE CRITICAL"), "never exported"
    assert mailmove("export").code == 0
    assert mailmove(*ask).out == "MAILMOVE OK - 1 account exported within 2 days\n"
    assert mailmove("run").code == 5
    done = mailmove(*ask)
    assert (done.code, done.out.split(" - ")[0]) == (1, "MAILMOVE WARNING"), "in time, but the last one failed"
    (note,) = (mailmove.home / "state" / "standing").glob("*.json")
    note.write_text("{")
    done = mailmove(*ask)
    assert (done.code, done.out.split(" - ")[0]) == (3, "MAILMOVE UNKNOWN")
    assert mailmove("status").code == 7 and note.read_text() == "{"
    assert mailmove("status", "--fail-if-older", "2x").code == 3


def test_metrics_for_prometheus(server: Scripted, mailmove: Program, tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families as parse

    assert mailmove("export").code == 0
    file = tmp_path / "mailmove.prom"
    for code in (0, 5):
        assert mailmove("run").code == 5 if code else True
        assert mailmove("status", "-q", "--prometheus", file).code == 0
        samples: dict[Any, Any] = {
            (sample.name, sample.labels.get("command")): (sample.labels["account"], sample.value)
            for family in parse(file.read_text())
            for sample in family.samples
        }
        assert samples["mailmove_archive_messages", None] == ("box", 3)
        assert samples["mailmove_last_run_failed", "export"] == ("box", bool(code))
        assert abs(samples["mailmove_last_success_timestamp_seconds", "export"][1] - NOW.timestamp()) < DAY
    assert stat.S_IMODE(file.stat().st_mode) == 0o644, "the node exporter is another user"
    assert list(tmp_path.glob(".*")) == []


def test_an_account_that_vanished_from_the_configuration_is_missing_until_it_is_removed(
    server: Scripted, mailmove: Program
) -> None:
    assert mailmove("export").code == 0
    config = mailmove.home / ".config" / "mailmove" / "config.toml"
    whole = config.read_text()
    mailmove.configure("")
    assert "box: it is not in the configuration any more" in mailmove("status").out
    assert mailmove("status", "--config", mailmove.configure(whole)).code == 0
    elsewhere = mailmove.home / "other.toml"
    elsewhere.write_text("")
    assert "box" not in mailmove("status", "--config", elsewhere).out, "it is another configuration's"
    assert mailmove("account", "remove", "box", "--yes").code == 0
    assert "box" not in mailmove("status").out


def test_an_archive_that_cannot_be_read_is_told_as_that(server: Scripted, mailmove: Program) -> None:
    assert mailmove("export").code == 0
    (mailmove.home / "box" / ".mailmove" / "archive.toml").write_text("no")
    done = mailmove("status", "--json")
    (account,) = done.json["accounts"]
    assert (done.code, account["kind"], account["well"]) == (7, "damaged", False)
    assert account["export"]["last_good"]


@pytest.mark.parametrize(
    ("recorded", "noted", "both"),
    [
        (Attempt(5, good=5), Attempt(9, 5, None, 9, "no", "x"), Attempt(9, 5, 5, 9, "no", "x")),
        (Attempt(9, good=9), Attempt(5, 5, 1, 2, "no", "x"), Attempt(9, good=9)),
        (Attempt(5, good=5), Attempt(5, good=5), Attempt(5, good=5)),
        (Attempt(5, good=5), Attempt(9, 5, 1, 2, "no", "x"), Attempt(9, 5, 5, 9, "no", "x")),
    ],
)
def test_journal_and_notes_together(recorded: Attempt, noted: Attempt, both: Attempt) -> None:
    assert merged({"export": recorded}, {"export": noted}) == {"export": both}
    assert merged({}, {"export": noted}) == {"export": noted}
    assert merged({"export": recorded}, {}) == {"export": recorded}


def test_an_old_export_is_critical(server: Scripted, mailmove: Program) -> None:
    assert mailmove("export").code == 0
    earlier(mailmove, 3 * DAY)
    assert mailmove("status", "--fail-if-older", "2d").code == 0, "the journal knows better"
    (mailmove.home / "box").rename(mailmove.home / "away")
    assert mailmove("status", "--fail-if-older", "2d").code == 2
    assert mailmove("status", "--fail-if-older", "4d").code == 1
