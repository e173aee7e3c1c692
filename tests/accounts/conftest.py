from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit import Mailbox
from tests.servers.dovecot import Dovecot
from tests.servers.issuer import Issuer
from tests.servers.web import Web


@pytest.fixture
def issuer(web: Web) -> Iterator[Issuer]:
    """An OAuth 2 issuer on loopback."""
    issuer = Issuer(web)
    yield issuer
    issuer.stop()


@pytest.fixture
def believer(issuer: Issuer, dovecot: Dovecot) -> Iterator[Dovecot]:
    """A Dovecot that takes the tokens of that issuer."""
    server = Dovecot(extra=issuer.dovecot)
    yield server
    server.stop()


@pytest.fixture
def signed_up(believer: Dovecot, issuer: Issuer) -> Mailbox:
    """The mailbox of the issuer's user."""
    return Mailbox("dovecot", believer.host, believer.imap, issuer.user)
