"""Microsoft 365 and Exchange, from what Microsoft documents and administrators report.

Throttling tells how long to wait in words ("Suggested Backoff Time", learn.microsoft.com, Exchange throttling); sizes
are estimates unless EnableExactRFC822Size is set (learn.microsoft.com, Set-ImapSettings); there is no QUOTA; moving a
mailbox can give every folder another UIDVALIDITY, which RFC 9051 2.3.1.1 allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmove.errors import Throttled, Unreachable
from mailmove.imap import refusal
from tests.kit import Mailbox, Program, archived, message
from tests.servers.model import Store
from tests.servers.scripted import Scripted

CAPABILITIES = (
    "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+"
)


@pytest.fixture
def exchange(scripted: Callable[..., Scripted]) -> Scripted:
    """A mailbox of 20 messages whose announced sizes are a little off."""
    store = Store(CAPABILITIES)
    store.add("INBOX", *map(message, range(20)))
    store.add("Sent Items", *map(message, range(100, 105)), attributes="\\Sent")
    for box in store.folders.values():
        for mail in box.mails:
            mail.size = len(mail.body) + mail.uid % 5 - 2
    server: Scripted = scripted(store=store)
    return server


@pytest.fixture
def archive(exchange: Scripted, mailmove: Program, tmp_path: Path) -> Path:
    """Where the account's archive will be."""
    table = Mailbox("m365", exchange.host, exchange.port, "bob@firm.example").table("bob@firm.example")
    mailmove.configure(f'{table}archive = "{tmp_path / "mail"}"\nretry_waits = [0, 0, 0]\n')
    return tmp_path / "mail"


def counts(archive: Path) -> dict[str, int]:
    return {folder: sum(held.values()) for folder, held in archived(archive).items()}


def test_sizes_that_are_estimates_do_not_make_a_message_another_one(
    exchange: Scripted, mailmove: Program, archive: Path
) -> None:
    assert mailmove("export").code == 0
    exchange.commands.clear()
    again = mailmove("export")
    assert again.code == 0, again.err
    assert not exchange.count("UID FETCH", "BODY")
    assert counts(archive) == {"INBOX": 20, "Sent Items": 5}


@pytest.mark.fault(39)
def test_a_backoff_is_obeyed_and_the_export_goes_on(exchange: Scripted, mailmove: Program, archive: Path) -> None:
    exchange.script("""
        UID FETCH #1 /BODY/
            {tag} NO Server Busy. Request is throttled. Suggested Backoff Time: 30 milliseconds
        UID FETCH #2 /BODY/
            * BYE Connection is closed. Suggested Backoff Time: 20 milliseconds
            !hangup
        """)
    done = mailmove("export", "-v")
    assert done.code == 0, done.err
    assert counts(archive) == {"INBOX": 20, "Sent Items": 5}
    assert done.err.count("the server is busy") == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", 299.961),
        ("Server Busy. Suggested Backoff Time: 5 seconds", 5.0),
        ("[UNAVAILABLE] Server Unavailable. 15", refusal.DEFAULT_WAIT),
    ],
)
def test_how_long_to_wait_is_what_the_server_says(text: str, seconds: float) -> None:
    error = refusal.busy(text)
    assert isinstance(error, Throttled)
    assert error.wait == seconds


def test_a_backoff_longer_than_a_run_should_last_is_the_next_run_s() -> None:
    error = refusal.busy("Suggested Backoff Time: 3600000 milliseconds")
    assert isinstance(error, Unreachable) and not isinstance(error, Throttled)
    assert "60 minutes" in error.what


def test_a_changed_uidvalidity_costs_time_but_no_disk_and_no_message(
    exchange: Scripted, mailmove: Program, archive: Path
) -> None:
    """The fate of joeyates/imap-backup#234, where it was three copies of 5 GB."""
    assert mailmove("export").code == 0
    before = {file.stat().st_ino for file in (archive / "INBOX" / "cur").iterdir()}
    old = exchange.store["INBOX"].uidvalidity
    exchange.store["INBOX"].uidvalidity += 7
    for mail in exchange.store["INBOX"].mails:
        mail.uid += 1000
    exchange.store["INBOX"].uidnext += 1000
    done = mailmove("export")
    assert done.code == 0, done.err
    assert f"its UIDVALIDITY changed from {old} to {old + 7}" in done.out
    now = [file.stat() for file in (archive / "INBOX" / "cur").iterdir()]
    assert {status.st_ino for status in now} == before
    assert Counter(status.st_nlink for status in now) == {2: 20}
    assert counts(archive) == {"INBOX": 20, f"INBOX (UIDVALIDITY {old})": 20, "Sent Items": 5}


def test_without_quota_the_audit_adds_up_what_is_there(exchange: Scripted, mailmove: Program, archive: Path) -> None:
    told = mailmove("audit", "--json").json["accounts"][0]
    announced = sum(mail.size or 0 for box in exchange.store.folders.values() for mail in box.mails)
    assert told["octets"] == announced


def test_without_quota_the_test_login_says_so(exchange: Scripted, mailmove: Program, archive: Path) -> None:
    done = mailmove("account", "test")
    assert done.code == 0
    assert "the server tells none" in done.out
    assert "25 messages" in done.out
