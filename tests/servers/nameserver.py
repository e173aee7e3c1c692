"""A DNS server on loopback that knows the zone it is given."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset


class Nameserver:
    """Answers from ``zone``: (name, type) to records as zone files write them; other names do not exist.

    With ``broken`` it answers SERVFAIL to everything.
    """

    def __init__(self, zone: Mapping[tuple[str, str], list[str]], *, broken: bool = False) -> None:
        self._zone = {(f"{name}.", kind): records for (name, kind), records in zone.items()}
        self._broken = broken
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def resolver(self) -> dns.resolver.Resolver:
        """A resolver that asks this server."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self._socket.getsockname()[1]
        return resolver

    def stop(self) -> None:
        """End it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        records = self._zone.get((name, kind), [])
        if self._broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
        elif not any(known == name or known.endswith(f".{name}") for known, _ in self._zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
