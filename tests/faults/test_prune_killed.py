"""Killed at any command: only planned, archived messages are gone, and the next run ends as if uninterrupted."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import NOW, Program, archived, hashes, message, total
from tests.pruning import Pruner
from tests.servers.model import Command
from tests.servers.scripted import Conversation, Scripted

OLD = NOW - timedelta(days=400)
ALL = [message(number) for number in range(12)]


class Killer(Scripted):
    """Kills the client at its n-th command, before or after it was carried out."""

    def __init__(self, at: int = 0, *, answered: bool = False) -> None:
        super().__init__()
        self.at, self.answered, self.met, self.victim = at, answered, 0, 0
        self.store.add("INBOX", *ALL[:4], arrival=OLD, flags={"\\Seen"})
        self.store.add("INBOX", *ALL[4:8], arrival=NOW, flags={"\\Seen"})
        self.store.add("Sent", *ALL[8:], arrival=OLD, flags={"\\Seen"})
        self.store["INBOX"].mails[0].flags.add(
            "\\Deleted"
        )  # other programs' marks: one on what goes, one on what stays
        self.store["INBOX"].mails[7].flags.add("\\Deleted")

    def rule(self, command: Command) -> object:  # type: ignore[override]
        self.met += command.name != "GREETING"
        if self.at and self.met == self.at:
            self.on(command.name, self._kill, nth=1)
        return super().rule(command)

    def _kill(self, talk: Conversation, command: Command) -> None:
        self.at = 0
        if self.answered:
            for _ in self.store.answer(talk.state, command):
                pass
        self.send(signal.SIGKILL)
        talk.hangup()

    def send(self, number: signal.Signals) -> None:
        """Send the client a signal."""
        while not self.victim:
            time.sleep(0.001)  # the test has not seen its process yet
        os.kill(self.victim, number)

    @property
    def here(self) -> dict[str, list[tuple[int, bool]]]:
        return {
            name: [(mail.uid, "\\Deleted" in mail.flags) for mail in self.store[name].mails]
            for name in ("INBOX", "Sent")
        }


END = {"INBOX": [(5, False), (6, False), (7, False), (8, True)], "Sent": []}


def options(server: Scripted, pruner: Pruner) -> list[object]:
    return ["prune", server.url, "--tls", "none", "--archive", pruner.archive, "--older-than", "30d", "--yes"]


def test_it_ends_so_without_being_killed(mailmove: Program, tmp_path: Path) -> None:
    server = Killer()
    pruner = Pruner(server.port, "user", tmp_path)
    done = mailmove(*options(server, pruner))
    assert done.code == 0, done.err
    assert server.here == END
    assert server.met == LAST
    server.stop()


LAST = 42
"""How many commands the whole run sends."""


@pytest.mark.fault(2, 20)
@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("at", range(2, LAST))
def test_killed_at_a_command_it_loses_nothing_and_the_next_run_finishes(
    mailmove: Program, tmp_path: Path, at: int, answered: bool
) -> None:
    server = Killer(at, answered=answered)
    pruner = Pruner(server.port, "user", tmp_path)
    mailmove.env["MAILMOVE_STATE"] = str(tmp_path / "state")
    with mailmove.started(*options(server, pruner)) as process:
        server.victim = process.pid
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    left = [mail.body for box in server.store.folders.values() for mail in box.mails]
    assert set(ALL[4:8]) <= set(left), "what was not planned is there"
    assert total(archived(pruner.archive)) | hashes(*left) == hashes(*ALL)
    result = pruner()
    assert result.exit == 0
    assert server.here == END
    assert total(archived(pruner.archive)) | hashes(*ALL[4:8]) == hashes(*ALL)
    server.stop()


@pytest.mark.fault(2, 50)
@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("command", ["UID STORE", "UID EXPUNGE"])
@pytest.mark.parametrize("nth", [1, 2])
def test_sigterm_while_it_deletes_ends_it_with_a_true_summary_and_the_next_run_finishes(
    mailmove: Program, tmp_path: Path, nth: int, command: str, carried_out: bool
) -> None:
    """In the first folder and in the second; the server has carried the command out by then, or not."""
    server = Killer()
    pruner = Pruner(server.port, "user", tmp_path)
    mailmove.env["MAILMOVE_STATE"] = str(tmp_path / "state")

    def signalled(talk: Conversation, sent: Command) -> None:
        server.send(signal.SIGTERM)
        if carried_out:
            for _ in server.store.answer(talk.state, sent):
                pass
        talk.silence()

    server.on(command, signalled, nth=nth)
    with mailmove.started(*options(server, pruner)) as process:
        server.victim = process.pid
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in out
    known = 4 * (nth - 1)
    assert f"Deleted at least {known} of 8 messages" in out
    folder = ("INBOX UIDs 1-4", "Sent UIDs 1-4")[nth - 1]
    assert f"{folder}: stopped while these were being deleted; not looked at again" in out
    gone = 12 - sum(len(box.mails) for box in server.store.folders.values())
    assert gone == (known + 4 if command == "UID EXPUNGE" and carried_out else known)
    left = [mail.body for box in server.store.folders.values() for mail in box.mails]
    assert total(archived(pruner.archive)) | hashes(*left) == hashes(*ALL)
    result = pruner()
    assert result.exit == 0
    assert f"{gone - known} are gone" in "\n".join(result.plan.notes)
    assert server.here == END
    server.stop()
