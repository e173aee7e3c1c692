"""Which folders there are and what STATUS says of them (RFC 9051 6.3.9 and 6.3.11, RFC 5819, RFC 2342, RFC 6154)."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from mailmove.errors import CommandRefused
from mailmove.imap import refusal
from mailmove.imap.listline import canonical, read_list, read_status
from mailmove.imap.parse import Malformed, Segments, number, parse
from mailmove.imap.wire import MAX_MESSAGES, Astring, Wire, misleading, sendable
from mailmove.model import Folder, FolderStatus, Looked, NamespaceKind, Seen, Selected
from mailmove.safe import visible
from mailmove.units import plural

_MAX_UID = 2**32 - 1
_BATCH = 100

log = logging.getLogger(__name__)


def look(wire: Wire) -> Looked:
    """Every folder with its status, in one round trip where the server has LIST-STATUS.

    Folders that cannot hold messages have no status and no problem.

    :raises LoginError: when the server refuses everything.
    :raises CommandRefused: when it refuses LIST itself.
    """
    items = _status_items(wire)
    returns = [b"SPECIAL-USE"] if wire.can("SPECIAL-USE") and wire.can("LIST-EXTENDED") else []
    if wire.can("LIST-STATUS"):
        returns.append(b"STATUS (%s)" % items)
    commands: list[tuple[bytes, ...]] = [
        (b"LIST", b'"" "*"', *([b"RETURN (%s)" % b" ".join(returns)] if returns else []))
    ]
    if wire.can("NAMESPACE"):
        commands.append((b"NAMESPACE",))
    answers: list[Segments] = []
    refused = False
    for answer in wire.batch(commands):
        if isinstance(answer, CommandRefused):
            refused = refused or answer.command == "LIST"
        elif _TELLING.match(answer[0]):
            answers.append(answer)
    if refused:  # perhaps the server promised more than it can do
        answers = [answer for answer in answers if not _LIST.match(answer[0])] + _plain_list(wire)
    told = _Told()
    told.gather(answers)
    if not told.folders:  # there is always an INBOX
        raise CommandRefused("LIST", "OK", "", "; ".join(("it named no folder", *told.unread)))
    spaces = _namespaces(answers)
    told.namespaces = spaces is not None
    missing = [name for name, folder in told.folders.items() if folder.selectable and told.unsure(name)]
    missing.sort(key=misleading)
    for start in range(0, len(missing), _BATCH):
        _ask_status(wire, items, missing[start : start + _BATCH], told)
    _must_open_something(wire, told)
    messages = plural(sum(status.messages for status in told.statuses.values()), "message")
    log.info("%s with %s", plural(len(told.folders), "folder"), messages)
    chats = _chats(told.folders.values()) if wire.can("X-GM-EXT-1") else frozenset()
    return Looked(
        tuple(
            told.seen(replace(folder, namespace=NamespaceKind.CHATS if name in chats else _kind(name, spaces or ())))
            for name, folder in told.folders.items()
        ),
        tuple(told.unread),
    )


def _plain_list(wire: Wire) -> list[Segments]:
    """LIST without any extension.

    :raises LoginError: when the server refuses this and INBOX as well: we are logged in to nothing.
    :raises CommandRefused: when it refuses this alone.
    """
    try:
        return wire.command(b"LIST", b'"" "*"')
    except CommandRefused as error:
        if error.busy:
            raise
        try:
            wire.command(b"STATUS", b"INBOX", b"(MESSAGES)")
        except CommandRefused:
            raise refusal.shut_out(error.text or error.status) from None
        raise


def status(wire: Wire, folder: Folder) -> FolderStatus:
    """One folder's status: by STATUS or, where its answer cannot be understood, by EXAMINE.

    :raises CommandRefused: when the server will not tell it.
    """
    return _status(wire, folder.wire, _status_items(wire))


def select(wire: Wire, folder: Folder, *, writable: bool = False) -> Selected:
    """Open a folder: EXAMINE, or SELECT when it is to be changed.

    :raises CommandRefused: when the server refuses it.
    """
    verb = b"SELECT" if writable else b"EXAMINE"
    exists: int | None = None
    codes, sticky = {}, True
    permanent: frozenset[str] | None = None
    read_only = not writable
    wire.exists = 0
    for response in wire.responses(verb, Astring(folder.wire)):
        text = response[0]
        if found := _EXISTS.match(text):
            exists = int(found[1])
        elif found := _OK_CODE.match(text):
            name = found[1].upper()
            codes[name] = number(found[2])
            if name == b"PERMANENTFLAGS" and found[2]:
                permanent = frozenset(found[2].strip(b"()").decode("ascii", "replace").lower().split())
            sticky = sticky and name != b"UIDNOTSTICKY"
            read_only = read_only or name == b"READ-ONLY"
    if exists is None:
        raise CommandRefused(verb.decode(), "OK", "", "it did not say how many messages there are")
    if exists > MAX_MESSAGES:
        too_many = f"it says that there are {exists:,} messages; mailmove reads folders of up to {MAX_MESSAGES:,}"
        raise CommandRefused(verb.decode(), "OK", "", too_many)
    wire.exists = exists
    read_only = read_only or wire.completion.upper().startswith(b"[READ-ONLY]")
    validity = codes.get(b"UIDVALIDITY") or 0
    sticky = sticky and 0 < validity <= _MAX_UID
    return Selected(
        exists=exists,
        uidvalidity=validity if sticky else 0,
        uidnext=codes.get(b"UIDNEXT"),
        highestmodseq=codes.get(b"HIGHESTMODSEQ"),
        read_only=read_only,
        uids_sticky=sticky,
        permanent_flags=permanent,
    )


def create(wire: Wire, folder: Folder) -> None:
    """Make a folder, with its special use where the server takes that (RFC 6154 3), and subscribe to it.

    :raises CommandRefused: when the server refuses to make it.
    """
    use = [b"(USE (%b))" % folder.special_use.title().encode()] if folder.special_use else []
    try:
        wire.command(b"CREATE", Astring(folder.wire), *(use if wire.can("CREATE-SPECIAL-USE") else []))
    except CommandRefused as error:
        if not use or error.code != "USEATTR":
            raise
        wire.command(b"CREATE", Astring(folder.wire))
    try:
        wire.command(b"SUBSCRIBE", Astring(folder.wire))  # or mail programs do not show it
    except CommandRefused:
        pass


def personal_prefix(wire: Wire) -> bytes:
    """What the names of a user's own folders begin with, besides INBOX (RFC 2342); empty at most servers."""
    if not wire.can("NAMESPACE"):
        return b""
    spaces = _namespaces(wire.command(b"NAMESPACE"))
    return next((prefix for prefix, kind in reversed(spaces or ()) if kind is NamespaceKind.PERSONAL), b"")


