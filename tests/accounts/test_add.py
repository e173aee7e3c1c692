"""``account add``: from an address to a tested account; and whatever goes wrong leaves nothing behind."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.kit import Mailbox, Program, message
from tests.servers.dovecot import Dovecot
from tests.servers.issuer import CLIENT, Issuer
from tests.servers.scripted import Scripted
from tests.servers.web import Answer, Web
from tests.terminal import Terminal

KEYRING = "tests.servers.keyrings.InFile"
PLACE = "/mail/config-v1.1.xml"


def autoconfig(port: int, kind: str = "SSL", way: str = "password-cleartext") -> Answer:
    text = f"""<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x"><incomingServer type="imap">
    <hostname>localhost</hostname><port>{port}</port><socketType>{kind}</socketType>
    <username>%EMAILLOCALPART%</username><authentication>{way}</authentication>
    </incomingServer></emailProvider></clientConfig>"""
    return Answer(text.encode(), "text/xml")


@pytest.fixture
def fresh(mailmove: Program) -> Program:
    """The program of somebody who never used it: no configuration, no password in the environment, a keyring."""
    del mailmove.env["MAILMOVE_PASSWORD"]
    mailmove.env["PYTHON_KEYRING_BACKEND"] = KEYRING
    return mailmove


@pytest.fixture
def trusted(web: Web, dovecot: Dovecot, tmp_path: Path) -> Path:
    """The authorities of the web server and of Dovecot in one file."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text(Path(web.ca).read_text() + Path(dovecot.ca).read_text())
    return bundle


@pytest.fixture
def told(web: Web, dovecot: Dovecot, trusted: Path) -> tuple[str, ...]:
    """The options by which the program finds Dovecot from an address alone."""
    web.answers[PLACE] = autoconfig(dovecot.imaps)
    return "--autoconfig", f"{web.url}{PLACE}", "--ca-file", str(trusted)


@pytest.fixture
def at_terminal(fresh: Program) -> Iterator[Callable[..., Terminal]]:
    """Starts the program at a terminal."""
    terminals: list[Terminal] = []

    def start(*arguments: object) -> Terminal:
        terminals.append(Terminal(fresh.command(*arguments), fresh.env))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.__exit__(None, None, None)


def config(program: Program) -> Path:
    return program.home / ".config" / "mailmove" / "config.toml"


def nothing(program: Program) -> bool:
    """Whether there is nothing at all in the home directory but what mailmove's runs leave anyway."""
    left = {path.relative_to(program.home).as_posix() for path in program.home.rglob("*") if path.is_file()}
    return left <= {"state/newest-message"}


def lived_in(mailbox: Mailbox) -> None:
    """Seven old messages and three new ones."""
    mailbox.fill(map(message, range(7)), arrival=datetime(2020, 1, 1, tzinfo=UTC))
    mailbox.fill(map(message, range(7, 10)))


def first_day(mailbox: Mailbox, at_terminal: Callable[..., Terminal]) -> None:
    """What the first page of the README says to do next, without any option but the age."""
    audit = at_terminal("audit")
    assert audit.finish() == 0, audit.shown
    assert "mailmove prune --older-than 30d" in audit.shown
    export = at_terminal("export")
    assert export.finish() == 0, export.shown
    assert "All 10 messages" in export.shown
    prune = at_terminal("prune", "--older-than", "30d")
    prune.expect("Type 7 to delete")
    prune.type("7\n")
    assert prune.finish() == 0, prune.shown
    assert len(mailbox.uids()) == 3


