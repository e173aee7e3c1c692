from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from mailmove.accounts.discovery.dns import Dns
from tests.servers.nameserver import Nameserver

Zone = Mapping[tuple[str, str], list[str]]


@pytest.fixture
def dns() -> Iterator[Callable[..., Dns]]:
    """Starts DNS servers with a zone."""
    servers: list[Nameserver] = []

    def start(zone: Zone, *, broken: bool = False) -> Dns:
        servers.append(Nameserver(zone, broken=broken))
        return Dns(servers[-1].resolver)

    yield start
    for server in servers:
        server.stop()
