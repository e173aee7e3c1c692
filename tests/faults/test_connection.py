"""Connections that break, stall, drip or turn the client away: export waits, comes again, and ends complete."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit import Mailbox, Program, archived, message
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Fault, Proxy, sample
from tests.servers.scripted import Scripted

Start = Callable[..., Scripted]


@pytest.fixture
def proxy(dovecot: Dovecot) -> Iterator[Proxy]:
    made = Proxy(dovecot.imap)
    yield made
    made.stop()


def leftovers(archive: Path) -> list[str]:
    """What is still in any ``tmp``."""
    return [name.name for tmp in archive.rglob("tmp") for name in tmp.iterdir()]


@pytest.mark.fault(10, 11)
@pytest.mark.loss(23)
def test_a_connection_cut_anywhere_is_made_again_and_nothing_is_missing(
    mailbox: Mailbox, mailmove: Program, proxy: Proxy, tmp_path: Path
) -> None:
    mailbox.fill([message(number, size=3000) for number in range(6)])
    mailbox.fill([message(9)], "Sent")
    through = dataclasses.replace(mailbox, port=proxy.imap)

    def run(place: str) -> dict[str, object]:
        program = mailmove.elsewhere(place)
        archive = program.account(through)
        done = program("export")
        assert done.code == 0, (place, done.err)
        assert not leftovers(archive)
        return {folder: held for folder, held in archived(archive).items() if held}

    expected = mailbox.contents()
    expected = {folder: held for folder, held in expected.items() if held}
    assert run("whole") == expected
    points, struck = sample(proxy.octets, 20), 0
    for octet in points:
        proxy.arm(Fault("cut", octet=octet))
        assert run(f"cut{octet}") == expected
        struck += proxy.struck
    assert struck >= len(points) - 1  # the answer to LOGOUT, at the end, is not waited for
