"""Writing messages: what is known of one does not depend on the pieces that its octets came in."""

from __future__ import annotations

import pytest

from mailmove.archive import headers
from mailmove.archive.store import Archive
from mailmove.archive.writer import Writer
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
