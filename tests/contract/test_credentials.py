"""Where passwords and tokens come from, and that they go nowhere but to their server."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import pytest

from tests.kit import Mailbox, Program, message
from tests.servers.model import Command, Store
from tests.servers.scripted import Conversation, Scripted
from tests.terminal import Terminal

Start = Callable[..., Scripted]

SECRET = "s3cret-Passwörd"


def asks_nobody(mailmove: Program) -> None:
    """No password in the environment, none in the keyring."""
    del mailmove.env["MAILMOVE_PASSWORD"]


def responses(server: Scripted) -> list[tuple[str, str]]:
    """Each SASL mechanism that was used, and the client's response."""
    sent = re.findall(rb"AUTHENTICATE (\S+)\r\n([\w+/=]+)\r\n", server.octets)
    return [(mechanism.decode(), base64.b64decode(response).decode()) for mechanism, response in sent]


def logins(server: Scripted) -> list[str]:
    """The passwords that were tried."""
    plain = [response.split("\0")[-1] for mechanism, response in responses(server) if mechanism == "PLAIN"]
    return plain + [command.args[1].decode() for command in server.commands if command.name == "LOGIN"]


def test_the_environment_comes_before_the_command(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.passwords = {"from the environment", "from the command"}
    mailmove.account(server, password_command=["echo", "from the command"])
    mailmove.env["MAILMOVE_PASSWORD"] = "from the environment"
    assert mailmove("account", "test").code == 0
    del mailmove.env["MAILMOVE_PASSWORD"]
    assert mailmove("account", "test").code == 0
    assert logins(server) == ["from the environment", "from the command"]


def test_an_empty_variable_is_none(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    mailmove.account(server, password_command=["echo", "pw"])
    assert mailmove("account", "test", env={"MAILMOVE_PASSWORD": ""}).code == 0
    assert logins(server) == ["pw"]


def test_the_environment_is_for_a_single_account(scripted: Start, mailmove: Program) -> None:
    """Sent to every server, it would be told to the wrong ones."""
    mine, other = scripted(), scripted()
    mailmove.account(mine, name="mine", password_command=["echo", "pw"])
    mailmove.account(other, name="other")
    mailmove.env["MAILMOVE_PASSWORD"] = "pw"
    done = mailmove("account", "test")
    assert done.code == 5
    assert "there is no password for other" in done.err
    assert "1 of 2 accounts need attention: other" in done.err
    assert logins(mine) == ["pw"]
    assert other.octets == b""
    assert mailmove("account", "test", "other").code == 0


def test_a_password_command_that_fails_is_named(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    asks_nobody(mailmove)
    commands = {
        "no such program": ["no-such-program-here", "show"],
        "it says why": ["sh", "-c", "echo the store is locked >&2; exit 2"],
        "it prints nothing": ["true"],
    }
    said = {}
    for name, command in commands.items():
        mailmove.configure("")
        mailmove.account(server, password_command=command)
        done = mailmove("account", "test")
        assert done.code == 5, name
        assert done.err.count("\n") <= 2
        said[name] = done.err
    assert "cannot be run: No such file or directory: no-such-program-here" in said["no such program"]
    assert "failed (exit 2): the store is locked" in said["it says why"]
    assert "it printed nothing" in said["it prints nothing"]
    assert server.octets == b""


def test_a_program_of_the_user_gets_no_input(scripted: Start, mailmove: Program) -> None:
    """It must not wait for ever for a passphrase that cron cannot type."""
    mailmove.account(scripted(), password_command=["sh", "-c", "cat; echo pw"])
    asks_nobody(mailmove)
    assert mailmove("account", "test", stdin="typed\n").code == 0


@pytest.mark.fault(42)
@pytest.mark.parametrize("password", ["pw\rA1 NOOP", "pw\0"])
def test_a_password_cannot_smuggle_in_a_command(
    scripted: Start, mailmove: Program, tmp_path: Path, password: str
) -> None:
    server = scripted()
    asks_nobody(mailmove)
    (tmp_path / "password").write_bytes(password.encode())
    mailmove.account(server, password_command=["cat", str(tmp_path / "password")])
    done = mailmove("account", "test")
    assert done.code == 5
    assert "holds a control character" in done.err
    assert server.octets == b""


def test_at_a_terminal_it_asks_without_echo(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.passwords = {SECRET}
    mailmove.account(server, user="me@example.org")
    asks_nobody(mailmove)
    with Terminal(mailmove.command("account", "test"), mailmove.env) as terminal:
        terminal.expect("Password for me@example.org@localhost")
        terminal.type(f"{SECRET}\n")
        assert terminal.finish() == 0
        assert "the login works" in terminal.shown
        assert SECRET not in terminal.shown
    assert logins(server) == [SECRET]


def test_ctrl_c_at_the_question_is_an_interruption(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    mailmove.account(server)
    asks_nobody(mailmove)
    for key in ("\x03", "\x04"):
        with Terminal(mailmove.command("account", "test"), mailmove.env) as terminal:
            terminal.expect("Password for")
            terminal.type(key)
            assert terminal.finish() == 130
            assert "Traceback" not in terminal.shown
    assert server.octets == b""


@pytest.mark.fault(40)
def test_without_a_terminal_it_never_asks(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    mailmove.account(server)
    asks_nobody(mailmove)
    done = mailmove("account", "test", stdin="pw\n")
    assert done.code == 5
    assert "there is no password for box" in done.err
    assert done.err.count("\n") == 2
    assert server.octets == b""


@pytest.mark.fault(40)
def test_a_keyring_is_asked_after_the_command(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.passwords = {"kept", "told"}
    login = f"{server.user}@{server.host}:{server.port}"
    (mailmove.home / "keyring.json").write_text(json.dumps({f"mailmove {login}": "kept"}))
    mailmove.env["PYTHON_KEYRING_BACKEND"] = "tests.servers.keyrings.InFile"
    asks_nobody(mailmove)
    for command in ({}, {"password_command": ["echo", "told"]}):
        mailmove.configure("")
        mailmove.account(server, **command)  # type: ignore[arg-type]
        assert mailmove("account", "test").code == 0
    assert logins(server) == ["kept", "told"]


@pytest.mark.fault(40)
@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("keyring.backends.null.Keyring", "there is no password for box"),
        ("keyring.backends.fail.Keyring", "there is no keyring in this session"),
        ("tests.servers.keyrings.Locked", "the keyring is locked"),
        ("tests.servers.keyrings.Hanging", "the keyring did not answer in 0.2 seconds; is it locked?"),
        ("hanging.Backend", "the keyring did not answer in 0.2 seconds; is it locked?"),
    ],
)
def test_a_keyring_that_is_of_no_use(
    scripted: Start, mailmove: Program, tmp_path: Path, backend: str, said: str
) -> None:
    """Absent, locked, hanging, or hanging already while it is looked for: an error in time, and an end."""
    server = scripted()
    mailmove.account(server)
    asks_nobody(mailmove)
    (tmp_path / "hanging.py").write_text("import threading\nthreading.Event().wait()\n")
    (tmp_path / "sitecustomize.py").write_text(
        "import mailmove.accounts.vault\nmailmove.accounts.vault.Keyring.__init__.__defaults__ = (0.2,)\n"
    )
    path = f"{tmp_path}:{mailmove.env['PYTHONPATH']}"
    impatient = {"PYTHONPATH": path} if "0.2" in said else {}  # the others answer, however long their import takes
    done = mailmove("account", "test", env={"PYTHON_KEYRING_BACKEND": backend, **impatient})
    assert done.code == 5
    assert said in done.err
    assert done.err.count("\n") == 2
    assert server.octets == b""


@pytest.mark.fault(40)
def test_a_refused_password_is_tried_once(scripted: Start, mailmove: Program) -> None:
    """Some providers lock an account after a few wrong passwords."""
    server = scripted()
    mailmove.account(server)
    done = mailmove("export", env={"MAILMOVE_PASSWORD": SECRET})
    assert done.code == 5
    assert "localhost refused the login of user" in done.err
    assert "[AUTHENTICATIONFAILED]" in done.err
    assert SECRET not in done.err + done.out
    assert logins(server) == [SECRET]


class TestTokens:
    """``token_command``: an OAuth 2 access token from a program of the user's."""

    @pytest.fixture
    def program(self, tmp_path: Path) -> list[str]:
        """Prints token-1 when first run, then token-2, and so on."""
        count = tmp_path / "count"
        count.write_text("0")
        script = f'n=$(($(cat "{count}") + 1)); echo $n > "{count}"; echo token-$n'
        return ["sh", "-c", script]

    @pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
    def test_it_logs_in(self, scripted: Start, mailmove: Program, program: list[str], mechanism: str) -> None:
        server = scripted(store=Store(f"IMAP4rev1 SASL-IR AUTH={mechanism}"))
        server.store.tokens = {"token-1"}
        mailmove.account(server, token_command=program)
        asks_nobody(mailmove)
        done = mailmove("account", "test")
        assert done.code == 0, done.err
        ((used, response),) = responses(server)
        assert used == mechanism
        assert "auth=Bearer token-1\x01" in response

    @pytest.mark.fault(40)
    def test_a_refused_token_is_renewed_once(self, scripted: Start, mailmove: Program, program: list[str]) -> None:
        server = scripted(store=Store("IMAP4rev1 SASL-IR AUTH=XOAUTH2"))
        server.store.tokens = {"token-2"}
        mailmove.account(server, token_command=program)
        asks_nobody(mailmove)
        assert mailmove("account", "test").code == 0
        assert server.count("AUTHENTICATE") == 2
        server.store.tokens = set()
        done = mailmove("account", "test")
        assert done.code == 5
        assert server.count("AUTHENTICATE") == 4
        assert "token-" not in done.err + done.out

    def test_a_server_without_oauth_is_named(self, scripted: Start, mailmove: Program, program: list[str]) -> None:
        server = scripted()
        mailmove.account(server, token_command=program)
        asks_nobody(mailmove)
        done = mailmove("account", "test")
        assert done.code == 9
        assert "offers neither OAUTHBEARER nor XOAUTH2" in done.err
        assert b"token" not in server.octets


def test_no_password_on_the_command_line(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    done = mailmove("export", f"imap://user:{SECRET}@localhost:{server.port}", "--tls", "none")
    assert done.code == 2
    assert SECRET not in done.err
    assert "a password must not stand in a URL" in done.err
    assert server.octets == b""
    for command in ("export", "account test"):
        assert "password" not in mailmove(*command.split(), "--help").out.lower()


@pytest.mark.fault(40)
@pytest.mark.parametrize("kind", ["password", "token"])
def test_no_secret_is_in_the_process_list(scripted: Start, mailmove: Program, tmp_path: Path, kind: str) -> None:
    """Neither of mailmove nor of what it starts, at any command of the run; the first token is refused as too old."""
    secret = token_hex(16)  # no other process that runs now has it
    server = scripted(store=Store("IMAP4rev1 SASL-IR UIDPLUS AUTH=" + ("PLAIN" if kind == "password" else "XOAUTH2")))
    server.store.add("INBOX", message(1))
    server.store.passwords, server.store.tokens = {f"{secret}-1"}, {f"{secret}-2"}
    count, children = tmp_path / "count", tmp_path / "children"
    count.write_text("0")
    script = f"""
        cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ >> {children}
        n=$(($(cat {count}) + 1)); echo $n > {count}
        cat {tmp_path}/secret; echo -$n
    """
    (tmp_path / "secret").write_text(secret)
    mailmove.account(server, **{f"{kind}_command": ["sh", "-c", script]})  # type: ignore[arg-type]
    asks_nobody(mailmove)
    shown: list[bytes] = []

    def look(talk: Conversation, command: Command) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                shown.append((process / "cmdline").read_bytes() + (process / "environ").read_bytes())
        talk.answer(command)

    for name in ("AUTHENTICATE", "EXAMINE", "UID FETCH", "LOGOUT"):
        server.on(name, look)
    done = mailmove.anew("export")
    assert done.code == 0, done.err
    assert count.read_text() == ("1\n" if kind == "password" else "2\n")
    assert any(b"mailmove\0export" in one for one in shown)
    assert b"mailmove\0export" in children.read_bytes()
    for one in (*shown, children.read_bytes()):
        assert secret.encode() not in one


def test_no_secret_is_logged(anywhere: Mailbox, mailmove: Program) -> None:
    """Not with -vv, not in any file it writes."""
    anywhere.fill([message(1)])
    archive = mailmove.account(anywhere)
    mailmove.env["MAILMOVE_PASSWORD"] = "pw"
    done = mailmove("export", "-vv")
    assert done.code == 0, done.err
    assert re.search("LIST", done.err), "the protocol is shown"
    for text in (done.out, done.err):
        assert not re.search(r"\bpw\b", text)
    written = [path for path in [*archive.rglob("*"), *(mailmove.home / "state").rglob("*")] if path.is_file()]
    assert len(written) > 3
    assert not [path for path in written if re.search(rb"\bpw\b", path.read_bytes())]


def test_a_url_without_a_password_is_told_what_works_for_a_url(mailbox: Mailbox, mailmove: Program) -> None:
    asks_nobody(mailmove)
    done = mailmove("audit", mailbox.url, "--tls", "none")
    assert done.code == 5
    assert "Set MAILMOVE_PASSWORD for this run, or keep account and password: mailmove account add" in done.err
