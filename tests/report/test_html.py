"""A page as one file: what others wrote is text, drawings add up, and it is seen on a phone without a script."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from mailmove.report.again import Again
from mailmove.report.html.audit import Account, page
from mailmove.report.html.drawings import Box, squarified
from mailmove.report.html.tags import element, joined
from tests.web.browser import browser

EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u202e"


def tally(messages: int, octets: int) -> dict[str, int]:
    return {"messages": messages, "octets": octets}


def told(account: str) -> dict[str, Any]:
    """The JSON of an audit in which everything that others write is hostile."""
    top = {
        "groups": [{"key": EVIL, "name": EVIL, **tally(2, 3)}, {"key": "a@b", "name": "A", **tally(2, 0)}],
        "others": {"groups": 3, **tally(9, 900)},
    }
    folder = {"special_use": None, "unread": 0, "oldest": "2016-01-02", "newest": None, "archived": tally(0, 0)}
    frees = {"frees": tally(7, 7000), "archived": tally(1, 1000), "stays": {}}
    return {
        "account": account,
        "exit": 0,
        "quota": [
            {"root": EVIL, "resource": "STORAGE", "used": 970, "limit": 1000, "percent": 97.0, "source": "server"},
            {"root": "", "resource": "MESSAGE", "used": 9, "limit": None, "percent": None, "source": "server"},
        ],
        "quota_lacking": None,
        "forecast": {"root": EVIL, "resource": "STORAGE", "per_day": 5, "method": EVIL, "full": "2027-01-02T00:00:00Z"},
        "folders": [
            {"name": EVIL, "messages": 70, "octets": 900_000, **folder},
            *({"name": f"Folder/{n}", "messages": n, "octets": n * 1000, **folder} for n in range(40)),
            {"name": "untold", "messages": 1, "octets": None, **folder},
        ],
        "months": [{"month": "2016-01", **tally(1, 0)}, {"month": "2025-12", **tally(70, 900_000)}],
        "ages": [{"older_than": None, **tally(1, 10)}, {"older_than": "30d", **tally(70, 900_000)}],
        "undated": tally(1, 5),
        "prune": [
            {"older_than": "30d", "left": 100, "percent_after": 10.0, "command": f"mailmove prune '{EVIL}'", **frees},
            {
                "older_than": "1y",
                "left": 500,
                "percent_after": 50.0,
                "command": "mailmove prune --older-than 1y",
                **frees,
            },
        ],
        "tops": [{"by": "sender", **top}, {"by": "list", **top}],
        "biggest": [
            {"folder": EVIL, "uid": 4711, "octets": 10_000, "date": None, "from": EVIL, "subject": EVIL},
        ],
        "problems": [EVIL],
        "notes": [EVIL],
    }


@pytest.mark.fault(105)
def test_what_others_wrote_is_text() -> None:
    failed = {"account": EVIL, "exit": 6, "error": EVIL, "kind": "unreachable"}
    made = page([Account(told(EVIL), Again(EVIL)), Account(failed, Again(EVIL))], "today")
    assert "<script" not in made and "<img" not in made and "\u202e" not in made
    assert made.count("<title>") == made.count("</title>")
    assert re.findall(r'<\w+[^>]*?\s(?:src|href|action)="([^"]*)"', made) == ["#a0", "#a1"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made and "default-src 'none'" in html.unescape(made)


def test_text_and_attributes() -> None:
    assert element("a", "<b>", None, 1234, [element("br")], href='"x"', hidden=True, title=None, data_x="\x1b") == (
        '<a href="&quot;x&quot;" hidden data-x="\\x1b">&lt;b&gt;1,234<br></a>'
    )
    assert joined("\udc80") == "\\x80"


@pytest.mark.parametrize("sizes", [[1], [5, 5, 5, 5], [100, 10, 1, 1, 1], list(range(60, 0, -1))])
def test_a_treemap_is_whole(sizes: list[int]) -> None:
    boxes = squarified(sizes, Box(0, 0, 640, 260))
    for size, box in zip(sizes, boxes, strict=True):
        assert box.width * box.height == pytest.approx(640 * 260 * size / sum(sizes))
        assert box.x >= 0 and box.y >= 0 and box.x + box.width < 640.001 and box.y + box.height < 260.001
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            apart = one.x + one.width <= other.x + 0.001 or other.x + other.width <= one.x + 0.001
            assert apart or one.y + one.height <= other.y + 0.001 or other.y + other.height <= one.y + 0.001


@pytest.mark.fault(105)
def test_it_is_read_on_a_phone_without_a_script(tmp_path: Path) -> None:
    path = tmp_path / "audit.html"
    path.write_text(page([Account(told("a"), Again("a")), Account(told("b"), Again("b"))], "today"))
    with browser(tmp_path / "profile") as seen:
        for width in (360, 1280):
            seen.window(width, 800, dark=width == 360)
            seen.open(path.as_uri())
            assert seen.run("document.documentElement.scrollWidth") <= width
            assert seen.run("[...document.querySelectorAll('svg[role=img]')].every(one => one.querySelector('title'))")
            assert seen.run("document.querySelectorAll('svg[role=img]').length") == 8
            assert seen.run("document.querySelectorAll('h3').length") == 16
        assert seen.asked == [path.as_uri()] * 2
        assert [each for each in seen.events if each["method"] == "Log.entryAdded"] == []
