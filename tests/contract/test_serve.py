"""`mailmove serve` as a user runs it: logins and ports that stay, other machines only over TLS, a clean end."""

from __future__ import annotations

import imaplib
import json
import poplib
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import Program, message
from tests.serving.conftest import Serving, Shelved, serve, shelved

__all__ = ["serve", "shelved"]

Serve = Callable[..., Serving]


def test_password_and_ports_stay(shelved: Shelved, mailmove: Program) -> None:
    shelved.put({1: message(1)})
    mailmove.account(_Server(), name="box", tls="implicit")
    told = []
    for _ in range(2):
        with mailmove.started("serve", "--json", "--show-login") as process:
            serving = Serving(process)
            told.append(serving.told)
            shown = mailmove("serve", "--show-login")  # beside the one that serves
            assert shown.code == 0 and "served already" in shown.out and serving.password in shown.out
            refused = mailmove("serve", "--imap", serving.imap_port)
            assert refused.code == 8 and "--imap" in refused.err
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    assert told[0] == told[1]
    (account,) = told[0]["accounts"]
    assert (account["name"], account["user"]) == ("box", "box")
    assert told[0]["imap"].keys() == told[0]["pop3"].keys() == {"host", "port", "tls"}
    (kept,) = Path(mailmove.env["MAILMOVE_STATE"], "serving").glob("*.password")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_it_says_what_is_served_and_no_password_unasked(shelved: Shelved, mailmove: Program) -> None:
    shelved.put({1: message(1), 2: message(2)})
    with mailmove.started("serve", shelved.path, "--imap", 0, "--pop3", 0) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert lines[0] == "Serving 1 archive, read-only, on this machine. Ctrl-C ends it.\n"
    assert "2 messages   newest 2020-09-13" in lines[2]
    assert lines[3] == "  password: mailmove serve --show-login\n"
    (file,) = Path(mailmove.env["MAILMOVE_STATE"], "serving").glob("*.password")
    assert file.read_text().strip() not in "".join(lines)


@pytest.mark.parametrize("own", [True, False], ids=["own certificate", "made one"])
def test_other_machines_are_served_over_tls_alone(shelved: Shelved, serve: Serve, tmp_path: Path, own: bool) -> None:
    import trustme

    shelved.put({1: message(1)})
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    given = ("--tls-cert", tmp_path / "pem", "--tls-key", tmp_path / "pem") if own else ()
    serving = serve("--host", "0.0.0.0", "--yes", *given)
    assert serving.told["imap"]["tls"] is True
    assert ("fingerprint" in serving.told) is not own
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with serving.wire() as wire:
        assert b"LOGINDISABLED" in wire.line()
        assert wire.ask(b"LOGIN a b")[-1].startswith(b"t NO [PRIVACYREQUIRED]")
        assert wire.ask(b"AUTHENTICATE PLAIN AA==")[-1].startswith(b"t NO [PRIVACYREQUIRED]")
    with serving.wire(serving.pop3_port) as wire:
        wire.line()
        wire.send(b"USER a\r\nPASS b\r\nAUTH PLAIN AA==\r\n")
        assert all(wire.line().startswith(b"-ERR") for _ in range(3))
    with imaplib.IMAP4_SSL("127.0.0.1", serving.imap_port, ssl_context=trusting) as client:
        client.login(serving.user, serving.password)
    with imaplib.IMAP4("127.0.0.1", serving.imap_port) as client:
        client.starttls(trusting)
        client.authenticate("PLAIN", lambda _: f"\0{serving.user}\0{serving.password}".encode())
        assert client.select("INBOX", readonly=True) == ("OK", [b"1"])
    pop = poplib.POP3("127.0.0.1", serving.pop3_port)
    pop.stls(trusting)
    pop.user(serving.user)
    pop.pass_(serving.password)
    assert pop.stat()[0] == 1
    pop.quit()
    poplib.POP3_SSL("127.0.0.1", serving.pop3_port, context=trusting).quit()
    with serving.wire() as wire:  # what comes before TLS is forgotten
        wire.line()
        wire.send(b"t STARTTLS\r\nt NOOP\r\n")
        assert wire.line().startswith(b"t OK")
        with trusting.wrap_socket(wire.connection.dup()) as encrypted:
            encrypted.sendall(b"u NOOP\r\n")
            assert encrypted.recv(100).startswith(b"u OK")


def test_other_machines_need_a_word_of_the_user(shelved: Shelved, mailmove: Program, tmp_path: Path) -> None:
    shelved.put({1: message(1)})
    done = mailmove("serve", shelved.path, "--host", "0.0.0.0")
    assert done.code == 8 and "--yes" in done.err and not done.out
    done = mailmove("serve", shelved.path, "--host", "nowhere.invalid")
    assert done.code == 2
    (tmp_path / "no").write_text("nothing\n")
    done = mailmove("serve", shelved.path, "--tls-cert", tmp_path / "no", "--tls-key", tmp_path / "no")
    assert done.code == 2 and "PEM" in done.err
    assert mailmove("serve", shelved.path, "--tls-cert", tmp_path / "no").code == 2


def test_without_an_archive_it_says_what_to_do(mailmove: Program) -> None:
    mailmove.account(_Server(), tls="implicit")
    done = mailmove("serve")
    assert done.code == 7 and "mailmove export" in done.err
    done = mailmove("serve", mailmove.home / "nothing")
    assert done.code == 7


def test_several_archives_are_several_logins(shelved: Shelved, serve: Serve, mailmove: Program) -> None:
    shelved.put({1: message(1)})
    other = Shelved(mailmove.home / "second", Path(mailmove.env["MAILMOVE_STATE"]))
    other.put({1: message(2)})
    serving = serve(other.path)
    found = {}
    for account in serving.told["accounts"]:
        with imaplib.IMAP4("127.0.0.1", serving.imap_port) as client:
            client.login(account["user"], account["password"])
            client.select("INBOX", readonly=True)
            found[account["user"]] = client.fetch("1", "(BODY.PEEK[])")[1][0][1]  # type: ignore[index]
    assert found == {"box": message(1), "second": message(2)}
    first, second = serving.told["accounts"]
    with serving.wire() as wire:
        wire.line()
        said = wire.ask(f"LOGIN {first['user']} {second['password']}".encode())
        assert said[-1].startswith(b"t NO [AUTHENTICATIONFAILED]")
    assert json.dumps(serving.told).isascii()


class _Server:
    """An account's server that nobody asks."""

    host, port, user = "example.org", 993, "me"


def test_a_taken_port_is_said(shelved: Shelved, mailmove: Program) -> None:
    shelved.put({1: message(1)})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = mailmove("serve", shelved.path, "--pop3", taken.getsockname()[1], "--imap", 0)
    assert done.code == 8 and "cannot be used" in done.err
