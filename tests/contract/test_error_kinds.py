"""An error in JSON says of what kind it is: an archive in use is not a damaged one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmove import errors
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.errors import MailmoveError
from tests.kit import Program, message, topic
from tests.servers.scripted import Scripted


@pytest.fixture
def archive(scripted: Callable[..., Scripted], mailmove: Program) -> Path:
    server = scripted("LOGIN #2-\n    {tag} NO [AUTHENTICATIONFAILED] no")
    server.store.add("INBOX", message(1))
    path = mailmove.account(server)
    assert mailmove("export").code == 0
    return path


def kind(mailmove: Program) -> str:
    (account,) = mailmove("export", "--json").json["accounts"]
    assert account["error"] and account["exit"]
    return str(account["kind"])


def test_what_is_wrong_with_an_archive(archive: Path, mailmove: Program) -> None:
    with Archive.open(str(archive), Memory(str(mailmove.home / "state")), writable=True):
        assert kind(mailmove) == "locked"
    assert kind(mailmove) == "login-refused"
    manifest = archive / ".mailmove" / "archive.toml"
    whole = manifest.read_bytes()
    manifest.write_bytes(b"format = ")
    assert kind(mailmove) == "damaged"
    manifest.write_bytes(whole)
    journal = archive / ".mailmove" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"uid":1', b'"uid":2', 1) + b"{}\n")
    assert kind(mailmove) == "damaged"
    archive.rename(archive.with_name("elsewhere"))
    assert kind(mailmove) == "missing"


def test_the_topic_names_every_kind() -> None:
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, MailmoveError)]
    told = topic("exit-codes").partition("In JSON")[2]
    assert {one.kind for one in found} - {"error"} <= set(re.findall(r"`([a-z-]+)`", told))
