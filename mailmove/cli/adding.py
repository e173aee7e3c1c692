"""``mailmove account add``: find the server, say what it needs, get a secret, log in with it, then keep it all."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace

from mailmove.accounts import config as configuration
from mailmove.accounts import configedit
from mailmove.accounts.config import OAuthClient
from mailmove.accounts.discovery import address as addresses
from mailmove.accounts.discovery import providers
from mailmove.accounts.discovery.address import Address
from mailmove.accounts.discovery.find import Found, Search, find
from mailmove.cancel import Cancel
from mailmove.cli import signing_in, terminal
from mailmove.cli.options import Setup
from mailmove.errors import RefusedError, Unreachable, UsageError
from mailmove.imap.connection import reach
from mailmove.imap.trust import trust
from mailmove.jobs.login_test import LoginTest
from mailmove.model import Endpoint, Security
from mailmove.safe import visible
from mailmove.units import parse_age


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says; None and False: nothing."""

    name: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    tls: str | None = None
    ca_file: str | None = None
    autoconfig: str | None = None
    archive: str | None = None
    oauth: str | None = None
    password_command: str | None = None
    token_command: str | None = None
    secret_file: str | None = None
    yes: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """What came of it. ``kept`` says where the secret is."""

    login: LoginTest
    kept: str
    config: str


def add(setup: Setup, text: str | None, wanted: Wanted) -> Added:
    """Add an account; whatever goes wrong before the end leaves nothing behind.

    :raises MailmoveError: when it does not come about.
    """
    path = setup.config.path
    configedit.check(path)
    address = addresses.parse(
        text
        or _asked("E-mail address", "no e-mail address was given", "Name it: mailmove account add info@rossi.example")
    )
    name = wanted.name or str(address)
    if any(account.name == name for account in setup.config.accounts):
        raise UsageError(
            f"there is an account {visible(name)} already",
            f"Look at it with: mailmove account show {visible(name)}; or choose another --name.",
        )
    found = _found(address, wanted)
    client, new = _client(setup, found, wanted)
    values = _values(found.endpoint, name, wanted, client)
    if found.provider is not None and not (wanted.password_command or wanted.token_command):
        terminal.say(found.provider.needs)
    account = configedit.add(path, name, values, client if new else None, write=False).find(name)
    result, secret = signing_in.obtain(account)
    kept = signing_in.keep(account, secret, setup)
    try:
        configedit.add(path, name, {**values, "secret_file": kept.file or wanted.secret_file}, client if new else None)
    except UsageError:
        kept.undo()
        raise
    return Added(result, kept.place, path)


def _found(address: Address, wanted: Wanted) -> Found:
    """The server, confirmed; where somebody can say another, it is seen to be there before anything else is asked."""
    found = _as_wanted(_named(wanted.host, address) if wanted.host else _searched(address, wanted), wanted)
    while terminal.attended():
        try:
            reach(found.endpoint, Cancel())
        except (Unreachable, RefusedError) as error:
            terminal.say(str(error) if isinstance(error, RefusedError) else f"{error.what}.")
            found = _corrected(found, address, wanted)
        else:
            break
    return found


def _as_wanted(found: Found, wanted: Wanted) -> Found:
    endpoint = replace(found.endpoint, user=wanted.user or found.endpoint.user)
    endpoint = configuration.secured(endpoint, wanted.tls, wanted.ca_file)
    if wanted.tls and not wanted.port:
        endpoint = replace(endpoint, port=configuration.PORTS[endpoint.security])
    return replace(found, endpoint=replace(endpoint, port=wanted.port or endpoint.port))


def _corrected(found: Found, address: Address, wanted: Wanted) -> Found:
    """The same with another host and port, where nothing usable is at those."""
    before = found.endpoint
    host = terminal.ask("Host name of its IMAP server, or Ctrl-C", visible(before.host))
    port = terminal.ask("Its port: 993, or 143 for STARTTLS", str(before.port))
    if not port.isdecimal() or not 0 < int(port) < 65536:
        terminal.say(f"{visible(port)!r} is no port.")
        return found
    security = {993: Security.TLS, 143: Security.STARTTLS}.get(int(port), before.security)
    other = _named(host, address) if host != before.host else found
    endpoint = replace(other.endpoint, user=before.user, port=int(port), ca_file=before.ca_file)
    return replace(other, endpoint=endpoint if wanted.tls else replace(endpoint, security=security))


def _searched(address: Address, wanted: Wanted) -> Found:
    if wanted.autoconfig and not wanted.autoconfig.startswith("https://"):
        raise UsageError(f"{visible(wanted.autoconfig)!r} is not an https URL", "Settings are only taken over https.")
    try:
        search = find(address, trust(wanted.ca_file), place=wanted.autoconfig)
    except (UsageError, Unreachable) as error:
        if not terminal.attended():
            raise
        terminal.say(f"{error.what}.")
        search = Search(None)
    for note in search.notes:
        terminal.say(f"Not used: {note}.")
    found = search.found
    if found is None:
        terminal.say(f"Nothing tells where the mailbox of {visible(str(address))} is.")
        host = _asked(
            "Host name of its IMAP server",
            "no host name was given",
            "Your provider tells it: --host, and --port or --tls where they are not the usual.",
        )
        return _named(host, address)
    endpoint = found.endpoint
    how = "TLS" if endpoint.security is Security.TLS else "STARTTLS"
    server = f"{visible(endpoint.host)}:{endpoint.port} ({how}), user {visible(endpoint.user)}"
    terminal.say(f"Found by {visible(found.source)}: {server}")
    if found.foreign(address.domain):
        _confirmed(found, address, wanted)
    return found


