from __future__ import annotations

import pytest

from mailmove.accounts.discovery.address import Address, parse
from mailmove.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("info@Rossi.Example", Address("info", "rossi.example")),
        ("  a.b+c@x.example. ", Address("a.b+c", "x.example")),
        ("josé@münchen.example", Address("josé", "xn--mnchen-3ya.example")),
        ("bob@localhost", Address("bob", "localhost")),
    ],
)
def test_what_is_an_address(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rossi",
        "@rossi.example",
        "info@",
        "in fo@rossi.example",
        "a@b@c.example",
        "info@rossi..example",
        "info@-rossi.example",
        "info@rossi.example/../x",
        "info\r\n@rossi.example",
        "info@rossi\x00.example",
        "info@[127.0.0.1]",
        "info@rossi.example?x=1",
        "x" * 65 + "@rossi.example",
        "info@" + "a" * 64 + ".example",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="is not an e-mail address"):
        parse(text)
