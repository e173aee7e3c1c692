"""A mailbox in memory that answers IMAP commands properly: what a :mod:`tests.servers.scripted` server says by default.

A test builds the folders it needs, and changes them while the program works::

    store = Store()
    inbox = store.add("INBOX", message(1), message(2), arrival=datetime(2020, 1, 1, tzinfo=UTC))
    inbox.mails[0].size = 999             # what RFC822.SIZE announces; the literal stays true
    inbox.mails[1].arrival = b"NIL"       # octets stand in the answer as they are
    inbox.uidvalidity += 1
    store.capabilities.remove("UIDPLUS")

:class:`Gmail` is a mailbox where folders are labels of one message, as Gmail's are.
A subclass overrides one command by its method: ``do_uid_store`` for UID STORE.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

CAPABILITIES = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE NAMESPACE UIDPLUS MOVE UNSELECT SPECIAL-USE AUTH=PLAIN"
ARRIVAL = datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC)

Value = Any  # bytes, or a list of values


@dataclasses.dataclass(frozen=True)
class Command:
    """What a client sent: ``args`` are atoms and strings as octets, lists as lists; ``raw`` is all of it."""

    tag: str
    name: str
    args: list[Value]
    raw: bytes


@dataclasses.dataclass
class Mail:
    """A message in one folder. ``size`` is what RFC822.SIZE announces (None: the truth)."""

    uid: int
    body: bytes
    arrival: datetime | bytes = ARRIVAL
    flags: set[str] = dataclasses.field(default_factory=set)
    size: int | None = None
    msgid: int = 0
    """X-GM-MSGID, and the number in EMAILID: the same body in another folder has the same."""


@dataclasses.dataclass
class Box:
    """A folder."""

    name: bytes
    uidvalidity: int = 1_700_000_000
    uidnext: int = 1
    attributes: str = ""
    delimiter: str = '"/"'
    mails: list[Mail] = dataclasses.field(default_factory=list)

    def add(self, body: bytes, arrival: datetime | bytes = ARRIVAL, flags: Iterable[str] = (), msgid: int = 0) -> Mail:
        """Deliver a message."""
        mail = Mail(self.uidnext, body, arrival, set(flags), None, msgid)
        self.uidnext += 1
        self.mails.append(mail)
        return mail

    @property
    def uids(self) -> list[int]:
        """The UIDs it holds."""
        return [mail.uid for mail in self.mails]

    @property
    def bodies(self) -> list[bytes]:
        """The messages it holds."""
        return [mail.body for mail in self.mails]

    def chosen(self, sequence: bytes) -> list[Mail]:
        """The mails of a UID set (RFC 9051 9, sequence-set)."""
        top = self.mails[-1].uid if self.mails else 0
        picked: set[int] = set()
        for part in sequence.decode().split(","):
            ends = [top if end == "*" else int(end) for end in part.split(":")]
            low, high = min(ends), max(ends)
            picked.update(uid for uid in self.uids if low <= uid <= high)
        return [mail for mail in self.mails if mail.uid in picked]


class Refused(Exception):
    """The command fails: ``NO text`` or ``BAD text``."""


class Unanswered(Exception):
    """No completion follows what was said so far: the server waits for something."""


@dataclasses.dataclass
class State:
    """What a connection has come to."""

    authenticated: bool = False
    identified: bool = False
    """Whether the client told what it is, after the login."""
    box: Box | None = None
    writable: bool = False

    @property
    def selected(self) -> Box:
        """The selected folder."""
        if self.box is None:
            raise Refused("BAD no folder is selected")
        return self.box


Answer = Iterator[bytes]
"""The untagged responses of a command, each without its last CRLF; the tagged OK follows by itself."""


class Store:
    """One account: folders by wire name, in the order LIST names them.

    ``quota`` is (usage, limit) in octets; None: no QUOTA. ``passwords`` and ``tokens`` are what logs in.
    """

    def __init__(self, capabilities: str = CAPABILITIES) -> None:
        self.capabilities = capabilities.split()
        self.folders: dict[bytes, Box] = {}
        self.passwords = {"pw"}
        self.tokens: set[str] = set()
        self.quota: tuple[int, int] | None = None
        self.completion = ""
        """What the tagged OK of the command under way says beside OK."""
        self.hidden: set[bytes] = set()
        """Folders that IMAP does not show, though they are there."""
        self._msgids = itertools.count(1_600_000_000_000_000_001)
        self.add("INBOX")

    def __getitem__(self, name: str) -> Box:
        return self.folders[name.encode()]

    def add(
        self,
        name: str | bytes,
        *bodies: bytes,
        attributes: str = "",
        arrival: datetime | bytes = ARRIVAL,
        flags: Iterable[str] = (),
    ) -> Box:
        """Deliver messages to a folder, which is made when missing."""
        wire = name.encode() if isinstance(name, str) else name
        box = self.folders.setdefault(wire, Box(wire, 1_700_000_000 + len(self.folders), attributes=attributes))
        flags = set(flags)
        for body in bodies:
            box.add(body, arrival, flags, next(self._msgids))
        return box

    def answer(self, state: State, command: Command) -> Answer:
        """The untagged responses to a command, which are made as they are asked for.

        :raises Refused: when it fails.
        """
        handler = getattr(self, "do_" + command.name.replace(" ", "_").lower(), None)
        if handler is None:
            raise Refused(f"BAD unknown command {command.name}")
        anybody = command.name in ("CAPABILITY", "NOOP", "LOGOUT", "LOGIN", "ID", "STARTTLS")
        if not state.authenticated and not anybody:
            raise Refused("BAD log in first")
        self.completion = f"{command.name} completed"
        yield from handler(state, *command.args) or ()

    def box(self, name: bytes) -> Box:
        """A folder by its wire name."""
        found = self.folders.get(b"INBOX" if name.upper() == b"INBOX" else name)
        if found is None or found.name in self.hidden or "\\Noselect" in found.attributes:
            raise Refused("NO [NONEXISTENT] there is no such folder")
        return found

    def drop(self, box: Box, mails: Iterable[Mail]) -> None:
        """Messages leave a folder for good; a subclass may think otherwise."""
        gone = {mail.uid for mail in mails}
        box.mails = [mail for mail in box.mails if mail.uid not in gone]

    def size(self, mail: Mail) -> int:
        """What RFC822.SIZE announces."""
        return len(mail.body) if mail.size is None else mail.size

    # Any state

    def do_capability(self, state: State) -> Answer:
        yield b"* CAPABILITY " + " ".join(self.capabilities).encode()

    def do_noop(self, state: State) -> None: ...

    def do_id(self, state: State, told: Value) -> Answer:
        state.identified = state.identified or (state.authenticated and isinstance(told, list))
        yield b"* ID NIL"

    def do_logout(self, state: State) -> Answer:
        yield b"* BYE see you"

    def do_login(self, state: State, user: bytes, password: bytes) -> None:
        if password.decode() not in self.passwords:
            raise Refused("NO [AUTHENTICATIONFAILED] wrong user name or password")
        state.authenticated = True

    def accepts(self, mechanism: str, response: bytes) -> bool:
        """Whether an initial SASL response (base64) logs in."""
        text = base64.b64decode(response).decode()
        if mechanism == "PLAIN":
            return text.split("\0")[-1] in self.passwords
        found = re.search("auth=Bearer ([^\x01]+)", text)
        return found is not None and found[1] in self.tokens

    # Authenticated state

    def do_enable(self, state: State, *names: bytes) -> Answer:
        yield b"* ENABLED"

    def do_namespace(self, state: State) -> Answer:
        yield b'* NAMESPACE (("" "/")) NIL NIL'

    def do_list(self, state: State, _reference: bytes, pattern: bytes, *returns: Value) -> Answer:
        items = returns[1] if len(returns) > 1 else []
        wanted = re.compile(re.escape(pattern).replace(rb"\*", b".*").replace(b"%", b"[^/]*") + rb"\Z", re.DOTALL)
        for box in self.folders.values():
            if box.name in self.hidden or not wanted.match(box.name):
                continue
            yield b"* LIST (%s) %s %s" % (box.attributes.encode(), box.delimiter.encode(), quoted(box.name))
            if b"STATUS" in items and "\\Noselect" not in box.attributes:
                yield from self.do_status(state, box.name, items[items.index(b"STATUS") + 1])

    def do_status(self, state: State, name: bytes, items: Value) -> Answer:
        box = self.box(name)
        told = {
            b"MESSAGES": len(box.mails),
            b"UIDNEXT": box.uidnext,
            b"UIDVALIDITY": box.uidvalidity,
            b"UNSEEN": sum("\\Seen" not in mail.flags for mail in box.mails),
            b"SIZE": sum(self.size(mail) for mail in box.mails),
        }
        pairs = b" ".join(b"%s %d" % (item, told[item]) for item in items if item in told)
        yield b"* STATUS %s (%s)" % (quoted(box.name), pairs)

    def do_examine(self, state: State, name: bytes, *, writable: bool = False) -> Answer:
        state.box = None
        box = self.box(name)
        state.box, state.writable = box, writable
        yield b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)"
        yield b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] any keyword"
        yield b"* %d EXISTS" % len(box.mails)
        yield b"* 0 RECENT"
        yield b"* OK [UIDVALIDITY %d] UIDs are valid" % box.uidvalidity
        yield b"* OK [UIDNEXT %d] next UID" % box.uidnext
        self.completion = f"[{'READ-WRITE' if writable else 'READ-ONLY'}] opened"

    def do_select(self, state: State, name: bytes) -> Answer:
        yield from self.do_examine(state, name, writable=True)

    def do_unselect(self, state: State) -> None:
        state.box = None

    def do_close(self, state: State) -> None:
        if state.writable:
            self.drop(state.selected, [mail for mail in state.selected.mails if "\\Deleted" in mail.flags])
        state.box = None

    def do_create(self, state: State, name: bytes, *_use: Value) -> Answer | None:
        if name in self.folders:
            raise Refused("NO [ALREADYEXISTS] it is there")
        self.add(name)
        return None

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        *options, body = args
        flags: list[bytes] = next((value for value in options if not isinstance(value, bytes)), [])
        date = next((value for value in options if isinstance(value, bytes)), None)
        if name not in self.folders:
            raise Refused("NO [TRYCREATE] there is no such folder")
        box = self.box(name)
        arrival = ARRIVAL if date is None else datetime.strptime(date.decode().strip(), "%d-%b-%Y %H:%M:%S %z")
        self.add(box.name, body, arrival=arrival, flags={flag.decode() for flag in flags})
        self.completion = f"[APPENDUID {box.uidvalidity} {box.mails[-1].uid}] appended"

    def do_getquotaroot(self, state: State, name: bytes) -> Answer:
        if self.quota is None:
            raise Refused("BAD no quota here")
        used, limit = self.quota
        yield b'* QUOTAROOT %s "User quota"' % quoted(self.box(name).name)
        yield b'* QUOTA "User quota" (STORAGE %d %d)' % (used // 1024, limit // 1024)

    # Selected state

    def do_uid_fetch(self, state: State, sequence: bytes, items: Value) -> Answer:
        box = state.selected
        for mail in box.chosen(sequence):
            yield self.fetched(box, mail, items)

    def fetched(self, box: Box, mail: Mail, items: Value) -> bytes:
        """One FETCH response; items come in the order asked for, and UID first where it was not (RFC 9051 6.4.9)."""
        words = items if not isinstance(items, bytes) else [items]
        asked = iter(words if b"UID" in words else [b"UID", *words])
        parts = [part for item in asked if (part := self.item(box, mail, item.upper(), asked))]
        return b"* %d FETCH (%s)" % (box.mails.index(mail) + 1, b" ".join(parts))

    def item(self, box: Box, mail: Mail, item: bytes, more: Iterator[Value]) -> bytes:
        """One item of a FETCH response, with its value; ``more`` are the words that follow it in the command."""
        if item.startswith((b"BODY[", b"BODY.PEEK[")):
            section = item.replace(b".PEEK", b"").removesuffix(b"]")
            content = mail.body
            if section.startswith(b"BODY[HEADER.FIELDS"):
                names = {name.upper() for name in next(more)}
                content, origin = header_fields(mail.body, names), b""
                if partial := re.fullmatch(rb"\]<(\d+)\.(\d+)>", next(more)):
                    content, origin = content[int(partial[1]) :][: int(partial[2])], b"<%s>" % partial[1]
                section = b"BODY[HEADER.FIELDS (%s)]%s" % (b" ".join(sorted(names)), origin)
                return b"%s {%d}\r\n%s" % (section, len(content), content)
            if section == b"BODY[HEADER":
                content = mail.body.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            return b"%s] {%d}\r\n%s" % (section, len(content), content)
        if item == b"UID":
            return b"UID %d" % mail.uid
        if item == b"FLAGS":
            return b"FLAGS (%s)" % " ".join(sorted(mail.flags)).encode()
        if item == b"INTERNALDATE":
            return b"INTERNALDATE " + (
                mail.arrival
                if isinstance(mail.arrival, bytes)
                else mail.arrival.strftime('"%d-%b-%Y %H:%M:%S %z"').encode()
            )
        if item == b"RFC822.SIZE":
            return b"RFC822.SIZE %d" % self.size(mail)
        if item == b"EMAILID":
            return b"EMAILID (M%d)" % mail.msgid
        if item in (b"X-GM-MSGID", b"X-GM-THRID"):
            return b"%s %d" % (item, mail.msgid)
        raise Refused(f"BAD cannot fetch {item!r}")

    def do_uid_search(self, state: State, *criteria: Value) -> Answer:
        words = list(criteria)
        if words[:1] == [b"CHARSET"]:
            del words[:2]
        found = state.selected.mails
        while words:
            wanted = criterion(state.selected, words)
            found = [mail for mail in found if wanted(mail)]
        yield b"* SEARCH" + b"".join(b" %d" % mail.uid for mail in found)

    def do_uid_store(self, state: State, sequence: bytes, how: bytes, flags: Value) -> Answer:
        self._writable(state)
        box, changed = state.selected, {flag.decode() for flag in (flags if not isinstance(flags, bytes) else [flags])}
        for mail in box.chosen(sequence):
            if how.startswith(b"+"):
                mail.flags |= changed
            elif how.startswith(b"-"):
                mail.flags -= changed
            else:
                mail.flags = set(changed)
            if not how.upper().endswith(b".SILENT"):
                yield self.fetched(box, mail, [b"UID", b"FLAGS"])

    def do_uid_expunge(self, state: State, sequence: bytes) -> Answer:
        if "UIDPLUS" not in self.capabilities:
            raise Refused("BAD unknown command UID EXPUNGE")
        yield from self._expunge(state, state.selected.chosen(sequence))

    def do_expunge(self, state: State) -> Answer:
        yield from self._expunge(state, state.selected.mails)

    def do_uid_move(self, state: State, sequence: bytes, name: bytes) -> Answer:
        if "MOVE" not in self.capabilities:
            raise Refused("BAD unknown command UID MOVE")
        self._writable(state)
        box, target = state.selected, self.box(name)
        moved = box.chosen(sequence)
        yield from self._copied(moved, target)
        yield from self._gone(box, moved)

    def do_uid_copy(self, state: State, sequence: bytes, name: bytes) -> Answer:
        box, target = state.selected, self.box(name)
        yield from self._copied(box.chosen(sequence), target)

    def _copied(self, mails: list[Mail], target: Box) -> Answer:
        copies = [target.add(mail.body, mail.arrival, mail.flags, mail.msgid) for mail in mails]
        if copies:
            old, new = (",".join(str(mail.uid) for mail in group) for group in (mails, copies))
            yield f"* OK [COPYUID {target.uidvalidity} {old} {new}] copied".encode()

    def _expunge(self, state: State, among: list[Mail]) -> Answer:
        self._writable(state)
        yield from self._gone(state.selected, [mail for mail in among if "\\Deleted" in mail.flags])

    def _gone(self, box: Box, mails: list[Mail]) -> Answer:
        numbers = [box.mails.index(mail) + 1 for mail in mails]
        self.drop(box, mails)
        for already, number in enumerate(numbers):
            yield b"* %d EXPUNGE" % (number - already)

    @staticmethod
    def _writable(state: State) -> None:
        if not state.writable:
            raise Refused("NO [READ-ONLY] opened by EXAMINE")


class Gmail(Store):
    r"""A mailbox with X-GM-EXT-1: a message is one, with labels; a folder shows those with its label.

    Expunging a message from a folder takes that label away, and All Mail keeps it; from Trash or Spam it goes for good.
    Copying or moving it to Trash or Spam takes it out of every other folder. ``auto_expunge`` is Gmail's default
    setting: setting ``\Deleted`` expunges at once.
    """

    ALL, TRASH, SPAM = b"[Gmail]/All Mail", b"[Gmail]/Trash", b"[Gmail]/Spam"
    FOLDERS: ClassVar = {
        "[Gmail]": "\\Noselect \\HasChildren",
        "[Gmail]/All Mail": "\\All",
        "[Gmail]/Drafts": "\\Drafts",
        "[Gmail]/Sent Mail": "\\Sent",
        "[Gmail]/Spam": "\\Junk",
        "[Gmail]/Starred": "\\Flagged",
        "[Gmail]/Trash": "\\Trash",
    }
    SYSTEM: ClassVar = {
        b"INBOX": b"\\Inbox",
        b"[Gmail]/Drafts": b"\\Draft",
        b"[Gmail]/Sent Mail": b"\\Sent",
        b"[Gmail]/Starred": b"\\Starred",
    }

    def __init__(self, capabilities: str = f"{CAPABILITIES} X-GM-EXT-1 AUTH=XOAUTH2 AUTH=OAUTHBEARER") -> None:
        super().__init__(capabilities)
        self.auto_expunge = True
        for name, attributes in self.FOLDERS.items():
            self.add(name, attributes=attributes)

    def deliver(self, body: bytes, *labels: str, arrival: datetime | bytes = ARRIVAL, flags: Iterable[str] = ()) -> int:
        """One message in these folders, and in All Mail unless it is in Trash or Spam; returns its X-GM-MSGID."""
        msgid, shared = next(self._msgids), set(flags)
        outside = {self.TRASH.decode(), self.SPAM.decode()} & set(labels)
        for name in (*labels, *(() if outside else (self.ALL.decode(),))):
            self.add(name).add(body, arrival, (), msgid).flags = shared
        return msgid

    def labels(self, msgid: int) -> set[bytes]:
        """The folders that show a message."""
        return {box.name for box in self.folders.values() if any(mail.msgid == msgid for mail in box.mails)}

    def item(self, box: Box, mail: Mail, item: bytes, more: Iterator[Value]) -> bytes:
        if item != b"X-GM-LABELS":
            return super().item(box, mail, item, more)
        others = sorted(self.labels(mail.msgid) - {box.name, self.ALL, self.TRASH, self.SPAM})
        return b"X-GM-LABELS (%s)" % b" ".join(quoted(self.SYSTEM.get(name, name)) for name in others)

    def do_uid_store(self, state: State, sequence: bytes, how: bytes, flags: Value) -> Answer:
        yield from super().do_uid_store(state, sequence, how, flags)
        if self.auto_expunge:
            yield from self._expunge(state, state.selected.mails)

    def drop(self, box: Box, mails: Iterable[Mail]) -> None:
        if box.name != self.ALL:
            super().drop(box, mails)

    def _copied(self, mails: list[Mail], target: Box) -> Answer:
        there = {mail.msgid for mail in target.mails}
        yield from super()._copied([mail for mail in mails if mail.msgid not in there], target)
        if target.name in (self.TRASH, self.SPAM):
            moved = {mail.msgid for mail in mails}
            for box in self.folders.values():
                if box is not target:
                    box.mails = [mail for mail in box.mails if mail.msgid not in moved]

    def _gone(self, box: Box, mails: list[Mail]) -> Answer:
        yield from super()._gone(box, [mail for mail in mails if mail in box.mails and box.name != self.ALL])


def quoted(text: bytes) -> bytes:
    """A string as a server writes it: quoted, or a literal where that cannot carry it."""
    if text.isascii() and not any(octet < 32 for octet in text):
        return b'"%s"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b"{%d}\r\n%s" % (len(text), text)


def header_fields(message: bytes, names: set[bytes]) -> bytes:
    """The header fields of these upper-case names, as BODY[HEADER.FIELDS] sends them."""
    head = message.partition(b"\r\n\r\n")[0]
    fields = re.findall(rb"[^\r\n]+(?:\r\n[ \t][^\r\n]*)*", head)
    kept = [field for field in fields if field.partition(b":")[0].upper() in names]
    return b"".join(field + b"\r\n" for field in kept) + b"\r\n"


def criterion(box: Box, words: list[Value]) -> Callable[[Mail], bool]:
    """Take one SEARCH key (RFC 9051 6.4.4) off ``words``."""
    word = words.pop(0)
    key = word.decode().upper() if isinstance(word, bytes) else ""
    if not key:
        within = []
        while word:
            within.append(criterion(box, word))
        return lambda mail: all(test(mail) for test in within)
    if key == "NOT":
        inner = criterion(box, words)
        return lambda mail: not inner(mail)
    if key == "OR":
        left, right = criterion(box, words), criterion(box, words)
        return lambda mail: left(mail) or right(mail)
    if key in ("BEFORE", "SINCE"):
        day = datetime.strptime(words.pop(0).decode(), "%d-%b-%Y").date()
        # RFC 9051 disregards time and zone
        return lambda mail: isinstance(mail.arrival, datetime) and (mail.arrival.date() < day) == (key == "BEFORE")
    if key in ("KEYWORD", "UNKEYWORD"):
        flag = words.pop(0).decode()
        return lambda mail: (flag in mail.flags) == (key == "KEYWORD")
    if key == "UID":
        chosen = {mail.uid for mail in box.chosen(words.pop(0))}
        return lambda mail: mail.uid in chosen
    if key.title() in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
        return lambda mail: f"\\{key.title()}" in mail.flags
    if key.startswith("UN") and key[2:].title() in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
        return lambda mail: f"\\{key[2:].title()}" not in mail.flags
    if key == "ALL":
        return lambda mail: True
    raise Refused(f"BAD unknown search key {key}")
