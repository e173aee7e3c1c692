"""No APPEND waits for a delayed acknowledgement: of the OK before it, which a server's go-ahead is held back for."""

from __future__ import annotations

import socket

import pytest

from mailmove.imap import append, reader
from mailmove.imap.append import Appending, Outgoing
from mailmove.imap.wire import Wire
from mailmove.model import Folder
from tests.fuzz.wires import wired

MESSAGES = [Outgoing(3, [], None, (b"one",)), Outgoing(3, [], None, (b"two",))]
ANSWERS = b"+ go\r\nM1 OK done\r\n+ go\r\nM2 OK done\r\n"


@pytest.mark.skipif(reader.QUICK_ACK is None, reason="this system has no TCP_QUICKACK")
def test_before_each_wait_for_a_go_ahead_the_system_is_told_to_acknowledge_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    with wired(ANSWERS, sizes=(1,)) as near:
        sock = near.reader._sock
        monkeypatch.setattr(type(sock), "setsockopt", lambda _, *option: told.append(f"option {option}"))
        assert Appending(near, Folder(b"INBOX"), 1, MESSAGES).answers() == [0, 0]
    quick = f"option {(socket.IPPROTO_TCP, reader.QUICK_ACK, 1)}"
    assert told.count(quick) == 4, "before each of four lines"
    assert told[0] == quick


def test_where_it_cannot_be_told_so_the_next_command_waits_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append, "QUICK_ACK", None)
    order: list[str] = []

    class Watched(Wire):
        def send(self, *words: bytes) -> bytes:
            order.append("send")
            return super().send(*words)

        def line(self) -> bytes:
            order.append((line := super().line()).decode())
            return line

    with wired(ANSWERS) as near:
        near.__class__ = Watched
        assert Appending(near, Folder(b"INBOX"), 1, MESSAGES).answers() == [0, 0]
    assert order == ["send", "+ go", "M1 OK done", "send", "+ go", "M2 OK done"]