_TELLING = re.compile(rb"\* (?:LIST|STATUS|NAMESPACE)\b|(?!\* )", re.IGNORECASE)
_LIST = re.compile(rb"\* LIST\b|(?!\* )", re.IGNORECASE)
_EXISTS = re.compile(rb"\* (\d{1,10}) EXISTS\b", re.IGNORECASE)
_OK_CODE = re.compile(rb"\* OK \[([A-Z0-9-]+)(?: ([^\]]*))?\]", re.IGNORECASE)


def _status_items(wire: Wire) -> bytes:
    items = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN"]
    if wire.can("CONDSTORE") or wire.can("QRESYNC"):
        items.append(b"HIGHESTMODSEQ")
    if wire.can("STATUS=SIZE") or wire.can("IMAP4REV2"):
        items.append(b"SIZE")
    return b" ".join(items)


class _Told:
    """What the server told of its folders, by wire name."""

    def __init__(self) -> None:
        self.folders: dict[bytes, Folder] = {}
        self.statuses: dict[bytes, FolderStatus] = {}
        self.problems: dict[bytes, str] = {}
        self.refusals: dict[bytes, CommandRefused] = {}
        self.unread: list[str] = []
        self.namespaces = True
        """Whether it can be told whose folders they are."""
        self._twice: set[bytes] = set()
        self._unsure: set[bytes] = set()

    def gather(self, answers: Iterable[Segments]) -> None:
        """Take what these responses say."""
        for segments in answers:
            if _LIST.match(segments[0]):
                folder = read_list(segments)
                if folder is None:
                    self.unread.append(visible(segments[0], 120))
                    continue
                if folder.wire in self.folders:
                    self._twice.add(folder.wire)
                self.folders[folder.wire] = folder
            elif segments[0][2:8].upper() == b"STATUS":
                name, read = read_status(segments)
                if name is not None and read is not None and self.statuses.setdefault(name, read) != read:
                    self._unsure.add(name)  # one of the answers may be another folder's

    def unsure(self, name: bytes) -> bool:
        """Whether a folder's status is to be asked for by itself."""
        return name not in self.statuses or name in self._unsure

    def settle(self, name: bytes, status: FolderStatus) -> None:
        """This was the answer to a question about this folder alone."""
        self.statuses[name] = status
        self._unsure.discard(name)

    def fail(self, name: bytes, why: str) -> None:
        """The server would not tell."""
        self.problems[name] = why
        self.statuses.pop(name, None)

    def seen(self, folder: Folder) -> Seen:
        """A folder with all that was told of it."""
        status = self.statuses.get(folder.wire) if folder.selectable else None
        problem = "" if status or not folder.selectable else self.problems.get(folder.wire, "the server told no status")
        return Seen(folder, status, problem, self._doubt(folder.wire))

    def _doubt(self, name: bytes) -> str:
        if name in self._twice:
            return "the server lists two folders of this name, and shows one"
        if not self.namespaces and name != b"INBOX":
            return "it may be another user's: what the server says of its namespaces cannot be read"
        return ""


