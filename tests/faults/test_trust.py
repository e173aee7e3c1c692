"""Fault 41: a channel that cannot be trusted gets no credentials."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mailmove.cancel import Cancel
from mailmove.errors import RefusedError, UsageError
from mailmove.model import Endpoint, Password, Security
from mailmove.server import connection
from mailmove.server.session import Session
from mailmove.server.wire import Astring
from tests.kit import Done, Program, message
from tests.servers.model import CAPABILITIES, Store
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]

pytestmark = pytest.mark.fault(41)

PASSWORD = "pw"


def refused(server: Scripted, mailmove: Program, code: int, **keys: object) -> Done:
    """Export from a server that must not be trusted: an error of at most two lines, and no credentials sent."""
    server.store.add("INBOX", message(1))
    mailmove.account(server, timeout=keys.pop("timeout", 20), **keys)  # type: ignore[arg-type]
    done = mailmove("export")
    assert done.code == code, done.err
    assert done.out == ""
    assert 1 <= done.err.count("\n") <= 2
    assert not (mailmove.home / "box").exists(), "an archive is begun once the login works"
    assert not re.search(rb"LOGIN|AUTHENTICATE|\bpw\b", server.octets, re.IGNORECASE)
    return done


def test_what_can_be_trusted_works(scripted: Start, mailmove: Program) -> None:
    """The counterpart of all the others."""
    for how in ("implicit", "starttls"):
        server = scripted(tls=how)
        server.store.add("INBOX", message(1))
        mailmove.configure("")
        mailmove.account(server, name=how, tls=how, ca_file=server.ca)
        assert mailmove("export").code == 0
        assert mailmove("export", server.url, "--archive", how, "--ca-file", server.ca).code == 0


@pytest.mark.parametrize("how", ["implicit", "starttls"])
def test_an_unknown_authority(scripted: Start, mailmove: Program, how: str) -> None:
    done = refused(scripted(tls=how), mailmove, 8, tls=how)
    assert "the certificate is not trusted: unable to get local issuer certificate" in done.err
    assert "No password was sent." in done.err


@pytest.mark.parametrize("how", ["implicit", "starttls"])
def test_a_certificate_for_another_host(scripted: Start, mailmove: Program, how: str) -> None:
    server = scripted(tls=how)
    server.certify("mail.example.org")
    done = refused(server, mailmove, 8, tls=how, ca_file=server.ca)
    assert "Hostname mismatch" in done.err


@pytest.mark.parametrize("how", ["implicit", "starttls"])
def test_an_expired_certificate(scripted: Start, mailmove: Program, how: str) -> None:
    server = scripted(tls=how)
    server.certify(expires=datetime(2020, 1, 1, tzinfo=UTC))
    done = refused(server, mailmove, 8, tls=how, ca_file=server.ca)
    assert "certificate has expired" in done.err


def test_a_ca_file_that_is_none(scripted: Start, mailmove: Program) -> None:
    server = scripted(tls="implicit")
    (mailmove.home / "ca.pem").write_text("not a certificate")
    for path in ("ca.pem", "missing.pem"):
        mailmove.configure("")
        done = refused(server, mailmove, 8, tls="implicit", ca_file=str(mailmove.home / path))
        assert f"{path}: not a file of certificates" in done.err


def test_starttls_that_was_taken_away(scripted: Start, mailmove: Program) -> None:
    done = refused(scripted(), mailmove, 8, tls="starttls")
    assert "does not offer STARTTLS: no password goes there in the clear" in done.err


def test_starttls_that_is_refused(scripted: Start, mailmove: Program) -> None:
    server = scripted("STARTTLS\n    {tag} NO not today", tls="starttls")
    done = refused(server, mailmove, 6, tls="starttls", ca_file=server.ca)
    assert "not today" in done.err


@pytest.mark.parametrize("injected", [r"* CAPABILITY IMAP4rev1\x0d\x0a", r"{tag} OK logged in\x0d\x0a", "x"])
def test_octets_sent_before_encryption_began(scripted: Start, mailmove: Program, injected: str) -> None:
    """They would count as the server's own words inside the encrypted session (RFC 9051 11.1)."""
    server = scripted(f"STARTTLS\n    !raw {{tag}} OK begin\\x0d\\x0a{injected}\n    !starttls", tls="starttls")
    done = refused(server, mailmove, 8, tls="starttls", ca_file=server.ca)
    assert "sent data before encryption began" in done.err


