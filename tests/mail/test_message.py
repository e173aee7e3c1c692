"""Messages as real senders, and hostile ones, make them: their text and their attachments."""

from __future__ import annotations

import base64

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from mailmove.mail.attachments import attachments
from mailmove.mail.message import Message, parse
from mailmove.mail.text import text

INNER = b"From: inner@example.org\r\nSubject: inside\r\n\r\nThe message that is attached.\r\n"
SIGNED = (
    b"Content-Type: multipart/mixed; boundary=s\r\n\r\n--s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"Signed words\r\n--s\r\nContent-Type: application/pdf; name=contract.pdf\r\n\r\n%PDF\r\n--s--\r\n"
)


def read(octets: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    message = parse(octets)
    return text(message).strip(), [(each.name, each.content) for each in attachments(message)]


def typed(kind: bytes, content: bytes, *more: bytes) -> bytes:
    """A message of one part."""
    return b"\r\n".join([b"From: a@example.org", b"Content-Type: " + kind, *more, b"", content])


def mixed(*parts: bytes, kind: bytes = b"mixed", boundary: bytes = b"b") -> bytes:
    """A multipart, its own header first."""
    inside = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/%b; boundary=%b\r\n\r\n%b--%b--\r\n" % (kind, boundary, inside, boundary)


PLAIN = b"Content-Type: text/plain\r\n\r\nplain words"
HTML = b"Content-Type: text/html\r\n\r\n<p>rich <b>words</b>"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"Subject: none\r\n\r\njust text", "just text"),
        (b"From someone Mon Jan  1 00:00:00 2024\nSubject: mbox\n\nbody", "body"),
        (b"Subject: x\r\nthis line is no field\r\nTo: a\r\n\r\nbody", "body"),
        (b"Subject: x\r\n<html>no empty line\r\n<p>", "<html>no empty line\r\n<p>"),
        (b"\r\nno header at all", "no header at all"),
        (b"", ""),
        (typed(b"text", b"type without a subtype"), "type without a subtype"),
        (typed(b"text/plain; charset=us-ascii (Plain text)", b"comment"), "comment"),
        (typed(b"text/html", b"<meta charset=koi8-r>" + "Привет".encode("koi8_r")), "Привет"),
        (typed(b"text/html; charset=us-ascii", b"<meta charset=windows-1250>" + "Łódź".encode("cp1250")), "Łódź"),
        (typed(b"text/plain; charset=utf-8", "Größe".encode()[:-2]), "Grö\ufffd"),
        (typed(b"text/plain; charset=iso-2022-jp", b"\x1b$B-!\x1b(B"), "①"),
        (typed(b"text/plain; charset=gb2312", "朱镕基".encode("gbk")), "朱镕基"),
        (typed(b"text/plain", b"R3LDtsOfZQ", b"Content-Transfer-Encoding: BASE64"), "Größe"),
        (typed(b"text/plain", b"YQ==\r\nYg==", b"Content-Transfer-Encoding: base64"), "ab"),
        (typed(b"text/plain", b"Gr=C3=B6=\r\n=C3=9Fe =z", b"Content-Transfer-Encoding: quoted-printable"), "Größe =z"),
        (typed(b"text/plain", b"as it is", b"Content-Transfer-Encoding: 7bit"), "as it is"),
        (mixed(PLAIN, HTML), "plain words\nrich words"),
        (mixed(PLAIN, HTML, kind=b"alternative"), "plain words"),
        (mixed(HTML, PLAIN, kind=b"alternative"), "plain words"),
        (mixed(b"\r\n \r\n", HTML, kind=b"alternative"), "rich words"),
        (mixed(mixed(PLAIN, HTML, kind=b"alternative", boundary=b"i"), HTML), "plain words\nrich words"),
        (mixed(HTML, b"\r\nfooter of the list"), "rich words\nfooter of the list"),
        (mixed(b"no header, no empty line"), "no header, no empty line"),
        (mixed(PLAIN)[:-7], "plain words"),  # the end is missing
        (b'Content-Type: multipart/mixed; boundary="never"\r\n\r\nno part', "no part"),
        (b"Content-Type: multipart/mixed\r\n\r\nno boundary", "no boundary"),
        (mixed(PLAIN) + b"--b\r\n\r\nafter the end", "plain words\nafter the end"),
    ],
)
def test_the_text_is_read(octets: bytes, expected: str) -> None:
    assert read(octets)[0] == expected


def test_one_boundary_at_two_levels() -> None:
    inner = mixed(PLAIN, HTML, kind=b"alternative")
    pdf = b"Content-Type: application/pdf; name=x.pdf\r\n\r\n%PDF"
    assert read(mixed(inner, pdf)) == ("plain words", [("x.pdf", b"%PDF")])


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (b"Content-Type: a/b; name=My File.pdf", "My File.pdf"),
        (b'Content-Type: a/b; name="a;b\\"c.pdf"', 'a;b"c.pdf'),
        (b'Content-Type: a/b; name="=?utf-8?q?Gr=C3=B6=C3=9Fe?=.pdf"', "Größe.pdf"),
        (b"Content-Type: a/b\r\nContent-Disposition: attachment; filename*=utf-8'de'Gr%C3%B6%C3%9Fe.pdf", "Größe.pdf"),
        (b"Content-Type: a/b; name*0*=koi8-r''%F0; name*1*=%D2; name*2=\"iv.txt\"", "Прiv.txt"),
        (b"Content-Type: a/b; name*1=b; name*0=a; name*3=d", "ab"),
        (b"Content-Type: a/b; name=\xd2\xe5\xec\xe0.doc", "Тема.doc"),
        (b'Content-Type: a/b; name="unclosed.pdf', "unclosed.pdf"),
        (b"Content-Type: application/pdf", "part-2.pdf"),
    ],
)
def test_a_name_is_read(fields: bytes, name: str) -> None:
    octets = mixed(b"Content-Type: text/plain; charset=windows-1251\r\n\r\n\xcf\xf0", fields + b"\r\n\r\nx")
    assert [named for named, _ in read(octets)[1]] == [name]