def test_an_address_and_a_password_are_enough(
    mailbox: Mailbox, fresh: Program, told: tuple[str, ...], at_terminal: Callable[..., Terminal], dovecot: Dovecot
) -> None:
    lived_in(mailbox)
    address = f"{mailbox.user}@rossi.example"
    terminal = at_terminal("account", "add", *told)
    terminal.expect("E-mail address: ")
    terminal.type(f"{address}\n")
    terminal.expect("localhost is outside rossi.example. Is that your provider's server? [y/N] ")
    terminal.type("y\n")
    terminal.expect(f"Password for {mailbox.user}@localhost")
    terminal.type("pw\n")
    terminal.expect("How long should mail stay on the server? 90d, 6mo, 1y; Enter: for ever: ")
    terminal.type("soon\n")
    terminal.expect("for ever: ", 2)
    terminal.type("2y\n")
    assert terminal.finish() == 0, terminal.shown
    assert config(fresh).read_text().endswith('.prune]\nolder_than = "2y"\n')
    assert f"Found by the autoconfig at localhost: localhost:{dovecot.imaps} (TLS)" in terminal.shown
    assert "folders   " in terminal.shown and "10 messages" in terminal.shown
    assert "quota     " in terminal.shown and "of 1.00 GB" in terminal.shown
    assert f"Next: mailmove audit {address}" in terminal.shown
    assert ": pw" not in terminal.shown, "a password is typed without echo"
    assert list(json.loads((fresh.home / "keyring.json").read_text()).values()) == ["pw"]
    assert stat.S_IMODE(config(fresh).stat().st_mode) == 0o600
    assert "pw" not in config(fresh).read_text()
    first_day(mailbox, at_terminal)


