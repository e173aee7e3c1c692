"""Opening a session: TCP, TLS or STARTTLS, and login, by imapclient over our own reader."""

from __future__ import annotations

import ast
import imaplib
import ipaddress
import logging
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imapclient

from mailmove.cancel import Cancel
from mailmove.errors import (
    Disconnected,
    LackingError,
    LoginError,
    LoginRefused,
    MailmoveError,
    RefusedError,
    Unreachable,
)
from mailmove.imap import refusal
from mailmove.imap.reader import LINE_COST, Reader
from mailmove.imap.trust import trust, untrusted
from mailmove.model import Endpoint, Password, Secret, Security
from mailmove.safe import visible

CONNECT_TIMEOUT = 30.0
_MAX_LOGIN_LITERAL = 1 << 16
_MAX_BEFORE_LOGIN = 1 << 20  # octets; imaplib keeps all that comes in memory

_FAREWELL_PATIENCE = 5.0  # seconds; after BYE only the completion of the command under way may come

_WORDS = re.compile(rb"([^\s+]\S*) ([A-Za-z][A-Za-z-]*(?: \[[A-Za-z0-9-]+)?)(\Z)?")
_COMPLETION = re.compile(rb"[^\s*+]\S* (?:OK|NO|BAD) ")
_BYE = re.compile(rb"\* BYE(?: (.*))?", re.DOTALL)

_CHECK_PORT = (
    "Check host and port: 993 wants imaps:// (TLS from the start), 143 imap:// (STARTTLS). Or try again later."
)

log = logging.getLogger(__name__)


class _Farewell(Exception):
    """The server said BYE, and why."""


class _IMAP4(imaplib.IMAP4):
    """imaplib's protocol engine on our own socket and reader; it is in charge only until the login is done."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None, cancel: Cancel) -> None:
        self._endpoint = endpoint
        self._context = context if endpoint.security is Security.TLS else None
        self._cancel = cancel
        self._told = 0
        self._asks = False
        super().__init__(endpoint.host, endpoint.port)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        self.host, self.port = host, port
        sock = socket.create_connection((host, port), min(CONNECT_TIMEOUT, self._endpoint.timeout))
        try:
            if self._endpoint.security is Security.NONE and not is_loopback(sock.getpeername()[0]):
                raise RefusedError(
                    f"{host} is not on this machine: no password goes there in the clear",
                    "Use imaps:// (TLS from the start) or imap:// (STARTTLS).",
                )
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                sock.recv(1, socket.MSG_PEEK)  # no greeting: the wrong port, which is not to be tried again and again
            self._use(self._context.wrap_socket(sock, server_hostname=host) if self._context else sock)
        except BaseException:
            sock.close()
            raise

    def _use(self, sock: socket.socket) -> None:
        sock.settimeout(self._endpoint.timeout)
        self.sock = sock
        self.reader = Reader(sock, self._endpoint.timeout)
        self._cancel.watch(sock)

    def read(self, size: int) -> bytes:
        if size > _MAX_LOGIN_LITERAL:
            raise Disconnected("the server sent an absurdly large literal before the login was done")
        self._count(size)
        return b"".join(bytes(piece) for piece in self.reader.literal(size))

    def readline(self) -> bytes:
        """A line, in the letters and with the spaces that imaplib insists on.

        :raises _Farewell: on BYE, unless the command under way is completed all the same.
        :raises Disconnected: on a go-ahead that nobody asked for: the server waits, and imaplib would too.
        """
        line = self.reader.line()
        self._count(len(line) + LINE_COST)
        line = _spelled(line)
        if line.startswith(b"+") and self.tagnum and not self._asks:  # the greeting comes before any command
            raise Disconnected("the server wants more of a command that is complete")
        if bye := _BYE.fullmatch(line):
            line = self._completion_after(bye)
        return line + b"\r\n"

    def _completion_after(self, bye: re.Match[bytes]) -> bytes:
        self.sock.settimeout(min(_FAREWELL_PATIENCE, self._endpoint.timeout))
        try:
            line = _spelled(self.reader.line())
        except Disconnected:
            line = b""
        if not _COMPLETION.match(line):
            raise _Farewell((bye[1] or b"").decode("utf-8", "replace"))
        return line

    def _count(self, octets: int) -> None:
        self._told += octets
        if self._told > _MAX_BEFORE_LOGIN:
            raise Disconnected("the server talks without end before the login is done")

    def shutdown(self) -> None:
        self._cancel.forget(self.sock)
        self.sock.close()

    def _command(self, name: str, *args: Any) -> Any:
        self._asks = self.literal is not None
        try:
            return super()._command(name, *args)  # type: ignore[misc]
        finally:
            self._asks = False

    def _get_capabilities(self) -> None:
        greeted: Any = self.untagged_responses.pop("CAPABILITY", None)  # most servers tell them in the greeting
        if greeted:
            self.capabilities = tuple(bytes(greeted[-1]).decode("ascii", "replace").upper().split())
        else:
            super()._get_capabilities()  # type: ignore[misc]

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> Any:
        """RFC 9051 6.2.1: what was learned before TLS, and any octet that came with its answer, must not count."""
        assert ssl_context is not None
        answer = self._simple_command("STARTTLS")
        if answer[0] != "OK":
            raise self.error(f"STARTTLS failed: {answer[1]!r}")
        if self.reader.pending:
            raise RefusedError(
                "the server sent data before encryption began: somebody may be tampering with the connection",
                "No password was sent. Try again from another network, or use the port with TLS from the start (993).",
            )
        self._cancel.forget(self.sock)
        self._use(ssl_context.wrap_socket(self.sock, server_hostname=self.host))
        self.untagged_responses.clear()  # imapclient asks for the capabilities again
        self._tls_established = True
        return answer


def _spelled(line: bytes) -> bytes:
    """Status and response code in capitals, and a space after a status without text (RFC 9051 9)."""
    found = _WORDS.match(line)
    if not found:
        return line
    end = b" " if found[3] is not None and found[1] != b"*" else b""
    return line[: found.start(2)] + found[2].upper() + line[found.end(2) :] + end


class _Client(imapclient.IMAPClient):  # type: ignore[misc]
    """imapclient, made to open its connection through :class:`_IMAP4`."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None, cancel: Cancel) -> None:
        self._opening = (endpoint, context, cancel)
        super().__init__(endpoint.host, endpoint.port, ssl=endpoint.security is Security.TLS, timeout=endpoint.timeout)
        # imapclient asks imaplib to format every response for its log; that costs more than the transfer itself.
        if hasattr(self._imap, "debug"):
            self._imap.debug = 0

    def _create_IMAP4(self) -> _IMAP4:  # noqa: N802
        return _IMAP4(*self._opening)


