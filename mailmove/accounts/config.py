"""``config.toml`` as frozen values, and one-off accounts from URLs; a mistake names file, key and what is allowed."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from mailmove.accounts.ownership import writable_by_others
from mailmove.errors import RefusedError, UsageError
from mailmove.model import RETRY_WAITS, TIMEOUT, Endpoint, Security
from mailmove.plan.policy import Policy, parse_age_by, parse_keep, parse_max_delete, parse_rule
from mailmove.safe import few, visible
from mailmove.units import Age, parse_age, parse_size

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
class Account:
    """One login and where its archive is. ``quota`` is in octets, for servers that tell none.

    ``prune`` is what is laid down for ``mailmove prune``; None: nothing, and the account is left alone.
    ``trust_disk``: an archive on a disk that forgets is proof all the same.
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


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. ``archives`` is the directory that holds each account's archive directory."""

    path: str
    archives: str = DEFAULT_ARCHIVES
    accounts: tuple[Account, ...] = ()
    clients: tuple[OAuthClient, ...] = ()

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
    _refuse_controls(endpoint.user, "the user name")
    _refuse_controls(endpoint.host, "the host name")
    return endpoint


def secured(endpoint: Endpoint, tls: str | None, ca_file: str | None) -> Endpoint:
    """The endpoint as ``--tls`` and ``--ca-file`` want it.

    :raises UsageError: when encryption is to be left out on the way to another machine.
    """
    security = _security(tls) if tls else endpoint.security
    if security is Security.NONE and not LOOPBACK.fullmatch(endpoint.host):
        raise UsageError(
            f"{visible(endpoint.host)}: without encryption mailmove only talks to this machine itself",
            "Use imaps:// (TLS from the start) or imap:// (STARTTLS).",
        )
    return replace(endpoint, security=security, ca_file=ca_file or endpoint.ca_file)


