"""Which folders are served of an archive, and under which names.

What IMAP cannot say is decided here. A folder keeps the name, UIDVALIDITY and UIDs that it had on its server. A
retired UIDVALIDITY is a folder of its own beside it. Whatever has no UID that IMAP could carry for ever (no lasting
UIDs, values from 2^31 on, messages whose UID stands for another by now) is in a folder that says so, under UIDs of our
own. Gmail's mail that is archived once is under each of its labels, under such UIDs as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from mailmove import utf7
from mailmove.archive.record.manifest import FolderDir
from mailmove.model import folder_text

BELOW = 1 << 31  # mail programs keep UIDs and UIDVALIDITYs in signed integers of 32 bits

_OWN = " (own UIDs)"
_GMAIL = {
    "\\Inbox": ("INBOX", None),
    "\\Sent": ("Sent Mail", "\\sent"),
    "\\Draft": ("Drafts", "\\drafts"),
    "\\Drafts": ("Drafts", "\\drafts"),
    "\\Starred": ("Starred", "\\flagged"),
    "\\Important": ("Important", "\\important"),
}
"""What Gmail calls its own folders among labels."""


class Kind(Enum):
    """Which messages of a directory a folder shows."""

    WHOLE = "those that their UIDs stand for"
    OWN = "those without a UID that IMAP can carry"
    LABEL = "those under a Gmail label"
    EMPTY = "none: every account has an INBOX"


class Mailbox(NamedTuple):
    """A folder as it is served: its name on the wire, and where its messages come from.

    ``use`` is its special use (RFC 6154), as ``\\sent``. ``wire`` and ``uidvalidity`` name its directory.
    """

    name: bytes
    delimiter: bytes | None
    use: str | None
    kind: Kind
    wire: bytes
    uidvalidity: int
    label: str = ""

    @property
    def key(self) -> str:
        """What it is called among folders with UIDs of their own, for ever."""
        label = self.label.encode("utf-8", "surrogateescape").hex()
        return f"{self.kind.name} {self.wire.hex()} {self.uidvalidity} {label}".rstrip()


class Contents(NamedTuple):
    """What a directory of the archive holds: whether anything under lasting UIDs, or without, and the labels."""

    directory: FolderDir
    lasting: bool
    own: bool
    labels: frozenset[str]


def lasts(uidvalidity: int, uid: int = 1) -> bool:
    """Whether IMAP programs can carry them (RFC 3501 2.3.1.1)."""
    return 0 < uidvalidity < BELOW and 0 < uid < BELOW


def mailboxes(held: Iterable[Contents]) -> dict[bytes, Mailbox]:
    """The folders to serve, by name; those of the server come first, so that no other takes their names."""
    found: dict[bytes, Mailbox] = {}
    held = list(held)
    for each in sorted(held, key=lambda one: one.directory.retired):
        _add(found, _proper(each))
    for box in _labelled(held):
        _add(found, box)
    for each in held:
        if each.own:
            _add(found, _own(each))
    if not any(name.upper() == b"INBOX" for name in found):
        found = {b"INBOX": Mailbox(b"INBOX", b"/", None, Kind.EMPTY, b"INBOX", 1), **found}
    return found


def _add(found: dict[bytes, Mailbox], box: Mailbox | None) -> None:
    """Serve one more, with a number where another has its name."""
    if box is None:
        return
    name, number = box.name, 2
    while name in found:
        name, number = b"%b (%d)" % (box.name, number), number + 1
    found[name] = box._replace(name=name)


def _proper(each: Contents) -> Mailbox | None:
    directory = each.directory
    if not lasts(directory.uidvalidity) or (each.own and not each.lasting and directory.retired):
        return None
    use = None if directory.retired else directory.special_use
    return Mailbox(_name(directory), directory.delimiter, use, Kind.WHOLE, directory.wire, directory.uidvalidity)


def _own(each: Contents) -> Mailbox:
    directory = each.directory
    name = _name(directory) + _OWN.encode()
    return Mailbox(name, directory.delimiter, None, Kind.OWN, directory.wire, directory.uidvalidity)


def _labelled(held: Iterable[Contents]) -> Iterator[Mailbox]:
    for each in held:
        directory = each.directory
        above = directory.wire.rpartition(directory.delimiter or b"/")
        for label in sorted(each.labels):
            known = _GMAIL.get(label)
            use = known[1] if known else None
            name = utf7.encode(known[0] if known else label.removeprefix("\\"))
            if label.startswith("\\") and name != b"INBOX":
                name = above[0] + above[1] + name
            yield Mailbox(name, directory.delimiter, use, Kind.LABEL, directory.wire, directory.uidvalidity, label)


def _name(directory: FolderDir) -> bytes:
    """Its name on the wire, as its server sent it where that is what IMAP allows (RFC 3501 5.1)."""
    wire = directory.wire
    if not wire.isascii() or not wire.decode().isprintable():
        wire = utf7.encode(folder_text(wire))
    return wire + f" (UIDVALIDITY {directory.uidvalidity})".encode() if directory.retired else wire
