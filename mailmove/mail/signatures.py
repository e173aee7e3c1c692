"""Which signatures a message carries. None is verified: that takes the keys of others, and trust."""

from __future__ import annotations

import re

from mailmove.mail.containers import smime
from mailmove.mail.message import PKCS7, Message
from mailmove.mail.structure import Part

_DOMAIN = re.compile(r";?\s*d\s*=\s*([^\s;]{1,255})")
_INLINE = b"-----BEGIN PGP SIGNED MESSAGE-----"


def signatures(message: Message) -> list[str]:
    """The kinds of signature, with the domain that signed where one did; not made safe for a terminal."""
    found = [f"DKIM ({domain})" for domain in map(_domain, message.header("dkim-signature")) if domain]
    waiting = [message.root]
    while waiting:
        part = waiting.pop()
        found += _of(part)
        waiting += part.parts
    return list(dict.fromkeys(found))


def _domain(value: str) -> str:
    named = _DOMAIN.search(value)
    return named[1].lower() if named else ""


def _of(part: Part) -> list[str]:
    if part.kind == "multipart/signed":
        return ["PGP" if "pgp" in part.parameters.get("protocol", "").lower() else "S/MIME"]
    if part.kind in PKCS7:
        opened = smime.opened(part.content)
        return ["S/MIME"] if opened and opened.kind is smime.Kind.SIGNED else []
    return ["PGP"] if part.kind == "text/plain" and _INLINE in part.raw[:4096] else []