def test_a_raw_subject_is_read_in_the_character_set_of_the_body() -> None:
    raw = b"Subject: " + "Тема письма".encode("cp1251") + b"\r\n"
    for body in (
        typed(b"text/plain; charset=windows-1251", b"x"),
        mixed(b'Content-Type: text/plain; charset="windows-1251"\r\n\r\nx'),
        typed(b"text/html", b"<meta charset=windows-1251>"),
        mixed(b"Content-Type: text/plain; charset=us-ascii\r\n\r\nx", typed(b"text/html; charset=windows-1251", b"y")),
        typed(b"text/html", b"<meta charset=3Dwindows-1251>", b"Content-Transfer-Encoding: quoted-printable"),
    ):
        assert parse(raw + body).header("subject") == ["Тема письма"]


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"8bit"])
@pytest.mark.parametrize("kind", [b"message/rfc822", b"message/global"])
def test_an_attached_message_is_saved_as_it_was_sent(encoding: bytes, kind: bytes) -> None:
    """RFC 2046 5.2.1 allows no encoding there; some programs do it all the same."""
    content = {b"base64": base64.encodebytes(INNER), b"quoted-printable": INNER.replace(b"a", b"=61")}.get(
        encoding, INNER
    )
    part = b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (kind, encoding, content)
    [(name, saved)] = read(mixed(b"\r\nsee below", part))[1]
    assert (name, saved) == ("part-2.eml", INNER)


def test_a_multipart_that_was_encoded_as_a_whole_is_opened() -> None:
    header, _, body = mixed(PLAIN, b"Content-Type: application/pdf; name=x.pdf\r\n\r\n%PDF").partition(b"\r\n\r\n")
    encoded = header + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(body)
    assert read(encoded) == ("plain words", [("x.pdf", b"%PDF")])


def signed(content: bytes, options: list[pkcs7.PKCS7Options] | None = None) -> bytes:
    """Content signed as S/MIME does, the content within the structure."""
    issued = trustme.CA().issue_cert("someone@example.org")
    certificate = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())  # type: ignore[arg-type]
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary, *(options or [])])


def opaque(cms: bytes, kind: bytes = b"application/pkcs7-mime; smime-type=signed-data; name=smime.p7m") -> Message:
    return parse(typed(kind, base64.encodebytes(cms), b"Content-Transfer-Encoding: base64"))


def element(tag: int, *inside: bytes) -> bytes:
    """BER of a length that is not told."""
    return bytes((tag, 0x80)) + b"".join(inside) + b"\0\0"


SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")
ENVELOPED = bytes.fromhex("300b06092a864886f70d010703")


def in_pieces(content: bytes) -> bytes:
    """What is signed, as programs write it that do not know its length beforehand."""
    pieces = [b"\x04\x04" + content[at : at + 4].ljust(4) for at in range(0, len(content), 4)]
    string = element(0x24, *pieces[:1], element(0x24, *pieces[1:]))
    algorithms = element(0x31, element(0x30, b"\x06\x01\x2a"))
    inside = element(0x30, b"\x02\x01\x01", algorithms, element(0x30, DATA, element(0xA0, string)))
    return element(0x30, SIGNED_DATA, element(0xA0, inside))


@pytest.mark.parametrize("make", [signed, in_pieces])
@pytest.mark.parametrize("kind", [b"application/pkcs7-mime", b"application/x-pkcs7-mime", b"x/x; name=smime.p7m"])
def test_what_was_signed_with_smime_is_read(make: object, kind: bytes) -> None:
    message = opaque(make(SIGNED), kind)  # type: ignore[operator]
    assert text(message).strip() == "Signed words"
    assert [tuple(each) for each in attachments(message)] == [("contract.pdf", b"%PDF")]
    assert message.notes == []


def test_what_is_encrypted_is_said_to_be() -> None:
    assert "encrypted with S/MIME" in opaque(ENVELOPED).notes[0]
    assert "encrypted with S/MIME" in opaque(signed(typed(b"application/pkcs7-mime", ENVELOPED))).notes[0]
    assert (
        "encrypted with PGP" in parse(mixed(b"\r\nx", kind=b"encrypted; protocol=application/pgp-encrypted")).notes[0]
    )


def test_a_signed_text_that_cannot_be_reached_is_said_to_be_there() -> None:
    message = opaque(signed(SIGNED)[:80])
    assert message.notes == ["signed with S/MIME: its text is in the attachment smime.p7m, which cannot be read here"]
    assert [each.name for each in attachments(message)] == ["smime.p7m"]


def test_a_signed_invoice_stays_an_attachment() -> None:
    cms = signed(b"<?xml version='1.0'?><FatturaElettronica/>")
    part = b"Content-Type: application/pkcs7-mime; name=IT01.xml.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    message = parse(mixed(PLAIN, part + base64.encodebytes(cms)))
    assert text(message).strip() == "plain words"
    assert [tuple(each) for each in attachments(message)] == [("IT01.xml.p7m", cms)]
