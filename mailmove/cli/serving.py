"""Serving archives: which, on which ports, with which passwords and certificate; then until somebody ends it."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mailmove import __version__, streams
from mailmove.accounts import archive_password
from mailmove.cancel import Cancel
from mailmove.cli import terminal
from mailmove.cli.chosen import existing
from mailmove.cli.options import Place, Setup
from mailmove.cli.work import Work
from mailmove.errors import ArchiveError, Exit, RefusedError, UsageError
from mailmove.replacing import replace_file
from mailmove.report import serve as report
from mailmove.safe import visible
from mailmove.serving import certificate
from mailmove.serving.logins import Login, Logins
from mailmove.serving.server import Server, bound
from mailmove.serving.shelf import Shelf
from mailmove.units import utc

DEFAULT = {"imap": 1143, "pop3": 1110}


@dataclass(frozen=True)
class Wanted:
    """The options of the command."""

    archives: Sequence[str] | None
    imap: int | None
    pop3: int | None
    host: str
    tls_cert: str | None
    tls_key: str | None
    separator: str
    show_login: bool
    yes: bool


def carry_out(setup: Setup, wanted: Wanted) -> Exit:
    """Serve until SIGINT or SIGTERM.

    :raises MailmoveError: when there is nothing to serve, or it cannot be done as it is wanted.
    """
    only_here = _is_loopback(wanted.host)
    directory = setup.memory.directory("serving")
    tls, fingerprint = _certificate(directory, wanted, only_here=only_here)
    if not only_here:
        _ask(wanted)
    offered = [_offered(setup, place, directory) for place in existing(setup, wanted.archives)]
    logins = Logins([login for login, _ in offered], only_encrypted=not only_here, separator=wanted.separator)
    ports = Ports(directory, wanted)
    there = [report.Port(wanted.host, port, tls is not None) for port in ports.wished.values()]
    service = report.Service(there[0], there[1], [archive for _, archive in offered], only_here, fingerprint)
    try:
        sockets = ports.bind()
    except RefusedError:
        if wanted.show_login and not setup.json and ports.all_remembered:
            print("\n".join(report.text(replace(service, running=True), login=True)))
            return Exit.DONE
        raise
    served = [report.Port(wanted.host, each.getsockname()[1], tls is not None) for each in sockets]
    service = replace(service, imap=served[0], pop3=served[1])
    asyncio.run(
        _until_stopped(Server(logins, tls, __version__), sockets, lambda: _say(setup, service, login=wanted.show_login))
    )
    return Exit.DONE


class Ports:
    """The ports: those that are wanted, else those of last time, so that mail programs find them again."""

    def __init__(self, directory: str, wanted: Wanted) -> None:
        self._host = wanted.host
        self._path = os.path.join(directory, "ports.json")
        self._remembered = self._read()
        self._given = {"imap": wanted.imap, "pop3": wanted.pop3}
        before = DEFAULT | self._remembered
        self.wished = {kind: before[kind] if port is None else port for kind, port in self._given.items()}

    @property
    def all_remembered(self) -> bool:
        """Whether none was named, and others may be serving there."""
        return bool(self._remembered) and not any(port is not None for port in self._given.values())

    def bind(self) -> tuple[socket.socket, socket.socket]:
        """Listen on both, and remember them; at the first time any free one will do.

        :raises RefusedError: when one is taken.
        """
        found: dict[str, socket.socket] = {}
        try:
            for kind, port in self.wished.items():
                found[kind] = self._bind(kind, port)
        except RefusedError:
            for listening in found.values():
                listening.close()
            raise
        chosen = {kind: each.getsockname()[1] for kind, each in found.items() if self._given[kind] != 0}
        if chosen.items() - self._remembered.items():
            replace_file(self._path, json.dumps(self._remembered | chosen).encode() + b"\n")
        return found["imap"], found["pop3"]

    def _bind(self, kind: str, port: int) -> socket.socket:
        try:
            return bound(self._host, port)
        except RefusedError:
            if self._given[kind] is None and kind not in self._remembered:
                return bound(self._host, 0)
            raise

    def _read(self) -> dict[str, int]:
        try:
            with open(self._path, encoding="ascii") as file:
                told = json.load(file)
            return {kind: int(told[kind]) for kind in DEFAULT if kind in told}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ArchiveError(
                f"{visible(self._path)} cannot be read: {error}", "It holds two port numbers: mend or delete it."
            ) from None


def _offered(setup: Setup, place: Place, directory: str) -> tuple[Login, report.Archive]:
    """An archive with its login."""
    work = Work(place, Cancel(), setup.memory, None, again=setup.again(place))
    with work.archive(writable=False) as archive:
        uuid, (messages, _) = archive.manifest.uuid, archive.index.count()
        newest = max(archive.index.days(), default=None)
    user = place.name if place.account is not None else os.path.basename(place.archive)
    password, kept = archive_password.of_archive(directory, uuid)
    shelf = Shelf(place.name, place.archive, setup.memory)
    day = f"{utc(newest * 86_400):%Y-%m-%d}" if newest is not None else ""
    return Login(user, password, shelf), report.Archive(place.name, user, password, kept, messages, day)


def _certificate(directory: str, wanted: Wanted, *, only_here: bool) -> tuple[ssl.SSLContext | None, str]:
    """TLS, if it is wanted or must be, and the fingerprint of a certificate that was made here."""
    if bool(wanted.tls_cert) != bool(wanted.tls_key):
        raise UsageError("a certificate and its key come together", "Give both: --tls-cert FILE --tls-key FILE")
    if wanted.tls_cert and wanted.tls_key:
        return certificate.context(wanted.tls_cert, wanted.tls_key), ""
    if only_here:
        return None, ""
    files = certificate.made(directory, wanted.host)
    return certificate.context(*files), certificate.fingerprint(files[0])


def _ask(wanted: Wanted) -> None:
    """The word of the user, before others can reach the archives."""
    if wanted.yes:
        return
    if not terminal.attended():
        raise RefusedError(
            f"--host {visible(wanted.host)} lets other machines reach the archives",
            "If that is meant, where nobody can answer: add --yes",
        )
    question = f"Machines that reach {visible(wanted.host)} may try to log in, over TLS. Serve to them?"
    if not terminal.confirm(question):
        raise RefusedError("nothing is served", "Without --host only this machine is served.")


def _is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise UsageError(f"--host {visible(host)} is no address of this machine: {error.strerror}") from None
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found)


def _say(setup: Setup, service: report.Service, *, login: bool) -> None:
    """Tell that it is ready. What cannot be told must not keep it from serving."""
    if setup.json:
        streams.show(report.as_json(service, login=login) + "\n", sys.stdout)
    elif not setup.quiet:
        streams.show("\n".join(report.text(service, login=login)) + "\n", sys.stdout)


async def _until_stopped(
    server: Server, sockets: tuple[socket.socket, socket.socket], ready: Callable[[], None]
) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as SIGHUP is under nohup
            loop.add_signal_handler(number, stop.set)
    ready()
    await server.run(*sockets, stop)
