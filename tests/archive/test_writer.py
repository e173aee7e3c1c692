"""Writing messages: what is known of one does not depend on the pieces that its octets came in."""

from __future__ import annotations

import pytest

from mailmove.archive import headers
from mailmove.archive.store import Archive
from mailmove.archive.writer import Writer
from tests.archive.conftest import folder

WHOLE = b"From: a@example.org\r\nSubject: folded\r\n line\r\n\r\nDate: in the body\r\n"


@pytest.mark.parametrize("octets", [WHOLE, WHOLE.replace(b"\r\n", b"\n"), b"Subject: no end", b"\r\nTo: in the body"])
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
