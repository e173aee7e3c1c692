"""The page of an archive: lists, search, messages, what is taken along; what strangers wrote is text."""

from __future__ import annotations

import csv
import io
import mailbox
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mailmove.archive.record import records
from mailmove.archive.state import standing
from mailmove.archive.state.audits import Audits, Figure, PastAudit
from mailmove.archive.state.standing import Gauged
from tests.exported import overwrite, snapshot
from tests.kit import message
from tests.serving.conftest import ARRIVAL, Shelved, digest
from tests.web.conftest import Visitor

Visit = Callable[[], Visitor]
INBOX = "/a/0/list?f=7.494e424f58"
HOSTILE = (
    b'From: "<b>x</b>" <a@example.org>\r\nSubject: =?utf-8?q?=3Cscript=3Ealert(1)=3C/script=3E?= =cmd\r\n'
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n'
    b"<script>alert(2)</script><p onclick=alert(3)>text</p><img src=//track.example/1><img src='https://cdn.example/2'>"
    b"<p style='background:url(http://track.example/3)'>x</p>\r\n"
    b'--b\r\nContent-Type: text/html; name="../../<evil>\xe2\x80\xae.html"\r\nContent-Disposition: attachment\r\n\r\n'
    b"<script>alert(4)</script>\r\n--b--\r\n"
)


def ids(page: str) -> list[str]:
    return re.findall(r'value="([0-9a-f]{64})"', page)


def test_folders_lists_and_pages(shelved: Shelved, visit: Visit) -> None:
    shelved.put({uid: message(uid) for uid in range(1, 251)})
    shelved.put({1: message(900)}, "Clienti/Gr&APYA3w-e", uidvalidity=9, flags=("\\Seen", "\\Flagged"))
    before = snapshot(shelved.path)
    visitor = visit()
    first = visitor.page(INBOX)
    assert "Clienti/Größe" in first and ">250<" in first
    assert ids(first) == [digest(message(uid)) for uid in range(250, 150, -1)]
    assert ids(visitor.page(INBOX + "&at=200&rows=1")) == [digest(message(uid)) for uid in range(50, 0, -1)]
    assert ids(visitor.page(INBOX + "&at=9999")) == []
    assert visitor.ask("/")[0].headers["Location"] == "/a/0/"
    other = visitor.page("/a/0/list?f=9." + b"Clienti/Gr&APYA3w-e".hex())
    assert "\u2691" in other and 'class="unread' not in other
    for missing in ("/a/1/", "/a/0/list?f=1.00", "/a/0/m/" + "0" * 64, "/a/0/nothing", "/static/../app.py"):
        assert visitor.ask(missing)[0].status in (400, 404), missing
    assert snapshot(shelved.path) == before


def test_search_as_find_does(shelved: Shelved, visit: Visit) -> None:
    texts = {1: message(1) + b"quarterly invoice\r\n", 2: message(2) + b"invoice\r\n", 3: message(3)}
    shelved.put(texts)
    visitor = visit()
    assert ids(visitor.page("/a/0/list?q=invoice")) == [digest(texts[2]), digest(texts[1])]
    assert ids(visitor.page("/a/0/list?q=invoice&at=1")) == [digest(texts[1])]
    assert ids(visitor.page("/a/0/list?q=quarterly+invoice+in:INBOX")) == [digest(texts[1])]
    assert ids(visitor.page('/a/0/list?q="invoice quarterly"')) == []
    shelved.put({4: message(4) + b"invoice\r\n"})  # an export meanwhile
    assert len(ids(visitor.page("/a/0/list?q=invoice"))) == 3
    assert len(ids(visitor.page(INBOX))) == 4
    response, said = visitor.ask("/a/0/list?q=larger:much")
    assert response.status == 400 and b"larger" in said


