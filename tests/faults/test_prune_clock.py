"""Nothing goes by a clock that nobody has vouched for: not in a first run, and not after one under a wrong clock."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from mailmove.archive.state.memory import Memory
from mailmove.errors import Exit
from mailmove.jobs import clock
from mailmove.plan.policy import Asked, Policy
from mailmove.plan.retention import DAY
from mailmove.report import prune as report
from mailmove.units import parse_age
from tests.kit import NOW, Program, message
from tests.pruning import Pruner
from tests.servers.scripted import Scripted

YEAR = Asked(age=parse_age("1y"))
AHEAD = timedelta(days=3 * 365)


class Ahead(datetime):
    """A clock far ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp((NOW + AHEAD).timestamp(), tz)


@pytest.fixture
def server(scripted: Callable[..., Scripted]) -> Scripted:
    """Messages of 10 to 127 days ago."""
    server = scripted()
    for number in range(40):
        server.store.add("INBOX", message(number), arrival=NOW - timedelta(days=127 - 3 * number))
    return server


@pytest.fixture
def pruner(server: Scripted, tmp_path: Path) -> Pruner:
    return Pruner(server.port, "user", tmp_path)


@pytest.mark.fault(55)
@pytest.mark.parametrize("exported", [False, True])
def test_a_first_run_under_a_clock_far_ahead_deletes_nothing(
    server: Scripted, pruner: Pruner, monkeypatch: pytest.MonkeyPatch, *, exported: bool
) -> None:
    if exported:
        with monkeypatch.context() as ahead:
            ahead.setattr("time.time", (NOW + AHEAD).timestamp)
            ahead.setattr("mailmove.jobs.export.run.datetime", Ahead)
            pruner.export()
    for _ in range(2):
        result = pruner(YEAR, now=NOW + AHEAD, unattended=True, by_hand="mailmove prune box")
        assert (result.exit, result.gone) == (Exit.REFUSED, 0)
        said = "\n".join(report.problems(result))
        assert "Everything is kept: the clock of this machine says" in said
        assert "If that is right, run it once by hand: mailmove prune box" in said
    assert len(server.store["INBOX"].mails) == 40 and not server.deletions
    assert server.count("APPEND") == 0


@pytest.mark.fault(55)
def test_a_first_run_is_made_once_somebody_has_watched_one(server: Scripted, pruner: Pruner) -> None:
    """A mailbox that got its last message 100 days ago, and a clock that is right."""
    month, later = Asked(age=parse_age("120d")), NOW + timedelta(days=100)
    assert pruner(month, now=later, unattended=True).exit == Exit.REFUSED
    watched = pruner(month, now=later, by_hand="x")
    assert watched.gone > 20
    assert "Look twice: the clock of this machine says" in "\n".join(report.plan(watched.plan))


@pytest.mark.fault(55)
def test_a_new_message_in_any_account_of_this_machine_vouches_for_the_clock(
    scripted: Callable[..., Scripted], pruner: Pruner, tmp_path: Path
) -> None:
    later = NOW + timedelta(days=100)
    memory = Memory(str(tmp_path / "state"))
    assert memory.newest_arrival() is None
    assert pruner(Asked(age=parse_age("150d")), now=later, unattended=True).exit == Exit.REFUSED
    busy = scripted()
    busy.store.add("INBOX", message(99), arrival=later - timedelta(days=1))
    neighbour = Pruner(busy.port, "other", tmp_path / "other")
    neighbour.home.mkdir()
    (neighbour.home / "state").symlink_to(tmp_path / "state")
    assert neighbour(now=later, unattended=True).exit == Exit.DONE
    assert memory.newest_arrival() == int((later - timedelta(days=1)).timestamp())
    assert pruner(Asked(age=parse_age("150d")), now=later, unattended=True).gone > 20
    assert pruner(YEAR, now=later + AHEAD, unattended=True).exit == Exit.REFUSED, "but only for a while"


@pytest.mark.fault(55)
def test_a_message_of_the_future_vouches_for_nothing(pruner: Pruner) -> None:
    now = int(NOW.timestamp())
    with pruner.opened() as archive:
        assert clock.vouch(archive, now + 30 * DAY, now) is None
        assert archive.memory.newest_arrival() is None


@pytest.mark.fault(55)
def test_an_export_that_saw_a_new_message_vouches_too(pruner: Pruner, tmp_path: Path) -> None:
    pruner.export()
    assert (Memory(str(tmp_path / "state")).newest_arrival() or 0) > (NOW - timedelta(days=12)).timestamp()


@pytest.mark.fault(55)
def test_new_mail_in_inbox_vouches_where_only_another_folder_is_pruned(server: Scripted, pruner: Pruner) -> None:
    server.store.add("Trash", message(90), arrival=NOW - timedelta(days=400), attributes="\\Trash")
    policy = Policy(folders={"Trash": parse_age("30d")})
    assert pruner(Asked(), policy, unattended=True).gone == 1
    server.store.add("Trash", message(91), arrival=NOW - timedelta(days=400))
    assert pruner(Asked(), policy, now=NOW + AHEAD, unattended=True).exit == Exit.REFUSED


def test_an_archive_of_before_this_rule_works_on(server: Scripted, pruner: Pruner) -> None:
    """Its runs and messages are all it takes: a run near a message of then vouches for 60 days."""
    pruner.export()
    shutil.rmtree(pruner.home / "state")
    later = NOW + timedelta(days=59)
    assert pruner(Asked(age=parse_age("120d")), now=later, unattended=True).gone > 0
    assert pruner(YEAR, now=NOW + AHEAD, unattended=True).exit == Exit.REFUSED


def test_nothing_to_delete_is_nothing_to_doubt(pruner: Pruner) -> None:
    """A quiet mailbox does not trouble cron every night."""
    assert pruner(Asked(age=parse_age("9y")), now=NOW + AHEAD, unattended=True).exit == Exit.DONE


@pytest.mark.fault(55)
def test_cron_is_told_what_to_run_by_hand(server: Scripted, mailmove: Program) -> None:
    (mailmove.home / "state" / "newest-message").unlink()
    server.store["INBOX"].mails = server.store["INBOX"].mails[:5]
    mailmove.account(server, password_command=["echo", "pw"])
    done = mailmove("prune", "--older-than", "30d", "-q", "--yes")
    assert (done.code, done.out, len(server.store["INBOX"].mails)) == (8, "", 5)
    assert "If that is right, run it once by hand: mailmove prune --older-than 30d\n" in done.err