def test_where_nothing_answers_it_asks_before_it_asks_for_the_password(
    mailbox: Mailbox, fresh: Program, web: Web, trusted: Path, at_terminal: Callable[..., Terminal], dovecot: Dovecot
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        closed = sock.getsockname()[1]
    arguments = ("--autoconfig", f"{web.url}/nothing.xml", "--ca-file", trusted, "--user", mailbox.user)
    terminal = at_terminal("account", "add", "me@rossi.example", *arguments)
    terminal.expect("Nothing tells where the mailbox of me@rossi.example is.")
    terminal.expect("Host name of its IMAP server: ")
    terminal.type("nowhere.invalid\n")
    for number, (host, port) in enumerate([("localhost", closed), ("", "many"), ("", dovecot.imaps)], 1):
        terminal.expect("Host name of its IMAP server, or Ctrl-C", number)
        terminal.type(f"{host}\n")
        terminal.expect("Its port", number)
        terminal.type(f"{port}\n")
    terminal.expect("Password for")
    assert "nowhere.invalid:993: host not found." in terminal.shown
    assert f"localhost:{closed}: " in terminal.shown and "'many' is no port." in terminal.shown
    terminal.type("pw\n")
    terminal.expect("How long should mail stay")
    terminal.type("\x04")
    assert terminal.finish() == 0, terminal.shown
    assert "prune" not in config(fresh).read_text()


def test_a_script_says_everything_on_the_command_line(
    mailbox: Mailbox, fresh: Program, told: tuple[str, ...], dovecot: Dovecot, tmp_path: Path
) -> None:
    secret = tmp_path / "secrets" / "rossi"
    given = {"MAILMOVE_PASSWORD": "pw"}
    arguments = ("--name", "rossi", "--secret-file", secret, "--archive", tmp_path / "mail", "--yes", "--json")
    done = fresh("account", "add", f"{mailbox.user}@rossi.example", *told, *arguments, env=given)
    assert done.code == 0, done.err
    assert done.json["login"]["account"] == "rossi"
    assert secret.read_text() == "pw\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert fresh("account", "test", "ros").code == 0
    again = fresh("account", "add", f"{mailbox.user}@rossi.example", *told, "--name", "rossi", env=given)
    assert again.code == 2
    assert "there is an account rossi already" in again.err
    twin = fresh("account", "add", f"{mailbox.user}@rossi.example", *told, "--yes", env=given)
    assert twin.code == 2
    assert "have the same login" in twin.err


def test_without_discovery_by_host_and_command(mailbox: Mailbox, fresh: Program) -> None:
    arguments = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
    done = fresh("account", "add", "me@rossi.example", *arguments, "--password-command", "echo pw")
    assert done.code == 0, done.err
    assert 'password_command = ["echo", "pw"]' in config(fresh).read_text()
    assert fresh("account", "test").code == 0
    assert not (fresh.home / "keyring.json").exists()


def test_the_user_s_comments_stay(mailbox: Mailbox, fresh: Program) -> None:
    fresh.configure('# mine\n[account.other]   # and this\nhost = "localhost"\n')
    arguments = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
    assert fresh("account", "add", "me@rossi.example", *arguments, env={"MAILMOVE_PASSWORD": "pw"}).code == 0
    assert config(fresh).read_text().startswith('# mine\n[account.other]   # and this\nhost = "localhost"\n\n[account.')
    assert fresh("account", "remove", "me@", "--yes").code == 0
    assert config(fresh).read_text() == '# mine\n[account.other]   # and this\nhost = "localhost"\n'


class TestBadInput:
    """Clear words, and nothing half-written."""

    @pytest.mark.parametrize("text", ["rossi", "info@@rossi.example", "info@rossi..example", "in\x1bfo@"])
    def test_not_an_address(self, fresh: Program, text: str) -> None:
        done = fresh("account", "add", text)
        assert done.code == 2
        assert "is not an e-mail address" in done.err and "info@rossi.example" in done.err
        assert "\x1b" not in done.err
        assert nothing(fresh)

    def test_no_address_and_nobody_to_ask(self, fresh: Program) -> None:
        done = fresh("account", "add")
        assert done.code == 2
        assert "mailmove account add info@rossi.example" in done.err

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (Answer(b"<html><body>Welcome</body></html>"), "answers with a web page, not with mail settings"),
            (Answer(status=302, headers={"Location": "http://localhost/x"}), "leads away from https"),
            (
                Answer(b'<!DOCTYPE c [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><clientConfig>&b;</clientConfig>'),
                "holds a document type or entities, which could be an attack",
            ),
        ],
    )
    def test_autoconfig_that_may_not_be_used(
        self, fresh: Program, told: tuple[str, ...], web: Web, answer: Answer, why: str
    ) -> None:
        web.answers[PLACE] = answer
        done = fresh("account", "add", "me@rossi.example", *told, env={"MAILMOVE_PASSWORD": "pw"})
        assert done.code == 2
        assert why in " ".join(done.err.split())
        assert "Your provider tells it: --host" in done.err
        assert nothing(fresh)

    def test_settings_over_plain_http_are_not_taken(self, fresh: Program) -> None:
        done = fresh("account", "add", "me@rossi.example", "--autoconfig", "http://localhost/x")
        assert done.code == 2
        assert "Settings are only taken over https." in done.err

    def test_a_server_that_nobody_confirms_gets_no_password(
        self, scripted: Callable[..., Scripted], fresh: Program, web: Web, at_terminal: Callable[..., Terminal]
    ) -> None:
        server = scripted(tls="implicit")
        web.answers[PLACE] = autoconfig(server.port)
        arguments = ("account", "add", "me@rossi.example", "--autoconfig", f"{web.url}{PLACE}", "--ca-file", web.ca)
        done = fresh(*arguments, env={"MAILMOVE_PASSWORD": "pw"})
        assert done.code == 8
        assert "localhost is outside rossi.example" in done.err
        terminal = at_terminal(*arguments)
        terminal.expect("[y/N] ")
        terminal.type("\n")
        assert terminal.finish() == 8
        assert not server.octets
        assert nothing(fresh)

    def test_a_wrong_password_three_times(
        self, mailbox: Mailbox, fresh: Program, at_terminal: Callable[..., Terminal], dovecot: Dovecot
    ) -> None:
        arguments = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
        terminal = at_terminal("account", "add", "me@rossi.example", *arguments)
        for attempt in (1, 2, 3):
            terminal.expect("Password for", attempt)
            terminal.type("wrong\n")
        assert terminal.finish() == 5
        assert terminal.shown.count("Password for") == 3
        assert "Nothing was saved." in terminal.shown
        assert "wrong" not in terminal.shown
        assert nothing(fresh)

    def test_ctrl_c_at_the_password(
        self, mailbox: Mailbox, fresh: Program, at_terminal: Callable[..., Terminal]
    ) -> None:
        arguments = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
        terminal = at_terminal("account", "add", "me@rossi.example", *arguments)
        terminal.expect("Password for")
        terminal.type("\x03")
        assert terminal.finish() == 130
        assert nothing(fresh)

    @pytest.mark.parametrize(
        ("keyring", "why"),
        [
            ("tests.servers.keyrings.Locked", "the keyring is locked"),
            ("keyring.backends.null.Keyring", "the keyring of this session keeps nothing"),
            ("keyring.backends.fail.Keyring", "there is no keyring in this session"),
        ],
    )
    def test_a_keyring_that_is_no_use(
        self, mailbox: Mailbox, fresh: Program, at_terminal: Callable[..., Terminal], keyring: str, why: str
    ) -> None:
        fresh.env["PYTHON_KEYRING_BACKEND"] = keyring
        arguments = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
        unattended = fresh("account", "add", "me@rossi.example", *arguments, env={"MAILMOVE_PASSWORD": "pw"})
        assert unattended.code == 5
        assert why in unattended.err and "--secret-file" in unattended.err
        assert nothing(fresh)
        for answer, code in (("n\n", 8), ("y\n", 0)):
            terminal = at_terminal("account", "add", "me@rossi.example", *arguments)
            terminal.expect("Password for")
            terminal.type("pw\n")
            terminal.expect("read? [y/N] ")
            assert nothing(fresh)
            terminal.type(answer)
            if not code:
                terminal.expect("How long should mail stay")
                terminal.type("\n")
            assert terminal.finish() == code, terminal.shown
            assert why in " ".join(terminal.shown.split())
        secret = config(fresh).parent / "secrets" / "me@rossi.example"
        assert secret.read_text() == "pw\n"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
        assert fresh("account", "test").code == 0
        secret.chmod(0o640)
        done = fresh("account", "test")
        assert done.code == 5
        assert "can be read by others" in done.err and "chmod 600" in done.err

    def test_a_configuration_that_cannot_be_written_is_said_before_anything_is_asked(
        self, fresh: Program, at_terminal: Callable[..., Terminal]
    ) -> None:
        config(fresh).parent.parent.mkdir()
        config(fresh).parent.write_text("a file where the directory should be")
        terminal = at_terminal("account", "add", "me@rossi.example")
        assert terminal.finish() == 2
        assert "config.toml" in terminal.shown

    @pytest.mark.parametrize("text", ["[account.me", 'account = "x"', "[account.me]\nhots = 1"])
    def test_a_configuration_that_is_invalid_is_left_as_it_is(self, fresh: Program, text: str) -> None:
        path = fresh.configure(text)
        done = fresh("account", "add", "me@rossi.example", "--host", "localhost", env={"MAILMOVE_PASSWORD": "pw"})
        assert done.code == 2
        assert str(path) in done.err
        assert path.read_text() == text

    def test_when_the_last_step_fails_the_secret_goes_too(self, mailbox: Mailbox, fresh: Program) -> None:
        fresh.env["PYTHON_KEYRING_BACKEND"] = "tests.servers.keyrings.Saboteur"
        arguments = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
        done = fresh("account", "add", "me@rossi.example", *arguments, env={"MAILMOVE_PASSWORD": "pw"})
        assert done.code == 2
        assert "config.toml" in done.err
        assert (fresh.home / "keyring.json").read_text() == "{}"

    def test_and_what_the_keyring_had_before_comes_back(self, mailbox: Mailbox, fresh: Program) -> None:
        fresh.env["PYTHON_KEYRING_BACKEND"] = "tests.servers.keyrings.Saboteur"
        before = json.dumps({f"mailmove {mailbox.user}@localhost:{mailbox.port}": "old"})
        (fresh.home / "keyring.json").write_text(before)
        arguments = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
        assert fresh("account", "add", "me@rossi.example", *arguments, env={"MAILMOVE_PASSWORD": "pw"}).code == 2
        assert (fresh.home / "keyring.json").read_text() == before

    def test_a_sign_in_that_cannot_be_renewed(
        self, signed_up: Mailbox, issuer: Issuer, web: Web, fresh: Program
    ) -> None:
        fresh.env["REQUESTS_CA_BUNDLE"] = web.ca
        fresh.configure(f'[oauth.microsoft]\nclient_id = "{CLIENT}"\nauthority = "{issuer.authority}"\n')
        once = {"access_token": issuer.access_token(), "token_type": "Bearer", "expires_in": 3600}
        web.answers["/tenant/token"] = Answer(json.dumps(once).encode(), "application/json")
        arguments = ("--host", signed_up.host, "--port", signed_up.port, "--tls", "none", "--user", signed_up.user)
        done = fresh("account", "add", "me@rossi.example", *arguments, "--oauth", "microsoft")
        assert done.code == 5
        assert "gave no refresh token" in done.err


