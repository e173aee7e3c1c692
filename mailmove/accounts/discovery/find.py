"""Finding the server of a mailbox: provider table, the domain's autoconfig, its exchangers, the database, SRV."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from mailmove.accounts.discovery import autoconfig, providers
from mailmove.accounts.discovery.address import Address
from mailmove.accounts.discovery.autoconfig import Settings, UnusableError
from mailmove.accounts.discovery.dns import Dns
from mailmove.accounts.discovery.providers import Provider
from mailmove.model import Endpoint


@dataclass(frozen=True, slots=True)
class Found:
    """A server for an address.

    ``source`` says who told, ``proven`` whether that came from mailmove's own table or by https; what DNS says may be
    anybody's word. ``oauth``: it takes no passwords.
    """

    endpoint: Endpoint
    source: str
    proven: bool
    oauth: bool = False
    provider: Provider | None = None

    def foreign(self, domain: str) -> bool:
        """Whether the server is outside the address's domain, and not because mailmove itself knows that."""
        known = self.provider is not None and domain in self.provider.domains
        return not known and not f".{self.endpoint.host}".endswith(f".{domain}")


@dataclass(frozen=True, slots=True)
class Search:
    """What came of looking: a server or none, and what was found on the way but could not be used."""

    found: Found | None
    notes: tuple[str, ...] = ()


def find(
    address: Address,
    context: ssl.SSLContext,
    dns: Dns | None = None,
    *,
    place: str | None = None,
    own: tuple[str, ...] = autoconfig.OWN_PLACES,
    database: str = autoconfig.DATABASE,
) -> Search:
    """Find the server for an address; with ``place``, an autoconfig URL, ask only that.

    :raises UsageError: when there is no such domain.
    :raises Unreachable: when DNS does not answer.
    """
    notes: list[str] = []
    if place is not None:
        found = next(_asked([place], address, context, notes), None)
        if found is None and not notes:
            notes.append(f"{urlsplit(place).hostname}: it has no settings there, or does not answer")
    else:
        found = next(_ways(address, context, dns or Dns(), own, database, notes), None)
    return Search(found, tuple(notes))


def _ways(
    address: Address, context: ssl.SSLContext, dns: Dns, own: tuple[str, ...], database: str, notes: list[str]
) -> Iterator[Found]:
    provider = providers.of_domain(address.domain)
    if provider is not None:
        yield _provided(provider, address, "mailmove's own table", proven=True)
    exchangers = dns.exchangers(address.domain)
    yield from _asked(own, address, context, notes)
    provider = providers.of_exchangers(exchangers)
    if provider is not None:
        yield _provided(provider, address, f"the mail exchanger in DNS, {exchangers[0]}", proven=False)
    yield from _asked([database], address, context, notes)
    endpoint = dns.service(address)
    if endpoint is not None:
        yield _settled(Settings(endpoint, oauth=False), "its SRV record in DNS", proven=False)


def _asked(places: Iterable[str], address: Address, context: ssl.SSLContext, notes: list[str]) -> Iterator[Found]:
    for place in places:
        host = urlsplit(autoconfig.url(place, address)).hostname
        try:
            settings = autoconfig.ask(place, address, context)
        except UnusableError as error:
            notes.append(f"{host}: {error}")
            continue
        if settings is not None:
            yield _settled(settings, f"the autoconfig at {host}", proven=True)


def _settled(settings: Settings, source: str, *, proven: bool) -> Found:
    known = providers.of_login(settings.endpoint.host, settings.endpoint.user)
    return Found(settings.endpoint, source, proven, settings.oauth, known)


def _provided(provider: Provider, address: Address, source: str, *, proven: bool) -> Found:
    return Found(provider.endpoint(address), source, proven, provider.login == "oauth", provider)
