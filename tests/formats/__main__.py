"""Make an archive with every kind of record that there is by now, to be kept for ever."""

from __future__ import annotations

import shutil
import sys
import tempfile

from mailmove.archive import creating
from mailmove.archive.record import records
from mailmove.archive.state.memory import Memory
from mailmove.archive.store import Archive
from mailmove.archive.writing.writer import Writer
from mailmove.model import Folder, Listed, MessageId
from tests.formats import ARRIVAL, AT, HERE, LOGIN
from tests.kit import message

INBOX, SENT, RAW, OLD = b"INBOX", b"Gesendet", b"Rechnungen \xff/2019", 1700000000


def make(path: str, memory: Memory) -> None:
    """Folders with and without special use, of an odd name, of two UIDVALIDITYs; twins; an odd message."""
    creating.create(path, LOGIN)
    with Archive.open(path, memory, writable=True) as archive:
        archive.prepare([(Folder(INBOX, b"/"), OLD)])
        _fill(archive, INBOX, OLD, [message(1), message(2)])
        archive.prepare([(Folder(INBOX, b"/"), OLD + 1)])
        archive.prepare([(Folder(SENT, b"/", frozenset({"\\sent"})), 7), (Folder(RAW, b"/"), 7)])
        _fill(archive, INBOX, OLD + 1, [message(n) for n in range(2, 7)])
        _fill(archive, SENT, 7, [message(8), message(8), b""])
        _fill(archive, RAW, 7, [b"Subject: \xff without end", message(9, subject="Größe")])
        archive.record(_others())


def _fill(archive: Archive, wire: bytes, uidvalidity: int, texts: list[bytes]) -> None:
    with Writer(archive) as writer:
        writer.enter(archive.folder(wire, uidvalidity))
        for uid, text in enumerate(texts, 1):
            incoming = writer.begin()
            incoming.write(text)
            listed = Listed(uid, ARRIVAL + uid, len(text), frozenset({"\\Seen", "$Invoice"} if uid % 2 else ()))
            writer.keep(incoming, listed, " 4-May-2021 03:02:01 +0000")


def _others() -> list[records.Record]:
    one, two = frozenset({1}), frozenset({2})
    return [
        records.Flags(INBOX, OLD + 1, 1, ("\\Flagged",)),
        records.Labels(RAW, 7, 1, ("\\Inbox", "Kunden")),
        records.Gone(INBOX, OLD + 1, frozenset({1, 2, 4}), AT),
        records.Present(INBOX, OLD + 1, two, AT),
        records.Complete(SENT, 7, 4, 3, 99),
        records.Complete(RAW, 7, None, 2, None),
        records.Trouble(SENT, 7, 4, "NO [SERVERBUG] no such file"),
        records.Restoring(SENT, 7, 3, AT),
        records.Restored(SENT, 7, 3, AT, MessageId(INBOX, OLD, 2), "5f" * 32),
        records.Restoring(SENT, 7, None, AT),
        records.Restored(INBOX, 1, 8, AT, MessageId(RAW, 7, 2), "5f" * 32, "you@example.net"),
        records.PruneBegun("20261123-100200", AT, INBOX, OLD + 1, one | two, two, frozenset(), "sha256", "typed 2"),
        records.PruneDone("20261123-100200", AT, INBOX, OLD + 1, one, two),
        records.Run("prune", AT, 3, {"deleted": 1, "kept": 1}, "20261123-100200"),
        records.Run("export", AT, 0, {"listed": 10}),
    ]


with tempfile.TemporaryDirectory() as state:
    make(f"{state}/mail", Memory(f"{state}/state"))
    shutil.copytree(f"{state}/mail", HERE / sys.argv[1], ignore=shutil.ignore_patterns("lock"))
