"""Time-stamps (RFC 3161): an authority signs that a seal was there at a moment. Query, reply and chain lie beside it.

The authority sees a hash of hashes, and nothing else. Its reply is signed, so that even plain HTTP can only fail.
"""

from __future__ import annotations

import os
import shlex
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mailmove import replacing
from mailmove.archive.files import durable
from mailmove.errors import ArchiveError, RefusedError, Unreachable, UsageError
from mailmove.safe import visible
from mailmove.units import timestamp as told

if TYPE_CHECKING:
    from urllib.request import Request

    from cryptography.x509 import Certificate

PATIENCE = 30.0  # seconds
_MOST = 1 << 20  # octets of a reply
_CONTENT = "application/timestamp-query"


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time-stamp: when, as the authority says, who signed it, and the command that verifies it without mailmove.

    ``anchored``: its chain leads to a certificate that was given for that.
    """

    at: str
    signer: str
    files: tuple[str, ...]
    command: str
    anchored: bool


def stamp(file: str, url: str, ca_file: str | None) -> Stamp:
    """Have a seal's file time-stamped; what the authority answers is kept once it is seen to be about that file.

    ``ca_file`` has the certificates that its chain must lead to.

    :raises UsageError: when the library is not installed, or the URL is none.
    :raises Unreachable: when nobody answers there.
    :raises RefusedError: when the answer is not a time-stamp of this file, or not to be trusted.
    :raises ArchiveError: when a file cannot be read or written.
    """
    library, host = _library(), _host(url)
    file = os.path.abspath(os.path.expanduser(file))
    with durable.explained(f"reading {visible(file)}"), open(file, "rb") as opened:
        octets = opened.read()
    query = library.TimestampRequestBuilder(data=octets, hash_algorithm=library.HashAlgorithm.SHA256).build()
    answered = _ask(url, query.as_bytes(), host, ca_file)
    reply, certificates = _read(library, query, answered, octets)
    given = _certificates(ca_file) if ca_file else []
    _must_be_signed(library, query, reply, octets, certificates, given)
    chain = b"".join(map(_pem, dict.fromkeys([*certificates, *given])))
    beside = {f"{file}.tsq": query.as_bytes(), f"{file}.tsr": answered, f"{file}.chain.pem": chain}
    with durable.explained(f"writing beside {visible(file)}"):
        for path, content in beside.items():
            replacing.replace_file(path, content)
    moment = reply.tst_info.gen_time
    signer = next((one for one in certificates if _is_signer(one, reply)), None)
    who = signer.subject.rfc4514_string() if signer is not None else "somebody"
    words = ["openssl", "ts", "-verify", "-data", file, "-in", f"{file}.tsr", "-CAfile", f"{file}.chain.pem"]
    words += ["-untrusted", f"{file}.chain.pem", "-attime", str(int(moment.timestamp()))]
    return Stamp(told(moment), visible(who), tuple(beside), shlex.join(words), bool(given))


def _host(url: str) -> str:
    """Whom a URL means, safe for a terminal: the rest of it may be a secret."""
    try:
        address = urlsplit(url)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:
            return visible(address.hostname)
    except ValueError:
        pass
    raise UsageError("a time-stamp authority is named by its URL", "As in --timestamp https://tsa.example.org/tsr")


def _library() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise UsageError(
            "time-stamps need the library rfc3161-client", "Install it with mailmove: pip install 'mailmove[timestamp]'"
        ) from None
    return rfc3161_client


def _ask(url: str, query: bytes, host: str, ca_file: str | None) -> bytes:
    import ssl  # late, as urllib.request: who only reads a seal does without
    import urllib.request
    from http.client import HTTPException
    from urllib.error import HTTPError

    context = ssl.create_default_context()
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
        request = _request(url, query)
        with urllib.request.urlopen(request, timeout=PATIENCE, context=context) as answer:
            octets: bytes = answer.read(_MOST + 1)
    except (OSError, HTTPException, ValueError) as error:  # its words may have the URL in them, and so a secret
        why = f"HTTP status {error.code}" if isinstance(error, HTTPError) else type(error).__name__
        raise Unreachable(
            f"the time-stamp authority at {host} does not answer: {why}",
            "The seal is made; the same command again asks for its time-stamp.",
        ) from None
    if len(octets) > _MOST:
        raise RefusedError(f"the time-stamp authority at {host} answers without end", _NEXT)
    return octets


def _request(url: str, query: bytes) -> Request:
    """The query as a request; user and password of the URL go where HTTP wants them (RFC 7617)."""
    from urllib.request import Request

    address = urlsplit(url)
    place = address.netloc.rpartition("@")[2]
    headers = {"Content-Type": _CONTENT, "User-Agent": "mailmove"}
    if address.username is not None:
        pair = f"{unquote(address.username)}:{unquote(address.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode('ascii')}"
    return Request(address._replace(netloc=place).geturl(), query, headers)


def _read(library: Any, query: Any, answered: bytes, octets: bytes) -> tuple[Any, list[Certificate]]:
    """The reply and its certificates, once it is seen to be one to this query."""
    from cryptography.x509 import load_der_x509_certificate

    try:
        reply = library.decode_timestamp_response(answered)
        if reply.status != library.PKIStatus.GRANTED:
            said = ", ".join(map(visible, reply.status_string))
            raise RefusedError(f"the time-stamp authority refuses: {said or reply.status}", _NEXT)
        certificates = [load_der_x509_certificate(one) for one in reply.signed_data.certificates]
        same = reply.tst_info.message_imprint.message == sha256(octets).digest()
        if not same or reply.tst_info.nonce != query.nonce:
            raise RefusedError("the time-stamp authority's answer is to another question", _NEXT)
    except (ValueError, TypeError) as error:
        raise RefusedError(f"the time-stamp authority's answer cannot be read: {visible(str(error))}", _NEXT) from None
    return reply, certificates


def _must_be_signed(
    library: Any, query: Any, reply: Any, octets: bytes, certificates: list[Certificate], given: list[Certificate]
) -> None:
    """By a certificate whose chain leads to one that was given; where none was, to the top of what came along."""
    roots = given or _tops(certificates)
    if not roots:
        raise RefusedError("the time-stamp authority sends no certificate", "Give its authority's: --ca-file FILE")
    builder = library.VerifierBuilder.from_request(query)
    for root in roots:
        builder = builder.add_root_certificate(root)
    for one in certificates:
        if one not in roots:
            builder = builder.add_intermediate_certificate(one)
    try:
        builder.build().verify_message(reply, octets)
    except (library.VerificationError, ValueError) as error:
        raise RefusedError(
            f"the time-stamp's signature cannot be trusted: {visible(str(error))}",
            "Give the certificates that its chain ends at: --ca-file FILE",
        ) from None


def _tops(certificates: list[Certificate]) -> list[Certificate]:
    subjects = {one.subject.public_bytes() for one in certificates if one.issuer != one.subject}
    return [one for one in certificates if one.issuer == one.subject or one.issuer.public_bytes() not in subjects]


def _certificates(file: str) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        with open(os.path.expanduser(file), "rb") as opened:
            return load_pem_x509_certificates(opened.read())
    except (OSError, ValueError) as error:
        raise ArchiveError(
            f"{visible(file)} cannot be read as certificates: {visible(str(error))}", "Name a file of them in PEM."
        ) from None


def _is_signer(one: Certificate, reply: Any) -> bool:
    signers: Iterator[Any] = iter(reply.signed_data.signer_infos)
    return any((one.issuer, one.serial_number) == (info.issuer, info.serial_number) for info in signers)


def _pem(one: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return one.public_bytes(Encoding.PEM)


_NEXT = "Nothing of it was kept; the seal is made. Ask another authority, or this one again."
