"""A message opened: the one way from octets to what people read, for display, for search and for saving attachments.

Whatever the octets are, nothing here raises, nothing is fetched, and the work is bounded (:mod:`mailmove.mail.budget`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailmove.mail import fields, smime, structure
from mailmove.mail.budget import Budget
from mailmove.mail.structure import Part

_PKCS7 = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_NOT_READ = {
    smime.Kind.ENCRYPTED: "encrypted with S/MIME: only a mail program that has the key can read it",
    smime.Kind.SIGNED: "signed with S/MIME: its text is in the attachment {name}, which cannot be read here",
    smime.Kind.COMPRESSED: "compressed with S/MIME: its text is in the attachment {name}, which cannot be read here",
}
_PGP = "encrypted with PGP: only a mail program that has the key can read it"


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
        return [fields.text(raw, self.root.charset) for raw in self.root.header.all(name)]


def parse(octets: bytes, budget: Budget | None = None) -> Message:
    """Take a message apart, and what in it is signed, compressed or encoded as a whole."""
    budget = budget or Budget()
    message = Message(structure.parse(octets, budget), budget)
    waiting = [(message.root, 0)]
    while waiting:
        part, depth = waiting.pop()
        if part.kind == "multipart/encrypted":
            message.notes.append(_PGP)
        if not part.parts:
            _open(part, depth, message)
        waiting += [(each, depth + 1) for each in part.parts]
    return message


def _open(part: Part, depth: int, message: Message) -> None:
    """Put what a part holds beneath it, where it holds parts that the pass over the message did not see."""
    content, header, note = _held(part)
    if note:
        message.notes.append(note)
    if content is None:
        return
    if depth >= message.budget.depth:
        message.budget.skip_depth()
        return
    inner = structure.parse(content, message.budget, depth + 1, header)
    if header is not None:
        part.parts = inner.parts
    elif inner.header.first("content-type"):  # else something else was signed, such as an invoice
        part.parts = [inner]


def _held(part: Part) -> tuple[bytes | None, structure.Header | None, str]:
    """The octets in which parts may be, the header that they follow, and what is to be said."""
    if part.boundary and part.content != part.raw:  # RFC 2045 6.4 forbids it
        return b"\n" + part.content, part.header.without("content-transfer-encoding"), ""
    if part.kind not in _PKCS7 and (part.kind.startswith("text/") or part.file_name.lower() != "smime.p7m"):
        return None, None, ""
    found = smime.opened(part.content)
    if found is None:
        return None, None, ""
    if found.content is None:
        return None, None, _NOT_READ[found.kind].format(name=part.file_name or "smime.p7m")
    return found.content, None, ""
