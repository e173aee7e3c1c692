"""OAuth 2 for real: an issuer on loopback, a Dovecot that checks its tokens, and the program between them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError as Refused

from mailmove.accounts.config import Account, OAuthClient
from mailmove.accounts.oauth import MARGIN, Tokens, google, microsoft
from mailmove.accounts.oauth import issuer as module_of
from mailmove.accounts.vault import File
from mailmove.errors import LoginError, Unreachable
from mailmove.model import Endpoint
from tests.kit import Mailbox, Program, archived, message
from tests.servers.dovecot import Dovecot
from tests.servers.issuer import CLIENT, Issuer
from tests.servers.proxy import Fault, Proxy
from tests.servers.scripted import Scripted
from tests.servers.web import Answer, Web


@pytest.fixture(autouse=True)
def _trust(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries' own way to trust another authority."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", web.ca)


def client(issuer: Issuer, name: str) -> OAuthClient:
    return OAuthClient(name, CLIENT, "s", issuer.authority, issuer.authorize, issuer.token)


def tokens(issuer: Issuer, path: Path) -> Tokens:
    """The tokens of somebody who signed in with Microsoft before."""
    issuer.refresh_tokens.add("refresh-0")
    vault = File(str(path / "secret"))
    vault.write("refresh-0")
    endpoint = Endpoint("localhost", 143, issuer.user)
    return Tokens(Account("me", endpoint, "/nowhere", oauth=client(issuer, "microsoft")), vault)


def accepts(server: Dovecot, issuer: Issuer, token: str, login: str = "oauth2_login") -> bool:
    """Whether a Dovecot lets the issuer's user in with this."""
    session = IMAPClient(server.host, server.imap, ssl=False)
    try:
        getattr(session, login)(issuer.user, token)
    except Refused:
        return False
    finally:
        session.shutdown()
    return True


class TestDovecot:
    """The instrument itself: what is logged in with below is really checked."""

    @pytest.mark.parametrize("login", ["oauth2_login", "oauthbearer_login"])
    def test_it_takes_the_issued_token_and_no_other(self, believer: Dovecot, issuer: Issuer, login: str) -> None:
        assert accepts(believer, issuer, issuer.access_token(), login)
        assert not accepts(believer, issuer, issuer.access_token(lifetime=-1), login)
        assert not accepts(believer, issuer, issuer.access_token(key=b"another key, just as long as ours"), login)
        assert not accepts(believer, issuer, issuer.access_token(user="somebody-else"), login)
        assert not accepts(believer, issuer, "pw", login)


class TestMicrosoft:
    def test_a_sign_in_by_device_code(self, issuer: Issuer, web: Web) -> None:
        told: list[str] = []
        issuer.approved = False

        def show(line: str) -> None:
            told.append(line)
            issuer.approved = len(told) == 2  # the user goes and types it

        grant = microsoft.sign_in(client(issuer, "microsoft"), "user", show)
        assert "ABCD-1234" in told[0] and f"{web.url}/device" in told[0]
        assert grant.access_token == issuer.issued[-1]
        assert grant.refresh_token in issuer.refresh_tokens
        assert grant.lifetime == 3600
        assert "IMAP.AccessAsUser.All" in web.asked("/tenant/devicecode")[0].values["scope"]
        assert "offline_access" in web.asked("/tenant/devicecode")[0].values["scope"]
        assert grant.access_token not in repr(grant)

    def test_a_sign_in_that_is_declined(self, issuer: Issuer, web: Web) -> None:
        declined = b'{"error": "authorization_declined", "error_description": "AADSTS65004: User declined\\nTrace"}'
        web.answers["/tenant/token"] = Answer(declined, "application/json", 400)
        with pytest.raises(LoginError, match=r"Microsoft refuses the sign-in: AADSTS65004: User declined\n"):
            microsoft.sign_in(client(issuer, "microsoft"), "user", lambda line: None)


