"""What people see of HTML, invitations, quotations and attached messages."""

from __future__ import annotations

import pytest

from mailmove.mail.budget import Budget
from mailmove.mail.calendar.shown import card, invitation
from mailmove.mail.html.text import readable
from mailmove.mail.message import parse
from mailmove.mail.quotes import folded
from mailmove.mail.signatures import signatures
from mailmove.mail.text import text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two<hr>three", "one\ntwo\n--------------------\nthree"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<ol><li>a<li>b<ul><li>c</ul></ol>", "1. a\n2. b\n\n  - c"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("a<blockquote>b<br>c<blockquote>d</blockquote></blockquote>e", "a\n> b\n> c\n> > d\n\ne"),
        ("<table><tr><th>Item<th>Sum<tr><td>Heating<td>90</table>", "Item     Sum\nHeating  90"),
        ("<table><tr><td><p>long<p>text</td><td>side</td></tr></table>", "long\n\ntext\n\nside"),
        ("<table><tr><td><table><tr><td>a<td>b</table></td></tr></table>c", "a  b\nc"),
        ("<a href='https://a.org/x'>here</a> and <a href='https://a.org/x'>there</a>",
         "here [1] and there [1]\n\nLinks:\n  [1] https://a.org/x"),
        ("<a href='https://a.org/'>a.org</a> <a href='mailto:x@a.org'>x@a.org</a>", "a.org x@a.org"),
        ("<a href='javascript:x()'>run</a>", "run"),
        ("<img src='cid:one'><img src='http://t/x.gif'><img alt='logo' src='x'>", "[image: photo.jpg][logo]"),
        ("<title>no</title><style>no</style><script>no</script><template>no</template>yes", "yes"),
        ("<title>never closed<p>yes", "yes"),
        ("1 < 2 &amp; 3 &gt; 2 &euro; &#8364; &#99999999999; &unknown;", "1 < 2 & 3 > 2 € € \ufffd &unknown;"),
    ],
)  # fmt: skip
def test_html_is_readable(html: str, expected: str) -> None:
    assert readable(html, Budget(), images={"one": "photo.jpg"}) == expected


def test_links_may_be_left_out() -> None:
    assert readable("<a href='https://a.org/x'>here</a>", Budget(), links=False) == "here [1]"


INVITATION = """BEGIN:VCALENDAR\r
METHOD:REQUEST\r
BEGIN:VTIMEZONE\r
DTSTART:19700101T000000\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
SUMMARY:Budget\\, second round\r
DTSTART;TZID=Europe/Rome:20250402T140000\r
DTEND;TZID=Europe/Rome:20250402T153000\r
LOCATION:Room 1\\nThird floor\r
ORGANIZER;CN="Rossi, Anna":mailto:anna@example.org\r
ATTENDEE;PARTSTAT=ACCEPTED;CN=Bob:MAILTO:bob@ex\r
 ample.org\r
RRULE:FREQ=WEEKLY\r
DESCRIPTION:Bring\\nfigures\r
END:VEVENT\r
END:VCALENDAR"""
INVITED = """Invitation: Budget, second round
  When:  2025-04-02 14:00 – 15:30 (Europe/Rome)
  Where: Room 1 Third floor
  From:  Rossi, Anna <anna@example.org>
  With:  Bob <bob@example.org> (accepted)
  Again: FREQ=WEEKLY

Bring
figures"""


def test_an_invitation_says_when_where_and_with_whom() -> None:
    assert invitation(INVITATION) == INVITED
    assert invitation(INVITATION.replace("REQUEST", "CANCEL")).startswith("Cancelled: ")


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        ("DTSTART;VALUE=DATE:20250402", "2025-04-02"),
        ("DTSTART:20250402T140000Z\nDTEND:20250403T010000Z", "2025-04-02 14:00 UTC – 2025-04-03 01:00 UTC"),
        ("DTSTART;VALUE=DATE:20250402\nDTEND;VALUE=DATE:20250404", "2025-04-02 – 2025-04-04"),
        ("DTSTART:sometime", "sometime"),
    ],
)
def test_when_an_event_is(lines: str, when: str) -> None:
    assert invitation(f"BEGIN:VEVENT\n{lines}\nEND:VEVENT") == f"Event: (no title)\n  When:  {when}"


