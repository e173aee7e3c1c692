"""Text of attached documents, read in another process that may come to an end."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from itertools import count

import pytest
from pypdf import PdfReader, PdfWriter

from mailmove.mail.documents import memory
from mailmove.mail.documents.extractor import Extracted, Extractor, Limits
from tests.mail.documents import OPEN, RTF, SHEET, SLIDES, WORD, pdf, word, zipped


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor() as opened:
        yield opened


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (pdf("Rechnung 118"), "Rechnung 118"),
        (WORD, "Stromrechnung März"),
        (SHEET, "Umsatz Miete Nebenkosten 118.50 bezahlt"),
        (SLIDES, "Erste Folie Letzte Folie"),
        (OPEN, "Titel Ein Absatz mehr"),
        (RTF, "Größe П end"),
    ],
)
def test_the_text_of_a_document_is_read(extractor: Extractor, octets: bytes, words: str) -> None:
    found = extractor.text(octets)
    assert found is not None and (" ".join(found.text.split()), found.note) == (words, "")


@pytest.mark.parametrize("octets", [b"", b"plain", b"\x89PNG", b"PK", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an old one"])
def test_what_is_no_document_is_none(extractor: Extractor, octets: bytes) -> None:
    assert extractor.text(octets) is None


def test_a_zip_file_that_is_no_document_has_no_text(extractor: Extractor) -> None:
    assert extractor.text(zipped(readme="hello")) == Extracted("")


def locked(octets: bytes) -> bytes:
    writer = PdfWriter()
    writer.append(PdfReader(io.BytesIO(octets)))
    writer.encrypt("secret", algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def test_what_is_encrypted_is_said_to_be(extractor: Extractor) -> None:
    office = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000 + "EncryptedPackage".encode("utf-16-le")
    zip_with_password = bytearray(WORD)
    for head, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        zip_with_password[zip_with_password.index(head) + flags] |= 1
    for octets in (office, locked(pdf("x")), bytes(zip_with_password)):
        assert extractor.text(octets) == Extracted("", "it is encrypted")


@pytest.mark.parametrize(
    "octets",
    [b"%PDF-1.7 nothing", pdf("x")[:300], WORD[:60], word("<w:t>never closed"), word("")[:-20],
     zipped(word__document_xml="<!DOCTYPE a [<!ENTITY b 'x'>]><a><t>&b;</t></a>")],
    ids=["no pdf", "half a pdf", "half a zip", "open element", "cut zip", "entity"],
)  # fmt: skip
def test_what_is_damaged_is_said_to_be(extractor: Extractor, octets: bytes) -> None:
    found = extractor.text(octets)
    assert found is not None and found.note.startswith("it is damaged, or not what it says it is")
    assert extractor.text(RTF) is not None


@pytest.mark.fault(74)
def test_a_zip_bomb_costs_its_own_text(extractor: Extractor) -> None:
    found = extractor.text(word(b"<w:t>" + b"bomb " * (2 << 20)))
    assert found is not None and found.note == "only its beginning was read: it is too long"
    assert len(found.text) == Limits().characters and found.text.startswith("bomb bomb")
    silent = extractor.text(word(b"<w:i>" + b" " * (65 << 20)))
    assert silent is not None and silent.note.startswith("it is damaged") and silent.text == ""
    assert extractor.text(WORD) == Extracted("Stromrechnung\nMärz\n\n")


@pytest.mark.fault(74)
def test_a_document_that_takes_too_long_costs_its_own_text() -> None:
    with Extractor(Limits(cpu=1)) as extractor:
        found = extractor.text(pdf("again", pages=3000, times=500))
        assert found is not None and found.note == "it was read only in part: it takes too long"
        assert found.text.startswith("again")
        assert extractor.text(WORD) == Extracted("Stromrechnung\nMärz\n\n")


@pytest.mark.fault(74)
def test_a_document_that_needs_too_much_memory_costs_its_own_text() -> None:
    with Extractor(Limits(memory=60 << 20)) as extractor:
        found = extractor.text(word(b"<w:t>begun</w:t>" + b"<w:t>" * 500_000))
        assert found == Extracted("", "it was read only in part: it needs too much memory")
        assert extractor.text(WORD) == Extracted("Stromrechnung\nMärz\n\n")


@pytest.mark.fault(74)
def test_a_reader_that_crashes_costs_one_document() -> None:
    def crash(pid: int) -> int:
        os.kill(pid, signal.SIGSEGV)
        return 0

    with Extractor(memory_of=crash) as extractor:
        found = extractor.text(pdf("x", pages=10_000))
        assert found is not None and found.note == "it was read only in part: its reader came to an end"


def test_time_on_the_wall_is_limited_too() -> None:
    with Extractor(clock=count(step=100).__next__) as extractor:
        found = extractor.text(pdf("x", pages=10_000))
        assert found is not None and found.note == "it was read only in part: it takes too long"


def test_a_document_beyond_all_measure_is_not_begun() -> None:
    with Extractor(Limits(octets=10)) as extractor:
        assert extractor.text(RTF) == Extracted("", "it is too large to be read")


def test_the_memory_of_a_process_is_known() -> None:
    assert 5 << 20 < memory.resident(os.getpid()) < 4 << 30
    assert memory.resident(2**22 + 1) == 0
