"""A mailbox that was exported, and its archive, for tests of what happens to archives afterwards."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.kit import Mailbox, Program, message


class Archived:
    """A mailbox of two folders, exported; :attr:`box` is its archive."""

    def __init__(self, mailbox: Mailbox, mailmove: Program) -> None:
        self.mailbox = mailbox
        self.mailmove = mailmove
        self.box = mailmove.account(mailbox)
        mailbox.fill(map(message, range(8)), arrival=datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC))
        mailbox.fill(map(message, range(8, 12)), "Sent")
        self.export()

    def export(self, *arguments: str) -> None:
        done = self.mailmove("export", *arguments)
        assert done.code == 0, done.out + done.err

    def uid(self, number: int) -> int:
        """The UID of the first, second … message of INBOX; servers do not all begin with 1."""
        return self.mailbox.uids("INBOX")[number - 1]

    def file(self, folder: str, uid: int) -> Path:
        """The message file of a UID."""
        return next(path for path in (self.box / folder / "cur").iterdir() if f"U{uid}," in path.name)

    def check(self, *arguments: str, exit_code: int = 0) -> Any:
        """What check says as JSON; it must leave every file as it is."""
        before = snapshot(self.box)
        done = self.mailmove("check", "--json", *arguments)
        assert snapshot(self.box) == before
        assert done.code == exit_code, done.out + done.err
        (result,) = done.json["accounts"]
        return result

    def says(self, *arguments: str) -> str:
        """What check says to a person."""
        return self.mailmove("check", *arguments).out


def snapshot(directory: Path) -> dict[str, tuple[int, int, int, int]]:
    """Everything in a directory, as far as the system tells: inode, mode, size, last change."""
    found = {}
    for above, inside, files in os.walk(directory):
        for name in (*inside, *files):
            status = os.lstat(os.path.join(above, name))
            found[os.path.join(above, name)] = (status.st_ino, status.st_mode, status.st_size, status.st_ctime_ns)
    return found


def overwrite(path: Path, data: bytes) -> None:
    """Write into the file itself, as a program that edits in place."""
    path.chmod(0o600)
    path.write_bytes(data)
