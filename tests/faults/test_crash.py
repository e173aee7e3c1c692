"""Killed at any step, the same command run again ends as if it had never been interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.kit import Mailbox, Program, leftovers, message, sha256
from tests.tracing import MOST, killed_at, some, steps

ARRIVAL = datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC)


def files(archive: Path) -> dict[str, str]:
    """Every message file by its path, flags included, with its hash; and everything else by its path."""
    return {
        path.relative_to(archive).as_posix(): sha256(path.read_bytes()) if ",H=" in path.name else ""
        for path in archive.rglob("*")
        if path.is_file()
    }


def record(archive: Path) -> tuple[dict[str, Any], set[str]]:
    """What the journal says at its end of each message, apart from when; and which are gone."""
    messages: dict[str, Any] = {}
    gone: set[str] = set()
    for text in (archive / ".mailmove/journal.jsonl").read_text().splitlines():
        line = json.loads(text)
        if line["kind"] == "message":
            key = f"{line['folder']} {line['uidvalidity']} {line['uid']}"
            messages[key] = {name: line[name] for name in ("arrival", "octets", "sha256", "size")}
        elif line["kind"] == "gone":
            gone.add(f"{line['folder']} {line['uidvalidity']} {line['uids']}")
    return messages, gone


def nothing(mailbox: Mailbox, mailmove: Program) -> None:
    """The first export of all: folders in folders, flags, twins, an empty folder."""
    mailbox.fill([message(1), message(2, size=9000)], arrival=ARRIVAL)
    mailbox.fill([message(1), message(3)], "Archive/2019", flags=["\\Seen", "\\Flagged"], arrival=ARRIVAL)
    mailbox.fill([], "Empty")


def changes(mailbox: Mailbox, mailmove: Program) -> None:
    """A later export: messages came, went and changed flags, a folder was made anew."""
    nothing(mailbox, mailmove)
    assert mailmove("export").code == 0
    mailbox.fill([message(4), message(1)], arrival=ARRIVAL)
    mailbox.expunge("INBOX", [1])
    with mailbox.client() as client:
        client.select_folder("INBOX")
        client.add_flags([2], ["\\Answered"])
        client.select_folder("INBOX")
        client.delete_folder("Archive/2019")
    mailbox.fill([message(3), message(5), message(1)], "Archive/2019", arrival=ARRIVAL)


@pytest.mark.fault(1)
@pytest.mark.loss(18, 23)
@pytest.mark.parametrize("prepare", [nothing, changes])
def test_an_export_killed_at_any_step(
    mailbox: Mailbox, mailmove: Program, prepare: Callable[[Mailbox, Program], None]
) -> None:
    archive = mailmove.account(mailbox)
    prepare(mailbox, mailmove)
    with mailmove.kept() as bring_back:
        found = some(steps(mailmove, "export"), 24)
        expected_files, expected_record = files(archive), record(archive)
        reached = 0
        for step in found:
            bring_back()
            reached += killed_at(mailmove, step, "export")
            done = mailmove("export")
            assert done.code == 0, (step, done.out, done.err)
            assert files(archive) == expected_files, step
            assert record(archive) == expected_record, step
            assert not leftovers(archive), step
    assert reached >= MOST * len(found)


@pytest.mark.fault(1)
def test_an_export_of_what_was_put_back_killed_at_any_step(mailbox: Mailbox, mailmove: Program) -> None:
    """Whatever the step, both UIDs are known, each message has its file, and in the end only one."""
    archive = mailmove.account(mailbox)
    mailbox.fill([message(1), message(2)], arrival=ARRIVAL)
    mailbox.fill([message(1)], "Other", arrival=ARRIVAL)
    assert mailmove("export").code == 0
    mailbox.expunge("INBOX", mailbox.uids())
    assert mailmove("restore", "--all", "--yes").code == 0
    with mailmove.kept() as bring_back:
        found = some(steps(mailmove, "export", calls=("linkat", "renameat", "unlinkat", "syncfs", "write")), 5)
        expected = files(archive)
        reached = 0
        for step in found:
            bring_back()
            reached += killed_at(mailmove, step, "export")
            assert mailmove("check").code == 0, step
            assert mailmove("export").code == 0, step
            assert files(archive) == expected, step
            assert not leftovers(archive), step
    assert reached >= MOST * len(found)
    assert len(list((archive / "INBOX/cur").iterdir())) == 2