def test_a_browser_and_a_code_are_enough(
    believer: Dovecot,
    signed_up: Mailbox,
    issuer: Issuer,
    web: Web,
    fresh: Program,
    at_terminal: Callable[..., Terminal],
    tmp_path: Path,
) -> None:
    """The same by OAuth 2: nothing is configured but the user's own registration."""
    lived_in(signed_up)
    trusted = tmp_path / "ca.pem"
    trusted.write_text(Path(web.ca).read_text() + Path(believer.ca).read_text())
    web.answers[PLACE] = autoconfig(believer.imaps, way="OAuth2")
    fresh.env["REQUESTS_CA_BUNDLE"] = web.ca
    fresh.configure(f'[oauth.microsoft]\nclient_id = "{CLIENT}"\nauthority = "{issuer.authority}"\n')
    issuer.approved = False
    arguments = ("--autoconfig", f"{web.url}{PLACE}", "--ca-file", trusted, "--oauth", "microsoft")
    terminal = at_terminal("account", "add", f"{issuer.user}@rossi.example", *arguments)
    terminal.expect("[y/N] ")
    terminal.type("y\n")
    terminal.expect("type the code ABCD-1234")
    issuer.approved = True
    terminal.expect("How long should mail stay on the server?")
    terminal.type("\n")
    assert terminal.finish() == 0, terminal.shown
    assert set(json.loads((fresh.home / "keyring.json").read_text()).values()) == issuer.refresh_tokens
    assert not any(token in terminal.shown for token in (*issuer.refresh_tokens, *issuer.issued))
    first_day(signed_up, at_terminal)
    assert "method=OAUTHBEARER, rip=127.0.0.1, lip=127.0.0.1" in believer.log()


