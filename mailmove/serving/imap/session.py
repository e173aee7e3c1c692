"""One IMAP session: its state, and what each command does in it (RFC 3501 3 and 6)."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from mailmove.errors import ArchiveError
from mailmove.safe import visible
from mailmove.serving.channel import Channel, Closed
from mailmove.serving.folders import Mailbox
from mailmove.serving.imap import listing, selected, strings
from mailmove.serving.imap.fetch import Fetch
from mailmove.serving.imap.parser import BadCommand, Parser
from mailmove.serving.imap.search import Search
from mailmove.serving.imap.selected import Selected
from mailmove.serving.logins import Login, Logins, NoPlain, NotEncrypted, Wrong
from mailmove.serving.shelf import Listing, Snapshot

_LITERAL = re.compile(rb"\{(\d{1,10})(\+?)\}\Z")
_APPEND = re.compile(rb"[^ ]+ APPEND ", re.IGNORECASE)
_MAX_SKIP = 1 << 26  # octets of a literal that nobody waits for, and that are read and dropped
_MAX_BAD = 30
_LOOK_EVERY = 2.0  # seconds, in IDLE
_STILL = 10.0  # seconds after which who waits for a search is told that it goes on
_READ_ONLY = "[READ-ONLY] the archive is read-only"
_STATUS = ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN")


class No(Exception):
    """The command is understood and not carried out: NO, with these words."""


class _Over(Exception):
    """LOGOUT."""


class _Command(NamedTuple):
    """What a command does, and where: ``guest`` before the login only, ``folder`` with a selected folder only."""

    does: Callable[[Parser], Awaitable[str]]
    guest: bool = False
    anyone: bool = False
    folder: bool = False


class Session:
    """One connection of a mail program."""

    def __init__(self, channel: Channel, logins: Logins, tls: ssl.SSLContext | None, version: str) -> None:
        self._channel = channel
        self._logins = logins
        self._tls = tls
        self._version = version
        self._login: Login | None = None
        self._selected: Selected | None = None
        self._commands = {
            "CAPABILITY": _Command(self._capability, anyone=True),
            "NOOP": _Command(self._noop, anyone=True),
            "LOGOUT": _Command(self._logout, anyone=True),
            "ID": _Command(self._id, anyone=True),
            "STARTTLS": _Command(self._starttls, guest=True),
            "LOGIN": _Command(self._log_in, guest=True),
            "AUTHENTICATE": _Command(self._authenticate, guest=True),
            "NAMESPACE": _Command(self._namespace),
            "LIST": _Command(self._list),
            "LSUB": _Command(self._lsub),
            "STATUS": _Command(self._status),
            "SELECT": _Command(self._select),
            "EXAMINE": _Command(self._examine),
            "SUBSCRIBE": _Command(self._subscribe),
            "UNSUBSCRIBE": _Command(self._subscribe),
            "IDLE": _Command(self._idle),
            "CHECK": _Command(self._noop, folder=True),
            "CLOSE": _Command(self._unselect, folder=True),
            "UNSELECT": _Command(self._unselect, folder=True),
            "FETCH": _Command(self._fetch, folder=True),
            "SEARCH": _Command(self._search, folder=True),
            "STORE": _Command(self._store, folder=True),
            "UID": _Command(self._uid, folder=True),
            "COPY": _Command(self._refuse, folder=True),
            "MOVE": _Command(self._refuse, folder=True),
            "EXPUNGE": _Command(self._refuse, folder=True),
            "APPEND": _Command(self._refuse),
            "CREATE": _Command(self._cannot),
            "DELETE": _Command(self._cannot),
            "RENAME": _Command(self._cannot),
        }

    @property
    def guest(self) -> bool:
        """Whether nobody has logged in yet."""
        return self._login is None

    async def run(self) -> None:
        """Answer commands until the connection ends."""
        bad = 0
        try:
            await self._send(f"* OK [CAPABILITY {self._capabilities()}] mailmove: archives, read-only")
            while bad < _MAX_BAD:
                command = await self._read()
                if command is not None:
                    bad = 0 if await self._answer(command) else bad + 1
            raise Closed("too many commands that are none")
        except _Over:
            await self._channel.close()
        except Closed as closed:
            await self._channel.close(f"* BYE {closed.why}\r\n".encode() if closed.why else b"")

    async def _read(self) -> bytes | None:
        """A command with its literals; None when it was answered already, because one of them is too long."""
        command = b""
        most = self._channel.limits.command if self._login else 4096
        while True:
            command += await self._channel.line()
            found = _LITERAL.search(command)
            if found is None:
                return command
            length, at_once = int(found[1]), found[2] == b"+"
            if _APPEND.match(command) or len(command) + length > most:
                await self._refuse_literal(command, length, at_once)
                return None
            if not at_once:
                await self._channel.write(b"+ go ahead\r\n")
            command += b"\r\n" + await self._channel.octets(length)
            if len(command) > most:
                raise Closed("a command is too long")

    async def _refuse_literal(self, command: bytes, length: int, at_once: bool) -> None:
        if at_once:
            if length > _MAX_SKIP:
                raise Closed("a literal is too long")
            await self._channel.skip(length)
            await self._channel.line()
        tag = command.partition(b" ")[0].decode("ascii", "replace")
        append = _APPEND.match(command) and self._login
        why = f"NO {_READ_ONLY}" if append else "BAD a literal is too long, or not wanted"
        await self._send(f"{visible(tag, 40)} {why}")

    async def _answer(self, octets: bytes) -> bool:
        """Carry a command out; whether it was one."""
        parser, tag, name = Parser(octets), "*", ""
        try:
            tag = parser.tag().decode("ascii")
            parser.space()
            name = parser.atom()
            told = await self._command(name).does(parser)
        except (BadCommand, NoPlain) as error:
            await self._send(f"{tag} BAD {name[:40]} {error}".replace("  ", " "))
            return False
        except No as error:
            told = f"NO {error}"
        except NotEncrypted:
            told = "NO [PRIVACYREQUIRED] only over TLS"
        except Wrong as wrong:
            told = f"NO [AUTHENTICATIONFAILED] {wrong}"
        except ArchiveError as error:
            told = f"NO [UNAVAILABLE] {error.what}"
        await self._send(f"{tag} {told}")
        if name == "STARTTLS" and told.startswith("OK"):
            assert self._tls is not None
            await self._channel.start_tls(self._tls)
        if name == "LOGOUT":
            raise _Over
        return True

    def _command(self, name: str) -> _Command:
        known = self._commands.get(name)
        if known is None:
            raise BadCommand("is not known")
        if known.anyone:
            return known
        if known.guest is not self.guest:
            raise BadCommand("comes before the login" if known.guest else "needs a login first")
        if known.folder and self._selected is None:
            raise BadCommand("needs a selected folder")
        return known

    async def _send(self, line: str) -> None:
        await self._channel.write(line.encode("ascii", "replace") + b"\r\n")

    @property
    def _folder(self) -> Selected:
        assert self._selected is not None
        return self._selected

    # Any state (RFC 3501 6.1)

    def _capabilities(self) -> str:
        words = ["IMAP4rev1", "LITERAL+", "ID"]
        if not self.guest:
            return " ".join([*words, "NAMESPACE", "CHILDREN", "SPECIAL-USE", "UNSELECT", "IDLE"])
        if self._tls is not None and not self._channel.encrypted:
            words.append("STARTTLS")
        words += ["SASL-IR", "AUTH=PLAIN"] if self._logins.allowed(self._channel) else ["LOGINDISABLED"]
        return " ".join(words)

    async def _capability(self, parser: Parser) -> str:
        parser.end()
        await self._send(f"* CAPABILITY {self._capabilities()}")
        return "OK CAPABILITY completed"

    async def _noop(self, parser: Parser) -> str:
        parser.end()
        await self._tell_news()
        return "OK completed"

    async def _logout(self, parser: Parser) -> str:
        parser.end()
        await self._send("* BYE")
        return "OK LOGOUT completed"

    async def _id(self, parser: Parser) -> str:
        await self._send(f'* ID ("name" "mailmove" "version" "{self._version}")')
        return "OK ID completed"

    # Not logged in (6.2)

    async def _starttls(self, parser: Parser) -> str:
        parser.end()
        if self._tls is None or self._channel.encrypted:
            raise BadCommand("is not offered")
        return "OK begin TLS"

    async def _log_in(self, parser: Parser) -> str:
        parser.space()
        user = parser.astring()
        parser.space()
        password = parser.astring()
        parser.end()
        return await self._entered(user.decode("utf-8", "replace"), password.decode("utf-8", "replace"))

    async def _authenticate(self, parser: Parser) -> str:
        parser.space()
        if parser.atom() != "PLAIN":
            raise No("[CANNOT] only PLAIN is known")
        response = None
        if parser.follows(b" "):
            response = b"" if parser.follows(b"=") else parser.astring()
        parser.end()
        return await self._entered(*await self._logins.plain(self._channel, response))

    async def _entered(self, user: str, password: str) -> str:
        self._login = await self._logins.check(self._channel, user, password)
        return f"OK [CAPABILITY {self._capabilities()}] logged in, read-only"

    # Logged in (6.3)

    async def _namespace(self, parser: Parser) -> str:
        parser.end()
        boxes = (await self._snapshot()).mailboxes
        delimiter = next((box.delimiter for box in boxes.values() if box.delimiter), None)
        shown = strings.quoted(delimiter) if delimiter else b"NIL"
        await self._channel.write(b'* NAMESPACE (("" %b)) NIL NIL\r\n' % shown)
        return "OK NAMESPACE completed"

    async def _list(self, parser: Parser) -> str:
        return await self._names("LIST", parser)

    async def _lsub(self, parser: Parser) -> str:
        return await self._names("LSUB", parser)

    async def _names(self, command: str, parser: Parser) -> str:
        parser.space()
        reference = parser.astring()
        parser.space()
        pattern = parser.pattern()
        parser.end()
        if len(reference) + len(pattern) > 4000:
            raise BadCommand("a pattern is too long")
        boxes = (await self._snapshot()).mailboxes
        await self._channel.stream(listing.responses(command, boxes, reference + pattern if pattern else b""))
        return f"OK {command} completed"

    async def _status(self, parser: Parser) -> str:
        parser.space()
        name = parser.astring()
        parser.space()
        wanted = [word.decode("ascii", "replace").upper() for word in parser.words()]
        parser.end()
        if not set(wanted) <= set(_STATUS):
            raise BadCommand("unknown status item")
        snapshot, box = await self._mailbox(name)
        messages, uidnext, uidvalidity, unseen = await self._channel.work(snapshot.status, box)
        told = dict(zip(_STATUS, (messages, 0, uidnext, uidvalidity, unseen), strict=True))
        shown = " ".join(f"{word} {told[word]}" for word in wanted).encode()
        await self._channel.write(b"* STATUS %b (%b)\r\n" % (strings.quoted(box.name), shown))
        return "OK STATUS completed"

    async def _select(self, parser: Parser) -> str:
        return await self._opened(parser, examined=False)

    async def _examine(self, parser: Parser) -> str:
        return await self._opened(parser, examined=True)

    async def _opened(self, parser: Parser, *, examined: bool) -> str:
        self._selected = None
        parser.space()
        name = parser.astring()
        parser.end()
        snapshot, box = await self._mailbox(name)
        found: Listing = await self._channel.work(snapshot.listing, box)
        await self._channel.write(await self._channel.work(_opening, found))
        self._selected = Selected(snapshot, found, examined=examined)
        return f"OK [READ-ONLY] {'EXAMINE' if examined else 'SELECT'} completed"

    async def _subscribe(self, parser: Parser) -> str:
        parser.space()
        parser.astring()
        parser.end()
        return "OK all folders are subscribed, always"

    async def _cannot(self, _: Parser) -> str:
        raise No("[CANNOT] the archive is read-only")

    async def _refuse(self, _: Parser) -> str:
        raise No(_READ_ONLY)

    async def _idle(self, parser: Parser) -> str:
        parser.end()
        await self._channel.write(b"+ idling\r\n")
        waited = 0.0
        while not await self._channel.waits(_LOOK_EVERY):
            waited += _LOOK_EVERY
            if waited > self._channel.patience:
                raise Closed("it was idle for too long")
            await self._tell_news()
        if (await self._channel.line()).upper() != b"DONE":
            raise BadCommand("ends with DONE")
        return "OK IDLE completed"

    # With a folder (6.4)

    async def _unselect(self, parser: Parser) -> str:
        parser.end()
        self._selected = None
        return "OK completed, nothing was removed"

    async def _fetch(self, parser: Parser, *, by_uid: bool = False) -> str:
        parser.space()
        ranges = parser.ranges()
        parser.space()
        items = parser.items()
        parser.end()
        chosen = self._folder.chosen(ranges, by_uid=by_uid)
        fetch = Fetch(self._folder, items, by_uid=by_uid)
        await self._channel.stream(fetch.responses(chosen))
        return _completed("FETCH", fetch.failed)

    async def _search(self, parser: Parser, *, by_uid: bool = False) -> str:
        parser.space()
        charset = "UTF-8"
        if parser.follows(b"CHARSET ") or parser.follows(b"charset "):
            charset = parser.astring().decode("ascii", "replace").upper()
            parser.space()
        key = parser.search()
        parser.end()
        if charset not in ("UTF-8", "US-ASCII"):
            raise No("[BADCHARSET (UTF-8)] only UTF-8 is known")
        search = Search(self._folder, key, "utf-8")
        found, hits = search.found(), list[int]()
        said = time.monotonic()
        while (some := await self._channel.work(next, found, None)) is not None:
            hits += some
            if time.monotonic() > said + _STILL:
                await self._send("* OK still searching")
                said = time.monotonic()
        items = self._folder.items
        numbers = (b" %d" % (items.uids[hit] if by_uid else hit + 1) for hit in hits)
        await self._channel.write(b"* SEARCH%b\r\n" % b"".join(numbers))
        return _completed("SEARCH", search.failed)

    async def _store(self, parser: Parser, *, by_uid: bool = False) -> str:
        r"""``\\Seen`` is this session's own; nothing else changes."""
        parser.space()
        ranges = parser.ranges()
        parser.space()
        sign = b"+" if parser.follows(b"+") else b"-" if parser.follows(b"-") else b""
        what = parser.atom()
        parser.space()
        flags = [flag.upper() for flag in parser.flags()]
        parser.end()
        if what not in ("FLAGS", "FLAGS.SILENT"):
            raise BadCommand("stores flags only")
        if self._folder.examined or not sign or flags != [b"\\SEEN"]:
            raise No(_READ_ONLY)
        chosen = self._folder.chosen(ranges, by_uid=by_uid)
        for index in chosen:
            self._folder.see(index, sign == b"+")
        if what == "FLAGS":
            items = [*(["UID"] if by_uid else []), "FLAGS"]
            await self._channel.stream(Fetch(self._folder, items, by_uid=by_uid).responses(chosen))
        return "OK STORE completed, for this session"

    async def _uid(self, parser: Parser) -> str:
        parser.space()
        name = parser.atom()
        match name:
            case "FETCH":
                return await self._fetch(parser, by_uid=True)
            case "SEARCH":
                return await self._search(parser, by_uid=True)
            case "STORE":
                return await self._store(parser, by_uid=True)
            case "COPY" | "MOVE" | "EXPUNGE":
                return await self._refuse(parser)
        raise BadCommand(f"{name[:40]} is not known")

    # The archive

    async def _snapshot(self) -> Snapshot:
        assert self._login is not None
        snapshot: Snapshot = await self._channel.work(self._login.shelf.snapshot)
        await self._channel.work(getattr, snapshot, "mailboxes")
        return snapshot

    async def _mailbox(self, name: bytes) -> tuple[Snapshot, Mailbox]:
        snapshot = await self._snapshot()
        box = snapshot.mailboxes.get(name)
        if box is None and name.upper() == b"INBOX":
            box = next((each for known, each in snapshot.mailboxes.items() if known.upper() == b"INBOX"), None)
        if box is None:
            raise No("[NONEXISTENT] there is no such folder")
        return snapshot, box

    async def _tell_news(self) -> None:
        """Tell what an export or an erasure changed in the selected folder, where this may be told."""
        if self._selected is None:
            return
        try:
            snapshot = await self._snapshot()
            if snapshot is self._selected.snapshot:
                return
            box = snapshot.mailboxes.get(self._selected.mailbox.name)
            found = await self._channel.work(snapshot.listing, box) if box is not None else None
        except ArchiveError:
            return  # what was read before stays good; whoever opens a folder anew is told
        if found is None or found.uidvalidity != self._selected.uidvalidity:
            raise Closed("the folder is another one now; select it again")
        await self._channel.stream(self._selected.update(snapshot, found))


def _opening(found: Listing) -> bytes:
    """What SELECT tells of a folder (RFC 3501 6.3.1)."""
    first = next((number for number, text in enumerate(found.items.flags, 1) if "\\seen" not in text.lower()), 0)
    lines = [
        b"* FLAGS (%b)" % selected.keywords(found.items),
        b"* %d EXISTS" % len(found.items),
        b"* 0 RECENT",
        *([b"* OK [UNSEEN %d] the first that is not seen" % first] if first else []),
        b"* OK [PERMANENTFLAGS ()] nothing is stored",
        b"* OK [UIDNEXT %d] the next UID at least" % found.uidnext,
        b"* OK [UIDVALIDITY %d] the UIDs are those of the server" % found.uidvalidity,
    ]
    return b"\r\n".join([*lines, b""])


def _completed(command: str, failed: list[str]) -> str:
    if not failed:
        return f"OK {command} completed"
    more = f"; and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"NO {visible(failed[0])}{more}"
