"""What happens to an archive while it is served is seen; what is damaged is named, and nothing else goes out."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailmove.archive.record import records
from mailmove.serving.octets import SMALL
from tests.exported import overwrite
from tests.kit import Program, message
from tests.serving.conftest import Serving, Shelved

Serve = Callable[..., Serving]
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * (SMALL // 16)


@pytest.mark.fault(78)
@pytest.mark.parametrize("text", [message(2), LARGE], ids=["small", "large"])
def test_a_damaged_message_is_an_error_that_names_it(shelved: Shelved, serve: Serve, text: bytes) -> None:
    shelved.put({1: message(1), 2: text, 3: message(3)})
    serving = serve()
    with serving.wire() as wire, serving.wire(serving.pop3_port) as pop:
        wire.log_in(serving)
        wire.ask(b"EXAMINE INBOX")
        whole = b"".join(wire.ask(b"FETCH 2 BODY.PEEK[]"))
        assert text in whole
        file = shelved.file(2)
        overwrite(file, text.replace(b"Subject", b"subject", 1))
        said = b"".join(wire.ask(b"FETCH 1:3 (BODY.PEEK[HEADER])"))
        assert message(1).partition(b"\r\n\r\n")[0] in said and message(3).partition(b"\r\n\r\n")[0] in said
        assert b"subject" not in said and b"* 2 FETCH" not in said
        assert b"t NO message" in said and b"(INBOX UID 2) cannot be served: its file was altered" in said
        assert wire.ask(b"SEARCH BODY padded")[-1].startswith(b"t NO message")
        pop.line()
        pop.send(f"USER {serving.user}\r\nPASS {serving.password}\r\n".encode())
        assert [pop.line()[:3], pop.line()[:3]] == [b"+OK", b"+OK"]
        pop.send(b"RETR 2\r\nTOP 2 0\r\nNOOP\r\n")
        answers = [pop.line(), pop.line(), pop.line()]
        assert all(b"-ERR [SYS/PERM] message" in answer and b"INBOX UID 2" in answer for answer in answers[:2])
        assert answers[2].startswith(b"+OK")
        file.unlink()
        assert b"its file is missing" in wire.ask(b"FETCH 2 BODY.PEEK[TEXT]")[-1]
        assert wire.ask(b"FETCH 2 (UID FLAGS)")[-1].startswith(b"t OK")


def test_of_equal_messages_one_good_file_serves_all(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1)})
    shelved.put({1: message(1)}, "Copy")
    shelved.file(1).unlink()
    serving = serve()
    with serving.imap("INBOX") as client:
        assert client.fetch(1, ["BODY.PEEK[]"])[1][b"BODY[]"] == message(1)


def test_flags_that_a_mail_program_changed_in_a_name_are_no_obstacle(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1), 2: message(2)})
    file = shelved.file(1)
    file.rename(file.with_name(file.name + "FRT"))
    serving = serve()
    with serving.imap("INBOX") as client:
        found = client.fetch([1, 2], ["BODY.PEEK[]", "FLAGS"])
        assert [found[uid][b"BODY[]"] for uid in (1, 2)] == [message(1), message(2)]
        assert found[1][b"FLAGS"] == ()


@pytest.mark.fault(81)
def test_what_an_export_adds_appears(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1), 2: message(2)})
    serving = serve()
    with serving.wire() as waiting, serving.wire() as asking:
        for wire in (waiting, asking):
            wire.log_in(serving)
            wire.ask(b"SELECT INBOX")
        waiting.send(b"i IDLE\r\n")
        assert waiting.line().startswith(b"+")
        shelved.put({3: message(3), 4: message(4)})
        shelved.record(records.Flags(b"INBOX", 7, 1, ("\\Flagged",)))
        news = [waiting.line()]
        while not news[-1].startswith(b"* 1 FETCH"):
            news.append(waiting.line())
        assert b"* 4 EXISTS\r\n" in news and news[-1] == b"* 1 FETCH (UID 1 FLAGS (\\Flagged))\r\n"
        waiting.send(b"DONE\r\n")
        assert waiting.until(b"i ")[-1].startswith(b"i OK")
        assert b"* 4 EXISTS\r\n" in asking.ask(b"NOOP")
        assert message(4) in b"".join(asking.ask(b"UID FETCH 4 BODY.PEEK[]"))


@pytest.mark.fault(119)
def test_what_is_erased_vanishes_where_that_may_be_told(shelved: Shelved, serve: Serve, mailmove: Program) -> None:
    """EXPUNGE is not told while sequence numbers are in use (RFC 3501 7.4.1); what is gone already is not sent."""
    shelved.put({uid: message(uid) for uid in (1, 2, 3)})
    secret = message(4, subject="Zeugnis")
    shelved.put({4: secret, 5: message(5)})
    serving = serve()
    with serving.wire() as waiting, serving.wire() as asking, serving.wire(serving.pop3_port) as pop:
        for wire in (waiting, asking):
            wire.log_in(serving)
            wire.ask(b"SELECT INBOX")
        pop.line()
        pop.send(f"USER {serving.user}\r\nPASS {serving.password}\r\n".encode())
        assert [pop.line()[:3], pop.line()] == [b"+OK", b"+OK 5 messages\r\n"]
        waiting.send(b"i IDLE\r\n")
        assert waiting.line().startswith(b"+")
        done = mailmove("erase", "--archive", shelved.path, "--find", "Zeugnis", "--yes", "--reason", "asked for")
        assert done.code == 0, done.out + done.err
        assert waiting.line() == b"* 4 EXPUNGE\r\n"
        said = asking.ask(b"FETCH 4:5 BODY.PEEK[]")
        assert said[0].startswith(b"* 5 FETCH") and b"UID 4) cannot be served" in said[-1]
        assert not any(line.endswith(b"EXPUNGE\r\n") for line in said)
        pop.send(b"RETR 4\r\nRETR 5\r\n")
        assert pop.line().startswith(b"-ERR [SYS/PERM] message")
        assert pop.line() == b"+OK %d octets\r\n" % len(message(5))
        assert asking.ask(b"NOOP")[0] == b"* 4 EXPUNGE\r\n"
        assert message(5) in b"".join(asking.ask(b"FETCH 4 BODY.PEEK[]"))
        waiting.send(b"DONE\r\n")
        assert waiting.until(b"i ")[-1].startswith(b"i OK")


@pytest.mark.fault(81)
def test_a_reindex_beside_it_is_survived(shelved: Shelved, serve: Serve, mailmove: Program) -> None:
    shelved.put({1: message(1), 2: message(2)})
    serving = serve()
    with serving.wire() as wire:
        wire.log_in(serving)
        wire.ask(b"SELECT INBOX")
        done = mailmove("reindex", str(shelved.path))
        assert done.code == 0, done.err
        assert wire.ask(b"NOOP")[-1].startswith(b"t OK")
        assert message(2) in b"".join(wire.ask(b"FETCH 2 BODY.PEEK[]"))
        assert wire.ask(b"STATUS INBOX (MESSAGES)")[0] == b'* STATUS "INBOX" (MESSAGES 2)\r\n'
        index = next(Path(mailmove.env["MAILMOVE_STATE"], "index").glob("*.sqlite"))
        index.unlink()
        assert wire.ask(b"SELECT INBOX")[-1].startswith(b"t OK")


@pytest.mark.fault(81)
def test_an_archive_that_cannot_be_read_any_more_is_said(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1)})
    serving = serve()
    journal = shelved.path / ".mailmove" / "journal.jsonl"
    with serving.wire() as wire:
        wire.log_in(serving)
        wire.ask(b"SELECT INBOX")
        content = journal.read_bytes()
        journal.write_bytes(b"x" + content[1:] + b"y\n")
        assert wire.ask(b"NOOP")[-1].startswith(b"t OK")  # what was read before stays good
        assert message(1) in b"".join(wire.ask(b"FETCH 1 BODY.PEEK[]"))
        assert wire.ask(b"SELECT INBOX")[-1].startswith(b"t NO [UNAVAILABLE]")
        journal.write_bytes(content)
        assert wire.ask(b"SELECT INBOX")[-1].startswith(b"t OK")


@pytest.mark.fault(80)
def test_unreadable_uids_stop_and_are_never_made_anew(shelved: Shelved, serve: Serve, mailmove: Program) -> None:
    shelved.put({1: message(1)}, "unstable", uidvalidity=0)
    serving = serve()
    with serving.imap("unstable (own UIDs)") as client:
        assert client.search() == [1]
    serving.stop()
    (file,) = Path(mailmove.env["MAILMOVE_STATE"], "serving").glob("*.uids")
    content = file.read_bytes()
    for damage in (b"x" + content[1:], content.replace(b"uid 0 1", b"uid 0 2")):
        file.write_bytes(damage)
        serving = serve()
        with serving.wire() as wire:
            wire.log_in(serving)
            assert b"is damaged" in wire.ask(b'SELECT "unstable (own UIDs)"')[-1]
        assert file.read_bytes() == damage
        serving.stop()
    file.write_bytes(content + b"uid 0 7 half a li")  # it was never told to anybody
    serving = serve()
    with serving.imap("unstable (own UIDs)") as client:
        assert client.search() == [1]


@pytest.mark.fault(79)
def test_what_nobody_can_follow_costs_little_and_others_nothing(shelved: Shelved, serve: Serve) -> None:
    large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 400_000
    shelved.put({1: message(1), 2: large})
    serving = serve()
    with serving.wire() as good, serving.wire() as slow:
        for wire in (good, slow):
            wire.log_in(serving)
            wire.ask(b"SELECT INBOX")
        for _ in range(20):
            slow.send(b"t FETCH 2 BODY.PEEK[]\r\n")  # and nothing of it is read
        for port in (serving.imap_port, serving.pop3_port):
            _endless_line(serving, port)
        idle = [socket.create_connection(("127.0.0.1", serving.imap_port)) for _ in range(300)]
        try:
            for bad in (b"\x00\xff", b"a", b"a FETCH", b"t SEARCH " + b"(" * 5000, b"t FETCH 1 BODY[" + b"1." * 900):
                good.send(bad + b"\r\n")
                assert b" BAD " in good.line()
            assert message(1) in b"".join(good.ask(b"FETCH 1 BODY.PEEK[]"))
            with serving.wire() as late:
                late.log_in(serving)
                assert late.ask(b"NOOP")[-1].startswith(b"t OK")
        finally:
            for connection in idle:
                connection.close()
    assert serving.memory() < 150_000_000


@pytest.mark.fault(120)
def test_a_thousand_connections_leave_room_for_who_logs_in(shelved: Shelved, serve: Serve) -> None:
    """Silent ones, such as send an octet at a time, half open ones, and those that guess passwords."""
    shelved.put({1: message(1)})
    serving = serve()
    with serving.wire() as good, ExitStack() as stack:
        good.log_in(serving)
        good.ask(b"SELECT INBOX")
        for number in range(1000):
            port = (serving.imap_port, serving.pop3_port)[number % 2]
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            assert connection.recv(1)
            if number % 4 == 1:
                connection.sendall(b"U")  # and then nothing for long
            elif number % 4 == 2:
                connection.sendall(b"t LOGIN %b wrong\r\n" % serving.user.encode())
            elif number % 4 == 3:
                connection.shutdown(socket.SHUT_WR)
            if number % 100 == 0:
                assert message(1) in b"".join(good.ask(b"FETCH 1 BODY.PEEK[]"))
        with serving.wire() as late:
            late.log_in(serving)
            assert late.ask(b"STATUS INBOX (MESSAGES)")[0] == b'* STATUS "INBOX" (MESSAGES 1)\r\n'
        assert good.ask(b"NOOP")[-1].startswith(b"t OK")
        assert _left(serving) <= 130, "connections are not bounded"
    assert serving.memory() < 100_000_000


def _left(serving: Serving) -> int:
    """The descriptors that it has open."""
    return len(list(Path(f"/proc/{serving.process.pid}/fd").iterdir()))


def _endless_line(serving: Serving, port: int) -> None:
    with serving.wire(port) as wire:
        wire.line()
        try:
            for _ in range(1000):
                wire.send(b"a" * 100_000)
        except OSError:
            return
        raise AssertionError("10^8 octets were taken for a line")


@pytest.mark.fault(79)
def test_commands_that_are_none_are_answered_and_in_the_end_not(shelved: Shelved, serve: Serve) -> None:
    shelved.put({1: message(1)})
    serving = serve()
    with serving.wire() as wire:
        wire.line()
        for command in (b"t SELECT INBOX", b't LIST "" *', b"t FETCH 1 FLAGS", b"t LOGIN a", b"t STARTTLS", b"", b"t"):
            wire.send(command + b"\r\n")
            assert b" BAD " in wire.line(), command
        wire.send(b"t LOGIN {5000+}\r\n" + b"x" * 5000 + b" y\r\n")
        assert b"t BAD" in wire.line()
        wire.send(b"x\r\n" * 40)
        lines = wire.until(b"* BYE")
        assert lines[-1].startswith(b"* BYE") and len(lines) <= 31
