"""What is served, where, and what to type into a mail program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailmove.safe import visible
from mailmove.units import plural


@dataclass(frozen=True, slots=True)
class Port:
    """Where one of the two protocols is served."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that is served; ``newest`` is the day on which its newest message arrived."""

    name: str
    user: str
    password: str
    kept: str
    messages: int
    newest: str


@dataclass(frozen=True, slots=True)
class Service:
    """All that is served; ``fingerprint`` is that of a certificate made here; ``running``: another serves it."""

    imap: Port
    pop3: Port
    archives: Sequence[Archive]
    only_here: bool
    fingerprint: str = ""
    running: bool = False


def text(service: Service, *, login: bool) -> Iterator[str]:
    """For a person; with ``login`` the passwords, and what to type where."""
    where = "on this machine" if service.only_here else "TO OTHER MACHINES, only over TLS"
    if service.running:
        yield f"{plural(len(service.archives), 'archive')}, read-only; served already, by another mailmove."
    else:
        yield f"Serving {plural(len(service.archives), 'archive')}, read-only, {where}. Ctrl-C ends it."
    yield f"  IMAP  {service.imap}    POP3  {service.pop3}"
    width = max(len(visible(each.user)) for each in service.archives)
    for each in service.archives:
        held = f"{each.messages:>9,} messages" + (f"   newest {each.newest}" if each.newest else "")
        yield f"  user  {visible(each.user):<{width}}  {held}"
        if login:
            yield f"        password  {each.password}     kept in {each.kept}"
    if service.fingerprint:
        yield "  its certificate was made here; compare its SHA-256 fingerprint before you trust it:"
        yield f"  {service.fingerprint}"
    if not login:
        yield "  password: mailmove serve --show-login"
        yield f'Thunderbird: New account, "Configure manually", {_typed(service)}.'
    else:
        yield from _programs(service)


def as_json(service: Service, *, login: bool) -> str:
    """For a program, on one line; passwords only with ``login``."""
    told = {
        **{
            name: {"host": port.host, "port": port.port, "tls": port.tls}
            for name, port in (("imap", service.imap), ("pop3", service.pop3))
        },
        "accounts": [
            {"name": each.name, "user": each.user, **({"password": each.password} if login else {})}
            for each in service.archives
        ],
    }
    if service.fingerprint:
        told["fingerprint"] = service.fingerprint
    return json.dumps(told)


def _typed(service: Service) -> str:
    """What Thunderbird asks for."""
    port = service.imap
    security = "SSL/TLS" if port.tls else "no encryption"
    return f"IMAP, {port.host}, {port.port}, {security}, normal password"


def _programs(service: Service) -> Iterator[str]:
    imap, pop3 = service.imap, service.pop3
    security = "SSL/TLS" if imap.tls else "none"
    yield "What to type, with the user and password above; outgoing mail goes by the server that you have already:"
    yield f'  Thunderbird  New account, any name, the user as address, "Configure manually", {_typed(service)}'
    yield f"  Outlook      Manual setup, IMAP, incoming server {imap.host}, port {imap.port}, encryption {security}"
    yield f"  Apple Mail   Other account, IMAP, incoming server {imap.host}; then, in Server settings, port {imap.port}"
    if service.only_here:
        yield "  a phone      reaches other machines only: mailmove serve --host ADDRESS, with this machine's address"
    else:
        yield f"  a phone      IMAP, server {imap.host}, port {imap.port}, SSL/TLS; trust the certificate once compared"
    yield f"  by POP3      {pop3.host}, port {pop3.port}; leave messages on the server. One folder: user+Folder"
    yield "More: mailmove help serve"
