"""A message as a page that fetches nothing and runs nothing, whatever is in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest

from mailmove.mail.documents.extractor import Extracted, Extractor, Limits
from mailmove.mail.html.page import page
from mailmove.mail.html.sanitise import sanitised
from mailmove.mail.message import parse

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
AS_DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor() as opened:
        yield opened


HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<svg><animate href='//e'>",
    "<body background='http://evil/x'>", "<table background='http://evil/x'>", "<td background=//evil/x>",
    "<div style='background:url(http://evil/x)'>", "<div style='background-image:url(//evil/x)'>",
    "<div style=\"color:red;background:u\\72l(http://evil)\">", "<p style='--x:url(http://evil);background:var(--x)'>",
    "<p style='font-family:x(http://evil)'>", "<p style='behavior:url(#default)'>", "<p style='width:expression(x)'>",
    "<style>@import 'http://evil/x'</style>", "<link rel=stylesheet href=http://evil/x>", "<base href=http://evil/>",
    "<meta http-equiv=refresh content='0;url=http://evil/'>", "<iframe src=http://evil></iframe>", "<object data=http://evil>",
    "<embed src=http://evil>", "<video poster=http://evil src=http://evil>", "<audio src=http://evil>",
    "<form action=http://evil><input name=a><button>x</form>", "<img srcset='http://evil/x 2x'>", "<img src=//evil/x>",
    "<img src='/account/delete'>", "<img src='data:image/svg+xml,<svg onload=alert(1)>'>", "<a href='javascript:x'>",
    "<a href='data:text/html,<script>'>x</a>", "<a href='/account/delete'>x</a>", "<a href=' java\nscript:x'>x</a>",
    "<a href='cid:x'>x</a>", "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<input type=image src=http://evil>",
    "<p id=x name=y class=z onclick=alert(1) formaction=http://evil>", "<a href=http://good ping=http://evil>x</a>",
    "<img src=\"cid:none\">", "<picture><source srcset=http://evil>", "<p style='content:url(http://evil)'>",
    "<p style='position:fixed;top:0;left:0;width:100%;height:100%;z-index:9'>", "<blockquote cite=http://evil>",
    "<td bgcolor='red\" onload=\"x'>", "<font face='x:url(evil)'>", "<img width='1' src='http://evil/pixel.gif'>",
]  # fmt: skip
BAD = re.compile(
    r"script|onerror|onload|onclick|evil|expression|url\(|var\(|<(?:svg|math|style|form|input|iframe|object|embed|link|meta)"
    r"|/account|position|src=\"(?!data:image/(?:png|jpe?g|gif|webp|bmp);base64,)|href=\"(?!https?:|mailto:|tel:)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_hostile_is_left(html: str) -> None:
    clean, _ = sanitised(f"before {html} after", {"one": AS_DATA})
    assert not BAD.search(clean), clean
    assert clean.startswith("before")


def test_what_is_harmless_stays() -> None:
    html = (
        '<p style="color: red; font-family: &#34;Times&#34;, serif; background-color: rgb(1, 2, 3)">a <b>b</b></p>'
        '<a href="https://a.org/">x</a><img src="cid:one" alt="photo">'
        '<table border="1"><tr><td colspan="2">c</td></tr></table>'
    )
    clean, left_out = sanitised(html, {"one": AS_DATA})
    for kept in (
        "color: red",
        "font-family",
        "rgb(1, 2, 3)",
        "<b>b</b>",
        'href="https://a.org/"',
        'colspan="2"',
        AS_DATA,
    ):
        assert kept in clean
    assert 'rel="noopener noreferrer"' in clean and left_out == 0


RELATED = (
    b"From: Anna <a@example.org>\nSubject: <b>bold</b>\nContent-Type: multipart/related; boundary=b\n\n"
    b"--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nplain\n--c\nContent-Type: text/html\n\n"
    b"<h1>rich</h1><img src='cid:one@x'><img src='http://evil/pixel'><script>alert(1)</script>\n--c--\n"
    b"--b\nContent-Type: image/png; name=p.png\nContent-ID: <one@x>\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(PNG)
    + b"--b--\n"
)


def test_a_page_holds_the_message_and_its_images(extractor: Extractor) -> None:
    made = page(parse(RELATED), extractor)
    assert made.index("Content-Security-Policy") < made.index("<body>")
    assert "default-src 'none'; img-src data:;" in made
    assert "<h1>rich</h1>" in made and f'src="{AS_DATA}"' in made and "plain" not in made
    assert "<title>&lt;b&gt;bold&lt;/b&gt;</title>" in made and "Anna &lt;a@example.org&gt;" in made
    assert "evil" not in made and "<script" not in made
    assert "(left out: 1 image that would have to be fetched)" in made


def test_plain_text_and_messages_within_are_on_the_page(extractor: Extractor) -> None:
    octets = b"Content-Type: message/rfc822\n\nSubject: inner\n\n1 < 2 <script>"
    made = page(parse(octets), extractor)
    assert "<section>" in made and "<b>Subject:</b> inner" in made and "<pre>1 &lt; 2 &lt;script&gt;</pre>" in made


def test_an_image_is_known_by_its_octets(extractor: Extractor) -> None:
    octets = b"Content-Type: image/png; name=x.svg\n\n<svg onload=alert(1)>"
    assert "[image: x.svg]" in page(parse(octets), extractor)
    assert "data:image/gif;base64," in page(parse(b"Content-Type: image/png\n\nGIF89a"), extractor)


@pytest.mark.fault(74)
def test_html_that_takes_too_long_is_shown_as_text() -> None:
    slow = "<p>word" + "".join(f"<b class={at}>" for at in range(20_000))
    with Extractor(Limits(cpu=1)) as extractor:
        made = page(parse(b"Content-Type: text/html\n\n" + slow.encode()), extractor)
    assert "<pre>word</pre>" in made and "how its HTML looks: it was read only in part: it" in made


def test_without_the_library_the_page_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Extractor, "page", lambda *_: Extracted("", "it needs: pip install 'mailmove[html]'"))
    made = page(parse(b"Content-Type: text/html\n\n<p>word"), Extractor())
    assert "<pre>word</pre>" in made and "mailmove[html]" in made