@dataclass(frozen=True)
class Connection:
    """A session in the authenticated state."""

    sock: socket.socket
    reader: Reader
    capabilities: frozenset[str]
    close: Callable[[], None]


def reach(endpoint: Endpoint, cancel: Cancel) -> None:
    """See whether a server is there that may be trusted, without logging in.

    :raises MailmoveError: as :func:`connect` does before it sends credentials.
    """
    _connected(endpoint, None, cancel).close()


def connect(endpoint: Endpoint, secret: Secret, cancel: Cancel) -> Connection:
    """Open a session and log in.

    No credentials are sent unless the channel is encrypted and the server's certificate and name are verified, or the
    server is on this machine and the account says so.

    :raises RefusedError: when the channel cannot be trusted.
    :raises LoginError: when the server refuses the credentials.
    :raises Unreachable: when it cannot be reached or is busy.
    """
    return _connected(endpoint, secret, cancel)


def _connected(endpoint: Endpoint, secret: Secret | None, cancel: Cancel) -> Connection:
    where = f"{endpoint.host}:{endpoint.port}"
    client = None
    try:
        context = tls_context(endpoint)
        client = _Client(endpoint, context, cancel)
        if client._imap.state == "AUTH":
            raise RefusedError(
                f"{where} greets with PREAUTH: it says we are logged in, but not as whom",
                "No password was sent. Check host and port with your provider.",
            )
        if endpoint.security is Security.STARTTLS:
            if not client.has_capability("STARTTLS"):
                raise RefusedError(
                    f"{where} does not offer STARTTLS: no password goes there in the clear",
                    "Use the port with TLS from the start: imaps://, usually port 993.",
                )
            client.starttls(context)
        if secret is not None:
            _login(client, endpoint, secret)
        capabilities = frozenset(name.decode("ascii", "replace") for name in client.capabilities())
    except BaseException as error:
        if client is not None:
            client._imap.shutdown()
        cancel.check()
        if isinstance(error, Disconnected):
            raise Disconnected(f"{where}: {error.what}", _CHECK_PORT) from None
        if isinstance(error, _Farewell):
            raise _hung_up(error, where) from None
        if isinstance(error, MailmoveError) or not isinstance(error, Exception):
            raise
        raise _explain(error, where, endpoint.ca_file) from error
    return Connection(client._imap.sock, client._imap.reader, capabilities, client._imap.shutdown)


def tls_context(endpoint: Endpoint) -> ssl.SSLContext | None:
    """What this endpoint's TLS is verified by; None: it has none.

    :raises RefusedError: when ``ca_file`` cannot be read.
    """
    return None if endpoint.security is Security.NONE else trust(endpoint.ca_file)