def test_a_sign_in_with_google_answers_to_a_port_of_this_machine(
    issuer: Issuer, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", f"{sys.executable} {Path(__file__).parent / 'browser.py'} %s &")
    grant = google.sign_in(client(issuer, "google"), "bob@gmail.com", lambda line: None)
    assert grant.access_token == issuer.issued[-1]
    assert grant.refresh_token in issuer.refresh_tokens
    assert grant.lifetime == pytest.approx(3600, abs=60)
    asked = web.asked("/authorize")[0].values
    assert asked["scope"] == "https://mail.google.com/"
    assert asked["access_type"] == "offline"
    assert asked["login_hint"] == "bob@gmail.com"
    assert asked["redirect_uri"].startswith("http://localhost:")
    assert len(asked["code_challenge"]) > 40  # RFC 7636


def test_a_sign_in_that_grants_less_than_was_asked(issuer: Issuer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", f"{sys.executable} {Path(__file__).parent / 'browser.py'} %s &")
    less = b'{"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "scope": "openid"}'
    web.answers["/token"] = Answer(less, "application/json")
    with pytest.raises(LoginError, match="does not open IMAP"):
        google.sign_in(client(issuer, "google"), "bob@gmail.com", lambda line: None)


@pytest.mark.parametrize("name", ["microsoft", "google"])
class TestRefresh:
    def test_a_refresh_gives_a_new_token(self, issuer: Issuer, name: str) -> None:
        issuer.refresh_tokens.add("refresh-0")
        grant = module_of(client(issuer, name)).refresh(client(issuer, name), "refresh-0")
        assert grant.access_token == issuer.issued[-1]
        assert grant.lifetime == pytest.approx(3600, abs=60)

    def test_a_sign_in_that_has_ended(self, issuer: Issuer, name: str) -> None:
        with pytest.raises(LoginError, match=r"refuses the sign-in: (AADSTS70008|invalid_grant)"):
            module_of(client(issuer, name)).refresh(client(issuer, name), "refresh-of-last-year")

    def test_an_issuer_that_is_down_is_no_refusal(self, issuer: Issuer, name: str) -> None:
        nowhere = "https://localhost:1/tenant"
        there = replace(client(issuer, name), authority=nowhere, token_uri=nowhere)
        with pytest.raises(Unreachable, match="does not answer"):
            module_of(there).refresh(there, "refresh-0")


class TestTokens:
    def test_a_token_is_used_until_shortly_before_its_end(self, issuer: Issuer, tmp_path: Path) -> None:
        source = tokens(issuer, tmp_path)
        assert source.token(renew=False) == source.token(renew=False) == issuer.issued[0]
        assert len(issuer.issued) == 1
        issuer.announced = int(MARGIN)
        assert source.token(renew=True) == issuer.issued[1]
        assert source.token(renew=False) == issuer.issued[2], "it would have ended in the middle of its use"

    def test_a_refresh_token_that_is_replaced_is_kept(self, issuer: Issuer, tmp_path: Path) -> None:
        issuer.rotates = True
        source = tokens(issuer, tmp_path)
        source.token(renew=False)
        source.token(renew=True)
        assert {(tmp_path / "secret").read_text().strip()} == issuer.refresh_tokens

    def test_without_a_sign_in(self, issuer: Issuer, tmp_path: Path) -> None:
        source = tokens(issuer, tmp_path)
        (tmp_path / "secret").unlink()
        with pytest.raises(LoginError) as caught:
            source.token(renew=False)
        assert caught.value.next_step == "Sign in again: mailmove account password me"


@pytest.fixture
def configured(mailmove: Program, issuer: Issuer, web: Web) -> Callable[[str], Path]:
    """The program with an account that signed in with Microsoft before; its table is the argument."""

    def write(table: str) -> Path:
        issuer.refresh_tokens.add("refresh-0")
        secret = mailmove.home / "secret"
        File(str(secret)).write("refresh-0")
        mailmove.env["REQUESTS_CA_BUNDLE"] = web.ca
        registration = f'[oauth.microsoft]\nclient_id = "{CLIENT}"\nauthority = "{issuer.authority}"\n'
        mailmove.configure(f'{table}oauth = "microsoft"\nsecret_file = "{secret}"\n{registration}')
        return secret

    return write


def test_export_goes_on_when_its_token_ends_in_the_middle(
    believer: Dovecot,
    signed_up: Mailbox,
    issuer: Issuer,
    configured: Callable[[str], Path],
    mailmove: Program,
    tmp_path: Path,
) -> None:
    """The end of a token ends no session: the connection is cut, and the token is no good for the next login."""
    signed_up.fill([message(number, size=20_000) for number in range(60)])
    proxy = Proxy(believer.imap)

    def ended() -> None:
        issuer.new_key()
        believer.doveadm("reload")  # it has the old key in memory
        while accepts(believer, issuer, issuer.issued[0]):
            pass

    proxy.arm(Fault("cut", octet=500_000))
    proxy.on_strike = ended
    through = Mailbox("dovecot", proxy.host, proxy.imap, signed_up.user)
    configured(through.table("me@example.org", f'archive = "{tmp_path / "mail"}"'))
    done = mailmove("export")
    proxy.stop()
    assert done.code == 0, done.err
    assert proxy.struck == 1
    assert archived(tmp_path / "mail")["INBOX"] == signed_up.contents()["INBOX"]
    assert issuer.grants("refresh_token") == 2, "one before the first login, one when the old token was refused"
    assert "method=OAUTHBEARER" in believer.log()


@pytest.mark.fault(40)
def test_a_refused_token_is_renewed_once_and_not_again(
    scripted: Callable[..., Scripted], issuer: Issuer, configured: Callable[[str], Path], mailmove: Program
) -> None:
    """RFC 7628 3.2.3: an error in a challenge, an empty answer to it, then NO."""
    server = scripted()
    server.store.capabilities += ["AUTH=XOAUTH2"]
    table = Mailbox("scripted", server.host, server.port, "user").table("me@example.org")
    configured(table)
    done = mailmove("account", "test")
    assert done.code == 5
    assert server.count("AUTHENTICATE", "XOAUTH2") == 2
    assert issuer.grants("refresh_token") == 2
    assert "refused the login of user" in done.err
    assert not any(token in done.err + done.out for token in issuer.issued)


def test_a_sign_in_that_ended_says_how_to_sign_in_again(
    signed_up: Mailbox, issuer: Issuer, configured: Callable[[str], Path], mailmove: Program
) -> None:
    configured(signed_up.table("me@example.org"))
    issuer.refresh_tokens.clear()
    done = mailmove("export")
    assert done.code == 5
    assert "Microsoft refuses the sign-in: AADSTS70008" in done.err
    assert "mailmove account password me@example.org" in done.err
    assert issuer.grants("refresh_token") == 1
