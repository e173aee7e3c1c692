"""An OAuth 2 issuer on loopback, and what a Dovecot needs to believe its tokens and no others.

It signs people in by device code (RFC 8628) and by authorization code (RFC 6749 4.1), renews by refresh token, and its
access tokens are signed JWTs (RFC 9068), which Dovecot checks by itself with the key it is given.
"""

from __future__ import annotations

import base64
import json
import secrets
import tempfile
import time
from pathlib import Path
from string import Template
from urllib.parse import urlencode

import jwt

from tests.servers.dovecot import installed
from tests.servers.web import Answer, Request, Web

CLIENT = "client-of-the-test"

_BELIEVING = """
auth_mechanisms = plain login oauthbearer xoauth2
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""
_BY_2_3 = """
passdb {
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = $settings
}
"""
_SETTINGS_OF_2_3 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=$keys/
username_attribute = sub
"""
_BY_2_4 = """
oauth2 {
  introspection_mode = local
  username_attribute = sub
  oauth2_local_validation {
    dict fs {
      fs posix {
        prefix = $keys/
      }
    }
  }
}
"""


class Issuer:
    """The issuer, for one ``user``; :meth:`stop` removes its files (the web server is the test's)."""

    def __init__(self, web: Web) -> None:
        self.user = "user"
        self.authority = f"{web.url}/tenant"
        self.authorize = f"{web.url}/authorize"
        self.token = f"{web.url}/token"
        self.lifetime = 3600
        """Of access tokens, in seconds; what is negative has ended already."""
        self.announced: int | None = None
        """What it says the lifetime is (None: the truth)."""
        self.approved = True
        """Whether the user has typed the device code."""
        self.rotates = False
        """Whether a refresh token is good only once."""
        self.refresh_tokens: set[str] = set()
        self.issued: list[str] = []
        """Access tokens, in order."""
        self._web = web
        self._directory = tempfile.TemporaryDirectory(prefix="mailmove-issuer-")
        self._root = Path(self._directory.name)
        self._root.chmod(0o755)
        self._keys = self._root / "keys" / "default" / "HS256"
        self._keys.mkdir(parents=True)
        self._key = b""
        self.new_key()
        discovery = {
            "issuer": self.authority,
            "authorization_endpoint": self.authorize,
            "token_endpoint": f"{web.url}/tenant/token",
            "device_authorization_endpoint": f"{web.url}/tenant/devicecode",
        }
        web.answers |= {
            "/tenant/v2.0/.well-known/openid-configuration": _json(discovery),
            "/tenant/devicecode": self._device,
            "/tenant/token": self._token,
            "/token": self._token,
            "/authorize": self._authorize,
        }

    @property
    def dovecot(self) -> str:
        """More configuration for Dovecot: it takes the tokens of this issuer, and passwords as before."""
        settings = self._root / "dovecot-oauth2.conf.ext"
        settings.write_text(Template(_SETTINGS_OF_2_3).substitute(keys=self._keys.parents[1]))
        checking = {"2.3": _BY_2_3, "2.4": _BY_2_4}[installed()[1]]
        return _BELIEVING + Template(checking).substitute(keys=self._keys.parents[1], settings=settings)

    def new_key(self) -> None:
        """Sign with another key from now on; whoever asks for the one before finds none."""
        for old in self._keys.iterdir():
            old.unlink()
        self._name, self._key = secrets.token_hex(4), secrets.token_bytes(32)
        (self._keys / self._name).write_bytes(base64.b64encode(self._key))

    def access_token(self, *, user: str | None = None, key: bytes | None = None, lifetime: int | None = None) -> str:
        """An access token, or something like one."""
        now = int(time.time())
        claims = {
            "sub": user or self.user,
            "iat": now - 3600,
            "exp": now + (self.lifetime if lifetime is None else lifetime),
        }
        return jwt.encode(claims, key or self._key, algorithm="HS256", headers={"kid": self._name})

    def grants(self, kind: str) -> int:
        """How often a kind of grant was asked for at the token endpoint."""
        return sum(kind in request.values.get("grant_type", "") for request in self._web.requests)

    def stop(self) -> None:
        """Remove its files."""
        self._directory.cleanup()

    def _device(self, request: Request) -> Answer:
        assert _client(request) == CLIENT
        return _json(
            {
                "device_code": "device-1",
                "user_code": "ABCD-1234",
                "verification_uri": f"{self._web.url}/device",
                "expires_in": 900,
                "interval": 0,
            }
        )

    def _authorize(self, request: Request) -> Answer:
        assert _client(request) == CLIENT
        back = urlencode({"code": "code-1", "state": request.values["state"]})
        return Answer(status=302, headers={"Location": f"{request.values['redirect_uri']}?{back}"})

    def _token(self, request: Request) -> Answer:
        assert _client(request) == CLIENT
        kind = request.values["grant_type"]
        if "device_code" in kind and not self.approved:
            return _json({"error": "authorization_pending"}, 400)
        if kind == "refresh_token":
            old = request.values["refresh_token"]
            if old not in self.refresh_tokens:
                return _json({"error": "invalid_grant", "error_description": "AADSTS70008: the sign-in has ended"}, 400)
            if self.rotates:
                self.refresh_tokens.remove(old)
        fresh = kind != "refresh_token" or self.rotates
        if fresh:
            self.refresh_tokens.add(refresh_token := f"refresh-{secrets.token_hex(8)}")
        self.issued.append(self.access_token())
        answer = {
            "token_type": "Bearer",
            "access_token": self.issued[-1],
            "expires_in": self.lifetime if self.announced is None else self.announced,
        }
        if "scope" in request.values:
            answer["scope"] = request.values["scope"]
        return _json(answer | ({"refresh_token": refresh_token} if fresh else {}))


def _client(request: Request) -> str:
    """Who asks (RFC 6749 2.3.1): in the form, or by HTTP Basic."""
    basic = request.headers.get("Authorization", "").removeprefix("Basic ")
    return request.values.get("client_id") or base64.b64decode(basic).decode().partition(":")[0]


def _json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), "application/json", status)
