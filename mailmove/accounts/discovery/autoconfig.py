"""Thunderbird's autoconfig: mail settings as XML, fetched by https (wiki.mozilla.org/Thunderbird:Autoconfiguration)."""

from __future__ import annotations

import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO, TYPE_CHECKING

from mailmove.accounts.discovery.address import Address
from mailmove.model import Endpoint, Security
from mailmove.safe import visible

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

OWN_PLACES = (
    "https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={address}",
    "https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress={address}",
)
"""Where a domain tells its own settings."""
DATABASE = "https://autoconfig.thunderbird.net/v1.1/{domain}"
"""Thunderbird's public database; it learns the domain, not the address."""

MAX_OCTETS = 1 << 18
PATIENCE = 10.0  # seconds

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.IGNORECASE)
_SECURITY = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}
_GONE = {401, 403, 404, 410}


class UnusableError(Exception):
    """Something answered there, and it is not what may be used: why, in words."""


class Settings:
    """What an autoconfig document says of IMAP. ``oauth``: it names OAuth 2 as the only way to log in."""

    def __init__(self, endpoint: Endpoint, *, oauth: bool) -> None:
        self.endpoint = endpoint
        self.oauth = oauth


def ask(place: str, address: Address, context: ssl.SSLContext) -> Settings | None:
    """Ask one place, a URL with ``{domain}`` and ``{address}`` in it; None: it has nothing to say.

    :raises UnusableError: when it answers with something else than settings with TLS.
    """
    text = _fetch(url(place, address), context)
    return None if text is None else read(text, address)


def url(place: str, address: Address) -> str:
    """The URL of a place for this address."""
    quoted = urllib.parse.quote(str(address), safe="@")
    return place.replace("{domain}", address.domain).replace("{address}", quoted)


def read(text: bytes, address: Address) -> Settings:
    """Read an autoconfig document.

    :raises UnusableError: when it is none, holds a document type or entities, or offers no IMAP with TLS.
    """
    import defusedxml
    from defusedxml import ElementTree

    if re.match(rb"\s*<(!doctype\s+html|html)\b", text[:500], re.IGNORECASE):
        raise UnusableError("it answers with a web page, not with mail settings")
    try:
        root: Element = ElementTree.fromstring(text, forbid_dtd=True)
    except defusedxml.DefusedXmlException:
        raise UnusableError("its XML holds a document type or entities, which could be an attack") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnusableError(f"its answer is not XML: {visible(str(error), 100)}") from None
    if root.tag != "clientConfig":
        raise UnusableError("it answers with XML that is not mail settings")
    servers = [server for server in root.iter("incomingServer") if server.get("type") == "imap"]
    usable = [server for server in servers if _value(server, "socketType").upper() in _SECURITY]
    if not servers:
        raise UnusableError("its settings have no IMAP server")
    if not usable:
        raise UnusableError("its settings offer IMAP only without TLS")
    return _settings(min(usable, key=lambda server: _value(server, "socketType").upper() != "SSL"), address)


def _settings(server: Element, address: Address) -> Settings:
    host, port = _value(server, "hostname"), _value(server, "port")
    user = _value(server, "username") or "%EMAILADDRESS%"
    words = {"ADDRESS": str(address), "LOCALPART": address.local, "DOMAIN": address.domain}
    user = re.sub(r"%EMAIL(ADDRESS|LOCALPART|DOMAIN)%", lambda found: words[found[1]], user)
    host = host.replace("%EMAILDOMAIN%", address.domain)
    if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UnusableError(f"its settings name an impossible server: {visible(host, 80)}:{visible(port, 10)}")
    if "%" in user or not user.isprintable():
        raise UnusableError(f"its settings name a user that mailmove cannot fill in: {visible(user, 80)}")
    ways = [(way.text or "").strip() for way in server.iter("authentication")]
    security = _SECURITY[_value(server, "socketType").upper()]
    return Settings(Endpoint(host.lower(), int(port), user, security), oauth=bool(ways) and {*ways} == {"OAuth2"})


def _value(server: Element, name: str) -> str:
    return (server.findtext(name) or "").strip()


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never out of https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise UnusableError(f"it leads away from https, to {visible(newurl, 100)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, context: ssl.SSLContext) -> bytes | None:
    """The octets at a URL, or None when there is nothing or nobody there."""
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _OnlyHttps)
    request = urllib.request.Request(url, headers={"User-Agent": "mailmove", "Accept": "text/xml, application/xml"})
    end = time.monotonic() + 2 * PATIENCE
    text = b""
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            while piece := answer.read1(1 << 16):
                text += piece
                if len(text) > MAX_OCTETS:
                    raise UnusableError(f"its answer is larger than {MAX_OCTETS >> 10} KB")
                if time.monotonic() > end:
                    raise UnusableError("its answer does not come to an end")
    except urllib.error.HTTPError as error:
        if error.code in _GONE:
            return None
        raise UnusableError(f"it answers with HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise UnusableError(f"its certificate is not trusted: {visible(error.reason.verify_message)}") from None
        return None
    except (OSError, HTTPException):
        return None
    return text