def _named(host: str, address: Address) -> Found:
    """The server that the user names."""
    provider = providers.of_login(host, str(address))
    oauth = provider is not None and provider.host == host and provider.login == "oauth"
    return Found(Endpoint(host, 993, str(address)), "your word", True, oauth, provider)


def _confirmed(found: Found, address: Address, wanted: Wanted) -> None:
    """A server of somebody else's gets the password only when the user says so."""
    outside = f"{visible(found.endpoint.host)} is outside {visible(address.domain)}"
    if wanted.yes and found.proven:
        return
    if wanted.yes or not terminal.attended():
        why = "" if found.proven else ", and DNS is anybody's word"
        raise RefusedError(
            f"{outside}{why}: nobody confirmed that the password may go there",
            f"If it is right: --host {visible(found.endpoint.host)}",
        )
    if not terminal.confirm(f"{outside}. Is that your provider's server?"):
        raise RefusedError("no password was sent, nothing was saved", "Name the right server: --host")


def _client(setup: Setup, found: Found, wanted: Wanted) -> tuple[OAuthClient | None, bool]:
    """With whom to sign in, if not by password; and whether that registration is new."""
    if wanted.oauth == "no" or wanted.password_command or wanted.token_command:
        return None, False
    provider, issuer = found.provider, wanted.oauth
    offered = provider.oauth if provider else None
    if issuer is None and offered and (found.oauth or setup.config.client(offered)):
        issuer = offered
    if issuer is None and found.oauth:
        raise UsageError(
            f"{visible(found.endpoint.host)} takes no passwords, but OAuth 2",
            "Say whose: --oauth google or --oauth microsoft; or use a helper of your own: --token-command.",
        )
    if issuer is None:
        return None, False
    if issuer not in configuration.ISSUERS:
        raise UsageError(f"{visible(issuer)!r} is no issuer that mailmove knows", "Allowed: google, microsoft, no.")
    known = setup.config.client(issuer)
    if known is not None:
        return known, False
    if terminal.attended():
        terminal.say(_UNREGISTERED.format(issuer=issuer.capitalize(), instead=_INSTEAD[issuer]))
    client_id = _asked(
        "Client ID, or Enter to stop here",
        f"{issuer.capitalize()} wants a client ID, and there is none: nothing was saved",
        f"How to get one, and what can be done without: mailmove help accounts. It goes to {visible(setup.config.path)}"
        f" as client_id in [oauth.{issuer}].",
    )
    secret = terminal.ask("Its client secret") if issuer == "google" else ""
    return OAuthClient(issuer, client_id, secret), True


_UNREGISTERED = """{issuer} lets in registered programs only, and mailmove brings no registration. Today you can:
- register it yourself and paste the client ID here: mailmove help accounts shows each step.
- use a program of yours that prints access tokens: --token-command PROGRAM.
- {instead}"""
_INSTEAD = {
    "microsoft": "let Thunderbird, which is registered, copy the mail to a mailbox that takes passwords.",
    "google": "use an app password, which needs no registration: the same command with --oauth no.",
}


def _values(
    endpoint: Endpoint, name: str, wanted: Wanted, client: OAuthClient | None
) -> dict[str, str | int | list[str] | None]:
    """The account's table in the configuration; what is as usual is left out."""
    usual = configuration.PORTS[endpoint.security]
    tls = {Security.TLS: None, Security.STARTTLS: "starttls", Security.NONE: "none"}[endpoint.security]
    return {
        "host": endpoint.host,
        "port": endpoint.port if endpoint.port != usual else None,
        "user": endpoint.user if endpoint.user != name else None,
        "tls": tls,
        "ca_file": os.path.abspath(wanted.ca_file) if wanted.ca_file else None,
        "archive": wanted.archive,
        "oauth": client.issuer if client else None,
        "password_command": shlex.split(wanted.password_command) if wanted.password_command else None,
        "token_command": shlex.split(wanted.token_command) if wanted.token_command else None,
        "secret_file": wanted.secret_file,
    }


def lay_down(setup: Setup, name: str) -> None:
    """Ask how long mail is to stay on the server, and write that policy; Enter: for ever, and nothing is written."""
    while True:
        try:
            answer = terminal.ask("How long should mail stay on the server? 90d, 6mo, 1y; Enter: for ever")
        except EOFError:
            return
        if not answer:
            return
        try:
            parse_age(answer)
        except UsageError as error:
            terminal.say(f"{error}")
            continue
        configedit.change(setup.config.path, name, {"prune": {"older_than": answer}})
        terminal.say(f"mailmove prune deletes what is older than {answer}, once it is archived, and asks first.")
        terminal.say("To have that done every night: mailmove schedule install")
        return


def _asked(question: str, missing: str, otherwise: str) -> str:
    """Ask, or say what is missing and what to do where nobody answers."""
    answer = terminal.ask(question) if terminal.attended() else ""
    if not answer:
        raise UsageError(missing, otherwise)
    return answer
