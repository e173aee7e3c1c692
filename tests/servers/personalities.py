"""Real servers that behave oddly, each a mailbox for a :mod:`tests.servers.scripted` server::

    server = scripted(store=Yahoo(3))
    server.store.add("INBOX", message(1), message(2), message(3))

What they do was seen at the real ones, or is what their sources and public reports say. Scripts can be added to any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.servers.model import Answer, Box, Command, Gmail, Mail, Refused, State, Store, Unanswered, Value


class Exchange(Store):
    """Exchange and Microsoft 365: sizes are estimates, and what cannot be converted is replaced by a stand-in.

    ``withheld`` are the UIDs, in any folder, in whose place a stand-in is served: whole, well-formed, and for ever.
    """

    STAND_IN = (
        b"From: <microsoft>\r\n"
        b"Subject: Retrieval using the IMAP4 protocol failed for the following message: %d\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        b"The server couldn't retrieve the following message:\r\n\r\n"
        b'Subject: "%b"\r\nFrom: "somebody"\r\nSent date: 5/4/2021 3:02:01 AM\r\n\r\n'
        b"The message hasn't been deleted. You might be able to view it using either Outlook or Outlook Web App. "
        b"You can also contact the sender to find out what the message says."
    )

    def __init__(self, *withheld: int, estimate: float = 1.02) -> None:
        """``estimate`` times the octets of a message are what it announces."""
        super().__init__(
            "IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN NAMESPACE LITERAL+"
        )
        self.withheld = set(withheld)
        self.estimate = estimate

    def size(self, mail: Mail) -> int:
        return round(len(mail.body) * self.estimate) if mail.size is None else mail.size

    def item(self, box: Box, mail: Mail, item: bytes, more: Iterator[Value]) -> bytes:
        if mail.uid not in self.withheld or not item.startswith((b"BODY[]", b"BODY.PEEK[]")):
            return super().item(box, mail, item, more)
        body = self.stand_in(box, mail)
        return b"BODY[] {%d}\r\n%s" % (len(body), body)

    def stand_in(self, box: Box, mail: Mail) -> bytes:
        """What is served in the place of a message."""
        subject = re.search(rb"^Subject: (.*?)\r$", mail.body, re.MULTILINE)
        return self.STAND_IN % (box.mails.index(mail) + 1, subject[1] if subject else b"")


class Unconnected(Exchange):
    """Microsoft 365 where IMAP is off for the mailbox, or the token is another user's: it logs in, and that is all."""

    def __init__(self, refusal: str = "BAD User is authenticated but not connected.") -> None:
        super().__init__()
        self.refusal = refusal

    def answer(self, state: State, command: Command) -> Answer:
        if state.authenticated and command.name not in ("CAPABILITY", "NOOP", "LOGOUT", "ID", "ENABLE"):
            raise Refused(self.refusal)
        yield from super().answer(state, command)


class Yahoo(Store):
    """Yahoo, for days: every FETCH of bodies whose set holds one of these UIDs fails, as if the server were busy."""

    FAILURE = "NO [UNAVAILABLE] UID FETCH Server error while fetching messages"

    def __init__(self, *poison: int, failure: str = FAILURE) -> None:
        super().__init__()
        self.poison = set(poison)
        self.failure = failure

    def do_uid_fetch(self, state: State, sequence: bytes, items: Value) -> Answer:
        chosen = {mail.uid for mail in state.selected.chosen(sequence)}
        if b"BODY.PEEK[]" in items and chosen & self.poison:
            raise Refused(self.failure)
        yield from super().do_uid_fetch(state, sequence, items)


class Cyrus(Store):
    """Cyrus with its defaults: ``munge8bit`` makes an X of each octet above 0x7F in a header; no NUL, no bare LF."""

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        *options, body = args
        if b"\0" in body:
            raise Refused("NO Message contains NUL characters")
        if re.search(rb"(?<!\r)\n", body):
            raise Refused("NO Message contains bare newlines")
        head, blank, text = body.partition(b"\r\n\r\n")
        super().do_append(state, name, *options, re.sub(rb"[\x80-\xff]", b"X", head) + blank + text)


class Courier(Store):
    """Courier: literals wait for a go-ahead, names begin with ``INBOX.``, and its quota counts line ends as one octet.

    ``limit`` is that of its quota, in octets.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__("IMAP4rev1 UIDPLUS CHILDREN NAMESPACE QUOTA IDLE AUTH=PLAIN")
        self.limit = limit

    def add(self, name: str | bytes, *bodies: bytes, **how: Value) -> Box:
        box = super().add(name, *bodies, **how)
        box.delimiter = '"."'
        return box

    def do_namespace(self, state: State) -> Answer:
        yield b'* NAMESPACE (("INBOX." ".")) NIL (("#shared." ".")("shared." "."))'

    def do_create(self, state: State, name: bytes, *_use: Value) -> None:
        if not name.startswith(b"INBOX."):
            raise Refused("NO Cannot create this folder.")
        super().do_create(state, name)

    def do_append(self, state: State, name: bytes, *args: Value) -> None:
        if self.limit is not None and self.used + _lf(args[-1]) > self.limit:
            raise Refused("NO [ALERT] You exceeded your mail quota.")
        super().do_append(state, name, *args)

    @property
    def used(self) -> int:
        """The octets of all messages, as they lie in its Maildir."""
        return sum(_lf(mail.body) for box in self.folders.values() for mail in box.mails)

    def do_getquotaroot(self, state: State, name: bytes) -> Answer:
        yield b'* QUOTAROOT "%b" "ROOT"' % self.box(name).name
        if self.limit is not None:
            yield b'* QUOTA "ROOT" (STORAGE %d %d)' % (-(-self.used // 1024), self.limit // 1024)


class Mailutils(Store):
    """GNU Mailutils: names in STATUS are not quoted, and ``{5}`` within quotes is taken for a literal to come."""

    def __init__(self) -> None:
        super().__init__("IMAP4rev1 NAMESPACE ID IDLE LITERAL+ UNSELECT UIDPLUS AUTH=PLAIN")

    def do_status(self, state: State, name: bytes, items: Value) -> Answer:
        for answer in super().do_status(state, name, items):
            yield b"* STATUS %b %b" % (name, answer[answer.rindex(b"(") :])

    def do_create(self, state: State, name: bytes, *use: Value) -> Answer:
        if re.fullmatch(rb"\{\d+\}", name):
            yield b"+ GO AHEAD"
            raise Unanswered
        super().do_create(state, name, *use)


class Coremail(Store):
    """163.com, 126.com, yeah.net: no folder opens before the client has told its name by ID, after the login."""

    def do_examine(self, state: State, name: bytes, *, writable: bool = False) -> Answer:
        if not state.identified:
            verb = "SELECT" if writable else "EXAMINE"
            raise Refused(f"NO {verb} Unsafe Login. Please contact kefu@188.com for help")
        yield from super().do_examine(state, name, writable=writable)


class HidingGmail(Gmail):
    """Gmail where "Show in IMAP" is off for some of its folders, by their wire names; messages without a label too."""

    def __init__(self, *hidden: bytes) -> None:
        super().__init__()
        self.hidden = set(hidden or (self.ALL,))


def _lf(body: bytes) -> int:
    """Octets with LF line ends."""
    return len(body) - body.count(b"\r\n")
