"""What DNS says of a mail domain: its exchangers (MX), its IMAP services (RFC 6186, RFC 8314 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailmove.accounts.discovery.address import Address
from mailmove.errors import Unreachable, UsageError
from mailmove.model import Endpoint, Security
from mailmove.safe import visible

if TYPE_CHECKING:
    from dns.resolver import Resolver

PATIENCE = 8.0  # seconds

_SERVICES = (("_imaps._tcp", Security.TLS), ("_imap._tcp", Security.STARTTLS))  # RFC 8314: implicit TLS first


class Dns:
    """DNS by the system's resolvers, or by the one given."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver

    def exchangers(self, domain: str) -> list[str]:
        """The mail exchangers of a domain, the preferred one first; none when it has no MX.

        :raises UsageError: when there is no such domain.
        :raises Unreachable: when DNS does not answer.
        """
        answer = self._ask(domain, "MX", missing=domain)
        ordered = sorted((record.preference, _name(record.exchange)) for record in answer)
        return [host for _, host in ordered if host]

    def service(self, address: Address) -> Endpoint | None:
        """The IMAP service that SRV records name, with TLS from the start if there is one; the user is the address.

        :raises Unreachable: when DNS does not answer.
        """
        for label, security in _SERVICES:
            answer = self._ask(f"{label}.{address.domain}", "SRV")
            best = min(answer, key=lambda record: (record.priority, -record.weight), default=None)
            if best is not None and (host := _name(best.target)):  # RFC 6186 3.4: "." means not offered
                return Endpoint(host, best.port, str(address), security)
        return None

    def _ask(self, name: str, kind: str, missing: str = "") -> list[Any]:
        import dns.exception
        import dns.resolver

        try:
            resolver = self._resolver or dns.resolver.Resolver()
            return list(resolver.resolve(name, kind, search=False, lifetime=PATIENCE))
        except dns.resolver.NXDOMAIN:
            if missing:
                raise UsageError(f"there is no domain {visible(missing)}", "Check the spelling.") from None
            return []
        except dns.resolver.NoAnswer:
            return []
        except (dns.exception.DNSException, OSError) as error:
            why = visible(str(error), 120) or type(error).__name__
            raise Unreachable(
                f"DNS does not tell about {visible(name)}: {why}",
                "Check this machine's network; or name the server: --host.",
            ) from None


def _name(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True)).lower().rstrip(".")