def load(path: str) -> Config:
    """Read a configuration file; one that does not exist is an empty configuration.

    :raises UsageError: when anything in it cannot be used.
    :raises RefusedError: when it names a command to run, and others can write to it.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
        config = read(text, path)
        if any(account.password_command or account.token_command for account in config.accounts):
            _refuse_of_others(path)
    except FileNotFoundError:
        return read(b"", path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return config


def _refuse_of_others(path: str) -> None:
    where = writable_by_others(path)
    if where is not None:
        raise RefusedError(
            f"{visible(path)} names a command, and others can write to {visible(where)}: it could be theirs",
            f"Make it yours alone: chmod go-w {visible(where)}, and see who owns it.",
        )


def read(text: bytes, path: str) -> Config:
    """Read the text of a configuration file; ``path`` is for messages.

    :raises UsageError: when anything in it cannot be used.
    """
    try:
        data = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {visible(str(error))}") from error
    top = _Table(data, path, "")
    archives = top.take("archive", _path, os.path.expanduser(DEFAULT_ARCHIVES))
    registered, named = top.table("oauth"), top.table("account")
    top.end()
    clients = tuple(_client(issuer, table) for issuer in ISSUERS if (table := registered.table(issuer)))
    registered.end()
    accounts = tuple(_account(name, named.table(name), archives, clients) for name in named.data)
    _refuse_twins(path, accounts)
    _refuse_shared_sign_ins(path, accounts)
    return Config(path, archives, accounts, clients)


def _client(issuer: str, table: _Table) -> OAuthClient:
    words = {"client_id": table.take("client_id", _word)}
    optional = ("authority",) if issuer == "microsoft" else ("client_secret", "auth_uri", "token_uri")
    for key in optional:
        if value := table.take(key, _word if key == "client_secret" else _https, None):
            words[key] = value
    table.end()
    return OAuthClient(issuer, **words)


def _account(name: str, table: _Table, archives: str, clients: Sequence[OAuthClient]) -> Account:
    if not name or "://" in name:
        raise table.error("an account's name is an address or a word")
    _refuse_controls(name, f"{table.path}: the account's name")
    security = table.take("tls", _security, Security.TLS)
    endpoint = Endpoint(
        host=table.take("host", _word),
        port=table.take("port", _port, PORTS[security]),
        user=table.take("user", _word, name),
        security=security,
        ca_file=table.take("ca_file", _path, None),
        timeout=table.take("timeout", _timeout, TIMEOUT),
        retry_waits=table.take("retry_waits", _waits, RETRY_WAITS),
    )
    try:
        secured(endpoint, None, None)
    except UsageError as error:
        raise table.error(error.what, error.next_step) from None
    account = Account(
        name=name,
        endpoint=endpoint,
        archive=table.take("archive", _path, os.path.join(archives, file_name(name))),
        password_command=table.take("password_command", _argv, ()),
        token_command=table.take("token_command", _argv, ()),
        secret_file=table.take("secret_file", _path, None),
        oauth=table.take("oauth", partial(_registered, clients), None),
        folders=table.take("folders", _patterns, ()),
        exclude=table.take("exclude", _patterns, ()),
        quota=table.take("quota", _size, None),
        trust_disk=table.take("trust_disk", _flag, False),
        prune=_prune(rules) if (rules := table.table("prune")) else None,
    )
    for one, other in EXCLUSIVE:
        if getattr(account, one) and getattr(account, other):
            raise table.error(f"{one} and {other} exclude each other")
    table.end()
    return account


def _prune(table: _Table) -> Policy:
    usual = Policy()
    policy = Policy(
        age=table.take("older_than", _age, None),
        folders=table.take("folders", _rules, {}),
        age_by=table.take("age_by", lambda value: parse_age_by(_text(value)), usual.age_by),
        archived_for=table.take("archived_for", _age, None),
        keep=table.take("keep", lambda value: parse_keep(_words(value) or ("none",)), usual.keep),
        keep_newest=table.take("keep_newest", _count, usual.keep_newest),
        max_delete=table.take("max_delete", lambda value: parse_max_delete(str(value)), usual.max_delete),
    )
    table.end()
    if not policy.acts:
        raise table.error("no age is laid down: older_than, archived_for or an age for a folder is missing")
    return policy


def _refuse_twins(path: str, accounts: Sequence[Account]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for account in accounts:
        for key in (("login", account.endpoint.login), ("archive", os.path.abspath(account.archive))):
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


_BARE = re.compile(r"[A-Za-z0-9_-]+")  # a key that TOML takes without quotes


@dataclass
class _Table:
    """A table being read: every key is taken once, and none may be left over."""

    data: Mapping[str, Any]
    path: str
    name: str
    given: bool = True
    allowed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.data, dict):
            raise self.error("must be a table")

    def take(self, key: str, read: Callable[[Any], Any], default: Any = ...) -> Any:
        self.allowed.append(key)
        if key not in self.data:
            if default is ...:
                raise self.error(f"{key} is missing")
            return default
        try:
            return read(self.data[key])
        except (TypeError, ValueError) as error:
            raise self.error(f"{key}: {error}") from None
        except UsageError as error:
            raise UsageError(f"{self._where()}{key}: {error.what}", error.next_step) from None

    def table(self, key: str) -> _Table:
        """The table of this key; false, and without keys of its own, when it is missing."""
        self.allowed.append(key)
        shown = key if _BARE.fullmatch(key) else f'"{visible(key)}"'
        name = f"{self.name}.{shown}" if self.name else shown
        return _Table(self.data.get(key, {}), self.path, name, given=key in self.data)

    def __bool__(self) -> bool:
        return self.given

    def end(self) -> None:
        for key in self.data.keys() - set(self.allowed):
            close = difflib.get_close_matches(key, self.allowed, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Allowed here: {', '.join(sorted(self.allowed))}."
            raise UsageError(f"{self._where()}unknown key {visible(key)!r}", hint)

    def error(self, what: str, next_step: str = "") -> UsageError:
        return UsageError(f"{self._where()}{what}", next_step)

    def _where(self) -> str:
        return f"{self.path}: [{self.name}] " if self.name else f"{self.path}: "


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a text in quotes")
    return value


def _word(value: Any) -> str:
    text = _text(value)
    _refuse_controls(text, "it")
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _path(value: Any) -> str:
    return os.path.expanduser(_word(value))


def _port(value: Any) -> int:
    if type(value) is not int or not 0 < value < 65536:
        raise ValueError("must be a number from 1 to 65535")
    return value


def _timeout(value: Any) -> float:
    if not (seconds := _seconds(value)):
        raise ValueError("must not be 0")
    return seconds


def _waits(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) > 20:
        raise TypeError("must be a list of at most 20 numbers of seconds, as in [0, 2, 5]")
    return tuple(map(_seconds, value))


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 3600:
        raise ValueError("must be seconds, a number up to 3600")
    return float(value)


def _https(value: Any) -> str:
    if urlsplit(text := _word(value)).scheme != "https":
        raise ValueError("must be an https URL")
    return text


def _registered(clients: Sequence[OAuthClient], value: Any) -> OAuthClient:
    if value not in ISSUERS:
        raise ValueError(f"must be one of {', '.join(ISSUERS)}")
    client = next((client for client in clients if client.issuer == value), None)
    if client is None:
        raise ValueError(f"there is no [oauth.{value}] with a client_id in this file")
    return client


def _size(value: Any) -> int:
    return parse_size(_text(value))


def _age(value: Any) -> Age:
    return parse_age(_text(value))


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("must be a table")
    return value


def _rules(value: Any) -> Mapping[str, Age | None]:
    rules = {}
    for folder, age in _mapping(value).items():
        try:
            rules[folder] = parse_rule(_text(age))
        except TypeError as error:
            raise TypeError(f"{visible(folder)}: {error}") from None
        except UsageError as error:
            raise UsageError(f"{visible(folder)}: {error.what}", error.next_step) from None
    return rules


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise TypeError('must be a list of words, as in ["flagged", "drafts"]')
    return tuple(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 10**9:
        raise ValueError("must be a number of messages")
    return value


def _argv(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise TypeError('must be a list of words, as in ["pass", "show", "mail"]')
    return tuple(value)


def _patterns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise TypeError('must be a list of folder names or patterns, as in ["Newsletter/*"]')
    return tuple(value)


def _security(value: Any) -> Security:
    known = {"implicit": Security.TLS, "starttls": Security.STARTTLS, "none": Security.NONE}
    if value not in known:
        raise UsageError(
            f"{visible(str(value))!r} is not a way to protect a connection", f"Allowed: {', '.join(known)}."
        )
    return known[value]


def _refuse_controls(text: str, what: str) -> None:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise UsageError(f"{what} holds a control character")


def file_name(name: str) -> str:
    """An account's name as the name of a file or directory."""
    return re.sub(r"[^\w@.+=,-]", "_", name).lstrip(".") or "_"


def _without_password(url: str) -> str:
    return re.sub(r"(//[^/@:]*):[^@]*@", r"\1:…@", url)
