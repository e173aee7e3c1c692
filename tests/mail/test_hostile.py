"""Messages made to hang whoever reads them: the work grows no faster than the message, and ends.

Work is counted where the decoder counts it, at two sizes. What it does not count (the inside of a regular expression)
is caught by a limit of CPU time, far above what is needed: the same texts took hours where a reader was quadratic.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmove.mail import charsets, fields, parameters
from mailmove.mail.attachments import attachments
from mailmove.mail.budget import PARTS, Budget
from mailmove.mail.containers import smime
from mailmove.mail.html.text import readable
from mailmove.mail.message import parse
from mailmove.mail.text import text
from tests.mail import winmail

pytestmark = pytest.mark.fault(57)

SIZE = 40_000
LIMIT = 30.0  # seconds of CPU; what is tested takes about one


@contextmanager
def cpu_limited() -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise AssertionError("it would not have ended")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def read(octets: bytes, budget: Budget) -> None:
    """All that is done with a message."""
    message = parse(octets, budget)
    text(message)
    attachments(message)
    for name in ("From", "To", "Subject"):
        message.header(name)


def repeated(token: str | bytes, size: int) -> bytes:
    token = token if isinstance(token, bytes) else token.encode()
    return (token * (size // len(token) + 1))[:size]


def in_html(token: str, size: int) -> bytes:
    return b"Content-Type: text/html\n\n" + repeated(token, size)


def in_text(token: str, size: int) -> bytes:
    return b"Content-Type: text/plain; charset=%b\n\n" % token.encode() + b"\xff\x1b$B-!+A" * (size // 7)


def in_subject(token: str, size: int) -> bytes:
    return b"Subject: " + repeated(token, size) + b"\n\nx"


def in_type(token: str, size: int) -> bytes:
    return b"Content-Type: text/plain" + repeated(token, size) + b"\n\nx"


def in_multipart(token: str, size: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + repeated(token, size)


def nested(token: str, size: int) -> bytes:
    one = b"Content-Type: %b; boundary=b%d\n\n--b%d\n"
    return b"".join(one % (token.encode(), at, at) for at in range(size // 50))


def within(token: str, size: int) -> bytes:
    return (b"Content-Type: %b\n\n" % token.encode()) * (size // 30)


def in_calendar(token: str, size: int) -> bytes:
    return b"Content-Type: text/calendar\n\nBEGIN:VEVENT\n" + repeated(token, size) + b"\nEND:VEVENT"


def in_winmail(token: str, size: int) -> bytes:
    octets = winmail.tnef(winmail.attribute(0x9003, repeated(bytes.fromhex(token), size)), repeated(token, size))
    return b"Content-Type: application/ms-tnef\n\n" + octets


def continued(token: str, size: int) -> bytes:
    return b"Content-Type: text/plain" + b"".join(b"; %b*%d=x" % (token.encode(), at) for at in range(size // 16))


HTML_TOKENS = [
    *("<table><tr><td>", "<tr>", "<td>a", "</table>", "<blockquote>", "<ol><li>", "<pre>\n", "<a href=http:x></a>"),
    *('<a b="', "<a b='", "<!--", "<title>x</head>", "<title>", "<a ", '</a b="', "<![CDATA[", "<?", "<", "&", "<td>"),
    *("&#x99999999999", "&#9", "<script>", "<style></style>", "<template>", "<p>\n", "</p>", "<a href=x>", "<meta "),
    *("<head></title>", "<li><ul>", " ", "\n", "\xa0", "<img alt='", "<textarea></textarea>"),
]
LABELS = ["punycode", "idna", "utf-7", "iso-2022-jp", "hz", "euc-jp", "big5", "utf-16", "unicode_escape", "utf-8"]
FIELD_TOKENS = [
    *("(", "=?utf-8?q?a?= ", "=?utf-8?", "=?utf-8?q?", "=?", "=?a?b?=", '"', "\\", "<", "<a@b>,", ",", ":", " ", "\n "),
    *("=?utf-8?b?=?= ", "\xff", "(=?x?q?", "a ", "=?utf-7?q?+?="),
]
PARAMETER_TOKENS = [
    *(";", "; a", '; a="', "; a*=", "; boundary=", "; a*0*=", "(", '"', "\\", " ", "; a = b", "=", '; a="\\'),
]
PART_TOKENS = [
    *("--b\n", "\n--b\n\n", "\n--", "--b--\n", "a\n", "\n", "a:b\n", " \n", "\n--b\nContent-Type: a/b\n\n", ":\n"),
    *("\n--bb", "-", "\r", "--b \n", "From x\n"),
]
TRAPS: list[tuple[Callable[[str, int], bytes], list[str]]] = [
    (in_html, HTML_TOKENS),
    (in_text, LABELS),
    (in_subject, FIELD_TOKENS),
    (in_type, PARAMETER_TOKENS),
    (in_multipart, PART_TOKENS),
    (nested, ["multipart/mixed", "multipart/alternative", "multipart/digest", "multipart/encrypted"]),
    (within, ["message/rfc822", "message/global"]),
    (in_calendar, ["a:b\n", "\n ", "BEGIN:VEVENT\n", "END:VEVENT\n", "A;", 'A;B="', "ATTENDEE:x\n", "\\,", ";", '"']),
    (in_winmail, ["00", "ff", "01000000", "02010910ffffffff", "1e000080", "05f0"]),
    (continued, ["name", "boundary", "charset"]),
]


@pytest.mark.parametrize(("made", "tokens"), TRAPS, ids=lambda value: getattr(value, "__name__", ""))
def test_the_work_is_linear_in_the_message(made: Callable[[str, int], bytes], tokens: list[str]) -> None:
    for token in tokens:
        with cpu_limited():
            used = []
            for size in (SIZE // 10, SIZE):
                budget = Budget(steps=10**9, parts=10**9)
                read(made(token, size), budget)
                used.append(budget.used)
        assert used[1] <= 11 * used[0] + 1000, token


@pytest.mark.parametrize(
    "token", ["(", "=?utf-8?q?a?=", '"', "<", ",", "\\", "a@b,", ":", ";", "a:;", "()", ")", "(\\"]
)
def test_a_field_of_any_length_is_read(token: str) -> None:
    raw = repeated(token, 1_000_000)
    with cpu_limited():
        fields.sender(raw)
        fields.text(raw)
        fields.sent(raw)
        fields.list_name(raw)
        parameters.parse(raw)
        charsets.named(raw)


@pytest.mark.parametrize(
    "octets", [b"\x30\x80", b"\x24\x80", b"\x30\x84\xff\xff\xff\xff", b"\x04\x00", b"\0", b"\x3f\x80"]
)
def test_a_structure_of_any_depth_is_read(octets: bytes) -> None:
    head = bytes.fromhex("308006092a864886f70d010702a0803080")
    with cpu_limited():
        for before in (b"", head, head + bytes.fromhex("020101310030800601 2aa080".replace(" ", ""))):
            smime.opened(before + octets * 300_000)


def test_a_hundred_thousand_parts_are_named_and_not_read() -> None:
    budget = Budget()
    message = parse(in_multipart("\n--b\nContent-Type: a/b\n\nx", 2_800_000), budget)
    assert len(message.root.parts) == PARTS
    assert message.skipped == ["the parts that follow: they are too many to look into"]


def test_nesting_is_read_to_a_depth_that_is_named() -> None:
    message = parse(nested("multipart/mixed", 50_000) + b"\nthe end")
    text(message)
    assert message.skipped == ["what is nested deeper than 50 levels"]
    cms = b"Content-Type: text/plain\n\nthe end"
    for _ in range(100):
        cms = b"Content-Type: application/pkcs7-mime\n\n" + _signed(cms)
    message = parse(cms)
    assert text(message) == "" and message.skipped == ["what is nested deeper than 50 levels"]


def _signed(content: bytes) -> bytes:
    def of(tag: int, inside: bytes) -> bytes:
        return bytes((tag, 0x84)) + len(inside).to_bytes(4, "big") + inside

    data = bytes.fromhex("06092a864886f70d010701")
    inner = of(0x30, data + of(0xA0, of(0x04, content)))
    return of(0x30, data[:-1] + b"\x02" + of(0xA0, of(0x30, b"\x02\x01\x01\x31\x00" + inner)))


def test_a_thousand_messages_within_each_other_are_read_to_a_depth_that_is_named() -> None:
    message = parse(b"Subject: x\nContent-Type: message/rfc822\n\n" * 1000 + b"\nthe end")
    assert text(message).count("Subject: x") == 50
    assert message.skipped == ["what is nested deeper than 50 levels"]
    assert [each.name for each in attachments(message)] == ["part-1.eml"]
    large = parse(b"Content-Type: message/rfc822\n\n" * 10 + b"\n" + b"x" * 1000, Budget(octets=5000))
    text(large)
    assert large.skipped == ["what is in attached messages: it is too large"]


def test_what_is_left_out_of_a_text_is_named_and_always_the_same() -> None:
    octets = b"Content-Type: text/html\n\n" + b"<i>a</i>" * 1000
    [first, second] = [(parse(octets, Budget(steps=300))) for _ in range(2)]
    assert text(first) == text(second) == "a" * 58
    assert first.skipped == ["the rest of its HTML text: it is too long or too intricate"]
    assert first.budget.used <= 300


def test_parts_for_which_nothing_is_left_are_named() -> None:
    octets = in_multipart("\n--b\n\nx", 10_000)
    enough = parse(octets).budget.used
    late = parse(octets, Budget(steps=enough + 20))
    assert text(late).split() == ["x"] * 19 and late.skipped == ["the text from here on: it is too long"]
    few = parse(octets, Budget(steps=enough // 2))
    assert 100 < len(few.root.parts) < 1000
    assert few.skipped == ["the parts that follow: they are too many to look into"]


_HARMLESS = ["a", " ", '"', "=", "&", ";", "\n", "\r\n", ":", "é", "(", ")", "--", "<", ">", "?="]
_BEGINNINGS = ["<title>", "<script ", "</head", "<!", "--b", "Content-Type: ", "multipart/mixed", "; boundary=b", "*0"]
_OTHERS = ["text/html", "message/rfc822", "Content-Transfer-Encoding: ", "base64", "=?utf-8?q?", "&#x", "--b--"]
_tokens = st.lists(st.sampled_from([*_HARMLESS, *_BEGINNINGS, *_OTHERS]), max_size=60).map("".join)


@settings(max_examples=150)
@given(_tokens, _tokens, st.integers(1, 40))
def test_any_repetition_is_read_in_linear_work(before: str, token: str, times: int) -> None:
    used = []
    for count in (times, 2 * times):
        octets = (before + token * count).encode()
        budget = Budget(steps=10**7)
        read(octets, budget)
        used.append(budget.used)
        readable(octets.decode(), budget)
    assert used[1] <= 2 * used[0] + 100
