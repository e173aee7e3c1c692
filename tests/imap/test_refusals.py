"""A password that many accounts share is refused three times at most, and one that opens others' mailboxes."""

from __future__ import annotations

import imaplib
import threading
from collections.abc import Callable, Iterator

import pytest

from mailmove.cancel import Cancel
from mailmove.errors import LackingError, LoginRefused
from mailmove.imap.folders import look
from mailmove.imap.session import Session
from mailmove.imap.slots import Slots
from mailmove.model import Endpoint, Password, Security
from tests.kit import message
from tests.servers.dovecot import Dovecot, installed
from tests.servers.scripted import Scripted

MASTER = {
    "2.3": "passdb {\n  driver = static\n  args = password=open\n  master = yes\n}\n",
    "2.4": "passdb master {\n  driver = static\n  master = yes\n  passdb_static_password = open\n}\n",
}


def refused(server: Scripted, slots: Slots, user: str, password: str = "wrong") -> str:
    endpoint = Endpoint(server.host, server.port, user, Security.NONE, retry_waits=())
    try:
        with Session(endpoint, Password(password), Cancel(), slots) as session:
            _ = session.wire
    except LoginRefused as error:
        return str(error)
    return ""


def logins(server: Scripted) -> int:
    return sum(command.name == "LOGIN" for command in server.commands)


@pytest.mark.fault(115)
def test_three_refusals_of_one_password_are_enough_however_many_ask_at_once(scripted: Callable[..., Scripted]) -> None:
    server, slots, said = scripted(), Slots(), list[str]()
    threads = [
        threading.Thread(target=lambda user=f"u{number}": said.append(refused(server, slots, user)))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logins(server) == 3 and len(said) == 8 and all(said)
    assert sum("was not tried" in line for line in said) == 5
    assert not refused(server, slots, "other", "pw"), "another password is another matter"


def test_what_is_counted_is_refusals(scripted: Callable[..., Scripted]) -> None:
    server, slots = scripted("LOGIN #2\n    {tag} NO [AUTHENTICATIONFAILED] no"), Slots()
    assert [bool(refused(server, slots, f"u{number}", "pw")) for number in range(5)] == [0, 1, 0, 0, 0]


@pytest.fixture(scope="module")
def office() -> Iterator[Dovecot]:
    """A Dovecot where ``master`` opens every mailbox."""
    server = Dovecot(extra=MASTER[installed()[1]])
    yield server
    server.stop()


def test_one_login_opens_the_mailboxes_of_others(office: Dovecot) -> None:
    def seen(user: str, password: str) -> int:
        endpoint = Endpoint(office.host, office.imap, user, Security.NONE, auth_user="master", retry_waits=())
        with Session(endpoint, Password(password), Cancel()) as session:
            return sum(folder.status.messages for folder in look(session.wire) if folder.status is not None)

    for user, many in (("anna", 2), ("bert", 1)):
        for number in range(many):
            deliver(office, user, number)
    assert (seen("anna", "open"), seen("bert", "open")) == (2, 1)
    with pytest.raises(LoginRefused, match="refused the login of master for anna"):
        seen("anna", "pw")


def deliver(office: Dovecot, user: str, number: int) -> None:
    with imaplib.IMAP4(office.host, office.imap) as client:
        client.login(user, "pw")
        client.append("INBOX", "", "", message(number))


def test_a_server_without_plain_is_told_so(scripted: Callable[..., Scripted]) -> None:
    server = scripted()
    server.store.capabilities = [one for one in server.store.capabilities if one != "AUTH=PLAIN"]
    endpoint = Endpoint(server.host, server.port, "anna", Security.NONE, auth_user="master", retry_waits=())
    with pytest.raises(LackingError, match="auth_user cannot"), Session(endpoint, Password("pw"), Cancel()) as session:
        _ = session.wire
