"""Who is let in: one browser, once, in time, by the right name, and only from the page itself."""

from __future__ import annotations

import pytest

from mailmove.web.door import Door
from mailmove.web.exchange import Request
from tests.web.conftest import HOST, PORT, ticket

pytestmark = pytest.mark.fault(102)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def cookie(door: Door) -> str:
    entered = door.refuses(Request("GET", "/enter", ticket(door), HOST))
    assert entered is not None and entered.status == 200
    name, *attributes = entered.headers["Set-Cookie"].split("; ")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"} and name.startswith(f"mailmove-{PORT}=")
    return name


def status(door: Door, method: str = "GET", **headers: str) -> int:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    refused = door.refuses(Request(method, "/a/0/", {}, HOST | told))
    return 200 if refused is None else int(refused.status)


def test_a_ticket_is_good_once() -> None:
    door = Door(PORT)
    assert status(door) == 403
    known = cookie(door)
    assert status(door, cookie=known) == 200
    again = door.refuses(Request("GET", "/enter", ticket(door), HOST))
    assert again is not None and again.status == 403 and "Set-Cookie" not in again.headers


def test_a_ticket_is_good_for_a_minute() -> None:
    clock = Clock()
    early, late = Door(PORT, clock), Door(PORT, clock)
    clock.now += 60
    cookie(early)
    clock.now += 0.1
    refused = late.refuses(Request("GET", "/enter", ticket(late), HOST))
    assert refused is not None and refused.status == 403


def test_a_wrong_ticket_uses_up_nothing() -> None:
    door = Door(PORT)
    for given in ({}, {"ticket": ""}, {"ticket": "x"}, {"ticket": "é"}):
        refused = door.refuses(Request("GET", "/enter", given, HOST))
        assert refused is not None and refused.status == 403
    cookie(door)


def test_a_name_that_leads_here_is_not_ours() -> None:
    door = Door(PORT)
    known = cookie(door)
    assert status(door, cookie=known, host=f"localhost:{PORT}") == 200
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", ""):
        assert status(door, cookie=known, host=host) == 421
    assert door.refuses(Request("GET", "/a/0/", {}, {"cookie": known})) is not None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_gets_nothing_even_with_the_cookie(site: str) -> None:
    door = Door(PORT)
    known = cookie(door)
    assert status(door, cookie=known, sec_fetch_site=site) == 403
    assert status(door, cookie=known, sec_fetch_site="same-origin") == 200
    assert status(door, cookie=known, sec_fetch_site="none") == 200


def test_a_form_of_another_page_is_not_taken() -> None:
    door = Door(PORT)
    known = cookie(door)
    assert status(door, "POST", cookie=known, origin=f"http://127.0.0.1:{PORT}") == 200
    for origin in ("null", "http://127.0.0.1", "http://evil.example", f"https://127.0.0.1:{PORT}"):
        assert status(door, "POST", cookie=known, origin=origin) == 403
    assert status(door, "POST", cookie=known) == 403


def test_another_cookie_is_none() -> None:
    door, other = Door(PORT), Door(PORT)
    cookie(door)
    for given in (cookie(other), f"mailmove-{PORT}=", "=;;", f"mailmove-{PORT + 1}=x", f'mailmove-{PORT}="é"'):
        assert status(door, cookie=given) == 403