def _ask_status(wire: Wire, items: bytes, names: list[bytes], told: _Told) -> None:
    """STATUS for each of these; which of several pipelined commands was refused is asked again, alone."""
    for name in names:
        if not sendable(name):
            told.fail(name, "its name holds a control character that IMAP cannot carry")
    names = [name for name in names if sendable(name)]
    commands = [(b"STATUS", Astring(name), b"(%s)" % items) for name in names if not misleading(name)]
    if all(name.isascii() for name in names):
        told.gather(answer for answer in wire.batch(commands) if not isinstance(answer, CommandRefused))
    for name in names:
        if told.unsure(name):
            if misleading(name) and not wire.usable:
                told.fail(name, "the server takes such a name for the beginning of something else")
                continue
            try:
                told.settle(name, _status(wire, name, items))
            except CommandRefused as error:
                told.fail(name, f"{error.status} {error.text}")
                told.refusals[name] = error
    for name in told.statuses.keys() - told.folders.keys():
        del told.statuses[name]  # nobody asked for it


def _status(wire: Wire, name: bytes, items: bytes) -> FolderStatus:
    """The status of one folder, with nothing else under way: an answer with another name is its answer all the same."""
    command = b"STATUS", Astring(name), b"(%s)" % items
    answers = _apart(wire, command) if name.isascii() and not misleading(name) else wire.command(*command)
    told = [read_status(answer) for answer in answers if answer[0][2:8].upper() == b"STATUS"]
    read = [status for about, status in told if status is not None and about == canonical(name)]
    if not read and len(told) == 1:
        read = [status for _, status in told if status is not None]
    return read[-1] if read else _examined(wire, Folder(name))


def _apart(wire: Wire, command: tuple[bytes, ...]) -> Iterator[Segments]:
    """The responses to one command, among them lines that are no response and mean nothing."""
    for answer in wire.batch([command]):
        if isinstance(answer, CommandRefused):
            raise answer
        yield answer


def _examined(wire: Wire, folder: Folder) -> FolderStatus:
    """What EXAMINE tells of what STATUS would."""
    selected = select(wire, folder)
    return FolderStatus(selected.exists, selected.uidnext, selected.uidvalidity or None, selected.highestmodseq)


def _must_open_something(wire: Wire, told: _Told) -> None:
    """See to it that we are logged in to something.

    :raises LoginError: when INBOX cannot be opened, and no other folder's status is told.
    """
    refusal_of_inbox = told.refusals.get(b"INBOX")
    if told.statuses or refusal_of_inbox is None or refusal_of_inbox.busy:
        return
    try:
        select(wire, Folder(b"INBOX"))
    except CommandRefused as error:
        if not error.busy:
            raise refusal.shut_out(error.text or error.status) from None


def _namespaces(answers: Iterable[Segments]) -> list[tuple[bytes, NamespaceKind]] | None:
    """The prefixes of each kind of namespace, longest first; None where they cannot be read."""
    spaces: list[tuple[bytes, NamespaceKind]] = []
    for segments in answers:
        if segments[0][2:11].upper() != b"NAMESPACE":
            continue
        try:
            groups = parse(segments)[2:5]
        except Malformed:
            return None
        if len(groups) < 3:
            return None
        for kind, group in zip(NamespaceKind, groups, strict=False):
            for space in group if isinstance(group, list) else () if group is None else (None,):
                match space:
                    case [bytes() as prefix, *_]:
                        spaces.append((prefix, kind))
                    case _:
                        return None
    return sorted(spaces, key=lambda space: -len(space[0]))


def _chats(folders: Collection[Folder]) -> frozenset[bytes]:
    """Gmail's chats: among its system folders, which have a special use in any language, the one that has none."""
    above = {parent for folder in folders if folder.special_use and (parent := _parent(folder))}
    return frozenset(f.wire for f in folders if f.selectable and not f.special_use and _parent(f) in above)


def _parent(folder: Folder) -> bytes:
    return folder.wire.rpartition(folder.delimiter)[0] if folder.delimiter else b""


def _kind(name: bytes, spaces: Iterable[tuple[bytes, NamespaceKind]]) -> NamespaceKind:
    if name == b"INBOX":
        return NamespaceKind.PERSONAL
    for prefix, kind in spaces:
        if name.startswith(prefix):
            return kind
    return NamespaceKind.PERSONAL
