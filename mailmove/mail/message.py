"""A message opened: the one way from octets to what people read, for display, for search and for saving attachments.

Whatever the octets are, nothing here raises, nothing is fetched, and the work is bounded (:mod:`mailmove.mail.budget`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailmove.mail import fields, structure
from mailmove.mail.budget import Budget
from mailmove.mail.containers import smime, tnef
from mailmove.mail.structure import Part

MESSAGES = ("message/rfc822", "message/global")
PKCS7 = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
_NOT_READ = {
    smime.Kind.ENCRYPTED: "encrypted with S/MIME: only a mail program that has the key can read it",
    smime.Kind.SIGNED: "signed with S/MIME: its text is in the attachment {name}, which cannot be read here",
    smime.Kind.COMPRESSED: "compressed with S/MIME: its text is in the attachment {name}, which cannot be read here",
}
_PGP = "encrypted with PGP: only a mail program that has the key can read it"
_ONLY_RTF = "its text is in the attachment message.rtf"


@dataclass(slots=True)
class Message:
    """A message that was taken apart; ``notes`` say what of it cannot be read, not made safe for a terminal."""

    root: Part
    budget: Budget
    notes: list[str] = field(default_factory=list)

    @property
    def skipped(self) -> list[str]:
        """What was left out because it costs too much, as far as it was read until now."""
        return self.budget.skipped

    def header(self, name: str) -> list[str]:
        """The text of every field of this name, not made safe for a terminal."""
        return header(self.root, name)


def header(root: Part, name: str) -> list[str]:
    """The text of every field of this name of a message, or of one within it."""
    return [fields.text(raw, root.charset) for raw in root.header.all(name)]


def parse(octets: bytes, budget: Budget | None = None) -> Message:
    """Take a message apart: the messages within it too, and what was signed, compressed or wrapped as a whole."""
    budget = budget or Budget()
    message = Message(structure.parse(octets, budget), budget)
    waiting = [(message.root, 0)]
    while waiting:
        part, depth = waiting.pop()
        if not part.parts:
            _open(part, depth, message)
        elif part.kind == "multipart/encrypted":
            message.notes.append(_PGP)
        inner = [part.message] if part.message else part.parts
        waiting += [(each, depth + 1) for each in reversed(inner)]
    return message


def _open(part: Part, depth: int, message: Message) -> None:
    """Put what a part holds beneath it, where it holds parts that the pass over the message did not see."""
    budget = message.budget
    if part.kind in MESSAGES:
        if budget.may_open(len(part.raw), depth):
            part.message = structure.parse(part.content, budget, depth + 1)
    elif part.boundary and part.content != part.raw:  # RFC 2045 6.4 forbids it
        if budget.may_open(len(part.raw), depth):
            plain = part.header.without("content-transfer-encoding")
            part.parts = structure.parse(b"\n" + part.content, budget, depth + 1, plain).parts
    elif part.kind in PKCS7 or _is_called(part, "smime.p7m"):
        _open_smime(part, depth, message)
    elif part.kind in _TNEF or _is_called(part, "winmail.dat"):
        _open_tnef(part, depth, message)


def _is_called(part: Part, name: str) -> bool:
    return not part.kind.startswith("text/") and part.file_name.lower() == name


def _open_smime(part: Part, depth: int, message: Message) -> None:
    found = smime.opened(part.content)
    if found is None:
        return
    if found.content is None:
        message.notes.append(_NOT_READ[found.kind].format(name=part.file_name or "smime.p7m"))
    elif message.budget.may_open(len(found.content), depth):
        inner = structure.parse(found.content, message.budget, depth + 1)
        if inner.header.first("content-type"):  # else something else was signed, such as an invoice
            part.parts = [inner]


def _open_tnef(part: Part, depth: int, message: Message) -> None:
    found = tnef.opened(part.content)
    if found is None or not message.budget.may_open(len(part.content), depth):
        return
    items = [
        structure.made(
            item.kind or "application/octet-stream", item.content, item.name or "attachment", item.content_id
        )
        for item in found.items
    ]
    part.parts = [*_tnef_text(found, message), *items]


def _tnef_text(found: tnef.Opened, message: Message) -> list[Part]:
    """The text that was wrapped, in the plainest form; where the message has another, it is the same text again."""
    if any(leaf.kind.startswith("text/") and leaf.raw.strip() for leaf in message.root.leaves()):
        return []
    if found.plain.strip():
        return [structure.made("text/plain; charset=utf-8", found.plain.encode("utf-8", "replace"))]
    if found.html:
        return [structure.made(f"text/html; charset=cp{found.codepage}", found.html)]
    if found.rtf:
        message.notes.append(_ONLY_RTF)
        return [structure.made("application/rtf", found.rtf, "message.rtf")]
    return []
