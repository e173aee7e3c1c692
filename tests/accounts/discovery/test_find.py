"""From an address to a server: who is asked, in what order, and what may not be believed."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

from mailmove.accounts.discovery import autoconfig
from mailmove.accounts.discovery.address import Address, parse
from mailmove.accounts.discovery.dns import Dns
from mailmove.accounts.discovery.find import Found, Search, find
from mailmove.errors import Unreachable, UsageError
from mailmove.model import Endpoint, Security
from tests.servers.web import Answer, Web

ME = Address("info", "rossi.example")
PLAIN_MX = {("rossi.example", "MX"): ["10 mx.rossi.example."]}
OWN = "/own.xml"
DATABASE = "/database/rossi.example"


def settings(host: str = "imap.rossi.example", kind: str = "SSL", extra: str = "") -> bytes:
    return f"""<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="x"><domain>rossi.example</domain>
  <incomingServer type="pop3"><hostname>pop.x</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
  <incomingServer type="imap"><hostname>{host}</hostname><port>1143</port><socketType>{kind}</socketType>
    <username>%EMAILLOCALPART%</username><authentication>password-cleartext</authentication></incomingServer>{extra}
</emailProvider></clientConfig>""".encode()


def look(web: Web, dns: Dns, address: Address = ME, place: str | None = None) -> Search:
    """Look as the program does, with the web on loopback."""
    context = ssl.create_default_context(cafile=web.ca)
    database = f"{web.url}/database/{{domain}}"
    return find(
        address, context, dns, place=place, own=(f"{web.url}{OWN}?emailaddress={{address}}",), database=database
    )


def found(search: Search) -> Found:
    assert search.found is not None, search.notes
    return search.found


def test_the_table_knows_its_own_domains_and_asks_nobody(web: Web, dns: Callable[..., Dns]) -> None:
    one = found(look(web, dns({}, broken=True), parse("Bob.Rossi@GMAIL.com")))
    assert one.endpoint == Endpoint("imap.gmail.com", 993, "Bob.Rossi@gmail.com")
    assert one.proven and not one.foreign("gmail.com")
    assert not web.requests


def test_icloud_logs_in_by_the_part_before_the_at(web: Web, dns: Callable[..., Dns]) -> None:
    """support.apple.com/102525: the user name is the part before @icloud.com."""
    assert found(look(web, dns({}), parse("emily@icloud.com"))).endpoint.user == "emily"
    custom = dns({("smith.example", "MX"): ["10 mx01.mail.icloud.com."]})
    assert found(look(web, custom, parse("emily@smith.example"))).endpoint.user == "emily@smith.example"


def test_the_domain_s_own_word_goes_before_the_exchanger_and_the_database(web: Web, dns: Callable[..., Dns]) -> None:
    web.answers |= {OWN: Answer(settings()), DATABASE: Answer(settings("imap.database.example"))}
    one = found(look(web, dns({("rossi.example", "MX"): ["10 aspmx.l.google.com."]})))
    assert one.endpoint == Endpoint("imap.rossi.example", 1143, "info")
    assert one.proven and not one.foreign("rossi.example")
    assert [request.values["emailaddress"] for request in web.asked(OWN)] == ["info@rossi.example"]
    assert not web.asked(DATABASE)


@pytest.mark.parametrize(
    ("exchanger", "key"),
    [
        ("aspmx.l.google.com", "gmail"),
        ("rossi-example.mail.protection.outlook.com", "microsoft365"),
        ("mx.aruba.it", "aruba"),
        ("mx.pec.aruba.it", "aruba-pec"),
        ("mx00.ionos.it", "ionos-it"),
        ("mx1.mail.ovh.net", "ovh"),
        ("mail.register.it", "register"),
        ("in1-smtp.messagingengine.com", "fastmail"),
    ],
)
def test_a_customer_s_domain_is_known_by_its_mail_exchanger(
    web: Web, dns: Callable[..., Dns], exchanger: str, key: str
) -> None:
    zone = {("rossi.example", "MX"): ["20 backup.elsewhere.example.", f"10 {exchanger}."]}
    one = found(look(web, dns(zone)))
    assert one.provider is not None
    assert one.provider.key == key
    assert one.foreign("rossi.example") and not one.proven  # anybody can answer for DNS


def test_an_exchanger_that_only_ends_alike_is_not_the_provider(web: Web, dns: Callable[..., Dns]) -> None:
    assert look(web, dns({("rossi.example", "MX"): ["10 mx.notgoogle.com."]})).found is None


def test_the_database_is_told_the_domain_and_not_the_address(web: Web, dns: Callable[..., Dns]) -> None:
    web.answers[DATABASE] = Answer(settings("imap.host.example", "STARTTLS"))
    one = found(look(web, dns(PLAIN_MX)))
    assert one.endpoint == Endpoint("imap.host.example", 1143, "info", Security.STARTTLS)
    assert one.foreign("rossi.example")
    assert not any("info" in str(request) for request in web.asked(DATABASE))


def test_srv_records_are_the_last_to_be_asked_and_the_least_believed(web: Web, dns: Callable[..., Dns]) -> None:
    """RFC 6186 3.4 and 6: the lowest priority wins, "." is no service, another domain's server is to be confirmed."""
    zone = {
        **PLAIN_MX,
        ("_imaps._tcp.rossi.example", "SRV"): ["20 1 993 second.rossi.example.", "10 1 1993 imap.rossi.example."],
        ("_imap._tcp.rossi.example", "SRV"): ["0 1 143 clear.rossi.example."],
    }
    one = found(look(web, dns(zone)))
    assert one.endpoint == Endpoint("imap.rossi.example", 1993, "info@rossi.example")
    assert not one.proven and not one.foreign("rossi.example")
    zone["_imaps._tcp.rossi.example", "SRV"] = ["0 0 0 ."]
    assert found(look(web, dns(zone))).endpoint.security is Security.STARTTLS