def is_loopback(address: str) -> bool:
    """Whether a numeric address never leaves this machine."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)


def _login(client: Any, endpoint: Endpoint, secret: Secret) -> None:
    """Log in once; a token that the server refuses is renewed and tried once more."""
    if isinstance(secret, Password):
        if client.has_capability("LOGINDISABLED") and not client.has_capability("AUTH=PLAIN"):
            raise LoginError(
                f"{endpoint.host} takes no passwords on this connection",
                "It wants OAuth 2: mailmove account add; or see token_command in the configuration.",
            )
        if endpoint.auth_user:
            _attempt(lambda: _for_another(client, endpoint, secret), endpoint, _WRONG_MASTER)
            return
        plain = not (endpoint.user + secret.value).isascii() or client.has_capability("LOGINDISABLED")
        login = client.plain_login if plain else client.login
        _attempt(lambda: login(endpoint.user, secret.value), endpoint)
        return
    mechanism = next((m for m in ("OAUTHBEARER", "XOAUTH2") if client.has_capability(f"AUTH={m}")), None)
    if mechanism is None:
        raise LackingError(
            f"{endpoint.host} offers neither OAUTHBEARER nor XOAUTH2: it takes no access tokens",
            "Give it a password instead: mailmove account add --oauth no",
        )
    send = client.oauthbearer_login if mechanism == "OAUTHBEARER" else client.oauth2_login
    token = secret.token(renew=False)
    try:
        _attempt(lambda: send(endpoint.user, token), endpoint, _WRONG_TOKEN)
    except LoginRefused:
        log.info("%s refused the access token; trying a new one", endpoint.host)
        renewed = secret.token(renew=True)
        _attempt(lambda: send(endpoint.user, renewed), endpoint, _WRONG_TOKEN)


def _for_another(client: Any, endpoint: Endpoint, secret: Password) -> None:
    if not client.has_capability("AUTH=PLAIN"):
        raise LackingError(
            f"{endpoint.host} does not offer AUTH=PLAIN: auth_user cannot log in for another there",
            "Give each account a login of its own, or a master user in its name: mailmove help many-accounts",
        )
    client.plain_login(endpoint.auth_user, secret.value, endpoint.user)


_WRONG_MASTER = "Check auth_user and its password, and that it may open the mailboxes of others."
_WRONG_PASSWORD = "Check user name and password; many providers want an app password instead of the usual one."
_WRONG_TOKEN = "Did you sign in as this user, and is IMAP switched on for the mailbox?"


def _attempt(login: Callable[[], object], endpoint: Endpoint, hint: str = _WRONG_PASSWORD) -> None:
    try:
        login()
    except imapclient.exceptions.IMAPClientAbortError:
        raise
    except _Farewell as bye:
        if not refusal.denies_login(str(bye)):
            raise
        raise LoginRefused(
            f"{endpoint.host} refused the login of {_who(endpoint)}: {visible(str(bye))}", hint
        ) from None
    except (imapclient.exceptions.LoginError, imaplib.IMAP4.error) as error:
        if isinstance(error.__context__, imaplib.IMAP4.abort):  # imapclient takes any error for a refusal
            raise error.__context__ from None
        answer = _answer(error)
        busy = refusal.busy(answer)
        if busy:
            raise busy from None
        raise LoginRefused(
            f"{endpoint.host} refused the login of {_who(endpoint)}: {visible(answer)}",
            hint,
        ) from None


def _who(endpoint: Endpoint) -> str:
    master = endpoint.auth_user
    return f"{visible(master)} for {visible(endpoint.user)}" if master else visible(endpoint.user)


def _answer(error: Exception) -> str:
    """The server's words; imaplib hands some of them over as octets, of which imapclient keeps the Python notation."""
    text = re.sub(r"^[\w ]+ failed: ", "", str(error))
    refused = re.fullmatch(r"[\w ]+ command error: (?:NO|BAD) \[(b['\"].*)\]", text, re.DOTALL)
    text = refused[1] if refused else text
    try:
        octets = ast.literal_eval(text) if text[:2] in ("b'", 'b"') else None
    except (SyntaxError, ValueError):
        octets = None
    return octets.decode("utf-8", "replace") if isinstance(octets, bytes) else text


def _hung_up(bye: _Farewell, where: str) -> Unreachable:
    """A server that says BYE before or at the login: not now, as far as anybody can tell."""
    error = refusal.said_bye(str(bye))
    return Disconnected(f"{where}: {error.what}", "Try again later.") if isinstance(error, Disconnected) else error


def _explain(error: Exception, where: str, ca_file: str | None) -> MailmoveError:
    """Everything that can go wrong before a login, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return untrusted(where, error, ca_file)
    if isinstance(error, ssl.SSLError):
        return Unreachable(
            f"{where} does not speak TLS as expected: {visible(error.reason or str(error))}",
            _CHECK_PORT,
        )
    if isinstance(error, socket.gaierror):
        return Unreachable(f"{where}: host not found", "Check the host name and this machine's network.")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{where}: no answer in time", _CHECK_PORT)
    if isinstance(error, OSError):
        return Unreachable(f"{where}: {error.strerror or error}", "Check host and port, or try again later.")
    if isinstance(error, imaplib.IMAP4.error):
        text = _greeting(error)
        if not text or text.startswith("unexpected response"):  # "+OK" of POP3 is no greeting, "220" of SMTP even less
            return Unreachable(f"{where} does not answer as an IMAP server", _CHECK_PORT)
        return refusal.busy(text) or Unreachable(f"{where} turned us away: {visible(text)}", "Try again later.")
    return Unreachable(f"{where} does not answer as an IMAP server: {visible(str(error))}", _CHECK_PORT)


def _greeting(error: Exception) -> str:
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else _answer(error) if first else ""
