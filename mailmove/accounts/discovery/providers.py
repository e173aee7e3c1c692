"""The provider table: ``providers.toml`` as values."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from mailmove.accounts.discovery.address import Address
from mailmove.model import Endpoint, Security

CAREFUL = 4
"""How many connections to open at the same time to a provider that publishes no limit."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One mail provider; ``providers.toml`` explains the fields."""

    key: str
    name: str
    source: str
    host: str
    login: str
    needs: str
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    security: Security = Security.TLS
    user: str = "address"
    oauth: str | None = None
    connections: int = CAREFUL

    def endpoint(self, address: Address) -> Endpoint:
        """Where and as whom this address logs in."""
        port = 993 if self.security is Security.TLS else 143
        local = self.user == "local" and address.domain in self.domains
        return Endpoint(self.host, port, address.local if local else str(address), self.security)


@lru_cache
def table() -> tuple[Provider, ...]:
    """Every provider."""
    text = resources.files(__package__).joinpath("providers.toml").read_text("utf-8")
    return tuple(_read(key, values) for key, values in tomllib.loads(text).items())


def of_domain(domain: str) -> Provider | None:
    """The provider whose own domain this is."""
    return next((provider for provider in table() if domain in provider.domains), None)


def of_exchangers(hosts: Iterable[str]) -> Provider | None:
    """The provider whose mail exchangers these are; the first exchanger that is known decides."""
    for host in hosts:
        fitting = [(len(end), p) for p in table() for end in p.mx if f".{host}".endswith(f".{end}")]
        if fitting:
            return max(fitting, key=lambda one: one[0])[1]
    return None


def of_login(host: str, user: str) -> Provider | None:
    """The provider that a login is at: by its server, and by the user's domain where that is shared or not known."""
    domain = user.rpartition("@")[2].lower()
    fitting = [provider for provider in table() if provider.host == host.lower().rstrip(".")]
    return next((p for p in fitting if domain in p.domains), next(reversed(fitting), of_domain(domain)))


def _read(key: str, values: dict[str, object]) -> Provider:
    words = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    security = Security(words.pop("tls", "tls"))
    return Provider(key=key, security=security, **words)  # type: ignore[arg-type]
