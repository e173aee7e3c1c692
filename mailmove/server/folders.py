"""Which folders there are and what STATUS says of them (RFC 9051 6.3.9 and 6.3.11, RFC 5819, RFC 2342, RFC 6154)."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable
from dataclasses import replace

from mailmove.errors import CommandRefused, Disconnected
from mailmove.model import Folder, FolderStatus, NamespaceKind, Seen, Selected
from mailmove.server import refusal
from mailmove.server.parse import Segments, Value, number, pairs, parse
from mailmove.server.wire import MAX_MESSAGES, Astring, Wire, sendable
from mailmove.units import plural

_MAX_UID = 2**32 - 1
_BATCH = 100

log = logging.getLogger(__name__)


def look(wire: Wire) -> list[Seen]:
    """Every folder with its status, in one round trip where the server has LIST-STATUS.

    Folders that cannot hold messages have no status and no problem.

    :raises LoginError: when the server refuses everything.
    :raises CommandRefused: when it refuses LIST itself.
    """
    items = _status_items(wire)
    returns = [b"SPECIAL-USE"] if wire.can("SPECIAL-USE") and wire.can("LIST-EXTENDED") else []
    if wire.can("LIST-STATUS"):
        returns.append(b"STATUS (%s)" % items)
    folders: dict[bytes, Folder] = {}
    statuses: dict[bytes, FolderStatus] = {}
    problems: dict[bytes, str] = {}
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
        answers += _plain_list(wire)
    _gather(answers, folders, statuses)
    if not folders:  # there is always an INBOX
        raise CommandRefused("LIST", "OK", "", "it named no folder")
    spaces = _namespaces(answers)
    missing = [f.wire for f in folders.values() if f.selectable and f.wire not in statuses]
    for start in range(0, len(missing), _BATCH):
        some = missing[start : start + _BATCH]
        _ask_status(wire, items, some, folders, statuses, problems)
    messages = plural(sum(status.messages for status in statuses.values()), "message")
    log.info("%s with %s", plural(len(folders), "folder"), messages)
    chats = _chats(folders.values()) if wire.can("X-GM-EXT-1") else frozenset()
    return [
        Seen(
            replace(folder, namespace=NamespaceKind.CHATS if name in chats else _kind(name, spaces)),
            statuses.get(name) if folder.selectable else None,
            "" if name in statuses or not folder.selectable else problems.get(name, "the server told no status"),
        )
        for name, folder in folders.items()
    ]


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
    """One folder's status.

    :raises CommandRefused: when the server will not tell it.
    """
    statuses: dict[bytes, FolderStatus] = {}
    _gather(wire.command(b"STATUS", Astring(folder.wire), b"(%s)" % _status_items(wire)), {}, statuses)
    if folder.wire not in statuses:
        raise CommandRefused("STATUS", "OK", "", "it answered without a status")
    return statuses[folder.wire]


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
    return next((prefix for prefix, kind in reversed(spaces) if kind is NamespaceKind.PERSONAL), b"")


_TELLING = re.compile(rb"\* (LIST|STATUS|NAMESPACE) ", re.IGNORECASE)
_EXISTS = re.compile(rb"\* (\d{1,10}) EXISTS\b", re.IGNORECASE)
_OK_CODE = re.compile(rb"\* OK \[([A-Z0-9-]+)(?: ([^\]]*))?\]", re.IGNORECASE)


def _status_items(wire: Wire) -> bytes:
    items = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN"]
    if wire.can("CONDSTORE") or wire.can("QRESYNC"):
        items.append(b"HIGHESTMODSEQ")
    if wire.can("STATUS=SIZE") or wire.can("IMAP4REV2"):
        items.append(b"SIZE")
    return b" ".join(items)


def _ask_status(
    wire: Wire,
    items: bytes,
    names: list[bytes],
    folders: dict[bytes, Folder],
    statuses: dict[bytes, FolderStatus],
    problems: dict[bytes, str],
) -> None:
    """STATUS for each of these; which of several pipelined commands was refused is asked again, alone."""
    unsendable = {name for name in names if not sendable(name)}
    problems.update(dict.fromkeys(unsendable, "its name holds a control character that IMAP cannot carry"))
    names = [name for name in names if name not in unsendable]
    commands = [(b"STATUS", Astring(name), b"(%s)" % items) for name in names]
    answers = list(wire.batch(commands)) if all(name.isascii() for name in names) else []
    _gather((a for a in answers if not isinstance(a, CommandRefused)), folders, statuses)
    for name in names:
        if name not in statuses:
            try:
                _gather(wire.command(b"STATUS", Astring(name), b"(%s)" % items), folders, statuses)
            except CommandRefused as error:
                problems[name] = f"{error.status} {error.text}"
    for name in statuses.keys() - folders.keys():
        del statuses[name]  # nobody asked for it


def _gather(answers: Iterable[Segments], folders: dict[bytes, Folder], statuses: dict[bytes, FolderStatus]) -> None:
    for segments in answers:
        word = segments[0][2:8].upper()
        if word.startswith(b"LIST "):
            folder = _read_list(parse(segments))
            folders[folder.wire] = folder
        elif word == b"STATUS":
            match parse(segments):
                case [_, _, (bytes() | None) as name, list(values)]:
                    if read := _read_status(values):
                        statuses[canonical(name)] = read
                case _:
                    pass


def _read_list(values: list[Value]) -> Folder:
    match values:
        case [_, _, list(attributes), (bytes() | None) as delimiter, (bytes() | None) as name, *_]:
            words = frozenset(a.decode("ascii", "replace").lower() for a in attributes if isinstance(a, bytes))
            return Folder(canonical(name), delimiter or None, words)
        case _:  # skipping it would leave a folder out in silence
            raise Disconnected("the server listed a folder without telling its name")


def canonical(name: bytes | None) -> bytes:
    """A wire name as it is kept: INBOX is INBOX in any case (RFC 9051 5.1).

    An unquoted NIL is a folder that is called NIL: RFC 9051 has no NIL for ``mailbox``.
    """
    if name is None:
        return b"NIL"
    return b"INBOX" if name.upper() == b"INBOX" else bytes(name)


def _read_status(values: list[Value]) -> FolderStatus | None:
    told = pairs(values)
    messages = number(told.get("MESSAGES"))
    if messages is None:
        return None
    return FolderStatus(
        messages=messages,
        uidnext=number(told.get("UIDNEXT"), _MAX_UID + 1),
        uidvalidity=number(told.get("UIDVALIDITY"), _MAX_UID),
        highestmodseq=number(told.get("HIGHESTMODSEQ")),
        unseen=number(told.get("UNSEEN")),
        size=number(told.get("SIZE")),
    )


def _namespaces(answers: Iterable[Segments]) -> list[tuple[bytes, NamespaceKind]]:
    """The prefixes of each kind of namespace, longest first."""
    spaces: list[tuple[bytes, NamespaceKind]] = []
    for segments in answers:
        if segments[0][2:12].upper() != b"NAMESPACE ":
            continue
        for kind, group in zip(NamespaceKind, parse(segments)[2:5], strict=False):
            prefixes = (space[0] for space in group or () if isinstance(space, list) and space)
            spaces += [(prefix, kind) for prefix in prefixes if isinstance(prefix, bytes)]
    return sorted(spaces, key=lambda space: -len(space[0]))


def _chats(folders: Collection[Folder]) -> frozenset[bytes]:
    """Gmail's chats: among its system folders, which have a special use in any language, the one that has none."""
    above = {parent for folder in folders if folder.special_use and (parent := _parent(folder))}
    return frozenset(f.wire for f in folders if f.selectable and not f.special_use and _parent(f) in above)


def _parent(folder: Folder) -> bytes:
    return folder.wire.rpartition(folder.delimiter)[0] if folder.delimiter else b""


def _kind(name: bytes, spaces: list[tuple[bytes, NamespaceKind]]) -> NamespaceKind:
    if name == b"INBOX":
        return NamespaceKind.PERSONAL
    for prefix, kind in spaces:
        if name.startswith(prefix):
            return kind
    return NamespaceKind.PERSONAL
