"""One odd line about folders costs one folder, in every command that lists them, and is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit import Program, archived, hashes, message
from tests.servers import personalities
from tests.servers.model import Gmail, Store
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]

ODD = 'LIST\n    !answer s/"Odd"/"Odd/'
LINE = '* LIST () "/" "Odd'


def mailbox() -> Store:
    store = Store()
    for number, name in enumerate(("INBOX", "Odd", "Other")):
        store.add(name, message(number))
    return store


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    "command",
    ["export", "audit", "check --server", "account test", "prune --older-than 30d --yes", "restore --all --yes"],
)
def test_a_line_that_cannot_be_read_is_shown_by_every_command(scripted: Start, mailmove: Program, command: str) -> None:
    server = scripted(store=mailbox())
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    server.script(ODD)
    done = mailmove(*command.split())
    assert done.code == 3, (done.out, done.err)
    assert LINE in done.out + done.err
    assert "Everything on the server is in the archive" not in done.out
    if command != "account test":
        quiet = mailmove(*command.split(), "-q")
        assert (quiet.code, quiet.out) == (3, "")
        assert LINE in quiet.err
    assert archived(archive)["Odd"] == hashes(message(1))
    assert server.store["Odd"].bodies == [message(1)]
    if command.startswith("prune"):
        assert server.store["INBOX"].bodies == server.store["Other"].bodies == [], "one line costs one folder"


@pytest.mark.fault(70)
def test_what_is_not_seen_is_not_gone(scripted: Start, mailmove: Program) -> None:
    """The archive would count its messages as gone, and nothing would ask for them again."""
    server = scripted(store=mailbox())
    archive = mailmove.account(server)
    assert mailmove("export").code == 0
    server.script(ODD.replace("LIST", "LIST #1-", 1))
    assert mailmove("export").code == 3
    assert '"k":"gone"' not in (archive / ".mailmove/journal.jsonl").read_text().replace(" ", "")
    done = mailmove("check", "--server")
    assert "Odd" not in done.out.replace(LINE, ""), "it is told as of the last export"


@pytest.mark.fault(70)
def test_names_without_quotes_are_folders_of_their_own(scripted: Start, mailmove: Program) -> None:
    server = scripted()
    server.store.add("Posta", message(1))
    server.store.add("Posta in uscita", message(2))
    server.on("LIST", lambda talk, command: talk.answer(command, unquoted))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert archived(archive)["Posta in uscita"] == hashes(message(2))
    assert archived(archive)["Posta"] == hashes(message(1))


def unquoted(text: bytes) -> bytes:
    return text.replace(b'"Posta"', b"Posta").replace(b'"Posta in uscita"', b"Posta in uscita")


@pytest.mark.fault(70)
@pytest.mark.parametrize("command", ["export", "audit", "prune --older-than 30d --yes", "check --server"])
def test_two_folders_of_one_name_are_told(scripted: Start, mailmove: Program, command: str) -> None:
    server = scripted(store=mailbox())
    mailmove.account(server)
    assert mailmove("export").code == 0
    server.script('LIST\n    !answer s/"Other"/Odd/')
    done = mailmove(*command.split())
    assert done.code == 3, (done.out, done.err)
    assert "two folders of this name" in done.out + done.err
    assert server.store["Odd"].bodies == [message(1)]


@pytest.mark.fault(70)
def test_on_gmail_a_label_that_cannot_be_read_keeps_everything(scripted: Start, mailmove: Program) -> None:
    store = Gmail()
    store.deliver(message(1), "INBOX", "Odd")
    server = scripted(store=store)
    mailmove.account(server)
    assert mailmove("export").code == 0
    server.script(ODD)
    done = mailmove("prune", "--older-than", "30d", "--yes")
    assert done.code == 9, (done.out, done.err)
    assert LINE in done.err
    assert store["INBOX"].bodies == [message(1)]


@pytest.mark.fault(70)
def test_status_without_quotes_is_a_status(scripted: Start, mailmove: Program) -> None:
    server = scripted(store=personalities.Mailutils())
    names = ["With space", "{5}", "a (b)", "two  spaces"]
    for number, name in enumerate(names):
        server.store.add(name, message(number))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert sum(map(len, archived(archive).values())) == len(names)
