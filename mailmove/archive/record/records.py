"""The lines of the journal: what was archived, what changed, what was done.

Folders are named by their wire name; times are UTC to the second. How each is written: ``jsonline``.

The fields of a kind are frozen for ever, since an older mailmove takes a field that it does not know for damage: a new
fact comes in a new kind. Unknown kinds are kept and skipped. Where ignoring a kind could delete or show wrong mail, its
lines say ``"must":true``: a mailmove that does not know it only reads the archive.

To add a kind: its value with a line in :data:`KINDS` (``needs`` makes it a must), what the index makes of it, a line in
the test's table of frozen kinds, and one in the table of docs/archive-format.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mailmove.model import MessageId


class Message(NamedTuple):
    """A message is in the archive: written after its file is durable.

    ``internaldate`` is as the server sent it, ``arrival`` the same in Unix seconds (0: none); ``size`` is RFC822.SIZE
    as announced, ``octets`` the true length. ``linked`` names the server's object id when the body was not fetched but
    taken from another message that the server says is the same.
    """

    folder: bytes
    uidvalidity: int
    uid: int
    internaldate: str | None
    arrival: int
    size: int | None
    octets: int
    sha256: str
    flags: tuple[str, ...]
    verified: str
    object_id: str | None = None
    linked: bool = False


class Flags(NamedTuple):
    """The server's flags of a message changed to these."""

    folder: bytes
    uidvalidity: int
    uid: int
    flags: tuple[str, ...]


class Labels(NamedTuple):
    """The Gmail labels of a message that is archived once instead of in the folder of each."""

    folder: bytes
    uidvalidity: int
    uid: int
    labels: tuple[str, ...]


class Gone(NamedTuple):
    """The server no longer lists these; the archive keeps them."""

    folder: bytes
    uidvalidity: int
    uids: frozenset[int]
    at: str


class Present(NamedTuple):
    """The server lists these again."""

    folder: bytes
    uidvalidity: int
    uids: frozenset[int]
    at: str


class Complete(NamedTuple):
    """Everything the folder held at this state is archived; while STATUS says the same, nothing needs a look."""

    folder: bytes
    uidvalidity: int
    uidnext: int | None
    messages: int
    highestmodseq: int | None


class Trouble(NamedTuple):
    """A message that the server lists and does not deliver; the next run asks for it last and alone."""

    folder: bytes
    uidvalidity: int
    uid: int
    why: str


class Taken(NamedTuple):
    """Somebody has looked at what the server sends for a message, and says that it is the message: the octets with
    this SHA-256, in hexadecimal digits, and no others.
    """

    folder: bytes
    uidvalidity: int
    uid: int
    sha256: str
    at: str


class Restoring(NamedTuple):
    """Messages are about to be put back into a folder: what arrives there from ``uidnext`` on may be they.

    ``uidnext`` None: that is over, and every one of them has its :class:`Restored`. ``login`` names the account where
    it is not the archive's own.
    """

    folder: bytes
    uidvalidity: int
    uidnext: int | None
    at: str
    login: str | None = None


class Restored(NamedTuple):
    """The message ``uid`` of a folder on the server is the archived message ``source``, put back: its age counts from
    ``at``. ``sha256`` is of its octets, in hexadecimal digits. ``login`` names the account where it is not the
    archive's own.
    """

    folder: bytes
    uidvalidity: int
    uid: int
    at: str
    source: MessageId
    sha256: str
    login: str | None = None


class Altered(NamedTuple):
    """The restored message ``uid`` of a folder on the server is not what was sent: the server changed it.

    ``sha256`` is of what is there, in hexadecimal digits, ``what`` is different in words. ``login`` names the account
    where it is not the archive's own.
    """

    folder: bytes
    uidvalidity: int
    uid: int
    at: str
    sha256: str
    what: str
    login: str | None = None


class PruneBegun(NamedTuple):
    r"""A run is about to delete messages of a folder on the server: durable before the first STORE.

    ``run`` names the run; ``proof`` is ``sha256`` when each file was re-hashed in that run, else ``none``; ``answer``
    is what was answered to the question. Of ``uids``, those in ``marked`` had ``\Deleted`` before, so that the mark is
    not ours, and those in ``unarchived`` are in no archive.
    """

    run: str
    at: str
    folder: bytes
    uidvalidity: int
    uids: frozenset[int]
    marked: frozenset[int]
    unarchived: frozenset[int]
    proof: str
    answer: str


class PruneRule(NamedTuple):
    """By which rule a run chose what goes of a folder, in words."""

    run: str
    folder: bytes
    uidvalidity: int
    rule: str


class PruneDone(NamedTuple):
    """What became of a :class:`PruneBegun`, by a second look: ``uids`` are gone from the server, ``left`` are not."""

    run: str
    at: str
    folder: bytes
    uidvalidity: int
    uids: frozenset[int]
    left: frozenset[int]


class Remembered(NamedTuple):
    """A message of which nothing but an index knew when the journal lacked it: no claim that its octets are anywhere.

    What is known of it is as in :class:`Message`. ``headers`` are header fields by name in lower case, as they stand in
    the message. ``gone``: since when the server did not list it, as far as was known. ``at`` is when this was recorded.
    """

    folder: bytes
    uidvalidity: int
    uid: int
    internaldate: str | None
    arrival: int
    size: int | None
    octets: int
    sha256: str
    flags: tuple[str, ...]
    verified: str
    headers: dict[str, str]
    gone: str | None
    at: str


