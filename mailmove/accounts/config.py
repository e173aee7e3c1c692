"""``config.toml`` as frozen values, and one-off accounts from URLs; a mistake names file, key and what is allowed."""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from mailmove.accounts import listed, telling, values
from mailmove.accounts.ownership import writable_by_others
from mailmove.accounts.telling import Notify
from mailmove.accounts.templates import acts, laid
from mailmove.accounts.values import Table
from mailmove.errors import RefusedError, UsageError
from mailmove.model import RETRY_WAITS, TIMEOUT, Endpoint, Security
from mailmove.plan.policy import Policy, parse_age_by, parse_keep, parse_max_delete, parse_rule
from mailmove.safe import few, visible
from mailmove.units import Age

DEFAULT_ARCHIVES = "~/Mail/mailmove"
ISSUERS = ("google", "microsoft")
EXCLUSIVE = (
    ("password_command", "token_command"),
    ("password_command", "oauth"),
    ("token_command", "oauth"),
    ("secret_file", "password_command"),
    ("secret_file", "token_command"),
)
"""Keys of an account that would each say where its secret comes from."""
PORTS = {Security.TLS: 993, Security.STARTTLS: 143, Security.NONE: 143}
LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1|\[::1\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The user's own registration as an OAuth 2 client (RFC 6749 2) of ``issuer``, ``google`` or ``microsoft``.

    ``authority`` is Microsoft's; the two URIs are Google's, which calls for a ``client_secret``
    though it cannot be one in a program like this.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    authority: str = "https://login.microsoftonline.com/common"
    auth_uri: str = "https://accounts.google.com/o/oauth2/auth"
    token_uri: str = "https://oauth2.googleapis.com/token"


@dataclass(frozen=True, slots=True)
class CopyAt:
    """A second place of an account's archive: a directory.

    ``proven_within``: prune takes it for proven that a file there was hashed so recently and is unchanged since; None:
    it hashes each anew.
    """

    path: str
    proven_within: Age | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One login and where its archive is. ``quota`` is in octets, for servers that tell none.

    ``prune`` is what is laid down for ``mailmove prune``; None: nothing, and the account is left alone.
    ``trust_disk``: an archive on a disk that forgets is proof all the same.
    ``copies`` are the second places of its archive, by name.
    ``secret_file`` holds the password or, with ``oauth``, the refresh token; where it is None, the keyring does.
    """

    name: str
    endpoint: Endpoint
    archive: str
    password_command: tuple[str, ...] = ()
    token_command: tuple[str, ...] = ()
    secret_file: str | None = None
    oauth: OAuthClient | None = None
    folders: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    quota: int | None = None
    prune: Policy | None = None
    trust_disk: bool = False
    copies: Mapping[str, CopyAt] = field(default_factory=dict, hash=False)
    inherits: bool = False
    """Whether any of this is what many accounts share."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. ``archives`` is the directory that holds each account's archive directory."""

    path: str
    archives: str = DEFAULT_ARCHIVES
    accounts: tuple[Account, ...] = ()
    clients: tuple[OAuthClient, ...] = ()
    notify: Notify = field(default_factory=Notify)
    listed: int | None = None
    """How many accounts a list besides it has, those left out too; None: there is no list."""
    left_out: tuple[str, ...] = ()
    """What of that list cannot be used, in words."""

    def client(self, issuer: str) -> OAuthClient | None:
        """The registration as an OAuth 2 client of this issuer."""
        return next((client for client in self.clients if client.issuer == issuer), None)

    def archive_of(self, name: str) -> str:
        """Where the archive of an account of this name is, unless it says otherwise."""
        return os.path.join(self.archives, file_name(name))

    def find(self, wanted: str) -> Account:
        """An account by name, by a unique prefix of it, or by URL.

        :raises UsageError: when there is none, or more than one.
        """
        if "://" in wanted:
            return self._from_url(wanted)
        exact = [account for account in self.accounts if account.name == wanted]
        found = exact or [account for account in self.accounts if account.name.startswith(wanted)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(few(account.name for account in found or self.accounts))
        if found:
            raise UsageError(f"{visible(wanted)!r} could be {names}", "Write more of the name.")
        raise UsageError(
            f"there is no account {visible(wanted)!r}",
            f"Accounts in {self.path}: {names}." if names else f"{self.path} has no accounts yet.",
        )

    def _from_url(self, url: str) -> Account:
        endpoint = parse_url(url)
        for account in self.accounts:
            if account.endpoint.login == endpoint.login:
                known = account.endpoint
                return replace(account, endpoint=replace(known, port=endpoint.port, security=endpoint.security))
        name = endpoint.user if "@" in endpoint.user else endpoint.login
        return Account(name, endpoint, self.archive_of(name))


def parse_url(url: str) -> Endpoint:
    """Read ``imaps://user@host[:port]`` or ``imap://user@host[:port]`` (STARTTLS).

    :raises UsageError: when it is neither, or holds a password.
    """
    how = "Write imaps://user@host or imap://user@host:port; percent-encode @ in the user name as %40."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{visible(_without_password(url))!r} is not a URL: {error}", how) from None
    security = {"imaps": Security.TLS, "imap": Security.STARTTLS}.get(parts.scheme)
    if parts.password is not None:
        raise UsageError(
            "a password must not stand in a URL: other users of this machine can read command lines",
            "Leave it out; mailmove asks for it, or set MAILMOVE_PASSWORD.",
        )
    if security is None or not parts.hostname or not parts.username or parts.path.strip("/") or parts.query:
        raise UsageError(f"{visible(url)!r} is not an account URL", how)
    endpoint = Endpoint(parts.hostname, port or PORTS[security], unquote(parts.username), security)
    values.refuse_controls(endpoint.user, "the user name")
    values.refuse_controls(endpoint.host, "the host name")
    return endpoint


def secured(endpoint: Endpoint, tls: str | None, ca_file: str | None) -> Endpoint:
    """The endpoint as ``--tls`` and ``--ca-file`` want it.

    :raises UsageError: when encryption is to be left out on the way to another machine.
    """
    security = values.security(tls) if tls else endpoint.security
    if security is Security.NONE and not LOOPBACK.fullmatch(endpoint.host):
        raise UsageError(
            f"{visible(endpoint.host)}: without encryption mailmove only talks to this machine itself",
            "Use imaps:// (TLS from the start) or imap:// (STARTTLS).",
        )
    return replace(endpoint, security=security, ca_file=ca_file or endpoint.ca_file)


_EXPLAINED = "How it is written: mailmove help configuration"


def load(path: str) -> Config:
    """Read a configuration file; one that does not exist is an empty configuration.

    :raises UsageError: when anything in it cannot be used.
    :raises RefusedError: when it names a command to run, and others can write to it.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
        config = read(text, path, lists=True)
        if config.notify.command or any(one.password_command or one.token_command for one in config.accounts):
            _refuse_of_others(path)
    except FileNotFoundError:
        return read(b"", path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "Make it readable, or name another with --config.") from error
    return config


def _refuse_of_others(path: str) -> None:
    where = writable_by_others(path)
    if where is not None:
        raise RefusedError(
            f"{visible(path)} names a command, and others can write to {visible(where)}: it could be theirs",
            f"Make it yours alone: chmod go-w {visible(where)}, and see who owns it.",
        )


def read(text: bytes, path: str, *, lists: bool = False) -> Config:
    """Read the text of a configuration file, with ``lists`` the list of accounts that it names, too.

    ``path`` is for messages, and whether others could have written a command there.

    :raises UsageError: when anything in it cannot be used.
    """
    try:
        data = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {visible(str(error))}", _EXPLAINED) from error
    top = Table(data, path, "")
    archives = top.take("archive", values.path, os.path.expanduser(DEFAULT_ARCHIVES))
    registered, named = top.table("oauth"), top.table("account")
    defaults, templates = top.table("defaults"), top.table("templates")
    notify = telling.read(top.table("notify"))
    more = top.table("accounts")
    file, command = more.take("csv", values.path, ""), more.take("command", values.argv, ())
    more.end()
    if file and command:
        raise more.error("csv and command exclude each other")
    top.end()
    clients = tuple(_client(issuer, table) for issuer in ISSUERS if (table := registered.table(issuer)))
    registered.end()
    shared = Shared(path, archives, clients, defaults, templates)
    accounts = tuple(shared.account(name, named.table(name)) for name in named.data)
    _refuse_twins(path, accounts)
    _refuse_shared_sign_ins(path, accounts)
    config = Config(path, archives, accounts, clients, notify)
    if not lists or not (file or command):
        return config
    if command:
        _refuse_of_others(path)
    return _with_list(config, shared, file, listed.printed(command) if command else _private(file))


def _private(file: str) -> bytes:
    """The octets of a list, which decides where passwords go."""
    try:
        if where := writable_by_others(file):
            raise RefusedError(
                f"{visible(file)} says where passwords go, and others can write to {visible(where)}",
                f"Make it yours alone: chmod go-w {visible(where)}, and see who owns it.",
            )
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as error:
        raise UsageError(f"{visible(file)}: {error.strerror}", "It is the list of [accounts].") from None


def _with_list(config: Config, shared: Shared, file: str, text: bytes) -> Config:
    where = file or "[accounts] command"
    accounts, left_out, count = list(config.accounts), list[str](), 0
    seen = {key: account.name for account in accounts for key in _own(account)}
    for entry in listed.entries(text, where):
        count += 1
        if isinstance(entry, str):
            left_out.append(f"{visible(where)}: {entry}")
            continue
        line = f"{visible(where)}: line {entry.line}"
        try:
            account = shared.account(entry.name, Table(entry.values, line, visible(entry.name)))
        except UsageError as error:
            left_out.append(error.what)
            continue
        twin = next((seen[key] for key in _own(account) if key in seen), None)
        if twin is None:
            accounts.append(account)
            seen.update(dict.fromkeys(_own(account), account.name))
        else:
            left_out.append(f"{line}: {visible(entry.name)} has the same name, login or archive as {visible(twin)}")
    return replace(config, accounts=tuple(accounts), listed=count, left_out=tuple(left_out))


def _own(account: Account) -> tuple[tuple[str, str], ...]:
    """What no other account may have."""
    archive = os.path.abspath(account.archive)
    return ("name", account.name), ("login", account.endpoint.login), ("archive", archive)


def _client(issuer: str, table: Table) -> OAuthClient:
    words = {"client_id": table.take("client_id", values.word)}
    optional = ("authority",) if issuer == "microsoft" else ("client_secret", "auth_uri", "token_uri")
    for key in optional:
        if value := table.take(key, values.word if key == "client_secret" else values.https, None):
            words[key] = value
    table.end()
    return OAuthClient(issuer, **words)


class Shared:
    """What accounts have in common. A mistake in it is one of it, also where no account uses it."""

    def __init__(
        self, path: str, archives: str, clients: Sequence[OAuthClient], defaults: Table, templates: Table
    ) -> None:
        self._archives = archives
        self._clients = clients
        # by template: reading one takes as long as the rest of an account
        self._policies: dict[str, Policy | None] = {}
        self._layers = {"": [defaults.data] if defaults.data else []}
        self._seen(defaults, self._layers[""])
        for name in templates.data:
            table = templates.table(name)
            self._layers[name] = [*self._layers[""], table.data]
            self._seen(table, self._layers[name])

    def _seen(self, table: Table, layers: Sequence[Mapping[str, Any]]) -> None:
        """See whether an account could be made of it, which has what only accounts of it may have."""
        if not table.data:
            return
        prune = table.data.get("prune")
        second = prune.get("copies") if isinstance(prune, dict) else None
        own: dict[str, Any] = {} if any("host" in layer for layer in layers) else {"host": "localhost"}
        if isinstance(prune, dict) and not acts(prune):
            own["prune"] = {"older_than": "1d"}
        if isinstance(second, list):
            own["copies"] = {name: "/" for name in second if isinstance(name, str)}
        self._read("address@example.org", own, layers, replace(table, allowed=[]))

    def account(self, name: str, table: Table) -> Account:
        """An account, of its own values and those that it shares.

        :raises UsageError: when anything cannot be used.
        """
        template = table.take("template", values.word, "")
        if template not in self._layers:
            known = ", ".join(few(filter(None, self._layers))) or "none"
            raise table.error(f"there is no template {visible(template)!r}", f"Templates here: {known}.")
        own = {key: value for key, value in table.data.items() if key != "template"}
        if "prune" in own:
            return self._read(name, own, self._layers[template], table)
        account = self._read(name, own, self._layers[template], table, self._policies.get(template))
        self._policies[template] = account.prune
        return account

    def _read(
        self,
        name: str,
        own: Mapping[str, Any],
        layers: Sequence[Mapping[str, Any]],
        table: Table,
        policy: Policy | None = None,
    ) -> Account:
        try:
            found = laid(name, own, layers, EXCLUSIVE, file_name)
        except ValueError as error:
            raise table.error(str(error)) from None
        table.data = found.values
        rules = table.table("prune")
        if policy is None and rules:
            policy = _prune(rules, found.inherited)
        return _account(name, table, self._archives, self._clients, policy, inherits=bool(layers))


def _account(
    name: str, table: Table, archives: str, clients: Sequence[OAuthClient], policy: Policy | None, *, inherits: bool
) -> Account:
    if not name or "://" in name:
        raise table.error("an account's name is an address or a word")
    values.refuse_controls(name, f"{table.path}: the account's name")
    security = table.take("tls", values.security, Security.TLS)
    endpoint = Endpoint(
        host=table.take("host", values.word),
        port=table.take("port", values.port, PORTS[security]),
        user=table.take("user", values.word, name),
        security=security,
        ca_file=table.take("ca_file", values.path, None),
        timeout=table.take("timeout", values.timeout, TIMEOUT),
        retry_waits=table.take("retry_waits", values.waits, RETRY_WAITS),
        auth_user=table.take("auth_user", values.word, ""),
    )
    try:
        secured(endpoint, None, None)
    except UsageError as error:
        raise table.error(error.what, error.next_step) from None
    account = Account(
        name=name,
        endpoint=endpoint,
        archive=table.take("archive", values.path, os.path.join(archives, file_name(name))),
        password_command=table.take("password_command", values.argv, ()),
        token_command=table.take("token_command", values.argv, ()),
        secret_file=table.take("secret_file", values.path, None),
        oauth=table.take("oauth", partial(_registered, clients), None),
        folders=table.take("folders", values.patterns, ()),
        exclude=table.take("exclude", values.patterns, ()),
        quota=table.take("quota", values.size, None),
        trust_disk=table.take("trust_disk", values.flag, False),
        prune=policy,
        inherits=inherits,
        copies=_copies(table.table("copies")),
    )
    for name in account.prune.copies if account.prune is not None else ():
        if name not in account.copies:
            raise table.error(f"prune.copies: there is no copy {visible(name)!r}", "Name those of [account.X.copies].")
    for one, other in EXCLUSIVE:
        if getattr(account, one) and getattr(account, other):
            raise table.error(f"{one} and {other} exclude each other")
    if endpoint.auth_user and not (account.password_command or (account.secret_file and not account.oauth)):
        raise table.error("auth_user needs password_command or secret_file", "Its password is no single account's.")
    table.end()
    return account


def _copies(table: Table) -> Mapping[str, CopyAt]:
    copies = {name: _copy(name, table) for name in table.data}
    for name in copies:
        if not re.fullmatch(r"[\w-]+", name):
            raise table.error(f"{visible(name)!r} is no name for a copy", "Letters, digits, _ and - make one.")
    table.end()
    return copies


def _copy(name: str, table: Table) -> CopyAt:
    """Its directory alone, or a table with that as ``path``."""
    if not isinstance(table.data[name], dict):
        return CopyAt(table.take(name, values.directory))
    said = table.table(name)
    copy = CopyAt(said.take("path", values.directory), said.take("proven_within", values.span, None))
    said.end()
    return copy


def _prune(table: Table, inherited: frozenset[str]) -> Policy:
    usual = Policy()
    policy = Policy(
        age=table.take("older_than", values.age, None),
        folders=table.take("folders", _rules, {}),
        inherited=inherited,
        age_by=table.take("age_by", lambda value: parse_age_by(values.text(value)), usual.age_by),
        archived_for=table.take("archived_for", values.age, None),
        keep=table.take("keep", lambda value: parse_keep(values.words(value) or ("none",)), usual.keep),
        keep_newest=table.take("keep_newest", values.count, usual.keep_newest),
        max_delete=table.take("max_delete", lambda value: parse_max_delete(str(value)), usual.max_delete),
        copies=table.take("copies", values.words, usual.copies),
    )
    table.end()
    if not policy.acts:
        raise table.error("no age is laid down: older_than, archived_for or an age for a folder is missing")
    return policy


def _refuse_twins(path: str, accounts: Sequence[Account]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for account in accounts:
        for key in _own(account):
            other = seen.setdefault(key, account.name)
            if other != account.name:
                raise UsageError(
                    f"{path}: accounts {visible(other)!r} and {visible(account.name)!r} have the same {key[0]}",
                    "Keep one of them.",
                )


def _refuse_shared_sign_ins(path: str, accounts: Sequence[Account]) -> None:
    """What a sign-in left is replaced at every renewal, so that two accounts cannot keep theirs in one file."""
    signed_in = [account for account in accounts if account.oauth and account.secret_file]
    files = Counter(os.path.realpath(one.secret_file) for one in accounts if signed_in and one.secret_file)
    for account in signed_in:
        if files[os.path.realpath(str(account.secret_file))] > 1:
            raise UsageError(
                f"{path}: the secret_file of {visible(account.name)!r}, for its sign-in, is another account's, too",
                "It is replaced at every renewal: give each account a file of its own.",
            )


def _registered(clients: Sequence[OAuthClient], value: Any) -> OAuthClient:
    if value not in ISSUERS:
        raise ValueError(f"must be one of {', '.join(ISSUERS)}")
    client = next((client for client in clients if client.issuer == value), None)
    if client is None:
        raise ValueError(f"there is no [oauth.{value}] with a client_id in this file")
    return client


def _rules(value: Any) -> Mapping[str, Age | None]:
    rules = {}
    for folder, age in values.mapping(value).items():
        try:
            rules[folder] = parse_rule(values.text(age))
        except TypeError as error:
            raise TypeError(f"{visible(folder)}: {error}") from None
        except UsageError as error:
            raise UsageError(f"{visible(folder)}: {error.what}", error.next_step) from None
    return rules


def file_name(name: str) -> str:
    """An account's name as the name of a file or directory."""
    return re.sub(r"[^\w@.+=,-]", "_", name).lstrip(".") or "_"


def _without_password(url: str) -> str:
    return re.sub(r"(//[^/@:]*):[^@]*@", r"\1:…@", url)
