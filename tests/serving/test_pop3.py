"""POP3: the whole archive or one folder, each message once, by names that never change."""

from __future__ import annotations

import poplib
from collections.abc import Callable

import pytest

from tests.exported import snapshot
from tests.kit import message
from tests.serving.conftest import Serving, Shelved, digest

Serve = Callable[..., Serving]

ODD = [
    b"",
    b"\r\n",
    b"no header at all",
    b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nend",
    b".Subject: first dot\r\n\r\n.",
    b"Subject: only a header\r\n",
    b"Subject: LF\n\n.\nlast\n",
    b"Subject: NUL\r\n\r\n\0\xff\r\r\n",
    b"Subject: large\r\n\r\n" + b".0123456789abcd\r\n" * 40_000,
]


def logged_in(serving: Serving, folder: str = "") -> poplib.POP3:
    client = poplib.POP3("127.0.0.1", serving.pop3_port, timeout=20)
    client.user(serving.user + folder)
    client.pass_(serving.password)
    return client


def test_all_of_it_each_once_the_oldest_first(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1), 2: message(2)}, arrival=lambda uid: 9000 - uid)
    shelved.put({1: message(2), 2: message(3)}, "Clienti/Gr&APYA3w-e", uidvalidity=9, arrival=lambda uid: 100)
    before = snapshot(shelved.path)
    serving = serve()
    client = logged_in(serving)
    held = [message(2), message(3)] if digest(message(2)) < digest(message(3)) else [message(3), message(2)]
    assert client.stat() == (3, sum(map(len, [*held, message(1)])))
    assert [b"\r\n".join([*client.retr(n)[1], b""]) for n in (1, 2, 3)] == [*held, message(1)]
    names = [line.split()[1].decode() for line in client.uidl()[1]]
    assert names == [digest(text) for text in (*held, message(1))]
    assert client.uidl(3) == f"+OK 3 {digest(message(1))}".encode()
    told: object = client.list(1)
    assert told == b"+OK 1 %d" % len(held[0])
    with pytest.raises(poplib.error_proto, match="leave messages on the server"):
        client.dele(1)
    client.rset()
    client.noop()
    for wrong in (client.retr, client.dele, client.uidl):
        with pytest.raises(poplib.error_proto, match="no such message"):
            wrong(4)
    client.quit()
    one = logged_in(serving, "+Clienti/Größe")
    assert one.stat()[0] == 2
    one.quit()
    with pytest.raises(poplib.error_proto, match="no folder"):
        logged_in(serving, "+Nothing")
    assert snapshot(shelved.path) == before


def test_octets_come_as_they_are(shelved: Shelved, serve: Serve) -> None:
    """Dots are stuffed and the end is marked (RFC 1939 3); nothing else is added or lost."""
    shelved.put(dict(enumerate(ODD, 1)))
    serving = serve()
    with serving.wire(serving.pop3_port) as wire:
        wire.line()
        wire.send(f"USER {serving.user}\r\nPASS {serving.password}\r\n".encode())
        while not wire.line().endswith(b"messages\r\n"):
            pass
        for number, text in enumerate(ODD, 1):
            wire.send(b"RETR %d\r\n" % number)
            assert wire.line() == b"+OK %d octets\r\n" % len(text)
            lines = []
            while (line := wire.line()) != b".\r\n":
                lines.append(line[1:] if line.startswith(b".") else line)
            assert b"".join(lines) in (text, text + b"\r\n"), text[:40]
            wire.send(b"TOP %d 0\r\n" % number)
            top = []
            while (line := wire.line()) != b".\r\n":
                top.append(line)
            assert top[0] == b"+OK\r\n" and top[-1] in (b"\r\n", b"\n")


def test_what_it_can_is_what_it_does(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1)})
    serving = serve("--separator", "/")
    client = poplib.POP3("127.0.0.1", serving.pop3_port, timeout=20)
    told = client.capa()
    assert {"TOP", "UIDL", "USER", "SASL", "EXPIRE"} <= set(told) and "STLS" not in told
    with pytest.raises(poplib.error_proto, match="no such command"):
        client.stat()
    client.quit()
    one = logged_in(serving, "/inbox")
    assert one.stat()[0] == 1
    assert one.top(1, 1)[1][-1] == message(1).split(b"\r\n\r\n")[1].split(b"\r\n")[0]
    one.quit()
