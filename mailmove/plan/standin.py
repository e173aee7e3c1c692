r"""Is a message what the server announced, or a stand-in that was sent in its place?

Exchange answers for a message that it cannot convert with a letter of its own ("Retrieval using the IMAP4 protocol
failed …"); gateways and virus scanners put a notice in a message's place: well-formed, and not the message. Announced
sizes alone do not tell: RFC822.SIZE (RFC 9051 2.3.4) is an estimate with Exchange (what it takes to store the message,
[MS-STANOIMAP] 2.2.25: every property in UTF-16 and a kilobyte for each recipient, but attachments without base64),
counts LF alone with Courier, and leaves out header fields with hMailServer. So what is smaller than an estimate
explains is doubted whatever it says, and what an estimate could explain is doubted when it reads like a letter of the
server's own. Larger than announced is what base64, CRLF and added header fields make of honest messages.
"""

from __future__ import annotations

import binascii
import re
from functools import cached_property

from mailmove.plan.notices import EXCUSE, LETTER, NOTICE, PROTOCOL, REPLACED, TALK

HEAD = 1 << 16
"""So many octets from the beginning of a message are all that is looked at."""

_LETTER = 32 << 10  # no server writes a longer letter of its own
_PROPERTIES = 24 << 10  # octets that Exchange stores with a message and does not send
_RECIPIENT = 1 << 10  # the same for each recipient
_ATTACHMENTS = 1 << 20  # an announced size that only attachments come to: those do not shrink
_TEXT = 2 << 10  # a text alone that was made of HTML is longer than a notice

_SLIP = 2 << 10  # octets that a size may be wrong by for no reason
_WORDS = 3 << 10  # octets of a body that say what it is

_ADDRESS = re.compile(rb"@|/o=", re.IGNORECASE)  # Internet, X.500
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_ENCODED_WORD = re.compile(rb"=\?([^?\s]{1,40})\?([bq])\?([^?\s]*)\?=(?:\s+(?==\?))?", re.IGNORECASE)
_CHARSET = re.compile(rb"charset=\"?([\w.:-]{1,40})", re.IGNORECASE)
_BASE64 = re.compile(
    rb"content-transfer-encoding:\s*base64[^\n]*\n(?:[^\n]+\n)*?\r?\n([A-Za-z0-9+/=\r\n]+)", re.IGNORECASE
)
_ESCAPED = re.compile(rb"=(?:\r?\n|([0-9A-F]{2}))", re.IGNORECASE)
_SPACE = re.compile(r"(?:\s|<[^>]{0,200}>|&nbsp;)+")


def doubt(announced: int | None, octets: int, head: bytes) -> str:
    """Why this may not be the message that was announced, in words; empty: it is that, as far as anybody can tell.

    ``announced`` is RFC822.SIZE, ``octets`` the true length, ``head`` the message up to :data:`HEAD` octets of it.
    """
    letter = _Letter(head)
    if not announced:
        return _LIKE_A_LETTER if octets <= _LETTER and letter.servers_own else ""
    if _exact(announced, octets, head):
        return _LIKE_A_LETTER if letter.servers_own else ""
    if octets >= announced and octets > _LETTER:
        return ""
    told = f"the server announced {announced:,} octets and sent {octets:,}"
    if _too_small(announced, octets, letter) or not head.strip():
        return f"{told}: it may be a stand-in"
    if _reads_like_one(announced, octets, letter):
        return f"{told}, which read like a notice in its place"
    return ""


_LIKE_A_LETTER = "it reads like a notice that the server wrote in its place"


def _exact(announced: int, octets: int, head: bytes) -> bool:
    """Whether the size is right, or counts each line's end as one octet (Courier)."""
    return octets == announced or (octets == len(head) and octets - announced == head.count(b"\n"))


