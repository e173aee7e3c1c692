"""What a server could alter is read back; what it did is said in words."""

from __future__ import annotations

import pytest

from mailmove.plan.altered import Watch, difference, fragile

WHOLE = b"Subject: hello\r\nFrom: a@example.net\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"


@pytest.mark.parametrize(
    "text",
    [
        b"Subject: Gr\xf6\xdfe\r\n\r\nx\r\n",
        b"Subject: x\r\n\r\na\0b\r\n",
        b"Subject: x\r\n\r\na\nb\r\n",
        b"Subject: x\r\n\r\na\rb\r\n",
        b"Subject: x\n\nx\n",
        b"Subject: x\r\n\r\nx",
        b"Subject: x\r\n\r\nx\r",
        b"Subject: x",
        b"Subject: x\r\n\r\n" + b"x" * 1001 + b"\r\n",
        b"Subject: " + b"x" * 1000 + b"\r\n\r\nx\r\n",
        b"Subject: x\r\n\r\n\x1b[31m\r\n",
        b"\r\nno header\r\n",
        b"From somebody\r\nSubject: x\r\n\r\nx\r\n",
        b"",
    ],
)
def test_what_a_server_could_alter(text: bytes) -> None:
    assert fragile(text)
    watch = Watch()
    for at in range(len(text)):
        watch.feed(text[at : at + 1])
    assert watch.fragile


@pytest.mark.parametrize(
    "text", [WHOLE, b"Subject: x\r\n\r\n" + b"x" * 998 + b"\r\n", b"Subject: x\r\n\r\n\ta\r\n.\r\n"]
)
def test_what_no_server_alters(text: bytes) -> None:
    assert not fragile(text)
    for cut in range(len(text)):
        watch = Watch()
        watch.feed(text[:cut])
        watch.feed(text[cut:])
        assert not watch.fragile


@pytest.mark.parametrize(
    ("sent", "there", "words"),
    [
        (b"Subject: Gr\xf6\xdfe\r\n\r\nx", b"Subject: GrXXe\r\n\r\nx", "2 octets above 0x7F in its header are X now"),
        (b"Subject: \xf6\r\n\r\nx", b"Subject: ?\r\n\r\nx", "1 octet above 0x7F in its header is ? now"),
        (b"Subject: x\r\n\r\na\0b", b"Subject: x\r\n\r\na\x80b", "1 octet that was NUL in its text is 0x80 now"),
        (b"Subject: x\n\na\n", b"Subject: x\r\n\r\na\r\n", "its line ends are others now"),
        (b"Subject: x\r\n\r\na", b"Subject: x\r\n\r\na\r\n", "its line ends are others now"),
        (b"Subject: x\r\n\r\na", b"Received: y\r\nSubject: x\r\n\r\na", "its header has 13 octets more"),
        (b"Subject: x\r\n\r\nabc", b"Subject: x\r\n\r\na", "it has 2 octets fewer"),
    ],
)
def test_what_it_did(sent: bytes, there: bytes, words: str) -> None:
    assert difference(sent, there) == words
