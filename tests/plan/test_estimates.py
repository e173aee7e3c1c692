"""What servers count and call otherwise than we do: a quota in LF octets, names that are not taken."""

from __future__ import annotations

import pytest

from mailmove.model import Folder, QuotaRoot, Resource
from mailmove.plan.gauge import announced
from mailmove.plan.mapping import plain_name
from mailmove.plan.restore import overfull


def test_a_quota_that_counts_line_ends_as_one_octet_frees_less_than_is_announced() -> None:
    assert 101_400 <= announced(100_000, 986_000, 1_000_000) <= 102_000
    for used, total in ((1_000_000, 1_000_000), (1_200_000, 1_000_000), (500_000, 1_000_000), (1000, 0)):
        assert announced(100_000, used, total) == 100_000
    assert announced(-5, 986_000, 1_000_000) == -5


def test_what_may_fit_is_tried() -> None:
    root = QuotaRoot("", (Resource("STORAGE", 0, 3_970_000),))
    assert not overfull([root], {b"INBOX": (1, 4_000_000)})
    assert overfull([root], {b"INBOX": (1, 4_400_000)})


@pytest.mark.parametrize(
    ("name", "plain"),
    [(b"100%", "100_"), (b"{5}", "_5_"), (b"~x", "_x"), (b"a/b*c", "a/b_c"), (b"&2D3eAA-", "folder-")],
)
def test_a_name_that_every_server_takes(name: bytes, plain: str) -> None:
    assert plain_name(Folder(name)).startswith(plain)
