"""All the words of a message, for search."""

from __future__ import annotations

import base64

from mailmove.mail.documents.extractor import Extractor
from mailmove.mail.searchable import searchable
from tests.mail.documents import WORD, pdf

CALENDAR = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Zahnarzt\r\nEND:VEVENT\r\nEND:VCALENDAR"
CARD = "BEGIN:VCARD\r\nFN:Anna Rossi\r\nitem1.TEL;TYPE=work:+39 1\r\nPHOTO;ENCODING=b:AAAA\r\nEND:VCARD"


def attached(kind: str, name: str, content: bytes) -> bytes:
    head = f"--b\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename={name}\r\n"
    return head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content)


MESSAGE = (
    b"From: =?utf-8?q?Andr=C3=A9?= <a@example.org>\r\nTo: one@example.org\r\nTo: two@example.org\r\nSubject: files\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nthe body\r\n"
    + attached("application/pdf", "a.pdf", pdf("Rechnung"))
    + attached("application/octet-stream", "b.docx", WORD)
    + attached("text/csv", "c.csv", b"name;sum\r\nM\xfcller;118")
    + attached("application/octet-stream", "d.ics", CALENDAR.encode())
    + attached("text/vcard", "e.vcf", CARD.encode())
    + attached("application/xml", "f.xml", b"<?xml version='1.0' encoding='koi8-r'?><fattura>\xf7\xd3\xc5</fattura>")
    + attached("text/html", "g.html", b"<script>no</script><p>yes")
    + attached("image/png", "h.png", b"\x89PNG")
    + attached("application/pdf", "i.pdf", b"%PDF- broken")
    + b"--b--\r\n"
)


def test_every_word_is_there() -> None:
    with Extractor() as extractor:
        found = searchable(MESSAGE, extractor)
    assert found.headers == {
        "From": "André <a@example.org>", "To": "one@example.org\ntwo@example.org", "Subject": "files",
    }  # fmt: skip
    assert found.text.strip() == "the body"
    assert {each.name: " ".join(each.text.split()) for each in found.attachments} == {
        "a.pdf": "Rechnung",
        "b.docx": "Stromrechnung März",
        "c.csv": "name;sum Müller;118",
        "d.ics": "Event: Zahnarzt",
        "e.vcf": "Anna Rossi +39 1",
        "f.xml": "Все",
        "g.html": "yes",
        "h.png": "",
        "i.pdf": "",
    }
    [note] = found.notes
    assert note.startswith("i.pdf: it is damaged")


def test_without_an_extractor_documents_have_names_only() -> None:
    found = searchable(MESSAGE)
    assert [each.name for each in found.attachments if not each.text] == ["a.pdf", "b.docx", "h.png", "i.pdf"]
    assert found.notes == ()