def test_a_client_id_is_asked_for_where_somebody_can_answer(
    signed_up: Mailbox, issuer: Issuer, web: Web, fresh: Program, at_terminal: Callable[..., Terminal]
) -> None:
    arguments = ("--host", signed_up.host, "--port", signed_up.port, "--tls", "none", "--oauth", "google")
    unattended = fresh("account", "add", "me@rossi.example", *arguments)
    assert unattended.code == 2
    assert "client_id in [oauth.google]" in unattended.err
    terminal = at_terminal("account", "add", "me@rossi.example", *arguments)
    terminal.expect("--oauth no.\r\nClient ID, or Enter to stop here: ")
    terminal.type(f"{CLIENT}\n")
    terminal.expect("Its client secret: ")
    terminal.type("\x03")
    assert terminal.finish() == 130
    assert nothing(fresh)


def test_settings_that_take_only_oauth_ask_whose(
    fresh: Program, web: Web, told: tuple[str, ...], dovecot: Dovecot
) -> None:
    web.answers[PLACE] = autoconfig(dovecot.imaps, way="OAuth2")
    done = fresh("account", "add", "me@rossi.example", *told, "--yes")
    assert done.code == 2
    assert "takes no passwords, but OAuth 2" in done.err
    assert "--oauth google or --oauth microsoft" in done.err


