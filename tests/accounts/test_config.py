"""``config.toml``: a mistake names file, place and what is allowed, in one or two lines; nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmove.accounts import config
from mailmove.accounts.config import Config, parse_url
from mailmove.errors import UsageError
from mailmove.model import Endpoint, Security

A = '[account.a]\nhost = "imap.example.org"\n'

# Beside each mistake, what the message must say.
MISTAKES = {
    "x = 1": ("unknown key 'x'", "Allowed here: account, accounts, archive"),
    "archive = 1": ("archive: must be a text in quotes",),
    "account = 1": ("[account] must be a table",),
    "[account]\na = 1": ("[account.a] must be a table",),
    "oauth = 1": ("[oauth] must be a table",),
    "[account.a]": ("[account.a] host is missing",),
    "[account.a]\nhost = 1": ("[account.a] host: must be a text in quotes",),
    '[account.a]\nhost = " "': ("[account.a] host: must not be empty",),
    '[account.a]\nhost = "x\\ny"': ("[account.a] host: it holds a control character",),
    f'{A}user = "a\\u0000"': ("[account.a] user: it holds a control character",),
    '[account."a\\r"]\nhost = "x"': ("holds a control character",),
    '[account.""]\nhost = "x"': ("an account's name is an address or a word",),
    '[account."imaps://a@b"]\nhost = "x"': ("an account's name is an address or a word",),
    f"{A}prot = 993": ("[account.a] unknown key 'prot'", "Did you mean port?"),
    f'{A}port = "993"': ("[account.a] port: must be a number from 1 to 65535",),
    f"{A}port = true": ("port: must be a number",),
    f"{A}port = 0": ("port: must be a number",),
    f"{A}port = 65536": ("port: must be a number",),
    f'{A}tls = "ssl"': ("tls: 'ssl' is not a way to protect a connection", "Allowed: implicit, starttls, none."),
    f'{A}tls = "none"': ("[account.a] imap.example.org: without encryption mailmove only talks to this machine",),
    f"{A}timeout = 0": ("[account.a] timeout:",),
    f'{A}timeout = "60"': ("[account.a] timeout:",),
    f'{A}password_command = "pass"': ("password_command: must be a list of words",),
    f"{A}password_command = []": ("password_command: must be a list of words",),
    f"{A}password_command = [1]": ("password_command: must be a list of words",),
    f'{A}folders = "INBOX"': ("folders: must be a list of folder names",),
    f'{A}exclude = [""]': ("exclude: must be a list of folder names",),
    f'{A}quota = "big"': ("quota: 'big' is not a size", "Write it as 500MB"),
    f"{A}quota = 5": ("quota: must be a text in quotes",),
    f'{A}password_command = ["a"]\ntoken_command = ["b"]': ("exclude each other",),
    f'{A}[account.b]\nhost = "IMAP.example.org."\nuser = "a"': ("accounts 'a' and 'b' have the same login",),
    f'{A}[account.b]\nhost = "x"\narchive = "~/Mail/mailmove/a"': ("accounts 'a' and 'b' have the same archive",),
    f"{A}[account.a.prune]": ("[account.a.prune] no age is laid down",),
    f"{A}[account.a.prune]\nolder = 1": ("[account.a.prune] unknown key 'older'",),
    f"{A}prune = 1": ("[account.a.prune] must be a table",),
    "[oauth.google]\nid = 1": ("[oauth.google] client_id is missing",),
    "[oauth.yahoo]\nid = 1": ("[oauth] unknown key 'yahoo'",),
    "[account.a": ("not valid TOML",),
    "a = 1\na = 2": ("not valid TOML",),
}


@pytest.mark.fault(42)
@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        config.load(str(file))
    said = str(caught.value)
    assert said.count(str(file)) == 1, said
    assert said.count("\n") <= 1
    assert said.replace("\n", "").isprintable()
    for part in MISTAKES[text]:
        assert part in said


def test_what_cannot_be_read_is_an_error_and_not_an_empty_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"# \xff")
    with pytest.raises(UsageError, match="not valid TOML"):
        config.load(str(file))
    with pytest.raises(UsageError, match="Is a directory"):
        config.load(str(tmp_path))
    assert config.load(str(tmp_path / "none.toml")).accounts == ()


def loaded(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return config.load(str(file))


def test_an_account_is_found_by_name_or_unique_prefix(tmp_path: Path) -> None:
    some = loaded(tmp_path, "".join(f'[account."{name}"]\nhost = "x"\n' for name in ("anna", "annabel", "bert")))
    assert some.find("b").name == "bert"
    assert some.find("annab").name == "annabel"
    assert some.find("anna").name == "anna", "a whole name is not a prefix"
    with pytest.raises(UsageError, match="could be anna, annabel"):
        some.find("ann")
    with pytest.raises(UsageError, match="there is no account 'carl'") as caught:
        some.find("carl")
    assert "anna, annabel, bert" in caught.value.next_step


def test_a_url_of_a_configured_login_is_that_account(tmp_path: Path) -> None:
    """Or there would be two archives of the same mailbox, each incomplete."""
    some = loaded(
        tmp_path,
        '[account.work]\nhost = "imap.example.org"\nuser = "me@example.org"\nca_file = "/ca.pem"\ntimeout = 7\n',
    )
    for url in (
        "imaps://me%40example.org@imap.example.org",
        "imap://me%40example.org@IMAP.EXAMPLE.ORG",
        "imaps://me%40example.org@imap.example.org.:993/",
    ):
        account = some.find(url)
        assert (account.name, account.archive) == ("work", some.accounts[0].archive)
        assert (account.endpoint.ca_file, account.endpoint.timeout) == ("/ca.pem", 7.0)
    other = some.find("imaps://you%40example.org@imap.example.org")
    assert other.name == "you@example.org"
    assert other.archive != some.accounts[0].archive
    assert some.find("imaps://me%40example.org@imap.example.org:994").archive != some.accounts[0].archive


def test_urls() -> None:
    assert parse_url("imaps://me%40x.org@mail.x.org") == Endpoint("mail.x.org", 993, "me@x.org", Security.TLS)
    assert parse_url("imap://me@[::1]:1143") == Endpoint("::1", 1143, "me", Security.STARTTLS)
    assert parse_url("imap://p%C3%A9@x.org").user == "pé"


@pytest.mark.parametrize(
    "url",
    [
        "http://me@x.org",
        "imaps://x.org",
        "imaps://me@",
        "imaps://",
        "://",
        "imaps://me@x.org:0x",
        "imaps://me@x.org:99999",
        "imaps://me@x.org/INBOX",
        "imaps://me@x.org?a=b",
        "imaps://me@[::1",
        "imaps://me%00@x.org",
        "imaps://me%0d%0aA1 LOGOUT@x.org",
        "imaps://me:secret@x.org",
        "imaps://me:secret@x.org:0x",
        "imaps://me:secret@x.org:99999",
    ],
)
def test_what_is_not_an_account_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)
    assert str(caught.value).replace("\n", "").isprintable()
