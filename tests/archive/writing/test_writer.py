"""Writing messages: what is known of one does not depend on the pieces that its octets came in."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from concurrent.futures import Future
from typing import NoReturn

import pytest

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.archive.index import headers
from mailmove.archive.record import records
from mailmove.archive.store import Archive
from mailmove.archive.writing.writer import Writer
from mailmove.errors import ArchiveError
from mailmove.model import Listed
from tests.archive.conftest import folder

WHOLE = b"From: a@example.org\r\nSubject: folded\r\n line\r\n\r\nDate: in the body\r\n"


FOREIGN = b"Subject: \xd2\xe5\xec\xe0\r\n\r\n<meta charset=windows-1251>"


@pytest.mark.parametrize(
    "octets", [WHOLE, WHOLE.replace(b"\r\n", b"\n"), b"Subject: no end", b"\r\nTo: in the body", FOREIGN, FOREIGN[:20]]
)
def test_header_fields_are_the_same_however_the_octets_come(archive: Archive, octets: bytes) -> None:
    where = folder(archive, "INBOX")
    with Writer(archive) as writer:
        writer.enter(where)
        for cut in range(len(octets) + 1):
            incoming = writer.begin()
            for piece in (octets[:cut], octets[cut:]):
                incoming.write(piece)
            assert incoming.header_fields == headers.scan(octets), cut
            incoming.discard()


def test_raw_fields_are_read_in_the_character_set_that_the_text_names() -> None:
    assert headers.scan(FOREIGN).subject == "Тема".encode()
    assert headers.scan(FOREIGN[:20]).subject == b"\xd2\xe5\xec\xe0"
    named = b"Message-ID: <\xd2>\r\nContent-Type: text/plain; charset=koi8-r\r\nTo: \xf4\xc5\xcd\xc1\r\n\r\n"
    assert headers.scan(named)[:4] == (b"<\xd2>", None, None, "Тема".encode())  # an identifier stays as it is


@pytest.mark.fault(60)
@pytest.mark.parametrize("failing", ["the third message", "its record", "the sync of all"])
def test_what_was_whole_when_the_disk_was_full_is_recorded_if_its_own_sync_succeeds(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    where = folder(archive, "INBOX")
    write, full = replacing.write_all, OSError(errno.ENOSPC, "full")
    third = b"Subject: 3\r\n\r\n3\r\n"

    def no_room(fd: int, data: bytes | memoryview) -> None:
        if bytes(data) == third:
            raise full
        write(fd, data)

    def no_record(lines: Iterable[records.Record]) -> NoReturn:
        raise durable.failure("writing", full)

    def no_sync(directories: object) -> Future[None]:
        failed: Future[None] = Future()
        failed.set_exception(full)
        monkeypatch.undo()  # it happens once: the system tells an error only once
        monkeypatch.setattr(replacing, "write_all", no_room)
        return failed

    def fill() -> None:
        with Writer(archive) as writer:
            if failing == "the sync of all":
                monkeypatch.setattr(writer._syncer, "start", no_sync)
            writer.enter(where)
            for uid in (1, 2, 3):
                incoming = writer.begin()
                incoming.write(third if uid == 3 else b"Subject: x\r\n\r\n%d\r\n" % uid)
                writer.keep(incoming, Listed(uid, 0, None, frozenset()), None)
                if uid == 2 and failing == "the sync of all":
                    writer.flush()

    monkeypatch.setattr(replacing, "write_all", no_room)
    if failing == "its record":
        monkeypatch.setattr(archive.journal, "append", no_record)
    with pytest.raises(ArchiveError, match="no room left on the disk") as error:
        fill()
    assert durable.is_full(error.value) or failing == "its record"
    recorded = {stored.id.uid for stored in archive.index.stored(where.wire, where.uidvalidity)}
    assert recorded == ({1, 2} if failing == "the third message" else set())
