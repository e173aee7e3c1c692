"""Several accounts over a line that breaks at random; :mod:`tests.bench.soak` does the same with hundreds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.bench.soak import EXPORT, PRUNE, BadLine, Soak
from tests.kit import Program, message
from tests.servers.dovecot import Dovecot
from tests.servers.scripted import Scripted

ROUNDS = 8


@pytest.fixture
def line(dovecot: Dovecot) -> Iterator[BadLine]:
    proxy = BadLine(dovecot.imap, seed=7, octets=12_000, commands=20)
    yield proxy
    proxy.stop()


@pytest.mark.fault(2, 4)
@pytest.mark.fault(10, 20)
def test_accounts_come_to_rest_over_a_line_that_breaks(dovecot: Dovecot, line: BadLine, mailmove: Program) -> None:
    soak = Soak(dovecot, line, mailmove, accounts=8, messages=20)
    for _ in range(ROUNDS):
        runs = [soak.run(command, jobs=4) for command in (EXPORT, PRUNE)]
        assert not any(run.lost for run in runs)
        assert {run.used.descriptors for run in runs} == {3}
        if not any(run.code for run in runs):
            break
    assert not soak.wrong()
    assert line.cuts > len(soak.users), "that was no test"
    single = soak.run((*EXPORT, soak.users[0]), jobs=1)
    assert max(run.used.memory for run in runs) < 1.5 * single.used.memory


def test_accounts_that_lose_their_server_cost_no_memory(scripted: Callable[..., Scripted], mailmove: Program) -> None:
    """What was at work when an account failed, buffers and listings, goes with it."""
    server = scripted("UID FETCH\n    * 1 FETCH (UID 1\n    !hangup")
    server.store.add("INBOX", message(1))
    for number in range(40):
        mailmove.account(server, name=f"a{number}", user=f"user{number}", password_command=["echo", "pw"])
    done, one = mailmove.measured("export", "a0", "-q")
    assert done.code == 6
    done, all_of_them = mailmove.measured("export", "-q")
    assert done.code == 6
    assert all_of_them.memory - one.memory < 4 << 20
