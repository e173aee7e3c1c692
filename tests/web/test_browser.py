"""The page in a real browser: a long list, search, the keyboard, downloads; and mail that would do something else."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.kit import Program, message
from tests.serving.conftest import Shelved, digest
from tests.web.browser import Browser, browser

EVIL = "evil.example"
HTML = f"""
<base href="http://{EVIL}/base/"><meta http-equiv=refresh content="0;url=http://{EVIL}/refresh">
<link rel=stylesheet href="http://{EVIL}/link.css"><link rel=prefetch href="http://{EVIL}/p">
<link rel=dns-prefetch href="//{EVIL}">
<style>@import "http://{EVIL}/i.css"; body {{ background: url(http://{EVIL}/css) }} @font-face {{ font-family: x;
src: url(http://{EVIL}/f) }}</style>
<script>top.location = 'http://{EVIL}/script'</script><script src="http://{EVIL}/s.js"></script>
<h1 id=seen>Hello</h1><img src="http://{EVIL}/img"><img src=x onerror="top.hit=1"><img src="cid:none">
<img srcset="http://{EVIL}/set 2x"><picture><source srcset="http://{EVIL}/source"></picture>
<svg onload="top.hit=1"><image href="http://{EVIL}/svg"/><animate attributeName=href values="javascript:top.hit=1"/>
</svg>
<math><mtext><style><img src=x onerror=top.hit=1></style></mtext></math><noscript><p title="</noscript>
<img src=x onerror=top.hit=1>"></noscript>
<div style="position:fixed;inset:0;background:url(http://{EVIL}/fixed);z-index:99999">over</div>
<p style="background-image:url('http://{EVIL}/style');color:red">styled</p><table background="http://{EVIL}/table">
<tr><td>t</table>
<form action="http://{EVIL}/form" id=f><input name=q autofocus onfocus="top.hit=1"><button>Send</button></form>
<a id=js href="javascript:top.hit=1">js</a><a id=own href="/a/0/list">own</a>
<a id=data href="data:text/html,<script>top.hit=1</script>">data</a>
<iframe src="http://{EVIL}/frame"></iframe><iframe srcdoc="<script>top.hit=1</script>"></iframe>
<object data="http://{EVIL}/object"></object>
<embed src="http://{EVIL}/embed"><video src="http://{EVIL}/video" poster="http://{EVIL}/poster" autoplay></video>
<audio src="http://{EVIL}/a"></audio>
<input type=image src="http://{EVIL}/input"><body background="http://{EVIL}/body" onload="top.hit=1">
"""
MAIL = (
    b"From: a@example.org\r\nSubject: hostile\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    + HTML.encode()
)
MANY = 450
READY = "document.body !== null && document.body.classList.contains('scrolls')"


class Trap:
    """What that host's name leads to: no connection may come, and no octet of one (``said``)."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.came: list[object] = []
        self.said: list[bytes] = []
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        while True:
            try:
                connection, address = self.listening.accept()
            except OSError:
                return
            self.came.append(address)
            with connection:
                connection.settimeout(0.2)
                try:
                    self.said.append(connection.recv(1000))
                except OSError:
                    pass  # it only connected


@pytest.fixture
def trap() -> Iterator[Trap]:
    opened = Trap()
    yield opened
    opened.listening.close()


@pytest.fixture
def chromium(trap: Trap, tmp_path: Path) -> Iterator[Browser]:
    rules = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1:{trap.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with browser(tmp_path / "profile", rules) as opened:
        yield opened


@pytest.fixture
def page(shelved: Shelved, mailmove: Program, chromium: Browser) -> Iterator[Browser]:
    """A browser that was let in."""
    shelved.put({uid: message(uid) for uid in range(1, MANY)} | {MANY: MAIL})
    with mailmove.started("browse", shelved.path, "--json", "--no-open") as process:
        assert process.stdout is not None
        chromium.open(json.loads(process.stdout.readline())["url"])
        chromium.until(READY)
        yield chromium
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.fault(103)
def test_in_a_real_browser(page: Browser, trap: Trap, tmp_path: Path) -> None:
    base = "http://{}".format(urlsplit(page.run("location.href")).netloc)
    _lists(page)
    _reads_hostile_mail(page, base, trap)
    _searches_by_keyboard(page)
    _takes_along(page, tmp_path)
    _fits_a_phone(page, base)
    assert [url for url in page.asked if not url.startswith((f"{base}/", "data:"))] == []
    assert [each for each in page.events if each["method"] == "Log.entryAdded"] == []
    assert page.run("document.cookie") == ""


def _lists(page: Browser) -> None:
    """The list is as long as its folder, and has what is scrolled to."""
    page.run("document.querySelector('main').scrollTop = 1e9")
    last = digest(message(1))
    page.until(f"document.querySelector('#rows input[value=\"{last}\"]') !== null")
    assert page.run("document.querySelectorAll('#rows li').length") <= 450
    page.run("document.querySelector('main').scrollTop = 0")
    page.until(f"document.querySelector('#rows input[value=\"{digest(MAIL)}\"]') !== null")


def _reads_hostile_mail(page: Browser, base: str, trap: Trap) -> None:
    page.press("j")
    page.press("Enter")
    page.until("location.pathname.includes('/m/') && document.readyState === 'complete'")
    told = page.run(f"fetch('/a/0/m/{digest(MAIL)}/body').then(answer => answer.text())")
    assert "Hello" in told and "<form" not in told and "<script" not in told
    # What the sanitiser may let through some day must find the wall behind it: the same frame with the mail as it is.
    tree = page.send("Page.getFrameTree")["frameTree"]
    assert [each["frame"]["url"].endswith("/body") for each in tree.get("childFrames", [])] in ([True], [])
    assert page.run("window.hit") is None
    assert page.run("document.querySelector('iframe').contentDocument") is None
    assert page.run("document.querySelector('.blocked summary').textContent").endswith("were not loaded")
    assert page.run("location.href").startswith(base)
    assert trap.came == []


def _searches_by_keyboard(page: Browser) -> None:
    page.press("u")
    page.until(f"location.pathname.endsWith('/list') && {READY}")
    page.press("/")
    page.until("document.activeElement.type === 'search'")
    page.send("Input.insertText", text="subject:hostile")
    page.press("Enter")
    page.until(f"location.search.startsWith('?q=') && {READY}")
    assert page.run("document.querySelectorAll('#rows li').length") == 1


def _takes_along(page: Browser, tmp_path: Path) -> None:
    page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.press("j")
    page.press("x")
    assert page.run("document.getElementById('count').textContent") == "1 chosen"
    page.run("document.querySelector('button[value=eml]').click()")
    page.wait("Page.downloadProgress")
    while page.wait("Page.downloadProgress")["params"]["state"] != "completed":
        pass
    (found,) = tmp_path.glob("*.eml")
    assert found.read_bytes() == MAIL


def _fits_a_phone(page: Browser, base: str) -> None:
    for dark in (False, True):
        page.window(360, 740, dark=dark)
        for path in ("/a/0/list?q=subject:hostile", f"/a/0/m/{digest(MAIL)}"):
            page.open(base + path)
            assert page.run("document.documentElement.scrollWidth") == 360
            colour = page.run("getComputedStyle(document.body).backgroundColor")
            assert (int(colour[4:].partition(",")[0]) < 100) is dark


@pytest.mark.fault(103)
def test_the_wall_holds_without_the_sanitiser(chromium: Browser, trap: Trap) -> None:
    """The mail as it is, under the policy of its frame: nothing runs, is sent, or fetched."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from mailmove.web.exchange import ALWAYS, BODY_POLICY

    class Raw(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'<iframe src="/body"></iframe>' if self.path == "/" else HTML.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if self.path != "/":
                self.send_header("Content-Security-Policy", BODY_POLICY)
                for header in ALWAYS.items():
                    self.send_header(*header)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Raw)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        chromium.open(f"http://127.0.0.1:{server.server_port}/")
        chromium.run("new Promise(resolve => setTimeout(resolve, 300))")  # a refresh would have begun by now
        assert chromium.run("window.hit") is None and chromium.run("location.pathname") == "/"
    finally:
        server.shutdown()
        server.server_close()
    assert trap.said == []
