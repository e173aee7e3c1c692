"""The proxy passes everything on, and breaks where it is told to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.servers.proxy import Fault, Proxy, sample
from tests.servers.scripted import Scripted

GREETING = b"* OK ready\r\n"


@pytest.fixture
def proxy(scripted: Callable[..., Scripted]) -> Iterator[Proxy]:
    server = scripted("""
        GREETING
            * OK ready
        NOOP
            {tag} OK done
    """)
    made = Proxy(server.port)
    made.server = server  # type: ignore[attr-defined]
    yield made
    made.stop()


def talk(proxy: Proxy, *lines: bytes) -> bytes:
    """All that comes back while these lines are said one after the other, until the other side hangs up."""
    with socket.create_connection((proxy.host, proxy.imap), 10) as sock:
        heard = b""
        for line in (b"", *lines):
            sock.sendall(line)
            piece = sock.recv(65536)
            if not piece:
                return heard
            heard += piece
        sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(65536):
            heard += piece
        return heard


def test_it_passes_everything_on_and_counts(proxy: Proxy) -> None:
    assert talk(proxy, b"a NOOP\r\n", b"b NOOP\r\n") == GREETING + b"a OK done\r\nb OK done\r\n"
    assert (proxy.octets, proxy.commands) == (len(GREETING) + 22, 2)


def test_it_cuts_at_the_octet_and_only_so_often(proxy: Proxy) -> None:
    proxy.arm(Fault("cut", octet=len(GREETING) + 3))
    assert talk(proxy, b"a NOOP\r\n") == GREETING + b"a "
    assert talk(proxy, b"a NOOP\r\n") == GREETING + b"a OK done\r\n"
    assert proxy.struck == 1


def test_it_counts_over_connections(proxy: Proxy) -> None:
    proxy.arm(Fault("cut", octet=2 * len(GREETING)))
    assert talk(proxy) == GREETING
    assert talk(proxy) == GREETING[:-1]


def test_it_corrupts_one_octet(proxy: Proxy) -> None:
    proxy.arm(Fault("corrupt", octet=1))
    assert talk(proxy, b"a NOOP\r\n") == b"\xd5" + GREETING[1:] + b"a OK done\r\n"


@pytest.mark.parametrize(("answered", "arrived"), [(False, 1), (True, 2)])
def test_it_cuts_around_a_command(proxy: Proxy, answered: bool, arrived: int) -> None:
    proxy.arm(Fault("cut", command=2, answered=answered))
    assert talk(proxy, b"a NOOP\r\n", b"b NOOP\r\n") == GREETING + b"a OK done\r\n"
    assert proxy.server.count("NOOP") == arrived  # type: ignore[attr-defined]


def test_it_stalls_until_the_client_leaves(proxy: Proxy) -> None:
    proxy.arm(Fault("stall", octet=3))
    with socket.create_connection((proxy.host, proxy.imap), 0.2) as sock:
        assert sock.recv(100) == b"* "
        with pytest.raises(TimeoutError):
            sock.recv(100)


def test_a_sample_holds_both_ends() -> None:
    assert sample(3, 10) == [1, 2, 3]
    assert sample(100, 4) == [1, 34, 67, 100]