def test_nothing_known_anywhere(web: Web, dns: Callable[..., Dns]) -> None:
    assert look(web, dns(PLAIN_MX)) == Search(None)


def test_an_unknown_domain_is_a_misspelling(web: Web, dns: Callable[..., Dns]) -> None:
    with pytest.raises(UsageError, match=r"there is no domain rossi\.example"):
        look(web, dns({}))
    assert not web.requests


def test_dns_that_is_down_is_not_an_unknown_domain(web: Web, dns: Callable[..., Dns]) -> None:
    with pytest.raises(Unreachable, match=r"DNS does not tell about rossi\.example"):
        look(web, dns({}, broken=True))


BOMB = b"""<?xml version="1.0"?><!DOCTYPE clientConfig [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<clientConfig><emailProvider><incomingServer type="imap"><hostname>&b;</hostname></incomingServer></emailProvider>
</clientConfig>"""
OUTSIDE = (
    b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><clientConfig>&f;</clientConfig>"""
)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b"<!DOCTYPE html><html><body>Not here</body></html>"), "a web page, not with mail settings"),
        (Answer(b"\n<html lang=it>"), "a web page, not with mail settings"),
        (Answer(b"not xml at all"), "is not XML"),
        (Answer(b"<clientConfig><emailProvider>"), "is not XML"),
        (Answer(b"<feed/>"), "XML that is not mail settings"),
        (Answer(BOMB), "document type or entities"),
        (Answer(OUTSIDE), "document type or entities"),
        (Answer(settings(kind="plain")), "only without TLS"),
        (Answer(b"<clientConfig><emailProvider/></clientConfig>"), "no IMAP server"),
        (Answer(settings("imap.rossi.example&#27;[2J")), "is not XML"),
        (Answer(settings("imap rossi/../x")), "impossible server"),
        (Answer(settings().replace(b"1143", b"993000")), "impossible server"),
        (Answer(settings().replace(b"%EMAILLOCALPART%", b"%CUSTOMERID%")), "cannot fill in"),
        (Answer(b"x" * (autoconfig.MAX_OCTETS + 1)), "larger than 256 KB"),
        (Answer(status=500), "HTTP status 500"),
        (Answer(status=302, headers={"Location": "http://localhost/own.xml"}), "leads away from https, to http://"),
        (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "HTTP status 302"),
    ],
)
def test_what_may_not_be_used_is_named_and_the_search_goes_on(
    web: Web, dns: Callable[..., Dns], answer: Answer, why: str
) -> None:
    web.answers |= {OWN: answer, DATABASE: Answer(settings("imap.database.example"))}
    search = look(web, dns(PLAIN_MX))
    assert found(search).endpoint.host == "imap.database.example"
    (note,) = search.notes
    assert note.startswith("localhost: ") and why in note


def test_a_redirect_within_https_is_followed(web: Web, dns: Callable[..., Dns]) -> None:
    web.answers |= {
        OWN: Answer(status=301, headers={"Location": f"{web.url}/moved.xml"}),
        "/moved.xml": Answer(settings()),
    }
    assert found(look(web, dns(PLAIN_MX))).endpoint.host == "imap.rossi.example"


def test_an_untrusted_certificate_is_not_believed(web: Web, dns: Callable[..., Dns]) -> None:
    web.answers[OWN] = Answer(settings())
    own = (f"{web.url}{OWN}",)
    search = find(ME, ssl.create_default_context(), dns(PLAIN_MX), own=own, database=f"{web.url}/none")
    assert search.found is None
    assert "certificate is not trusted" in search.notes[0]


def test_tls_from_the_start_goes_before_starttls(web: Web, dns: Callable[..., Dns]) -> None:
    second = settings("tls.rossi.example").partition(b'<incomingServer type="imap">')[2].partition(b"</emailP")[0]
    both = settings("starttls.rossi.example", "STARTTLS", '<incomingServer type="imap">' + second.decode())
    web.answers[OWN] = Answer(both)
    assert found(look(web, dns(PLAIN_MX))).endpoint.host == "tls.rossi.example"


def test_settings_that_take_only_oauth_say_so(web: Web, dns: Callable[..., Dns]) -> None:
    web.answers[OWN] = Answer(settings().replace(b"password-cleartext", b"OAuth2"))
    assert found(look(web, dns(PLAIN_MX))).oauth


def test_a_place_that_the_user_names_is_the_only_one_asked(web: Web, dns: Callable[..., Dns]) -> None:
    web.answers["/here/rossi.example.xml"] = Answer(settings())
    place = f"{web.url}/here/{{domain}}.xml"
    assert found(look(web, dns({}, broken=True), place=place)).endpoint.host == "imap.rossi.example"
    search = look(web, dns({}, broken=True), place=f"{web.url}/nothing")
    assert search.notes == ("localhost: it has no settings there, or does not answer",)
