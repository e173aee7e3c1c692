"""winmail.dat: what Outlook wraps is found and read."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.mail.attachments import attachments
from mailmove.mail.containers import smime, tnef
from mailmove.mail.message import Message, parse
from mailmove.mail.text import text
from tests.mail import winmail


def wrapped(octets: bytes, before: bytes = b"") -> Message:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + before
    part = b"--b\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return parse(head + part + base64.encodebytes(octets) + b"\r\n--b--")


@pytest.mark.parametrize("octets", [winmail.PLAIN, winmail.HTML, winmail.NESTED])
def test_what_outlook_wraps_is_read(octets: bytes) -> None:
    message = wrapped(octets)
    assert text(message).strip() == "Привет"
    assert [tuple(each) for each in attachments(message)] == [("Größe.pdf", b"%PDF")]


def test_a_text_that_is_there_already_is_not_shown_twice() -> None:
    message = wrapped(winmail.PLAIN, b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + "Привет\r\n".encode())
    assert text(message).strip() == "Привет"
    assert [each.name for each in attachments(message)] == ["Größe.pdf"]


def test_a_text_in_rtf_only_is_an_attachment_and_said_to_be() -> None:
    message = wrapped(winmail.ONLY_RTF)
    assert message.notes == ["its text is in the attachment message.rtf"]
    [rtf, _] = attachments(message)
    assert tuple(rtf) == ("message.rtf", b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n")


@pytest.mark.parametrize("octets", [winmail.PLAIN, winmail.HTML, winmail.ONLY_RTF, winmail.NESTED])
def test_cut_anywhere_it_is_read_up_to_there(octets: bytes) -> None:
    for end in range(len(octets)):
        message = wrapped(octets[:end])
        text(message)
        attachments(message)


def test_what_only_bears_the_name_stays_as_it_is() -> None:
    assert [tuple(each) for each in attachments(wrapped(b"no such thing"))] == [("winmail.dat", b"no such thing")]


@given(st.binary(max_size=400))
def test_nothing_raises(octets: bytes) -> None:
    smime.opened(octets)
    tnef.opened(winmail.tnef(octets))
    tnef.opened(winmail.tnef(winmail.attribute(0x9003, octets)))
    tnef.rtf(winmail.RTF[:16] + octets)