@pytest.mark.parametrize(
    "source", ["", "BEGIN:VEVENT", "END:VEVENT", ":", ";", "A;" * 50_000, 'A;B="' * 50_000, "A\n " * 50_000]
)
def test_what_is_no_calendar_says_nothing(source: str) -> None:
    assert invitation(source) in ("", "Event: (no title)")
    card(source)


def test_an_address_card_says_what_is_on_it() -> None:
    assert card("BEGIN:VCARD\nN:Rossi;Anna;;;\nitem1.TEL;TYPE=work:+39 1\nPHOTO:AAAA\nEND:VCARD") == "Rossi Anna\n+39 1"


def test_an_invitation_is_shown_beside_the_text_that_goes_with_it() -> None:
    parts = f"--b\n\nPlease come\n--b\nContent-Type: text/calendar\n\n{INVITATION}\n--b--"
    message = parse(f"Content-Type: multipart/alternative; boundary=b\n\n{parts}".encode())
    assert text(message) == f"Please come\n{INVITED}"


FORWARDED = b"""Content-Type: multipart/mixed; boundary=b

--b

see below
--b
Content-Type: message/rfc822; name=mail.eml

From: =?utf-8?q?Andr=C3=A9?= <a@example.org>
Subject: inside
Content-Type: multipart/mixed; boundary=b2

--b2

the message within
--b2
Content-Type: image/png; name=photo.png

x
--b2--
--b--
"""


def test_a_message_within_a_message_is_shown() -> None:
    assert text(parse(FORWARDED)).split("\n") == [
        "see below", "", "--- mail.eml ---", "From: André <a@example.org>", "Subject: inside", "", "the message within",
        "[image: photo.png]", "---",
    ]  # fmt: skip


def test_a_plain_alternative_that_says_nothing_gives_way() -> None:
    html = b"<p>" + b"The whole story. " * 100
    head = b"Content-Type: multipart/alternative; boundary=b\n\n"
    told = text(parse(head + b"--b\n\nThis is an HTML message.\n--b\nContent-Type: text/html\n\n" + html))
    assert told.startswith("The whole story")
    short = b"<p style='" + b"x" * 3000 + b"'>Short."
    assert text(parse(head + b"--b\n\nShort.\n--b\nContent-Type: text/html\n\n" + short)).strip() == "Short."


def test_the_end_of_an_endless_calendar_is_said_to_be_left_out() -> None:
    message = parse(b"Content-Type: text/calendar\n\nBEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n" + b"A:b\n" * 300_000)
    assert text(message) == "Event: x" and message.skipped == ["the end of a calendar: it is too long"]


def test_long_quotations_are_folded() -> None:
    assert folded("a\n> 1\n> 2\n> 3\n> 4\nb\n> 5\nc") == ("a\n[4 quoted lines]\nb\n> 5\nc", 4)
    assert folded("a\n\n-----Original Message-----\nFrom: x\n\ntext") == ("a\n\n[4 quoted lines]", 4)
    assert folded("-----Original Message-----\nFrom: x\n\ntext\nmore")[1] == 0
    assert folded("> 1\n\n> 2\n\n> 3\n\nb") == ("[5 quoted lines]\n\nb", 5)
    assert folded("") == ("", 0)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"DKIM-Signature: v=1; a=rsa-sha256; d=Example.ORG; s=x; bh=d=\nDKIM-Signature: v=1;d=esp.example\n\nx",
         ["DKIM (example.org)", "DKIM (esp.example)"]),
        (b'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=b\n\n--b\n', ["PGP"]),
        (b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\n\n--b\n', ["S/MIME"]),
        (b"\n-----BEGIN PGP SIGNED MESSAGE-----\n", ["PGP"]),
        (b"Subject: x\n\nd=x", []),
    ],
)  # fmt: skip
def test_signatures_are_named(octets: bytes, expected: list[str]) -> None:
    assert signatures(parse(octets)) == expected