class Accepted(NamedTuple):
    """Somebody says that a message is missing on purpose or lost for good: the octets with this SHA-256, in hex digits.

    It is no proof of anything; once its file is back, the message is there like any other.
    """

    folder: bytes
    uidvalidity: int
    uid: int
    sha256: str
    reason: str
    at: str


class Sealed(NamedTuple):
    """What is recorded of messages was sealed: so many ``leaves`` had this ``root``, in hexadecimal digits.

    ``file`` is the SHA-256 of the seal's file, ``before`` that of the seal before, empty where there was none.
    """

    leaves: int
    root: str
    file: str
    before: str
    at: str


class Erased(NamedTuple):
    """A message is erased from this archive for ever: durable before the first of its files goes.

    ``run`` names the erasure. What is left of the message is this: where it was, ``arrival`` in Unix seconds, its true
    length and its SHA-256 in hexadecimal digits.
    """

    run: str
    at: str
    folder: bytes
    uidvalidity: int
    uid: int
    arrival: int
    octets: int
    sha256: str
    reason: str


class ErasureOver(NamedTuple):
    """Of all that this run erased nothing is left in the archive but its record."""

    run: str
    at: str


class RuleMatched(NamedTuple):
    """A policy's rule for a folder matched this one: should its name change, the rule still means it.

    ``rule`` is the rule's pattern as it is written; ``mailboxid`` the folder's (RFC 8474), where the server tells it.
    """

    rule: str
    folder: bytes
    uidvalidity: int
    mailboxid: str | None
    at: str


class ErasedIn(NamedTuple):
    """Nothing of what an erasure named is left in a copy of the archive, either: ``copy`` is its UUID."""

    run: str
    copy: str
    at: str


class Copied(NamedTuple):
    """A copy of the archive came up to here: ``copy`` is its UUID, ``name`` what the configuration calls it, ``place``
    its directory.

    It has the first ``octets`` of the journal, and ``messages`` of the messages on record there; ``read_back`` says
    how much of what was written was read back: ``all``, ``sample`` or ``none``. Without octets and messages it is none
    any more.
    """

    copy: str
    name: str
    place: str
    at: str
    octets: int
    messages: int
    read_back: str


class ProvenAt(NamedTuple):
    """What a prune deletes was proven in this copy, too: ``copy`` is its UUID, ``name`` what the configuration says.

    ``how`` is ``sha256`` when each file there was re-hashed in that run, ``unchanged since TIME`` when some were hashed
    then or later and were seen to be unchanged.
    """

    run: str
    copy: str
    name: str
    how: str
    at: str


class Run(NamedTuple):
    """A command was carried out on this archive; ``id`` names a run that deleted something, for history and restore."""

    command: str
    at: str
    exit: int
    summary: dict[str, int]
    id: str | None = None


class Beginning(NamedTuple):
    """The first line: which archive the journal is of, in which format."""

    format: int
    uuid: str


class Unknown(NamedTuple):
    """A line of a kind that this version does not know."""

    line: dict[str, Any]

    @property
    def kind(self) -> str:
        """What it is called."""
        return str(self.line["kind"])

    @property
    def must(self) -> bool:
        """Whether nothing may be written by who does not know it; only what says so clearly may be ignored."""
        return self.line.get("must", False) is not False

    @property
    def needs(self) -> str:
        """The version that knows it, as the line tells; empty when it does not."""
        return str(self.line.get("needs", ""))


Record = (
    Beginning
    | Message
    | Flags
    | Labels
    | Gone
    | Present
    | Complete
    | Trouble
    | Taken
    | Restoring
    | Restored
    | Altered
    | PruneBegun
    | PruneDone
    | PruneRule
    | Remembered
    | Accepted
    | Sealed
    | Erased
    | ErasureOver
    | ErasedIn
    | RuleMatched
    | Copied
    | ProvenAt
    | Run
    | Unknown
)


class Kind(NamedTuple):
    """A kind of line: its value; and, where ignoring it could delete or show wrong mail, the version that it needs."""

    shape: Any
    needs: str = ""


KINDS = {
    "archive": Kind(Beginning),
    "message": Kind(Message),
    "flags": Kind(Flags),
    "labels": Kind(Labels),
    "gone": Kind(Gone),
    "present": Kind(Present),
    "complete": Kind(Complete),
    "trouble": Kind(Trouble),
    "taken": Kind(Taken),
    "restoring": Kind(Restoring),
    "restored": Kind(Restored),
    "altered": Kind(Altered),
    "prune": Kind(PruneBegun),
    "pruned": Kind(PruneDone),
    "prune-rule": Kind(PruneRule),
    "remembered": Kind(Remembered),
    "accepted": Kind(Accepted),
    "sealed": Kind(Sealed),
    "erased": Kind(Erased, needs="0.1"),
    "erasure-over": Kind(ErasureOver),
    "erased-in": Kind(ErasedIn),
    "rule-matched": Kind(RuleMatched),
    "copied": Kind(Copied),
    "proven-at": Kind(ProvenAt),
    "run": Kind(Run),
}
