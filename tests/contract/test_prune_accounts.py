"""Prune over several accounts: by their policy, never by omission, and one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.kit import NOW, Program, message
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]
OLD = NOW - timedelta(days=400)


@pytest.fixture
def servers(scripted: Start, mailmove: Program) -> dict[str, Scripted]:
    """Three accounts, each with old mail in INBOX, Sent and Trash; two have a policy."""
    made = {}
    for name in ("one", "two", "three"):
        server = made[name] = scripted()
        for folder, special in (("INBOX", ""), ("Sent", "\\Sent"), ("Trash", "\\Trash")):
            server.store.add(folder, *map(message, range(3)), arrival=OLD, attributes=special)
        mailmove.account(server, name=name, password_command=["echo", "pw"])
    config = mailmove.home / ".config" / "mailmove" / "config.toml"
    rules = '[account.one.prune]\nolder_than = "30d"\n[account.one.prune.folders]\nSent = "never"\n'
    rules += '[account.two.prune.folders]\nTrash = "7d"\n'
    mailmove.configure(config.read_text() + rules)
    return made


def held(server: Scripted) -> dict[str, int]:
    return {name.decode(): len(box.mails) for name, box in server.store.folders.items()}


def test_every_account_follows_its_policy_and_those_without_are_named(
    servers: dict[str, Scripted], mailmove: Program
) -> None:
    done = mailmove("prune", "--yes")
    assert done.code == 0, done.err
    assert held(servers["one"]) == {"INBOX": 0, "Sent": 3, "Trash": 0}
    assert held(servers["two"]) == {"INBOX": 3, "Sent": 3, "Trash": 0}
    assert held(servers["three"]) == {"INBOX": 3, "Sent": 3, "Trash": 3}
    assert "Left alone, having no prune policy: three" in done.err


def test_quiet_success_is_silent(servers: dict[str, Scripted], mailmove: Program) -> None:
    done = mailmove("prune", "-q", "--yes")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert held(servers["one"])["INBOX"] == 0


def test_an_age_acts_on_no_account_by_omission(servers: dict[str, Scripted], mailmove: Program) -> None:
    done = mailmove("prune", "--older-than", "30d", "--yes")
    assert done.code == 2 and "say --all" in done.err
    assert not any(server.commands for server in servers.values())
    assert mailmove("prune", "three", "--yes").code == 2
    assert mailmove("prune", "--older-than", "30d", "--yes", "--all").code == 0
    assert held(servers["one"]) == {"INBOX": 0, "Sent": 3, "Trash": 0}
    assert held(servers["three"]) == {"INBOX": 0, "Sent": 0, "Trash": 0}


def test_naming_a_folder_overrides_its_never(servers: dict[str, Scripted], mailmove: Program) -> None:
    assert mailmove("prune", "one", "--older-than", "30d", "--folder", "Sent", "--yes").code == 0
    assert held(servers["one"]) == {"INBOX": 3, "Sent": 0, "Trash": 3}


def test_a_run_is_found_in_whichever_archive_knows_it(servers: dict[str, Scripted], mailmove: Program) -> None:
    assert mailmove("export").code == 0
    run = mailmove("prune", "one", "--yes", "--json").json["accounts"][0]["run"]
    done = mailmove("history", run)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("one ") and "INBOX" in done.out
    done = mailmove("history", "20200101-000000")
    assert done.code == 2
    assert f"one has no run '20200101-000000'\n  Runs that deleted something: {run}." in done.err
    assert "each has no run '20200101-000000': two, three\n  No run has deleted anything yet." in done.err


@pytest.mark.parametrize("how", [["-qy"], ["--json", "-y"], ["--older-than", "30d", "--all", "-q", "--yes"]])
def test_what_is_to_be_run_by_hand_is_for_one_account_and_somebody_who_watches(
    servers: dict[str, Scripted], mailmove: Program, how: list[str]
) -> None:
    servers["one"].store.add("INBOX", *map(message, range(10, 110)), arrival=OLD)
    done = mailmove("prune", *how)
    assert done.code == 8
    assert held(servers["one"])["INBOX"] == 103 and not held(servers["two"])["Trash"]
    if "--json" not in how:
        watched = "mailmove prune one" + (" --older-than 30d" if "--all" in how else "")
        assert f"\nIf that is right, run it once by hand: {watched}\n" in done.err


@pytest.mark.parametrize(("limit", "left"), [("11", 111), ("12", 99), ('"11"', 111), ('"10.8%"', 111), ('"11%"', 99)])
def test_the_most_to_delete_unattended_is_laid_down_for_each_account(
    servers: dict[str, Scripted], mailmove: Program, limit: str, left: int
) -> None:
    """As a number or a share; it says nothing of other accounts, and the command line overrides it."""
    for name in ("one", "two"):
        servers[name].store.add("INBOX", *map(message, range(10, 19)), arrival=OLD)
        servers[name].store.add("INBOX", *map(message, range(20, 119)), arrival=NOW)
    config = mailmove.home / ".config" / "mailmove" / "config.toml"
    text = config.read_text().replace('prune]\nolder_than = "30d"', f'prune]\nolder_than = "30d"\nmax_delete = {limit}')
    mailmove.configure(
        text.replace(
            "[account.two.prune.folders]", '[account.two.prune]\nolder_than = "30d"\n[account.two.prune.folders]'
        )
    )
    done = mailmove("prune", "-q", "--yes")
    assert (done.code, held(servers["one"])["INBOX"]) == (8 if left == 111 else 0, left), done.err
    assert held(servers["two"])["INBOX"] == 99
    if left == 111:
        assert "INBOX is kept: 12 of 111 messages would go, more than --max-delete" in done.err
        assert mailmove("prune", "-q", "--yes", "--max-delete", "50%").code == 0
        assert held(servers["one"])["INBOX"] == 99


def test_one_dead_account_does_not_stop_the_others(servers: dict[str, Scripted], mailmove: Program) -> None:
    servers["one"].store.passwords = {"another"}
    done = mailmove("prune", "-q", "--yes")
    assert done.code == 5 and "1 of 2 accounts need attention: one" in done.err
    assert held(servers["two"])["Trash"] == 0
    assert held(servers["one"]) == {"INBOX": 3, "Sent": 3, "Trash": 3}