@pytest.mark.parametrize(
    "script",
    [
        f"GREETING\n    * OK [CAPABILITY {CAPABILITIES} STARTTLS FORGED] hello",
        "STARTTLS\n    * CAPABILITY IMAP4rev1 LOGINDISABLED FORGED\n    {tag} OK begin\n    !starttls",
    ],
    ids=["greeting", "answer"],
)
def test_what_was_announced_before_encryption_is_forgotten(scripted: Start, mailmove: Program, script: str) -> None:
    """Somebody on the way could promise more than the server does, or less."""
    server = scripted(script, tls="starttls")
    mailmove.account(server, tls="starttls", ca_file=server.ca)
    done = mailmove("account", "test", "--json")
    assert done.code == 0, done.out
    assert "FORGED" not in done.json["accounts"][0]["capabilities"]
    assert server.count("CAPABILITY")


def test_a_promise_to_take_passwords_made_before_encryption_is_forgotten(scripted: Start, mailmove: Program) -> None:
    script = "STARTTLS\n    * CAPABILITY IMAP4rev1 AUTH=PLAIN\n    {tag} OK begin\n    !starttls"
    server = scripted(script, Store("IMAP4rev1 LOGINDISABLED AUTH=GSSAPI"), tls="starttls")
    done = refused(server, mailmove, 5, tls="starttls", ca_file=server.ca)
    assert "takes no passwords on this connection" in done.err


@pytest.mark.parametrize("how", ["implicit", "starttls", "none"])
def test_preauth(scripted: Start, mailmove: Program, how: str) -> None:
    """Before STARTTLS it would keep the session in the clear; anywhere, nobody knows whose mailbox it is."""
    server = scripted("GREETING\n    * PREAUTH you are somebody", tls=how)
    done = refused(server, mailmove, 8, tls=how, **({"ca_file": server.ca} if how != "none" else {}))
    assert "greets with PREAUTH" in done.err


def test_logindisabled(scripted: Start, mailmove: Program) -> None:
    server = scripted(store=Store("IMAP4rev1 LOGINDISABLED AUTH=GSSAPI"), tls="implicit")
    done = refused(server, mailmove, 5, tls="implicit", ca_file=server.ca)
    assert "takes no passwords on this connection" in done.err


def test_the_wrong_port_for_tls(scripted: Start, mailmove: Program) -> None:
    done = refused(scripted(), mailmove, 6, tls="implicit")
    assert "does not speak TLS as expected" in done.err
    assert "993 wants imaps://" in done.err


def test_the_wrong_port_for_starttls(scripted: Start, mailmove: Program) -> None:
    server = scripted(tls="implicit")
    done = refused(server, mailmove, 6, tls="starttls", ca_file=server.ca, timeout=0.5)
    assert "no answer in time" in done.err
    assert len(server.received) == 1, "it does not get better by trying again"
    assert "993 wants imaps://" in done.err


@pytest.mark.parametrize("host", ["imap.example.org", "192.0.2.1", "localhost.example.org", "127.0.0.1.example.org"])
def test_no_encryption_only_on_this_machine(mailmove: Program, host: str) -> None:
    for arguments in (("export", f"imap://user@{host}", "--tls", "none"), ("export",)):
        done = mailmove(*arguments)
        assert done.code == 2
        assert "without encryption mailmove only talks to this machine itself" in done.err
        mailmove.configure(f'[account.me]\nhost = "{host}"\ntls = "none"\n')
    assert PASSWORD not in done.err


def test_a_connection_that_leaves_this_machine_in_the_clear_is_given_up(
    scripted: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = scripted()
    monkeypatch.setattr(connection, "is_loopback", lambda address: address != "127.0.0.1")
    with pytest.raises(RefusedError, match="no password goes there"), session(server) as opened:
        opened.wire.command(b"NOOP")
    assert not server.commands


@pytest.mark.parametrize("word", [b"a\r\nA1 LOGOUT", b"a\n", b"a\0"])
def test_no_argument_can_smuggle_in_a_command(scripted: Start, word: bytes) -> None:
    server = scripted()
    with session(server) as opened:
        for argument in (word, Astring(word)):
            with pytest.raises(UsageError):
                opened.wire.command(b"EXAMINE", argument)
    assert not server.count("EXAMINE")


def session(server: Scripted) -> Session:
    return Session(Endpoint("127.0.0.1", server.port, "user", Security.NONE), Password(PASSWORD), Cancel())


def test_where_a_name_leads_is_looked_at_too() -> None:
    """A name such as localhost can lead anywhere: what counts is the address that was connected to."""
    assert all(map(connection.is_loopback, ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"]))
    assert not any(
        map(connection.is_loopback, ["192.0.2.1", "::ffff:192.0.2.1", "fe80::1%lo", "0.0.0.0", "::", "localhost"])
    )
