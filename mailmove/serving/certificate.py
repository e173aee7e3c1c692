"""TLS for those who are not on this machine: the user's certificate, or one made here and known by its fingerprint."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

from mailmove.errors import LackingError, UsageError
from mailmove.replacing import replace_file
from mailmove.safe import visible

_DAYS = 3650


def context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS with this certificate.

    :raises UsageError: when the files are not a certificate and its key.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise UsageError(
            f"{visible(certificate)} and {visible(key)} are no certificate and its key: {error}",
            "Give both as PEM, the key without a passphrase: --tls-cert FILE --tls-key FILE",
        ) from None
    return made


def fingerprint(certificate: str) -> str:
    """The SHA-256 of a certificate, as mail programs show it before they trust it."""
    with open(certificate, encoding="ascii", errors="replace") as file:
        text = file.read()
    end = "-----END CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end) + len(end)])
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def made(directory: str, host: str) -> tuple[str, str]:
    """Certificate and key for this host, made at the first time.

    :raises LackingError: when nothing is there to make them with.
    """
    name = hashlib.sha256(host.encode()).hexdigest()[:16]
    certificate, key = (os.path.join(directory, f"{name}.{kind}.pem") for kind in ("cert", "key"))
    if not (os.path.exists(certificate) and os.path.exists(key)):
        try:
            pems = _by_library(host)
        except ImportError:
            pems = _by_openssl(host)
        replace_file(key, pems[1])
        replace_file(certificate, pems[0])
    return certificate, key


def _by_library(host: str) -> tuple[bytes, bytes]:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailmove")])
    try:
        subject: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return certificate.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)


def _by_openssl(host: str) -> tuple[bytes, bytes]:
    program = shutil.which("openssl")
    if program is None:
        raise LackingError(
            "there is no certificate, and nothing to make one with",
            "Give one by --tls-cert FILE --tls-key FILE, or: pip install 'mailmove[serve]'",
        )
    kind = "IP" if host.replace(".", "").isdigit() or ":" in host else "DNS"
    done = subprocess.run(
        [
            *(program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", str(_DAYS), "-subj", "/CN=mailmove", "-addext", f"subjectAltName={kind}:{host}"),
            *("-keyout", "-", "-out", "-"),
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )
    begin = b"-----BEGIN CERTIFICATE-----"
    key, found, certificate = done.stdout.partition(begin)
    if done.returncode or not found:
        raise LackingError(
            f"openssl made no certificate: {visible(done.stderr[-200:])}",
            "Give one by --tls-cert FILE --tls-key FILE",
        )
    return found + certificate, key
