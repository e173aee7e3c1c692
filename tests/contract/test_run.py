"""``mailmove run``: all that is due, in one process and by one login, and no deletion that nobody agreed to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailmove.units import timestamp
from tests.kit import NOW, Mailbox, Program, archived, message, total
from tests.servers.scripted import Scripted

POLICY = '[account.box.prune]\nolder_than = "1y"\n'


@pytest.fixture
def ready(mailbox: Mailbox, mailmove: Program) -> Path:
    """Three old messages and two new ones, in an account with a policy; gives its archive."""
    mailbox.fill(map(message, range(3)), arrival=NOW - timedelta(days=400))
    mailbox.fill(map(message, range(3, 5)), arrival=NOW - timedelta(days=4))
    return with_policy(mailmove, mailmove.account(mailbox))


def with_policy(mailmove: Program, archive: Path) -> Path:
    config = mailmove.home / ".config" / "mailmove" / "config.toml"
    mailmove.configure(config.read_text() + POLICY)
    return archive


def watched(archive: Path, when: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
    """As after a prune at a terminal that somebody agreed to: the journal says so."""
    from mailmove.archive.record import records
    from mailmove.archive.state.memory import Memory
    from mailmove.archive.store import Archive

    with Archive.open(str(archive), Memory(str(archive.parent / "state")), writable=True) as opened:
        opened.record([records.Run("prune", timestamp(when), 0, {"deleted": 0, "attended": 1})])


@pytest.mark.fault(95)
def test_it_prunes_nothing_that_nobody_agreed_to(ready: Path, mailbox: Mailbox, mailmove: Program) -> None:
    for quiet in ([], ["-q"]):
        done = mailmove("run", *quiet)
        assert done.code == 8, done.err
        said = done.out + done.err
        assert "INBOX" in said and "nobody has agreed yet" in said and "mailmove prune" in said
        assert len(mailbox.uids()) == 5
        assert total(archived(ready)).total() == 5, "what is safe is done all the same"
    step = mailmove("run", "--json").json["accounts"][0]["steps"]["prune"]
    assert (step["exit"], step["messages"], step["deleted"], step["dry_run"]) == (8, 3, 0, True)


def test_after_a_prune_that_somebody_watched_it_prunes_by_the_policy(
    ready: Path, mailbox: Mailbox, mailmove: Program
) -> None:
    assert mailmove("export").code == 0
    assert mailmove("prune", "--yes").code == 0, "nobody watched this one"
    mailbox.fill([message(9)], arrival=NOW - timedelta(days=500))
    assert mailmove("run", "-q").code == 8
    watched(ready)
    done = mailmove("run", "--json")
    assert done.code == 0, done.err
    (account,) = done.json["accounts"]
    assert account["agreed_by"] == "a prune that was watched at 2026-01-01T00:00:00Z"
    assert account["steps"]["prune"]["deleted"] == 1 and len(mailbox.uids()) == 2
    assert account["steps"]["copy"] is None and account["steps"]["audit"]["quota"]
    quiet = mailmove("run", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_a_declined_prune_is_no_consent(ready: Path, mailbox: Mailbox, mailmove: Program) -> None:
    assert mailmove("export").code == 0
    assert mailmove("prune").code == 8
    assert mailmove("run").code == 8 and len(mailbox.uids()) == 5


def test_an_account_without_a_policy_is_left_alone(scripted: Callable[..., Scripted], mailmove: Program) -> None:
    server = scripted()
    server.store.add("INBOX", *map(message, range(3)), arrival=NOW - timedelta(days=900))
    archive = mailmove.account(server)
    done = mailmove("run", "--json")
    assert done.code == 0 and done.json["accounts"][0]["steps"]["prune"] is None
    assert total(archived(archive)).total() == 3
    assert sum(command.name == "LOGIN" for command in server.commands) == 1


def test_what_cannot_be_brought_home_is_named_and_the_rest_goes_on(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    server = scripted("EXAMINE /Closed/\n    {tag} NO closed")
    for folder in ("INBOX", "Closed"):
        server.store.add(folder, *map(message, range(3)), arrival=NOW - timedelta(days=900))
    archive = with_policy(mailmove, mailmove.account(server))
    assert mailmove("run").code == 8
    watched(archive)
    done = mailmove("run", "--json")
    steps = done.json["accounts"][0]["steps"]
    assert done.code == steps["export"]["exit"] == 3, done.out
    assert steps["prune"]["deleted"] == 3 and steps["audit"]["exit"] == 3


@pytest.mark.fault(96)
def test_a_refused_login_is_one_error_and_holds_what_needs_the_server(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    server = scripted("LOGIN #2-\n    {tag} NO [AUTHENTICATIONFAILED] wrong")
    server.store.add("INBOX", message(1), arrival=NOW)
    archive = with_policy(mailmove, mailmove.account(server))
    assert mailmove("run").code == 0
    watched(archive)
    done = mailmove("run")
    assert done.code == 5
    assert "no prune, because the server cannot be asked" in done.err + done.out
    assert sum(command.name == "LOGIN" for command in server.commands) == 2, "it is not tried again for each step"


@pytest.mark.parametrize("text", ["", "{", '{"login": 1}', '{"attempts": {}, "login": "", "name": "", "config": null}'])
def test_what_was_agreed_to_and_cannot_be_read_stops_it(
    text: str, ready: Path, mailbox: Mailbox, mailmove: Program
) -> None:
    from mailmove.archive.state.memory import Memory

    login = f"{mailbox.user}@{mailbox.host}:{mailbox.port}"
    path = Path(Memory(str(mailmove.home / "state")).of_login("standing", login, ".json"))
    path.write_text(text)
    done = mailmove("run")
    assert done.code == 7 and "is damaged" in done.err
    assert path.read_text() == text, "nothing is made anew silently"


def test_a_quota_above_the_threshold(scripted: Callable[..., Scripted], mailmove: Program) -> None:
    server = scripted()
    server.store.add("INBOX", *map(message, range(3)), arrival=NOW)
    mailmove.account(server, quota="1kB")
    assert mailmove("run", "--fail-above", "90%").code == 4
    done = mailmove("run", "-q", "--fail-above", "90%")
    assert (done.code, done.out) == (4, "") and "ABOVE 90 %" in done.err, "quiet, but not silent"
    assert mailmove("run").code == 0


@pytest.mark.fault(114)
def test_the_first_prune_by_a_new_or_changed_template_is_watched(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    server = scripted()
    server.store.add("INBOX", *map(message, range(3)), arrival=NOW - timedelta(days=900))
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    watched(archive)
    config = mailmove.home / ".config" / "mailmove" / "config.toml"
    own = config.read_text().replace("[account.box]", '[account.box]\ntemplate = "all"')
    mailmove.configure(f'{own}[templates.all.prune]\nolder_than = "3y"\n')
    assert mailmove("run").code == 0, "there is nothing that is so old"
    mailmove.configure(f'{own}[templates.all.prune]\nolder_than = "1y"\n')
    done = mailmove("run")
    assert done.code == 8 and "nobody has agreed yet" in done.out
    done = mailmove("prune", "--yes")
    assert done.code == 8 and "nobody has watched a prune yet" in done.err
    assert len(server.store.add("INBOX").mails) == 3
    watched(archive, NOW + timedelta(days=1))
    assert mailmove("run").code == 0
    assert len(server.store.add("INBOX").mails) == 0
