"""A mailbox with CONDSTORE (RFC 7162): every change of flags has its modification sequence, whoever made it."""

from __future__ import annotations

from tests.servers.model import CAPABILITIES, Answer, Mail, State, Store, Value


class Condstore(Store):
    """A :class:`Store` that numbers changes as it notices them: at the next command after a test made one."""

    def __init__(self, capabilities: str = f"{CAPABILITIES} CONDSTORE") -> None:
        super().__init__(capabilities)
        self._last = 1
        self._noticed: dict[int, tuple[frozenset[str], int]] = {}

    def modseq(self, mail: Mail) -> int:
        """The modification sequence of a message."""
        flags = frozenset(mail.flags)
        known = self._noticed.get(id(mail))
        if known is None or known[0] != flags:
            self._last += 1
            known = self._noticed[id(mail)] = flags, self._last
        return known[1]

    def renumber(self, mail: Mail, number: int) -> None:
        """Say that the last change of a message had another modification sequence."""
        self._noticed[id(mail)] = frozenset(mail.flags), number

    def do_examine(self, state: State, name: bytes, *, writable: bool = False) -> Answer:
        yield from super().do_examine(state, name, writable=writable)
        highest = max([1, *map(self.modseq, state.selected.mails)])
        yield b"* OK [HIGHESTMODSEQ %d] highest" % highest

    def do_uid_store(self, state: State, sequence: bytes, *rest: Value) -> Answer:
        if not isinstance(rest[0], list):
            yield from super().do_uid_store(state, sequence, *rest)
            return
        chosen = state.selected.chosen(sequence)
        modified = {mail.uid for mail in chosen if self.modseq(mail) > int(rest[0][1])}
        mine = [mail for mail in chosen if mail.uid not in modified]
        if mine:
            yield from super().do_uid_store(state, ",".join(str(mail.uid) for mail in mine).encode(), *rest[1:])
        for mail in mine:
            number = state.selected.mails.index(mail) + 1
            yield b"* %d FETCH (UID %d MODSEQ (%d))" % (number, mail.uid, self.modseq(mail))
        if modified:
            self.completion = f"[MODIFIED {','.join(map(str, sorted(modified)))}] conditional STORE failed"

    def do_uid_fetch(self, state: State, sequence: bytes, items: Value, modifiers: Value = ()) -> Answer:
        if not modifiers:
            yield from super().do_uid_fetch(state, sequence, items)
            return
        for mail in state.selected.chosen(sequence):
            if self.modseq(mail) > int(modifiers[1]):
                told = self.fetched(state.selected, mail, items)
                yield told[:-1] + b" MODSEQ (%d))" % self.modseq(mail)
