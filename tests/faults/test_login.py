"""What real servers say before, at and right after the login; by a server that says just that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit import Program, archived, hashes, message, total
from tests.servers import personalities
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]


def lower(text: bytes) -> bytes:
    """What a server says with its status words and codes in small letters, and without the text where it may be."""
    return b"\r\n".join(_lowered(line) for line in text.split(b"\r\n"))


def _lowered(line: bytes) -> bytes:
    tag, _, rest = line.partition(b" ")
    return tag + b" " + rest.lower() if rest else line


@pytest.mark.fault(71)
@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("GREETING", "going down"),
        ("CAPABILITY", ""),
        ("LOGIN", "Autologout; idle for too long"),
        ("LOGIN", "Temporary authentication failure"),
        ("ID", "going down"),
        ("LIST", ""),
    ],
)
def test_bye_is_a_server_that_hangs_up_wherever_it_is_said(
    scripted: Start, mailmove: Program, where: str, why: str
) -> None:
    """Not a wrong password: tried again, and the second time it works."""
    server = scripted(f"{where} #1\n    * bye {why}\n    !hangup")
    if where == "CAPABILITY":
        server.script("GREETING\n    * OK ready")
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert total(archived(archive)) == hashes(message(1))
    assert len(server.received) == 2


@pytest.mark.fault(71)
def test_bye_again_and_again_is_a_server_that_cannot_be_reached(scripted: Start, mailmove: Program) -> None:
    server = scripted("LOGIN\n    * BYE Autologout; idle for too long\n    !hangup")
    mailmove.account(server, retry_waits=[0, 0])
    done = mailmove("export")
    assert done.code == 6
    assert "hung up: Autologout" in done.err
    assert "password" not in done.err
    assert server.count("LOGIN") == 3


@pytest.mark.fault(71)
@pytest.mark.parametrize(
    "said",
    [
        "* BYE [AUTHENTICATIONFAILED] go away\n!hangup",
        "* BYE Login failed\n!hangup",
        "* BYE Invalid user name or password\n!hangup",
        "* BYE logging out\n{tag} NO it was wrong\n!hangup",
        "{tag} NO\n",
        "{tag} no [authenticationfailed]\n",
    ],
)
def test_a_login_that_is_refused_is_tried_once_whatever_the_words(
    scripted: Start, mailmove: Program, said: str
) -> None:
    server = scripted("LOGIN\n" + "".join(f"    {line}\n" for line in said.split("\n") if line))
    mailmove.account(server)
    done = mailmove("export")
    assert done.code == 5, done.err
    assert server.count("LOGIN") == 1


@pytest.mark.fault(71)
@pytest.mark.parametrize("capabilities", [True, False])
def test_small_letters_and_missing_texts_are_no_refusal(scripted: Start, mailmove: Program, capabilities: bool) -> None:
    """RFC 9051 9: all of it is case-insensitive; and some servers say OK and nothing more."""
    greeting = "* ok [capability imap4rev1 literal+ id uidplus auth=plain] ready" if capabilities else "* ok"
    server = scripted(f"GREETING\n    {greeting}\nLOGIN\n    !answer s/OK.*/ok\\x0d\\x0a/")
    names = ["CAPABILITY", "ID", "LIST", "STATUS", "EXAMINE", "NAMESPACE", "UID FETCH"]
    for name in names:
        server.on(name, lambda talk, command: talk.answer(command, lower if command.name != "UID FETCH" else tagged_ok))
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert total(archived(archive)) == hashes(message(1))


def tagged_ok(text: bytes) -> bytes:
    return text.replace(b" OK UID FETCH completed", b" ok")


@pytest.mark.fault(71)
def test_a_provider_that_wants_to_know_who_we_are_is_told(scripted: Start, mailmove: Program) -> None:
    server = scripted(store=personalities.Coremail())
    server.store.add("INBOX", message(1))
    archive = mailmove.account(server)
    done = mailmove("export")
    assert done.code == 0, (done.out, done.err)
    assert total(archived(archive)) == hashes(message(1))
    assert mailmove("prune", "--older-than", "30d", "--yes").code == 0, "also where a folder is opened for writing"
    assert server.store["INBOX"].bodies == []


@pytest.mark.fault(71)
@pytest.mark.parametrize("answer", ["{tag} BAD unknown", "{tag} NO [SERVERBUG] oops", "* ID NIL"])
def test_what_a_server_makes_of_our_name_does_not_matter(scripted: Start, mailmove: Program, answer: str) -> None:
    server = scripted(f"ID\n    {answer}" + ("\n    {tag} OK" if answer.startswith("*") else ""))
    server.store.add("INBOX", message(1))
    mailmove.account(server)
    assert mailmove("export").code == 0


@pytest.mark.fault(71)
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("export", "BAD User is authenticated but not connected."),
        ("audit", "NO [SERVERBUG] Internal error occurred. Refer to server log for more information."),
        ("account test", "NO IMAP is disabled"),
        ("check --server", "NO"),
    ],
)
def test_a_login_that_leads_nowhere_is_said_with_its_usual_causes(
    scripted: Start, mailmove: Program, command: str, said: str
) -> None:
    server = scripted()
    server.store.add("INBOX", message(1))
    mailmove.account(server)
    assert mailmove("export").code == 0
    server.store = personalities.Unconnected(said)
    done = mailmove(*command.split())
    assert done.code == 5, (done.out, done.err)
    assert "IMAP is off" in done.err
    assert "shared mailbox" in done.err


@pytest.mark.fault(71)
@pytest.mark.parametrize("said", ["+ go on", "M77 OK another's answer", "what?"])
def test_nonsense_in_answer_to_a_login_is_no_refused_password(scripted: Start, mailmove: Program, said: str) -> None:
    server = scripted(f"LOGIN\n    {said}")
    mailmove.account(server, retry_waits=[])
    done = mailmove("export")
    assert done.code == 6, done.err
    assert "password" not in done.err
    assert "silent" not in done.err