@pytest.mark.fault(103)
def test_what_a_message_says_is_text(shelved: Shelved, visit: Visit) -> None:
    shelved.put({1: HOSTILE}, "<img src=x>")
    visitor = visit()
    at = f"/a/0/m/{digest(HOSTILE)}"
    response, body = visitor.ask(f"{at}/body")
    assert response.policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert b"text" in body and b"<script" not in body and b"onclick" not in body and b"example/" not in body
    page = visitor.page(f"{at}?f=7.{b'<img src=x>'.hex()}&n=0")
    for evil in ("<script>alert", "<b>x", "<img src=x", "<evil>", "\u202e"):
        assert evil not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "track.example <small>2<" in page and "cdn.example <small>1<" in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    response, source = visitor.ask(f"{at}/source")
    assert source == HOSTILE and response.kind.startswith("text/plain") and response.policy.startswith("sandbox;")


@pytest.mark.fault(104)
def test_attachments_are_files_with_safe_names(shelved: Shelved, visit: Visit) -> None:
    shelved.put({1: HOSTILE})
    visitor = visit()
    response, body = visitor.ask(f"/a/0/m/{digest(HOSTILE)}/part/0")
    assert body == b"<script>alert(4)</script>" and response.kind == "application/octet-stream"
    said = response.headers["Content-Disposition"]
    assert said.startswith("attachment; ") and "/" not in said and "%2F" not in said and said.isascii()
    assert visitor.ask(f"/a/0/m/{digest(HOSTILE)}/part/1")[0].status == 404


@pytest.mark.fault(104)
def test_what_is_taken_along(shelved: Shelved, visit: Visit, tmp_path: Path) -> None:
    quoted = b"Subject: =HYPERLINK(1)\r\n\r\nFrom here\r\n>From there\r\n" + b"x" * (1 << 18) + b"\r\nFrom\r\nFrom x"
    texts = {1: HOSTILE, 2: quoted, 3: message(3), 4: b"Subject: SAME\r\n\r\n1", 5: b"Subject: same\r\n\r\n2"}
    shelved.put(texts, arrival=lambda uid: ARRIVAL)
    visitor = visit()
    _, packed = visitor.ask("/a/0/download", {"all": ["1"], "f": ["7.494e424f58"], "as": ["zip"]})
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = archive.namelist()
        assert not [name for name in names if "/" in name or "\\" in name or name.startswith(".")]
        assert len({name.casefold() for name in names}) == len(texts) + 1
        rows = list(csv.DictReader(io.StringIO(archive.read("messages.csv").decode())))
        assert {row["sha256"]: archive.read(row["file"]) for row in rows} == {digest(t): t for t in texts.values()}
        assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    _, octets = visitor.ask("/a/0/download", {"id": [digest(quoted), digest(texts[3])], "as": ["mbox"]})
    (tmp_path / "mbox").write_bytes(octets)
    found = [one.get_payload() for one in mailbox.mbox(tmp_path / "mbox")]
    assert len(found) == 2
    body = octets.split(b"\n", 1)[1].partition(b"\n\nFrom MAILER")[0].partition(b"\n\nFrom ")[0]
    assert re.sub(rb"(?m)^>(>*From )", rb"\1", body) == quoted
    response, octets = visitor.ask("/a/0/download", {"id": [digest(texts[3])], "as": ["eml"]})
    assert octets == texts[3] and response.headers["Content-Length"] == str(len(octets))
    for form in ({"as": ["zip"]}, {"id": ["x"], "as": ["zip"]}, {"all": ["1"], "f": ["7.494e424f58"], "as": ["eml"]}):
        assert visitor.ask("/a/0/download", form)[0].status == 400
    assert visitor.ask("/a/0/download")[0].status == 404


