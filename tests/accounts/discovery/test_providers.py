"""The provider table holds together."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from mailmove.accounts.discovery.address import Address
from mailmove.accounts.discovery.providers import Provider, of_login, table
from mailmove.model import Security

ASKED_FOR = {"gmail", "outlook", "microsoft365", "yahoo", "icloud", "fastmail", "gmx", "ionos", "ovh"} | {
    "aruba", "aruba-pec", "register", "libero", "virgilio", "tiscali", "tim", "alice"
}  # fmt: skip


def test_who_is_in_it() -> None:
    assert {provider.key for provider in table()} >= ASKED_FOR


@pytest.mark.parametrize("provider", table(), ids=lambda provider: provider.key)
def test_every_entry(provider: Provider) -> None:
    assert urlsplit(provider.source).scheme == "https"
    assert provider.security is not Security.NONE
    assert provider.login in {"password", "app-password", "oauth"}
    assert provider.oauth in {None, "google", "microsoft"}
    assert provider.login != "oauth" or provider.oauth
    assert provider.user in {"address", "local"}
    assert provider.domains or provider.mx
    assert provider.needs.endswith((".", ")."))
    assert provider.connections >= 1
    assert provider.endpoint(Address("bob", "x.example")).user == "bob@x.example"


def test_no_domain_is_in_it_twice() -> None:
    domains = [domain for provider in table() for domain in (*provider.domains, *(f"mx {end}" for end in provider.mx))]
    assert len(domains) == len(set(domains))


def test_two_providers_with_one_server_are_told_apart_by_the_user() -> None:
    server = "outlook.office365.com"
    assert [of_login(server, user).name for user in ("bob@hotmail.it", "bob@firm.example")] == [  # type: ignore[union-attr]
        "Outlook.com",
        "Microsoft 365",
    ]
    assert of_login("imap.elsewhere.example", "bob@elsewhere.example") is None
