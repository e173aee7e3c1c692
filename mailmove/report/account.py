"""An account's settings, in words and in JSON; never its secret."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator
from typing import Any

from mailmove.accounts import vault
from mailmove.accounts.config import Account
from mailmove.accounts.discovery import providers
from mailmove.model import Security
from mailmove.report import words
from mailmove.report.again import ALL, Again
from mailmove.safe import visible

PROTECTION = {Security.TLS: "TLS", Security.STARTTLS: "STARTTLS", Security.NONE: "not encrypted"}


def text(account: Account, again: Again = ALL) -> Iterator[str]:
    """One setting a line, what the provider wants, and the next step."""
    endpoint = account.endpoint
    yield visible(account.name)
    yield f"  server    {visible(endpoint.host)}:{endpoint.port}, {PROTECTION[endpoint.security]}"
    master = f", opened by {visible(endpoint.auth_user)}" if endpoint.auth_user else ""
    yield f"  user      {visible(endpoint.user)}{master}"
    yield f"  secret    {secret(account)}"
    yield f"  archive   {words.path(account.archive)}"
    yield from textwrap.wrap(
        f"  policy    {policy(account)}", 80, subsequent_indent=" " * 12, break_long_words=False, break_on_hyphens=False
    )
    provider = providers.of_login(endpoint.host, endpoint.user)
    if provider is not None:
        yield f"  provider  {provider.name}, {provider.source}"
        yield textwrap.indent(textwrap.fill(provider.needs, 86, break_long_words=False), " " * 12)
    yield f"Next: {again.command('account test')}"


def secret(account: Account) -> str:
    """Where the secret comes from."""
    if account.password_command:
        return f"password told by {visible(shlex.join(account.password_command))}"
    if account.token_command:
        return f"access token told by {visible(shlex.join(account.token_command))}"
    kind = f"OAuth 2 with {account.oauth.issuer.capitalize()}, sign-in" if account.oauth else "password"
    return f"{kind} in {vault.of(account).place}"


def policy(account: Account) -> str:
    """What is laid down for prune, the rules of folders after the general age."""
    laid_down = account.prune
    if laid_down is None:
        return "none: mail stays on the server until prune is told an age"
    ages = [f"older than {laid_down.age.text} leaves the server"] if laid_down.age else []
    if laid_down.archived_for:
        ages.append(f"archived for {laid_down.archived_for.text} first")
    ages += [f"{visible(name)} {age.text if age else 'never'}" for name, age in laid_down.folders.items()]
    kept = [keep.value for keep in sorted(laid_down.keep, key=lambda keep: keep.value)]
    if laid_down.keep_newest:
        kept.append(f"the newest {laid_down.keep_newest:,} of each folder")
    return f"{'; '.join(ages)}; keeps {', '.join(kept) or 'nothing back'}"


def as_json(account: Account) -> dict[str, Any]:
    """The same for a program."""
    endpoint = account.endpoint
    return {
        "name": account.name,
        "host": endpoint.host,
        "port": endpoint.port,
        "tls": {Security.TLS: "implicit", Security.STARTTLS: "starttls", Security.NONE: "none"}[endpoint.security],
        "user": endpoint.user,
        "auth_user": endpoint.auth_user or None,
        "secret": secret(account),
        "archive": account.archive,
        "policy": policy(account) if account.prune is not None else None,
    }
