"""Fault 41: a channel that cannot be trusted gets no credentials."""

from __future__ import annotations

import os
import re
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailmove.cancel import Cancel
from mailmove.errors import RefusedError, UsageError
from mailmove.imap import connection, trust
from mailmove.imap.session import Session
from mailmove.imap.wire import Astring
from mailmove.model import Endpoint, Password, Security
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


def certify(server: Scripted, ca: str, *, names: str, itself: bool = False) -> None:
    """Certify a server by an authority without key identifiers, or by itself; ``ca`` is written anew."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("authority", names))

    def issued(name: x509.Name, key: ec.EllipticCurvePrivateKey, by: x509.Name, *, is_ca: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder(by, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        builder = builder.not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        builder = builder.add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(names)]), critical=False)
        return builder.sign(key if itself else keys[0], hashes.SHA256())

    authority = issued(issuer, keys[0], issuer, is_ca=True)
    own = issued(subject, keys[1], subject if itself else issuer, is_ca=False)
    pem = serialization.Encoding.PEM
    Path(ca).write_bytes((own if itself else authority).public_bytes(pem))
    private = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = Path(ca).with_name("own.pem")
    chain.write_bytes(own.public_bytes(pem) + private)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(chain)


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
    assert "give its certificate with --ca-file" in done.err


def test_another_authority_than_the_one_that_was_given(scripted: Start, mailmove: Program) -> None:
    server = scripted(tls="implicit")
    (mailmove.home / "ca.pem").write_bytes(Path(server.ca).read_bytes())
    server.certify()
    done = refused(server, mailmove, 8, tls="implicit", ca_file=str(mailmove.home / "ca.pem"))
    assert "ca.pem does not hold the authority that signed it." in done.err


def test_a_server_that_signs_for_itself(scripted: Start, mailmove: Program) -> None:
    server = scripted(tls="implicit")
    certify(server, server.ca, names="localhost", itself=True)
    done = refused(server, mailmove, 8, tls="implicit")
    assert "self-signed certificate" in done.err
    assert "give its certificate with --ca-file" in done.err
    mailmove.configure("")
    mailmove.account(server, tls="implicit", ca_file=server.ca)
    assert mailmove("export").code == 0, "what was advised works"


@pytest.mark.parametrize("how", ["implicit", "starttls"])
def test_a_certificate_for_another_host(scripted: Start, mailmove: Program, how: str) -> None:
    server = scripted(tls=how)
    server.certify("mail.example.org")
    done = refused(server, mailmove, 8, tls=how, ca_file=server.ca)
    assert "Hostname mismatch" in done.err
    assert "It is another name's: check the host name" in done.err
    assert "ca-file" not in done.err


@pytest.mark.parametrize("how", ["implicit", "starttls"])
def test_an_expired_certificate(scripted: Start, mailmove: Program, how: str) -> None:
    server = scripted(tls=how)
    server.certify(expires=datetime(2020, 1, 1, tzinfo=UTC))
    done = refused(server, mailmove, 8, tls=how, ca_file=server.ca)
    assert "certificate has expired" in done.err
    assert "Only who runs the server can renew it." in done.err
    assert "ca-file" not in done.err


def test_a_certificate_of_tomorrow(scripted: Start, mailmove: Program) -> None:
    server = scripted(tls="implicit")
    server.certify(begins=datetime.now(UTC) + timedelta(days=1))
    done = refused(server, mailmove, 8, tls="implicit", ca_file=server.ca)
    assert "certificate is not yet valid" in done.err
    assert "Is this machine's clock behind?" in done.err
    assert "ca-file" not in done.err


def test_a_private_authority_that_newer_versions_of_python_refuse(
    scripted: Start,
) -> None:
    server = scripted(tls="implicit")
    certify(server, server.ca, names="localhost")
    strict = trust.trust(server.ca)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python does by itself from 3.13 on
    endpoint = Endpoint("localhost", server.port, "user", Security.TLS, ca_file=server.ca)
    with pytest.raises(RefusedError) as told:
        _ = Session(endpoint, Password(PASSWORD), Cancel()).wire
    assert "Missing Authority Key Identifier" in told.value.what
    assert "which Python checks from 3.13 on: who runs it has to make its certificates anew" in told.value.next_step
    assert not server.commands


def test_every_fault_of_a_certificate_has_a_remedy_and_one_kind_alone_is_cured_by_an_authority() -> None:
    for code in range(1, 100):
        error = ssl.SSLCertVerificationError()
        error.verify_code, error.verify_message = code, "odd"
        remedy = trust.untrusted("localhost:993", error, None).next_step
        assert remedy.startswith("No password was sent. ")
        assert len(remedy) > 60, remedy
        assert ("--ca-file" in remedy) == (code in (2, 18, 19, 20, 21)), remedy


def test_the_authorities_of_the_system_are_read_once_and_a_new_ca_file_is_read_anew(
    scripted: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_contexts", {})
    read: list[ssl.SSLContext] = []
    made = ssl.create_default_context

    def counted() -> ssl.SSLContext:
        read.append(made())
        return read[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    server = scripted(tls="implicit")
    together = threading.Barrier(8)

    def connect() -> ssl.SSLContext:
        together.wait()
        return trust.trust(server.ca)

    with ThreadPoolExecutor(8) as pool:
        contexts = {future.result() for future in [pool.submit(connect) for _ in range(8)]}
    assert len(contexts) == len(read) == 1
    assert trust.trust(None) not in contexts
    assert len(read) == 2
    server.certify()
    os.utime(server.ca, (1, 1))
    assert trust.trust(server.ca) not in contexts


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
