"""Whom a connection trusts, and what is wrong with a certificate that it does not (RFC 5280 6, RFC 9525 6)."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Collection

from mailmove.errors import RefusedError
from mailmove.safe import visible

_contexts: dict[tuple[str, float] | None, ssl.SSLContext] = {}
_making = threading.Lock()


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Certificates and host names are always verified; ``ca_file`` adds an authority of the user's own.

    Made once for each such file as it now is: reading the system's authorities costs more than a whole idle session.

    :raises RefusedError: when ``ca_file`` cannot be read.
    """
    with _making:
        key = (ca_file, _changed(ca_file)) if ca_file else None
        if key not in _contexts:
            _contexts[key] = _made(ca_file)
        return _contexts[key]


def _changed(ca_file: str) -> float:
    try:
        return os.stat(ca_file).st_mtime
    except OSError as error:
        raise _no_authority(ca_file, error) from error


def _made(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise _no_authority(ca_file, error) from error
    return context


def _no_authority(ca_file: str, error: OSError) -> RefusedError:
    return RefusedError(f"{visible(ca_file)}: not a file of certificates ({error})", "Name one in PEM: --ca-file")


def untrusted(where: str, error: ssl.SSLCertVerificationError, ca_file: str | None) -> RefusedError:
    """The error for a certificate that does not hold: what is wrong with it, and who can mend that."""
    what = f"{where}: the certificate is not trusted: {visible(error.verify_message)}"
    return RefusedError(what, f"No password was sent. {_remedy(error.verify_code, ca_file)}")


def _remedy(code: int, ca_file: str | None) -> str:
    if code in _UNKNOWN_AUTHORITY and ca_file:
        return f"{visible(ca_file)} does not hold the authority that signed it."
    return next((remedy for codes, remedy in _REMEDIES if code in codes), _OTHER)


# The codes of OpenSSL's X509_verify_cert, which Python's ssl has no names for.
_UNKNOWN_AUTHORITY: Collection[int] = (2, 18, 19, 20, 21)
_REMEDIES: tuple[tuple[Collection[int], str], ...] = (
    (
        _UNKNOWN_AUTHORITY,
        "This machine does not know who signed it. For a private authority give its certificate with --ca-file; "
        "a public provider's is known: is somebody in between?",
    ),
    ((9,), "Is this machine's clock behind? If not, only who runs the server can mend it."),
    ((10,), "Only who runs the server can renew it. If others can connect, is this machine's clock ahead?"),
    (
        (62, 64),
        "It is another name's: check the host name in your provider's instructions. If that is right, only who runs "
        "the server can mend it.",
    ),
    ((23,), "Its authority has revoked it: only who runs the server can replace it."),
    ((66, 67, 68), "Its key or signature is too weak to prove anything: only who runs the server can replace it."),
    (
        range(79, 95),
        "A private authority that leaves out what RFC 5280 requires, which Python checks from 3.13 on: who runs it has "
        "to make its certificates anew.",
    ),
)
_OTHER = "Only who runs the server, or its authority, can mend it."
