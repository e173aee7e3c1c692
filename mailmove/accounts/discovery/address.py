"""E-mail addresses, as far as finding a mailbox needs them (RFC 5321 4.1.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailmove.errors import UsageError
from mailmove.safe import visible

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_LOCAL = re.compile(r"[^\s@\"\x00-\x1f\x7f]{1,64}")


@dataclass(frozen=True, slots=True)
class Address:
    """An address; ``domain`` is in lower case and ASCII (IDNA)."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def parse(text: str) -> Address:
    """Read an address.

    :raises UsageError: when it is none.
    """
    local, at, domain = text.strip().rpartition("@")
    try:
        domain = domain.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        domain = ""
    if not at or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain) or len(domain) > 253:
        raise UsageError(f"{visible(text)!r} is not an e-mail address", "Write it as in info@rossi.example.")
    return Address(local, domain)
