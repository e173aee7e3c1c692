"""Whether a list of accounts may be what was meant: it is not empty, nor suddenly much shorter.

Nobody is to learn of a broken list by mail that was not archived.
"""

from __future__ import annotations

import hashlib
import os
import sys

from mailmove.accounts.config import Config
from mailmove.archive.files import durable
from mailmove.archive.state.memory import Memory
from mailmove.errors import RefusedError
from mailmove.replacing import replace_file
from mailmove.safe import visible


def see(config: Config, memory: Memory) -> None:
    """Hold the list of a configuration against how long it was, note how long it is, and say what is left out of it.

    :raises RefusedError: when it is empty, or has lost more than half of its accounts.
    :raises ArchiveError: when the state directory cannot be used.
    """
    if config.listed is None:
        return
    for problem in config.left_out:
        print(f"mailmove: left out: {problem}", file=sys.stderr)
    name = hashlib.sha256(os.path.abspath(config.path).encode()).hexdigest()[:16]
    note, now = os.path.join(memory.directory("lists"), name), config.listed
    with durable.explained(f"noting in {note}"):
        try:
            with open(note, encoding="ascii") as file:
                before = int(file.read())
        except (FileNotFoundError, ValueError):
            before = 0
        if not now or now * 2 < before:
            had = f", and had {before:,} before" if before else ""
            raise RefusedError(
                f"the list of {visible(config.path)} has {now:,} accounts{had}: nothing was done",
                f"If that is right, delete {visible(note)}." if now else "See what writes it.",
            )
        if now != before:
            replace_file(note, f"{now}\n".encode())
