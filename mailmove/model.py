"""The field's values, frozen: folders, messages and what identifies them (RFC 9051 2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from mailmove import utf7
from mailmove.safe import visible

SPECIAL_USE = ("\\all", "\\archive", "\\drafts", "\\flagged", "\\important", "\\junk", "\\sent", "\\trash")

TIMEOUT = 60.0
RETRY_WAITS = (0.0, 2.0, 5.0, 15.0, 30.0)


class Security(Enum):
    """How the connection is protected."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and as whom to log in, and how patiently.

    ``timeout`` is in seconds of silence; ``retry_waits`` are the seconds before each new connection after one that was
    lost, as long as nothing is achieved in between. ``auth_user``: who logs in for ``user``, as whom the server then
    acts (the authentication identity of SASL PLAIN, RFC 4616); empty: the user.
    """

    host: str
    port: int
    user: str
    security: Security = Security.TLS
    ca_file: str | None = None
    timeout: float = TIMEOUT
    retry_waits: tuple[float, ...] = RETRY_WAITS
    auth_user: str = ""

    @property
    def login(self) -> str:
        """What makes two logins the same mailbox: user, host, and the port where it is not a standard one."""
        port = "" if self.port in (143, 993) else f":{self.port}"
        return f"{self.user}@{self.host.lower().rstrip('.')}{port}"


@dataclass(frozen=True, slots=True)
class Password:
    """A password; its representation hides it."""

    value: str = field(repr=False)


class TokenSource(Protocol):
    """Where OAuth 2 access tokens (RFC 6750) come from."""

    def token(self, *, renew: bool) -> str:
        """An access token; with ``renew`` a new one, because the server refused the last."""


Secret = Password | TokenSource


class NamespaceKind(Enum):
    """Whose folders they are (RFC 2342); Gmail's chats are nobody's mail."""

    PERSONAL = "personal"
    OTHER = "other users"
    SHARED = "shared"
    CHATS = "chats, not mail"


def folder_text(wire: bytes) -> str:
    """A wire name as people read it; not made safe for a terminal. Undecodable octets become lone surrogates."""
    try:
        return utf7.decode(wire)
    except ValueError:
        return wire.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Folder:
    """An IMAP mailbox as LIST names it (RFC 9051 7.3.1).

    ``wire`` is the name exactly as the server sent it, ``attributes`` are in lower case with their backslash.
    """

    wire: bytes
    delimiter: bytes | None = b"/"
    attributes: frozenset[str] = frozenset()
    namespace: NamespaceKind = NamespaceKind.PERSONAL

    @property
    def name(self) -> str:
        """The name as people read and type it."""
        return folder_text(self.wire)

    @property
    def shown(self) -> str:
        """The name, safe for a terminal."""
        return visible(self.name)

    @property
    def selectable(self) -> bool:
        """Whether it can hold messages at all."""
        return not self.attributes & {"\\noselect", "\\nonexistent"}

    @property
    def special_use(self) -> str | None:
        r"""Its special use (RFC 6154), as ``\trash``; None for an ordinary folder."""
        return next((use for use in SPECIAL_USE if use in self.attributes), None)


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """What STATUS says of a folder (RFC 9051 6.3.11, RFC 7162, RFC 8438). None: the server did not say.

    ``size`` is in octets.
    """

    messages: int
    uidnext: int | None = None
    uidvalidity: int | None = None
    highestmodseq: int | None = None
    unseen: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder at one look: its status, or in ``problem`` why the server would not tell.

    ``doubt`` says why there may be more of it than can be seen.
    """

    folder: Folder
    status: FolderStatus | None
    problem: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """All folders of an account at one look. ``unread`` are the lines that name others, nobody knows which.

    Those lines are safe for a terminal. Whoever concludes anything from a folder's absence has to mind them.
    """

    seen: tuple[Seen, ...]
    unread: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Seen]:
        return iter(self.seen)

    @property
    def problems(self) -> list[str]:
        """What follows from those lines, in words."""
        return [f"a folder is missing, because this line cannot be read: {line}" for line in self.unread]


@dataclass(frozen=True, slots=True)
class Selected:
    """What SELECT or EXAMINE says of a folder (RFC 9051 6.3.2).

    ``uidvalidity`` is 0 where the server has no lasting UIDs: it did not send one, sent 0, or said UIDNOTSTICKY
    (RFC 4315). ``uids_sticky`` is then False and nothing may be identified by UID from one session to the next.
    ``permanent_flags``, in lower case, are those that a client can set for good, ``\\*`` any keyword; None: not told.
    """

    exists: int
    uidvalidity: int
    uidnext: int | None
    highestmodseq: int | None
    read_only: bool
    uids_sticky: bool = True
    permanent_flags: frozenset[str] | None = None


class MessageId(NamedTuple):
    """The identity of a message on a server (RFC 9051 2.3.1.1): never a sequence number, date or Message-ID."""

    folder: bytes
    uidvalidity: int
    uid: int


class Listed(NamedTuple):
    """One message of a folder's listing: what a metadata FETCH says of it.

    ``arrival`` is INTERNALDATE in Unix seconds (None: missing or malformed), ``size`` is RFC822.SIZE as announced
    (some servers estimate it; None: missing), ``object_id`` names the body across folders where the server can
    (``EMAILID`` of RFC 8474, or ``X-GM-MSGID``). ``odd`` is what was said where it cannot be read, safe for a terminal:
    then all but the UID is unknown, the flags too.
    """

    uid: int
    arrival: int | None
    size: int | None
    flags: frozenset[str]
    object_id: str | None = None
    odd: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One limit of a quota root (RFC 9208 3.1): STORAGE counts units of 1024 octets, MESSAGE messages.

    ``usage`` and ``limit`` are in the resource's own unit, except that STORAGE is told in octets.
    """

    name: str
    usage: int
    limit: int


@dataclass(frozen=True, slots=True)
class QuotaRoot:
    """A quota root and what it limits; ``folders`` are the wire names of those it counts, none where it counts all.

    No resources: it limits nothing. None: what the server told of them cannot be understood.
    """

    name: str
    resources: tuple[Resource, ...] | None
    folders: frozenset[bytes] = frozenset()


class Copy(NamedTuple):
    """One place that a message was archived from; ``on_server``: it was still there at the last look."""

    folder: bytes
    uidvalidity: int
    uid: int
    on_server: bool


class Found(NamedTuple):
    """An archived message that was looked for; all its copies are one.

    Header fields are raw octets, ``arrival`` is the newest copy's in Unix seconds (0: none).
    """

    sha256: bytes
    arrival: int
    octets: int
    message_id: bytes | None
    date: bytes | None
    from_: bytes | None
    to: bytes | None
    subject: bytes | None
    copies: tuple[Copy, ...]

    @property
    def on_server(self) -> bool:
        """Whether the server had it at the last look."""
        return any(copy.on_server for copy in self.copies)