def _too_small(announced: int, octets: int, letter: _Letter) -> bool:
    """Whether an estimate cannot be so far off."""
    explained = announced - _PROPERTIES - _RECIPIENT * letter.recipients
    if announced > _ATTACHMENTS:
        return octets < (explained - _ATTACHMENTS // 2) / 2
    return octets < explained / 4 and not letter.converted


def _reads_like_one(announced: int, octets: int, letter: _Letter) -> bool:
    """Whether what an estimate could explain looks or reads like a letter of the server's own."""
    lacking = announced - octets
    noticed = lacking > _SLIP and octets * 4 < announced * 3 and not letter.reports
    if noticed and (letter.replaced or letter.says(NOTICE)):
        return True
    if octets > _LETTER or letter.calendar or letter.reports:
        return False
    if letter.nameless or (not letter.received and letter.says(LETTER)):
        return True
    if letter.written_here:
        return lacking > _SLIP and octets * 2 < announced and letter.says(TALK)
    return lacking > _PROPERTIES // 2 and octets * 4 < announced and letter.says(EXCUSE)


class _Letter:
    """The beginning of a message: where it says it comes from, and what it says."""

    def __init__(self, head: bytes) -> None:
        end = _EMPTY_LINE.search(head)
        self._header = head[: end.start()] if end else head
        self._body = head[end.end() :] if end else b""

    def _field(self, name: bytes) -> bytes | None:
        found = re.search(rb"^%b:(.*(?:\n[ \t].*)*)" % name, self._header, re.IGNORECASE | re.MULTILINE)
        return found[1].strip() if found else None

    @property
    def received(self) -> bool:
        """It was delivered (RFC 5321 4.4), as what is sent or put into a folder was not."""
        return self._field(b"received") is not None

    @property
    def nameless(self) -> bool:
        """It comes from somebody without address, and from nowhere."""
        sender = self._field(b"from")
        return bool(sender) and not _ADDRESS.search(sender or b"") and not self.received

    @property
    def written_here(self) -> bool:
        """No other program has had it in its hands: no trace of a delivery, no name of its own."""
        return not self.received and (self._field(b"message-id") is None or self.nameless)

    @property
    def servers_own(self) -> bool:
        """It is a letter of the server's own, whatever its size says; in any language one names the protocol."""
        return self.written_here and (self.says(LETTER) or (self.nameless and self.says(PROTOCOL)))

    @property
    def recipients(self) -> int:
        """How many it was addressed to, as far as can be seen."""
        return sum((self._field(name) or b"").count(b",") + 1 for name in (b"to", b"cc", b"bcc"))

    @property
    def reports(self) -> bool:
        """A bounce or a receipt: these speak of what went wrong, and are what they say (RFC 6522)."""
        return b"multipart/report" in (self._field(b"content-type") or b"").lower()

    @property
    def calendar(self) -> bool:
        """An invitation (RFC 6047) or a message in Outlook's own format: estimated with all that it was made from."""
        low = self._body.lower() + (self._field(b"content-type") or b"").lower()
        return b"text/calendar" in low or b"begin:vcalendar" in low or b"application/ms-tnef" in low

    @property
    def replaced(self) -> bool:
        """Part of it is a scanner's file."""
        return REPLACED.search(self._body) is not None

    @property
    def converted(self) -> bool:
        """What a server could have made of a message that it keeps in another form: a text alone, an invitation."""
        kind = (self._field(b"content-type") or b"text/plain").lower()
        plain = kind.startswith((b"text/plain", b"text/enriched")) and len(self._body) >= _TEXT
        return (plain and not self.written_here) or self.calendar

    def says(self, what: re.Pattern[str]) -> bool:
        """Whether its subject or text says such a thing."""
        return what.search(self._words) is not None

    @cached_property
    def _words(self) -> str:
        subject = re.sub(rb"\r?\n[ \t]", b" ", self._field(b"subject") or b"")
        said = _ENCODED_WORD.sub(_decoded, subject).decode("utf-8", "replace")
        charset = _charset(_CHARSET.search(self._header) or _CHARSET.search(self._body))
        text = _text(self._body[:_WORDS], self._header[-_WORDS:], charset)
        return _SPACE.sub(" ", f"{said} {text}").replace("\u2019", "'").casefold()


def _decoded(word: re.Match[bytes]) -> bytes:
    """An encoded word (RFC 2047) in UTF-8."""
    octets = _from_base64(word[3]) if word[2] in b"bB" else _ESCAPED.sub(_octet, word[3].replace(b"_", b" "))
    return _in(octets, word[1].decode("ascii", "replace")).encode("utf-8", "replace")


def _text(body: bytes, header: bytes, charset: str) -> str:
    """A body's words, in whichever encoding: escapes and base64 parts are read, all else stands as it is."""
    parts = [_in(_ESCAPED.sub(_octet, body), charset)]
    parts += [_in(_from_base64(found[1]), charset) for found in _BASE64.finditer(header + b"\r\n\r\n" + body)]
    return " ".join(parts)


def _octet(escaped: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escaped[1].decode()) if escaped[1] else b""


def _from_base64(text: bytes) -> bytes:
    letters = b"".join(text.split())
    try:
        return binascii.a2b_base64(letters[: len(letters) // 4 * 4])
    except binascii.Error:
        return b""


def _charset(found: re.Match[bytes] | None) -> str:
    return found[1].decode("ascii", "replace") if found else "utf-8"


def _in(octets: bytes, charset: str) -> str:
    try:
        return octets.decode(charset, "replace")
    except (LookupError, ValueError):  # some of Python's codecs cannot replace
        return octets.decode("latin-1")
