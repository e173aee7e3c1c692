"""A secret that several accounts share: it is neither removed nor overwritten with one of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import Mailbox, Program
from tests.terminal import Terminal


@pytest.fixture
def fresh(mailmove: Program) -> Program:
    """The program without a password in its environment."""
    del mailmove.env["MAILMOVE_PASSWORD"]
    return mailmove


@pytest.fixture
def file(fresh: Program) -> Path:
    """A file with a password, made by the user."""
    path = fresh.home / "shared"
    path.write_text("pw\n")
    path.chmod(0o600)
    return path


def table(name: str, *lines: str) -> str:
    return "\n".join((f'[account."{name}"]', f'host = "{name}.example"', f'user = "{name}"', *lines, ""))


def by_link(file: Path) -> str:
    link = file.with_name("link")
    link.symlink_to(file)
    return f'secret_file = "{link}"'


def by_hard_link(file: Path) -> str:
    link = file.with_name("hard")
    os.link(file, link)
    return f'secret_file = "{link}"'


WAYS: dict[str, Callable[[Path], str]] = {
    "the same path": lambda file: f'secret_file = "{file}"',
    "from home": lambda file: f'secret_file = "~/{file.name}"',
    "a roundabout path": lambda file: f'secret_file = "{file.parent}/./state/../{file.name}"',
    "a link": by_link,
    "a hard link": by_hard_link,
    "a program": lambda file: f'password_command = ["cat", "{file}"]',
    "a shell": lambda file: f'password_command = ["sh", "-c", "head -1 {file}"]',
}


@pytest.mark.parametrize("way", WAYS)
def test_what_another_account_names_stays(fresh: Program, file: Path, way: str) -> None:
    fresh.configure(table("one", f'secret_file = "{file}"') + table("two", WAYS[way](file)))
    done = fresh("account", "remove", "one", "--yes")
    assert done.code == 0, done.err
    assert file.read_text() == "pw\n"
    assert f"Its secret stays in {file}: it is also that of two." in done.out


def test_the_question_says_it(fresh: Program, file: Path) -> None:
    names = [f"user{number}" for number in range(200)]
    fresh.configure("".join(table(name, f'secret_file = "{file}"') for name in names))
    with Terminal(fresh.command("account", "remove", "user7"), fresh.env, columns=200) as terminal:
        terminal.expect("user0, user1, user2, and 196 more.")
        terminal.expect("[y/N] ")
        terminal.type("y\n")
        assert terminal.finish() == 0
    assert file.read_text() == "pw\n"


def test_what_mailmove_did_not_make_stays(fresh: Program, file: Path) -> None:
    fresh.configure(table("one", f'secret_file = "{file}"'))
    done = fresh("account", "remove", "one", "--yes")
    assert done.code == 0, done.err
    assert "which is not of mailmove's making" in done.out
    assert file.read_text() == "pw\n"


def test_a_link_to_what_mailmove_made_is_the_user_s(fresh: Program, mailbox: Mailbox, file: Path) -> None:
    secret, link = file.with_name("made"), file.with_name("link")
    assert added(fresh, mailbox, secret, "pw") == 0
    link.symlink_to(secret)
    config = fresh.home / ".config/mailmove/config.toml"
    config.write_text(config.read_text().replace(str(secret), str(link)))
    assert fresh("account", "remove", "me", "--yes").code == 0
    assert link.is_symlink() and secret.read_text() == "pw\n"


def added(fresh: Program, mailbox: Mailbox, secret: Path, password: str) -> int:
    where = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
    arguments = (*where, "--secret-file", secret)
    return fresh("account", "add", "me@rossi.example", *arguments, env={"MAILMOVE_PASSWORD": password}).code


def test_what_mailmove_made_goes_unless_another_account_uses_it_by_then(fresh: Program, mailbox: Mailbox) -> None:
    secret = fresh.home / "secrets" / "me"
    for others in ("", table("two", f'secret_file = "{secret}"')):
        assert added(fresh, mailbox, secret, "pw") == 0
        config = fresh.home / ".config/mailmove/config.toml"
        config.write_text(config.read_text() + others)
        assert fresh("account", "remove", "me", "--yes").code == 0
        assert secret.exists() == bool(others)


def test_a_file_that_holds_something_else_is_not_overwritten(fresh: Program, mailbox: Mailbox, file: Path) -> None:
    file.write_text("other\n")
    assert added(fresh, mailbox, file, "pw") == 8
    assert file.read_text() == "other\n"
    file.write_text("pw\nand a remark\n")
    assert added(fresh, mailbox, file, "pw") == 0
    assert file.read_text() == "pw\nand a remark\n"


def test_a_new_password_for_several_accounts_is_never_set_without_a_word(
    fresh: Program, mailbox: Mailbox, file: Path
) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    file.write_text("old\n")
    fresh.configure(mailbox.table("one", f'secret_file = "{link}"') + table("two", f'secret_file = "{file}"'))
    new = {"MAILMOVE_PASSWORD": "pw"}
    refused = fresh("account", "password", "one", env=new)
    assert refused.code == 8
    assert "also holds the secret of two" in refused.err and "--yes" in refused.err
    with Terminal(fresh.command("account", "password", "one"), {**fresh.env, **new}, columns=200) as terminal:
        terminal.expect("also holds the secret of two. Change it for all? [y/N] ")
        terminal.type("\n")
        assert terminal.finish() == 8
    assert file.read_text() == "old\n"
    done = fresh("account", "password", "one", "--yes", env=new)
    assert done.code == 0, done.err
    assert link.is_symlink() and file.read_text() == "pw\n"


def test_the_file_of_another_account_s_name_is_not_taken(fresh: Program, mailbox: Mailbox) -> None:
    other = fresh.home / ".config/mailmove/secrets/me@rossi.example"
    other.parent.mkdir(parents=True)
    other.write_text("other\n")
    where = ("--host", mailbox.host, "--port", mailbox.port, "--tls", "none", "--user", mailbox.user)
    with Terminal(fresh.command("account", "add", "me@rossi.example", *where), fresh.env, columns=200) as terminal:
        terminal.expect("Password for")
        terminal.type("pw\n")
        terminal.expect("me@rossi.example-2")
        terminal.expect("read? [y/N] ")
        terminal.type("y\n")
        terminal.expect("How long should mail stay")
        terminal.type("\n")
        assert terminal.finish() == 0, terminal.shown
    assert other.read_text() == "other\n"


def test_two_sign_ins_cannot_share_a_file(fresh: Program, file: Path) -> None:
    lines = ('oauth = "google"', f'secret_file = "{file}"')
    fresh.configure(table("one", *lines) + table("two", lines[1]) + '[oauth.google]\nclient_id = "x"\n')
    done = fresh("account", "list")
    assert done.code == 2
    assert "for its sign-in, is another account's, too" in done.err