def test_a_damaged_message_is_named_and_nothing_else_is_shown(shelved: Shelved, visit: Visit) -> None:
    shelved.put({1: message(1), 2: message(2)})
    visitor = visit()
    overwrite(shelved.file(2), message(2).replace(b"Subject", b"subject"))
    at = f"/a/0/m/{digest(message(2))}"
    for url in (at, f"{at}/body", f"{at}/source", f"{at}/eml"):
        response, said = visitor.ask(url)
        assert response.status == 503 and b"INBOX UID 2" in said and b"altered" in said and b"subject" not in said
    _, packed = visitor.ask("/a/0/download", {"all": ["1"], "f": ["7.494e424f58"], "as": ["zip"]})
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert b"INBOX UID 2" in archive.read("NOT IN HERE.txt")
        assert sum(name.endswith(".eml") for name in archive.namelist()) == 1
    with pytest.raises(Exception, match="INBOX UID 2"):
        visitor.ask("/a/0/download", {"all": ["1"], "f": ["7.494e424f58"], "as": ["mbox"]})


def test_where_a_message_still_is(shelved: Shelved, visit: Visit) -> None:
    shelved.put({1: message(1), 2: message(2)})
    shelved.put({1: message(1)}, "Sent")
    shelved.record(records.Gone(b"INBOX", 7, frozenset([1, 2]), "2026-01-01T00:00:00Z"))
    visitor = visit()
    assert "in some of these folders on the server" in visitor.page(f"/a/0/m/{digest(message(1))}")
    assert "only in this archive" in visitor.page(f"/a/0/m/{digest(message(2))}")
    assert visitor.page(INBOX).count("only here") == 2
    shelved.record(records.Copied("u", "nas", "/mnt/nas", "2099-01-01T00:00:00Z", 10, 3, "all"))
    assert "in the copy nas (2099-01-01)" in visitor.page(f"/a/0/m/{digest(message(2))}")


def test_gmail_labels_are_folders(shelved: Shelved, visit: Visit) -> None:
    shelved.put({1: message(1), 2: message(2)}, "[Gmail]/All Mail")
    shelved.record(records.Labels(b"[Gmail]/All Mail", 7, 1, ("Work", "\\Sent")))
    visitor = visit()
    page = visitor.page("/a/0/list?f=7." + b"[Gmail]/All Mail".hex() + "." + b"Work".hex())
    assert ids(page) == [digest(message(1))] and ">Sent<" in page


def test_neighbours_in_a_list(shelved: Shelved, visit: Visit) -> None:
    shelved.put({uid: message(uid) for uid in (1, 2, 3)})
    visitor = visit()
    for where in ("f=7.494e424f58", "q=in%3AINBOX"):
        page = visitor.page(f"/a/0/m/{digest(message(2))}?{where}&n=1")
        assert f'/m/{digest(message(3))}?{where}&amp;n=0" rel="prev"' in page
        assert f'/m/{digest(message(1))}?{where}&amp;n=2" rel="next"' in page


def test_the_look_of_it(shelved: Shelved, visit: Visit) -> None:
    shelved.put({uid: HOSTILE if uid == 1 else message(uid) for uid in (1, 2, 3)}, "<img src=x>")
    shelved.record(records.Run("export", "2026-01-02T03:04:05Z", 0, {"fetched": 3}, None))
    audits = Audits(shelved.memory, "me@example.org")
    for day in range(3):
        used = {Figure("", "STORAGE", "server"): 5_000_000 + day * 1_000_000}
        audits.append(PastAudit(int(time.time()) - (20 - 9 * day) * 86_400, used))
    noted = Gauged(int(time.time()), 9_000_000, 10_000_000, 1_900_000_000)
    standing.change(shelved.memory, "me@example.org", lambda known: replace(known, gauge=noted))
    page = visit().page("/a/0/look")
    assert "<img src=x" not in page and "<b>x" not in page
    for said in (
        "Used at 3 audits",
        "a day more by 3 audits in 18 days",
        "2020-09",
        "a@example.org",
        "3 fetched",
        "90 % on",
        "full on 2030",
    ):
        assert said in page, said


def test_the_page_is_small() -> None:
    static = Path(__file__).parents[2] / "mailmove" / "web" / "static"
    assert sum(path.stat().st_size for path in static.iterdir()) < 80_000