def test_a_sign_in_whose_token_the_server_refuses_leaves_nothing(
    scripted: Callable[..., Scripted], issuer: Issuer, web: Web, fresh: Program
) -> None:
    server = scripted()
    server.store.capabilities += ["AUTH=XOAUTH2"]
    fresh.env["REQUESTS_CA_BUNDLE"] = web.ca
    text = f'[oauth.microsoft]\nclient_id = "{CLIENT}"\nauthority = "{issuer.authority}"\n'
    fresh.configure(text)
    arguments = ("--host", server.host, "--port", server.port, "--tls", "none", "--oauth", "microsoft")
    done = fresh("account", "add", "me@hotmail.it", *arguments)
    assert done.code == 5
    assert "IMAP must be switched on at outlook.com" in " ".join(done.err.split()), "in the provider's terms"
    assert config(fresh).read_text() == text
    assert not (fresh.home / "keyring.json").exists()


def test_a_failing_login_is_explained_in_the_provider_s_terms(
    scripted: Callable[..., Scripted], mailmove: Program
) -> None:
    """support.google.com/mail/answer/7126229: Gmail takes app passwords only."""
    server = scripted("""
        LOGIN
            {tag} NO [ALERT] Application-specific password required: https://support.google.com/accounts (Failure)
        """)
    table = Mailbox("scripted", server.host, server.port, "bob@gmail.com").table("bob@gmail.com")
    mailmove.configure(table)
    done = mailmove("account", "test")
    assert done.code == 5
    assert "refused the login of bob@gmail.com: [ALERT] Application-specific password required" in done.err
    assert "https://myaccount.google.com/apppasswords" in done.err
    assert "mailmove account password bob@gmail.com" in done.err


def test_a_new_password_goes_where_the_old_one_was(
    mailbox: Mailbox, fresh: Program, at_terminal: Callable[..., Terminal]
) -> None:
    fresh.configure(mailbox.table("me@rossi.example"))
    (fresh.home / "keyring.json").write_text(json.dumps({f"mailmove {mailbox.user}@localhost:{mailbox.port}": "old"}))
    assert fresh("account", "test").code == 5
    terminal = at_terminal("account", "password", "me@")
    terminal.expect("Password for")
    terminal.type("pw\n")
    assert terminal.finish() == 0, terminal.shown
    assert fresh("account", "test").code == 0
    assert fresh("account", "remove", "me@").code == 8
    assert fresh("account", "remove", "me@", "--yes").code == 0
    assert (fresh.home / "keyring.json").read_text() == "{}"
    assert fresh("account", "list").code == 2


def test_show_tells_everything_but_the_secret(fresh: Program) -> None:
    fresh.configure('[account."bob@gmail.com"]\nhost = "imap.gmail.com"\narchive = "~/gm"\n')
    (fresh.home / "keyring.json").write_text('{"mailmove bob@gmail.com@imap.gmail.com": "sesame"}')
    done = fresh("account", "show", "bob")
    assert done.code == 0
    for text in (
        "imap.gmail.com:993, TLS",
        "password in the keyring",
        "~/gm",
        "support.google.com/mail/answer/7126229",
    ):
        assert text in done.out
    assert "sesame" not in done.out + fresh("account", "show", "bob", "--json").out
