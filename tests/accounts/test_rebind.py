"""``account rebind``: an archive follows its mailbox to another name of the server, and no other mailbox gets it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit import Mailbox, Program, archived, message
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy
from tests.terminal import Terminal


@pytest.fixture
def renamed(dovecot: Dovecot) -> Iterator[Proxy]:
    """The same server under another name: for mailmove another port is another host."""
    proxy = Proxy(dovecot.imap)
    yield proxy
    proxy.stop()


@pytest.fixture
def archive(mailbox: Mailbox, mailmove: Program, tmp_path: Path) -> Path:
    """An archive of 40 messages in two folders, 10 of which have left the server since."""
    mailbox.fill(map(message, range(30)))
    mailbox.fill(map(message, range(30, 40)), "Work/Clients")
    path = tmp_path / "mail"
    mailmove.configure(mailbox.table("me@rossi.example", f'archive = "{path}"'))
    assert mailmove("export").code == 0
    mailbox.expunge("INBOX", mailbox.uids()[:10])
    return path


def login(path: Path) -> str:
    return str(tomllib.loads((path / ".mailmove" / "archive.toml").read_text())["login"])


def test_a_renamed_server_is_proven_and_the_archive_goes_on(
    mailbox: Mailbox, mailmove: Program, archive: Path, renamed: Proxy
) -> None:
    done = mailmove("account", "rebind", "me@", "--port", renamed.imap, "--yes", "--json")
    assert done.code == 0, done.err
    (result,) = done.json["accounts"]
    assert (result["folders"], result["compared"], result["hashed"]) == (2, 30, 10)
    assert login(archive) == f"{mailbox.user}@localhost:{renamed.imap}"
    before = archived(archive)
    export = mailmove("export", "--json")
    assert export.code == 0, export.err
    assert all(folder["fetched"] == 0 for folder in export.json["accounts"][0]["folders"])
    assert archived(archive) == before
    assert "account rebind" in mailmove("history").out
    again = mailmove("account", "rebind", "me@", "--port", renamed.imap, "--yes")
    assert again.code == 2
    assert "already" in again.err


def test_after_an_edit_of_the_configuration_export_refuses_and_says_what_to_do(
    mailbox: Mailbox, mailmove: Program, archive: Path, renamed: Proxy
) -> None:
    moved = Mailbox("dovecot", renamed.host, renamed.imap, mailbox.user)
    mailmove.configure(moved.table("me@rossi.example", f'archive = "{archive}"'))
    done = mailmove("export")
    assert done.code == 7
    assert "mailmove account rebind" in done.err
    assert mailmove("account", "rebind", "me@", "--yes").code == 0
    assert mailmove("export").code == 0


def test_it_asks_after_the_proof_and_takes_the_password_along(
    mailbox: Mailbox, mailmove: Program, archive: Path, renamed: Proxy
) -> None:
    del mailmove.env["MAILMOVE_PASSWORD"]
    mailmove.env["PYTHON_KEYRING_BACKEND"] = "tests.servers.keyrings.InFile"
    keyring = mailmove.home / "keyring.json"
    old, new = (f"mailmove {mailbox.user}@localhost:{port}" for port in (mailbox.port, renamed.imap))
    keyring.write_text(json.dumps({old: "pw"}))
    for answer, code, holder in (("n\n", 8, old), ("y\n", 0, new)):
        with Terminal(
            mailmove.command("account", "rebind", "me@", "--port", str(renamed.imap)), mailmove.env
        ) as terminal:
            terminal.expect("Take it as the same mailbox? [y/N] ")
            terminal.type(answer)
            assert terminal.finish() == code, terminal.shown
        assert json.loads(keyring.read_text()) == {holder: "pw"}
        assert login(archive).endswith(str(renamed.imap if code == 0 else mailbox.port))


Change = Callable[[Dovecot, Mailbox], Mailbox]


def another_user(dovecot: Dovecot, mailbox: Mailbox) -> Mailbox:
    other = twin(dovecot, mailbox)
    dovecot.doveadm("mailbox", "update", "-u", other.user, "--uid-validity", "12345", "INBOX")
    return other


def twin(dovecot: Dovecot, mailbox: Mailbox) -> Mailbox:
    """UIDs count from 1 everywhere, and UIDVALIDITY is often a second of time: two mailboxes can share both."""
    other = Mailbox("dovecot", mailbox.host, mailbox.port, f"{mailbox.user}-other")
    other.fill(map(message, range(100, 130)))
    with mailbox.client() as client:
        uidvalidity = client.folder_status("INBOX", ["UIDVALIDITY"])[b"UIDVALIDITY"]
    dovecot.doveadm("mailbox", "update", "-u", other.user, "--uid-validity", str(uidvalidity), "INBOX")
    return other


def emptied(dovecot: Dovecot, mailbox: Mailbox) -> Mailbox:
    for folder in ("INBOX", "Work/Clients"):
        mailbox.expunge(folder, mailbox.uids(folder))
    return mailbox


def altered(dovecot: Dovecot, mailbox: Mailbox) -> Mailbox:
    """Every message is another one, of the same size."""
    for file in (dovecot.home(mailbox.user) / "Maildir" / "cur").iterdir():
        file.write_bytes(file.read_bytes().replace(b"Sender", b"Zender"))
    return mailbox


@pytest.mark.loss(10)
@pytest.mark.fault(45)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (another_user, "INBOX has UIDVALIDITY 12345 there"),
        (twin, "30 messages in INBOX with archived UIDs are other messages"),
        (emptied, "no archived message is there"),
        (altered, "holds other octets there than in the archive"),
    ],
)
def test_another_mailbox_does_not_get_the_archive(
    mailbox: Mailbox, mailmove: Program, archive: Path, renamed: Proxy, dovecot: Dovecot, change: Change, why: str
) -> None:
    user = change(dovecot, mailbox).user
    files, config = archived(archive), mailmove.home / ".config" / "mailmove" / "config.toml"
    written = config.read_text()
    done = mailmove("account", "rebind", "me@", "--port", renamed.imap, "--user", user, "--yes")
    assert done.code == 8
    assert why in done.out
    assert login(archive) == f"{mailbox.user}@localhost:{mailbox.port}"
    assert archived(archive) == files
    assert config.read_text() == written
